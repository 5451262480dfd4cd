//! Packs jobs into rooms: first-fit decreasing over job shapes, by counts and never job by job.
//!
//! Deliberately knows nothing of nodes: whoever asks says what a room is, and in which order rooms are tried. A room
//! that ends up untouched can be taken away without changing where anything else went, so the one packing answers
//! both "how many more?" and "would removing this one hurt?".
//!
//! First fit over n rooms is found with a tournament tree over them (Johnson, *Near-optimal bin packing algorithms*,
//! 1973), here with the largest of each resource in every inner node.

use std::cmp::Reverse;

use ehos_model::{Demand, Mebibytes, Resources};

use crate::unmet::Waiting;

/// Gives the shapes that wait, largest first, so that small jobs fill what large ones leave.
pub(crate) fn decreasing<'a>(demand: impl IntoIterator<Item = &'a Demand>) -> Vec<Waiting> {
    let mut shapes: Vec<Waiting> = demand
        .into_iter()
        .filter(|group| group.idle > 0)
        .map(|group| Waiting { autocluster: group.autocluster, request: group.request, jobs: group.idle })
        .collect();
    shapes.sort_by_key(|shape| Reverse((weight(&shape.request), shape.request, shape.autocluster)));
    shapes
}

/// Orders shapes by size: GPUs first, then one core for 4 GiB of memory for 40 GiB of disk.
///
/// Fixed weights, since weights that follow the demand would pack the same jobs differently from tick to tick.
fn weight(request: &Resources) -> (u32, u64) {
    let rest = (u64::from(request.cores) * 4096)
        .saturating_add(request.memory.0)
        .saturating_add(request.disk.0 / 10);
    (request.gpus, rest)
}

/// Rooms in the order in which they are tried.
#[derive(Debug)]
pub(crate) struct Packer {
    /// A complete binary tree: the children of `i` are `2i` and `2i + 1`, the rooms begin at `width`.
    tree: Vec<Resources>,
    width: usize,
    rooms: usize,
}

impl Packer {
    pub(crate) fn new(rooms: &[Resources]) -> Self {
        let width = rooms.len().next_power_of_two();
        let mut tree = vec![Resources::default(); width];
        tree.extend_from_slice(rooms);
        tree.resize(2 * width, Resources::default());
        for i in (1..width).rev() {
            tree[i] = larger(tree[2 * i], tree[2 * i + 1]);
        }
        Self { tree, width, rooms: rooms.len() }
    }

    /// Places up to `count` jobs and returns how many found no room; `used` hears of every room that got some.
    pub(crate) fn place(&mut self, request: &Resources, mut count: u64, mut used: impl FnMut(usize)) -> u64 {
        let mut from = 0;
        while count > 0
            && let Some(room) = self.first_fit(request, from)
        {
            let leaf = self.width + room;
            let n = request.times_in(&self.tree[leaf], count);
            if n > 0 {
                self.shrink(leaf, request.times(n));
                used(room);
                count -= n;
            }
            from = room + 1;
        }
        count
    }

    /// Finds the first room at `from` or after it with enough of everything.
    fn first_fit(&self, request: &Resources, from: usize) -> Option<usize> {
        if from >= self.rooms {
            return None;
        }
        let mut i = self.width + from;
        loop {
            if request.fits_in(&self.tree[i]) {
                if i >= self.width {
                    return (i - self.width < self.rooms).then_some(i - self.width);
                }
                i *= 2;
                continue;
            }
            // Up until there is a right-hand neighbour, then over to it.
            while i & 1 == 1 {
                i /= 2;
            }
            if i == 0 {
                return None;
            }
            i += 1;
        }
    }

    fn shrink(&mut self, leaf: usize, by: Resources) {
        let left = self.tree[leaf];
        self.tree[leaf] = left.checked_sub(by).unwrap_or_default();
        let mut i = leaf / 2;
        while i > 0 {
            self.tree[i] = larger(self.tree[2 * i], self.tree[2 * i + 1]);
            i /= 2;
        }
    }
}

/// Fills a node's rooms with as many of the waiting jobs as they take, in the order given.
///
/// Returns how many jobs of which shape (by index) went in, and what is left unused of all rooms together.
pub(crate) fn fill(
    rooms: impl Iterator<Item = Resources>,
    shapes: &[Waiting],
) -> (Vec<(usize, u64)>, Resources) {
    let mut taken: Vec<(usize, u64)> = Vec::new();
    let mut unused = Resources::default();
    for mut room in rooms {
        for (i, shape) in shapes.iter().enumerate() {
            if !shape.request.fits_in(&room) {
                continue;
            }
            let already: u64 = taken.iter().filter(|(j, _)| *j == i).map(|(_, n)| n).sum();
            let n = shape.request.times_in(&room, shape.jobs - already);
            if n > 0 {
                room = room.checked_sub(shape.request.times(n)).unwrap_or_default();
                taken.push((i, n));
            }
            if room.cores == 0 && room.memory == Mebibytes(0) {
                break;
            }
        }
        unused += room;
    }
    (taken, unused)
}

fn larger(a: Resources, b: Resources) -> Resources {
    Resources {
        cores: a.cores.max(b.cores),
        memory: a.memory.max(b.memory),
        disk: a.disk.max(b.disk),
        gpus: a.gpus.max(b.gpus),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn size(cores: u32, gib: u64) -> Resources {
        Resources { cores, memory: Mebibytes(gib * 1024), disk: Mebibytes(0), gpus: 0 }
    }

    #[test]
    fn first_fit_by_counts() {
        let rooms = [size(4, 1), size(4, 8), size(8, 16)];
        for (request, count, left, used, row) in [
            (size(2, 2), 1, 0, vec![1], "cores without memory are no room"),
            (size(2, 2), 3, 0, vec![1, 2], "the next room when one is full"),
            (size(2, 2), 9, 3, vec![1, 2], "and what is left"),
            (size(9, 1), 1, 1, vec![], "too large for any"),
            (size(0, 0), 5, 0, vec![0], "nothing at all fits anywhere"),
        ] {
            let mut packer = Packer::new(&rooms);
            let mut touched = Vec::new();
            assert_eq!(packer.place(&request, count, |room| touched.push(room)), left, "{row}");
            assert_eq!(touched, used, "{row}");
        }
        assert_eq!(Packer::new(&[]).place(&size(1, 1), 4, |_| ()), 4, "no rooms");
        assert_eq!(Packer::new(&[]).place(&size(0, 0), 4, |_| ()), 4, "no rooms, not even for nothing");
    }

    fn resources() -> impl Strategy<Value = Resources> {
        (0..6_u32, 0..9_u64, 0..4_u64, 0..2_u32).prop_map(|(cores, memory, disk, gpus)| Resources {
            cores,
            memory: Mebibytes(memory),
            disk: Mebibytes(disk),
            gpus,
        })
    }

    proptest! {
        /// The tree does what a plain walk over the rooms does.
        #[test]
        fn the_tree_is_first_fit(
            rooms in proptest::collection::vec(resources(), 0..20),
            jobs in proptest::collection::vec((resources(), 1..6_u64), 0..10),
        ) {
            let mut packer = Packer::new(&rooms);
            let mut plain = rooms;
            for (request, count) in jobs {
                let mut used = Vec::new();
                let left = packer.place(&request, count, |room| used.push(room));
                let (mut expected_left, mut expected) = (count, Vec::new());
                for (i, room) in plain.iter_mut().enumerate() {
                    let n = request.times_in(room, expected_left);
                    if n > 0 {
                        *room = room.checked_sub(request.times(n)).unwrap();
                        expected_left -= n;
                        expected.push(i);
                    }
                }
                prop_assert_eq!((left, used), (expected_left, expected));
            }
        }
    }
}
