//! Chance, drawn from the snapshot's seed: names of new nodes, and which cloud comes next.
//!
//! Deliberately not secret and not from the system: the same snapshot gives the same names again.

use ehos_model::{NodeId, Timestamp};

/// `SplitMix64` (Steele, Lea, Flood: *Fast splittable pseudorandom number generators*, 2014).
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) const fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Draws a number below `n`; 0 where there is nothing to choose.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        let n = u64::try_from(n).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.roll() % n).unwrap_or(0)
    }
}

/// The longest prefix that leaves room for the rest of a host name of 63 characters.
const PREFIX_MAX: usize = 29;

/// Names new nodes: `PREFIX-execute-YYYYmmddhhmmss-RANDOM`.
///
/// The names of one tick ascend in the order of the orders, so that the next tick packs the same jobs onto the
/// same nodes in the same order.
#[derive(Debug)]
pub(crate) struct Names {
    time: String,
    dice: Dice,
    next: u64,
}

impl Names {
    pub(crate) fn new(at: Timestamp, seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ 0x6e6f_6465_5f69_6473);
        // 50 bits are ten characters; the upper half is left free to count up in.
        let next = dice.roll() >> 15;
        Self { time: at.strftime("%Y%m%d%H%M%S").to_string(), dice, next }
    }

    /// Draws a name that is not taken.
    pub(crate) fn draw(&mut self, prefix: &str, taken: impl Fn(&NodeId) -> bool) -> NodeId {
        loop {
            let id = NodeId::new(format!("{}-execute-{}-{}", clean(prefix), self.time, base32(self.next)));
            self.next += 1 + (self.dice.roll() >> 44);
            if !taken(&id) {
                return id;
            }
        }
    }
}

/// Makes a prefix fit for a host name; configuration has seen to it, but a name must never be refused.
fn clean(prefix: &str) -> String {
    let clean: String = prefix
        .chars()
        .map(|c| c.to_ascii_lowercase())
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(PREFIX_MAX)
        .collect();
    match clean.trim_matches('-') {
        "" => "ehos".to_owned(),
        trimmed => trimmed.to_owned(),
    }
}

/// Writes the lower 50 bits in ten characters, ascending with the number.
fn base32(n: u64) -> String {
    const DIGITS: &[u8; 32] = b"234567abcdefghijklmnopqrstuvwxyz";
    (0..10).rev().map(|i| char::from(DIGITS[usize::try_from((n >> (5 * i)) & 31).unwrap_or(0)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(seed: u64) -> Names {
        Names::new("2026-11-23T01:02:03Z".parse().unwrap(), seed)
    }

    #[test]
    fn names_are_host_names_that_ascend_and_differ() {
        for (prefix, start, row) in [
            ("ehos", "ehos-execute-20261123010203-", "as configured"),
            ("My_Prefix.", "my-prefix-execute-20261123010203-", "made fit"),
            ("", "ehos-execute-20261123010203-", "none"),
            ("--", "ehos-execute-20261123010203-", "nothing fit"),
        ] {
            assert!(names(7).draw(prefix, |_| false).as_str().starts_with(start), "{row}");
        }
        for seed in [0, 1, u64::MAX] {
            let mut names = names(seed);
            let drawn: Vec<NodeId> = (0..1000).map(|_| names.draw(&"x".repeat(90), |_| false)).collect();
            assert!(drawn.is_sorted_by(|a, b| a < b));
            for id in &drawn {
                assert!(id.as_str().len() <= 63);
                assert!(
                    id.as_str().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                );
            }
        }
    }

    #[test]
    fn a_taken_name_is_not_drawn_again() {
        let first = names(3).draw("ehos", |_| false);
        assert_ne!(names(3).draw("ehos", |id| *id == first), first);
        assert_eq!(names(3).draw("ehos", |_| false), first, "the same seed, the same name");
    }
}
