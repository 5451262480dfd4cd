//! What a job asks for, a slot has free and a flavor offers, in one type and one set of units.

use std::fmt;
use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};

/// An amount of memory or disk in MiB (2^20 bytes).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mebibytes(pub u64);

impl Mebibytes {
    /// Converts whole GiB.
    #[must_use]
    pub const fn from_gibibytes(gibibytes: u64) -> Self {
        Self(gibibytes.saturating_mul(1024))
    }

    /// Converts KiB, rounding up: a job that asks for 1 KiB needs 1 MiB of room.
    #[must_use]
    pub const fn from_kibibytes_up(kibibytes: u64) -> Self {
        Self(kibibytes.div_ceil(1024))
    }

    /// Converts KiB, rounding down: 1 KiB free is no room.
    #[must_use]
    pub const fn from_kibibytes_down(kibibytes: u64) -> Self {
        Self(kibibytes / 1024)
    }
}

impl fmt::Display for Mebibytes {
    /// Writes whole GiB as such and everything else in MiB.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("0 MiB"),
            n if n % 1024 == 0 => write!(f, "{} GiB", n / 1024),
            n => write!(f, "{n} MiB"),
        }
    }
}

/// Cores, memory, disk and GPUs: a job's request, a slot's room, a flavor's size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Resources {
    /// Whole CPU cores.
    pub cores: u32,
    /// Memory.
    pub memory: Mebibytes,
    /// Scratch disk.
    pub disk: Mebibytes,
    /// Whole GPUs.
    pub gpus: u32,
}

impl Resources {
    /// Tells whether all four fit at once: idle cores without memory are no room.
    #[must_use]
    pub const fn fits_in(&self, room: &Self) -> bool {
        self.cores <= room.cores
            && self.memory.0 <= room.memory.0
            && self.disk.0 <= room.disk.0
            && self.gpus <= room.gpus
    }

    /// Takes `other` away, or gives `None` where it does not fit.
    #[must_use]
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        if !other.fits_in(&self) {
            return None;
        }
        Some(Self {
            cores: self.cores - other.cores,
            memory: Mebibytes(self.memory.0 - other.memory.0),
            disk: Mebibytes(self.disk.0 - other.disk.0),
            gpus: self.gpus - other.gpus,
        })
    }

    /// Counts how often `self` fits into `room`, at most `limit` times.
    ///
    /// A request for nothing at all fits `limit` times.
    #[must_use]
    pub fn times_in(&self, room: &Self, limit: u64) -> u64 {
        fn per(room: u64, ask: u64) -> u64 {
            room.checked_div(ask).unwrap_or(u64::MAX)
        }
        per(room.cores.into(), self.cores.into())
            .min(per(room.memory.0, self.memory.0))
            .min(per(room.disk.0, self.disk.0))
            .min(per(room.gpus.into(), self.gpus.into()))
            .min(limit)
    }

    /// Multiplies all four, saturating.
    #[must_use]
    pub fn times(&self, n: u64) -> Self {
        let n32 = u32::try_from(n).unwrap_or(u32::MAX);
        Self {
            cores: self.cores.saturating_mul(n32),
            memory: Mebibytes(self.memory.0.saturating_mul(n)),
            disk: Mebibytes(self.disk.0.saturating_mul(n)),
            gpus: self.gpus.saturating_mul(n32),
        }
    }
}

impl Add for Resources {
    type Output = Self;

    /// Adds all four, saturating.
    fn add(self, other: Self) -> Self {
        Self {
            cores: self.cores.saturating_add(other.cores),
            memory: Mebibytes(self.memory.0.saturating_add(other.memory.0)),
            disk: Mebibytes(self.disk.0.saturating_add(other.disk.0)),
            gpus: self.gpus.saturating_add(other.gpus),
        }
    }
}

impl AddAssign for Resources {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl fmt::Display for Resources {
    /// Writes `4 cores, 8 GiB, 80 GiB disk, 1 GPU`, leaving out disk and GPUs where there are none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |n: u32| if n == 1 { "" } else { "s" };
        write!(f, "{} core{}, {}", self.cores, plural(self.cores), self.memory)?;
        if self.disk.0 > 0 {
            write!(f, ", {} disk", self.disk)?;
        }
        if self.gpus > 0 {
            write!(f, ", {} GPU{}", self.gpus, plural(self.gpus))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn size(cores: u32, memory: u64, disk: u64, gpus: u32) -> Resources {
        Resources { cores, memory: Mebibytes(memory), disk: Mebibytes(disk), gpus }
    }

    #[test]
    fn every_dimension_counts() {
        let room = size(4, 4096, 1000, 1);
        for (ask, fits, row) in [
            (size(4, 4096, 1000, 1), true, "all of it"),
            (size(5, 1, 1, 0), false, "cores"),
            (size(1, 4097, 1, 0), false, "idle cores without memory are no room"),
            (size(1, 1, 1001, 0), false, "disk"),
            (size(1, 1, 1, 2), false, "GPUs"),
            (size(0, 0, 0, 0), true, "nothing"),
        ] {
            assert_eq!(ask.fits_in(&room), fits, "{row}");
            assert_eq!(room.checked_sub(ask).is_some(), fits, "{row}");
        }
    }

    #[test]
    fn times_in_is_repeated_subtraction() {
        let room = size(8, 10_000, 5000, 0);
        let ask = size(2, 3000, 100, 0);
        assert_eq!(ask.times_in(&room, 100), 3, "memory ends it");
        assert_eq!(ask.times_in(&room, 2), 2, "the limit ends it");
        assert_eq!(Resources::default().times_in(&room, 7), 7, "nothing fits as often as asked");
        assert_eq!(size(1, 1, 1, 1).times_in(&room, 7), 0, "no GPU, no room");
    }

    #[test]
    fn reads_like_a_sentence() {
        assert_eq!(size(4, 8192, 0, 0).to_string(), "4 cores, 8 GiB");
        assert_eq!(size(1, 1500, 2048, 2).to_string(), "1 core, 1500 MiB, 2 GiB disk, 2 GPUs");
    }

    #[test]
    fn kibibytes_round_to_the_safe_side() {
        assert_eq!(Mebibytes::from_kibibytes_up(1), Mebibytes(1));
        assert_eq!(Mebibytes::from_kibibytes_down(1023), Mebibytes(0));
    }
}
