//! The command line of `ehos_sleep_jobs`.
//!
//! Deliberately submits nothing.

use std::path::PathBuf;

use clap::{ArgAction, ArgGroup, Parser};
use ehos_model::{Mebibytes, Resources};

/// The longest a test job may sleep: a year, in seconds.
const LONGEST: u32 = 365 * 24 * 3600;

const EXAMPLES: &str = "\
Examples:
  ehos_sleep_jobs -n 10 -s 20                  ten jobs of 20 seconds
  ehos_sleep_jobs -n 10 -r 30,50               ten jobs of 30 to 50 seconds each
  ehos_sleep_jobs -n 4 -s 60 --request-cpus 4 --request-memory 8GiB --wait
  ehos_sleep_jobs -c etc/demo.yaml -n 10 -s 20 into the queue of an ehosd that runs etc/demo.yaml

Exit status: 0 all well, 1 the pool did not take the jobs, 2 the command line or the configuration is wrong.";

/// Puts jobs that only sleep into the HTCondor queue, to see a pool grow and shrink.
#[derive(Debug, Parser)]
#[command(name = "ehos_sleep_jobs", version, after_help = EXAMPLES, max_term_width = 100)]
#[command(group = ArgGroup::new("time").required(true).args(["seconds", "range"]))]
pub(crate) struct Cli {
    /// How many jobs
    #[arg(short = 'n', long = "number", value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) number: u32,

    /// How many seconds each job sleeps
    #[arg(short, long, value_name = "SECS", value_parser = clap::value_parser!(u32).range(..=i64::from(LONGEST)))]
    pub(crate) seconds: Option<u32>,

    /// Each job sleeps between MIN and MAX seconds, drawn for each
    #[arg(short, long, value_name = "MIN,MAX", value_parser = range)]
    pub(crate) range: Option<(u32, u32)>,

    /// Cores a job asks for; the pool's default if not given
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub(crate) request_cpus: u32,

    /// Memory a job asks for: MiB, or with a unit as in 2GiB
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) request_memory: Option<Mebibytes>,

    /// Scratch disk a job asks for: MiB, or with a unit as in 10GiB
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) request_disk: Option<Mebibytes>,

    /// Follow the jobs until the last one has left the queue
    #[arg(short, long)]
    pub(crate) wait: bool,

    /// The configuration of the ehosd whose embedded pool shall take the jobs; not needed for HTCondor
    #[arg(short, long = "config", value_name = "FILE")]
    pub(crate) config: Vec<PathBuf>,

    /// Say more: -v what is done, -v -v every call with its time
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) verbose: u8,
}

impl Cli {
    /// What each job asks for; zero is the pool's default.
    pub(crate) fn request(&self) -> Resources {
        Resources {
            cores: self.request_cpus,
            memory: self.request_memory.unwrap_or_default(),
            disk: self.request_disk.unwrap_or_default(),
            gpus: 0,
        }
    }

    /// How long each job sleeps, in seconds.
    pub(crate) fn durations(&self, mut draw: impl FnMut(u32, u32) -> u32) -> Vec<u32> {
        (0..self.number)
            .map(|_| match (self.seconds, self.range) {
                (Some(seconds), _) => seconds,
                (None, Some((min, max))) => draw(min, max),
                (None, None) => 0,
            })
            .collect()
    }
}

/// Reads `MIN,MAX`; swapped bounds are put right.
fn range(text: &str) -> Result<(u32, u32), String> {
    let wrong = || format!("expected two numbers of seconds as in 30,50, at most {LONGEST}");
    let (a, b) = text.split_once(',').ok_or_else(wrong)?;
    let number = |text: &str| text.trim().parse().ok().filter(|n| *n <= LONGEST).ok_or_else(wrong);
    let (a, b): (u32, u32) = (number(a)?, number(b)?);
    Ok((a.min(b), a.max(b)))
}

/// Reads a size: MiB, or with a unit (K, M, G, T, with or without `B` or `iB`, powers of 1024).
fn size(text: &str) -> Result<Mebibytes, String> {
    let wrong = || "expected a size in MiB, or with a unit as in 500MiB or 2GiB".to_owned();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).trim_end();
    let unit = text[digits.len()..].trim().to_ascii_lowercase();
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    let kibibytes = match unit.as_str() {
        "k" | "kb" | "kib" => Some(number),
        "" | "m" | "mb" | "mib" => number.checked_mul(1024),
        "g" | "gb" | "gib" => number.checked_mul(1024 * 1024),
        "t" | "tb" | "tib" => number.checked_mul(1024 * 1024 * 1024),
        _ => None,
    };
    kibibytes.map(Mebibytes::from_kibibytes_up).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(words.split_whitespace())
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn the_number_of_jobs_is_obeyed() {
        let cli = parse("ehos_sleep_jobs -n 7 -s 20").unwrap();
        assert_eq!(cli.durations(|_, _| 0), vec![20; 7]);
    }

    #[test]
    fn every_job_draws_its_own_time_between_the_bounds() {
        for words in ["ehos_sleep_jobs -n 3 -r 30,50", "ehos_sleep_jobs -n 3 -r 50,30"] {
            let mut drawn = 0;
            let durations = parse(words).unwrap().durations(|min, max| {
                assert_eq!((min, max), (30, 50), "{words}");
                drawn += 1;
                min + drawn
            });
            assert_eq!(durations, [31, 32, 33], "{words}");
        }
    }

    #[test]
    fn sizes_have_units() {
        for (text, mebibytes) in [("500", 500), ("2GiB", 2048), ("2g", 2048), ("1k", 1), ("1 TiB", 1 << 20)] {
            assert_eq!(size(text), Ok(Mebibytes(mebibytes)), "{text}");
        }
        for text in ["", "GiB", "2 parsec", "-1", "99999999999999999999", "18446744073709551615T"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for words in [
            "ehos_sleep_jobs -n 3",
            "ehos_sleep_jobs -n 0 -s 1",
            "ehos_sleep_jobs -s 1 -r 1,2",
            "ehos_sleep_jobs -r 5",
            "ehos_sleep_jobs -r 5,",
            "ehos_sleep_jobs -s 1 --request-memory much",
        ] {
            assert!(parse(words).is_err(), "{words}");
        }
    }
}
