//! The command line of `ehos_build_images`.
//!
//! Deliberately builds nothing.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Parser};
use ehos_terminal::duration;

const EXAMPLES: &str = "\
What happens in each cloud, in all of them at once: a server is made from the base image
(ehos.image) and told base.yaml; when it says on its console that it is up and clean, an image is
made of it; a node is booted from that image and must run a job; then the image's id is written
into ehos.yaml, and the servers and older images are deleted.

Examples:
  ehos_build_images -v etc/ehos.yaml           build what is not up to date
  ehos_build_images --dry-run etc/ehos.yaml    what would be built from what?
  ehos_build_images --only bergen --force etc/ehos.yaml

Ctrl-C deletes what was made so far; a second one ends at once.
Exit status: 0 all well, 1 a cloud failed, 2 the command line or the configuration is wrong,
130 interrupted.";

/// Builds one node image for each cloud, region and project, and writes the ids into ehos.yaml.
#[derive(Debug, Parser)]
#[command(name = "ehos_build_images", version, after_help = EXAMPLES, max_term_width = 100)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches of a command line")]
pub(crate) struct Cli {
    /// The configuration; later files override earlier ones key by key. Without any, ehos.yaml is
    /// looked for in /etc/ehos, /usr/local/etc/ehos, etc and so on
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// What the base servers are told at boot, in place of the base.yaml that is found in /etc/ehos
    /// and so on, or else built in
    #[arg(short = 'B', long = "base", value_name = "FILE")]
    pub(crate) base: Option<PathBuf>,

    /// Build in this cloud alone; may be given several times
    #[arg(long, value_name = "CLOUD")]
    pub(crate) only: Vec<String>,

    /// Build even where there is a good image of the same base.yaml
    #[arg(long)]
    pub(crate) force: bool,

    /// Print what would be built from what, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Keep the servers of a cloud that fails, to look at them
    #[arg(long)]
    pub(crate) keep: bool,

    /// How many images to keep in each cloud, the new one included; older ones of this pool are
    /// deleted unless something uses them
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) keep_images: u32,

    /// The longest that each of these may take: a server until it is up, an image until it is
    /// active, a probe until its job has run
    #[arg(long, value_name = "DURATION", default_value = "30m", value_parser = limit)]
    pub(crate) timeout: Duration,

    /// Say more: -v what is done, -v -v every call with its time, -v -v -v what calls carry
    /// (secrets masked)
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) verbose: u8,

    /// Say only what is wrong
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
}

/// Reads a time-out: a time in which something can happen.
fn limit(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("nothing is done in no time; expected for example 90s, 10m or 2h".to_owned()),
        limit => Ok(limit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn the_words_of_the_python_program_are_understood() {
        let words = "ehos_build_images -v -v -v -B base.yaml etc/ehos.yaml";
        let cli = Cli::try_parse_from(words.split_whitespace()).unwrap();
        assert_eq!((cli.verbose, cli.base), (3, Some("base.yaml".into())));
        assert_eq!((cli.files, cli.keep_images), (vec!["etc/ehos.yaml".into()], 2));
        assert_eq!(cli.timeout, Duration::from_mins(30));
    }
    #[test]
    fn no_time_at_all_is_no_time_out() {
        let limit =
            |text| Cli::try_parse_from(["ehos_build_images", "--timeout", text]).map(|cli| cli.timeout);
        assert_eq!(limit("1").unwrap(), Duration::from_secs(1));
        for text in ["0", "0s", "-5s", "soon"] {
            assert!(limit(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_help_is_as_wide_as_clap_makes_it() {
        for line in EXAMPLES.lines() {
            assert!(line.len() <= 100, "{line}");
        }
    }
}
