//! The command line of `ehosd_deploy`.
//!
//! Deliberately does nothing.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Parser};
use ehos_cloud::prepare::Cidr;
use ehos_ssh::Target;
use ehos_terminal::duration;
use ehosd_deploy::init::Source;

const EXAMPLES: &str = "\
Without --prepare, --init, --host and --destroy it does the whole: it makes every cloud's account ready (security group,
keypair, network), makes the master in master_cloud, or finds it, brings programs, configuration and templates there over
SSH, and starts ehosd as a service. Run again, it brings what has changed and restarts ehosd alone: jobs go on.

Examples:
  ehosd_deploy --init keystone_rc.sh             a first ehos.yaml from what the cloud offers
  ehosd_deploy --prepare ehos.yaml               security group, keypair and network, and nothing else
  ehosd_deploy -v ehos.yaml                      the whole
  ehosd_deploy --host admin@10.0.0.5 ehos.yaml   only the SSH half, to a master that is there already
  ehosd_deploy --destroy ehos.yaml               the pool and all that is its, in every cloud

Exit status: 0 all well, 1 something failed, 2 the command line or the configuration is wrong, 130 interrupted.";

/// Makes the master of a pool, puts EHOS onto it and starts it; makes cloud accounts ready, and takes pools down.
#[derive(Debug, Parser)]
#[command(name = "ehosd_deploy", version, after_help = EXAMPLES, max_term_width = 100)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches of a command line")]
pub(crate) struct Cli {
    /// The configuration; later files override earlier ones key by key. Without any, ehos.yaml is
    /// looked for in /etc/ehos, /usr/local/etc/ehos, etc and so on. With --init: where to write it
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// Write a first configuration from these keystone rc files, or clouds.yaml:NAME entries
    #[arg(long, value_name = "RC", num_args = 1.., conflicts_with_all = ["prepare", "host", "destroy"])]
    pub(crate) init: Vec<Source>,

    /// Make the cloud accounts ready, and nothing else
    #[arg(long, conflicts_with_all = ["host", "destroy"])]
    pub(crate) prepare: bool,

    /// Bring EHOS to this master, which is there already, and touch no cloud
    #[arg(long, value_name = "USER@HOST", conflicts_with = "destroy")]
    pub(crate) host: Option<Target>,

    /// Drain the pool's nodes, then delete all that carries its id in every cloud, the master last
    #[arg(long)]
    pub(crate) destroy: bool,

    /// With --destroy: do not ask for the pool's name
    #[arg(long, requires = "destroy")]
    pub(crate) yes: bool,

    /// With --destroy: do not wait for jobs, kill them
    #[arg(long, requires = "destroy")]
    pub(crate) now: bool,

    /// Let HTCondor's port be reached from outside of the security group: from these networks, or
    /// from everywhere
    #[arg(long, value_name = "CIDR,...", num_args = 0..=1, require_equals = true, value_delimiter = ',')]
    pub(crate) external: Option<Vec<Cidr>>,

    /// The public key that lets you into servers; without it, the one in ~/.ssh
    #[arg(long, value_name = "FILE.pub")]
    pub(crate) ssh_key: Option<PathBuf>,

    /// The private key to log in with; without it, those of the agent and of ~/.ssh
    #[arg(short, long, value_name = "FILE")]
    pub(crate) identity: Option<PathBuf>,

    /// The user to log in as; without it, the usual ones of images are tried: debian, ubuntu and so on
    #[arg(long, value_name = "USER")]
    pub(crate) user: Option<String>,

    /// Trust the host key of a master whose console does not show it, the first time
    #[arg(long)]
    pub(crate) accept_new: bool,

    /// The folder of the programs to bring; without it, those beside this program
    #[arg(long, value_name = "DIR", conflicts_with = "package")]
    pub(crate) binaries: Option<PathBuf>,

    /// A .deb or .rpm of EHOS to install there instead
    #[arg(long, value_name = "FILE")]
    pub(crate) package: Option<PathBuf>,

    /// The domain of a new master's pool, its `UID_DOMAIN` and `TRUST_DOMAIN`; without it,
    /// `PREFIX.internal`
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) domain: Option<String>,

    /// The flavor of a new master; without it, the first configured one
    #[arg(long, value_name = "FLAVOR")]
    pub(crate) flavor: Option<String>,

    /// A volume of this many GiB for a new master
    #[arg(long, value_name = "GIB", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) spool: Option<u64>,

    /// With --init: replace a file that is there
    #[arg(long, requires = "init")]
    pub(crate) force: bool,

    /// The longest that the master may take to come up, or that --destroy waits for jobs
    #[arg(long, value_name = "DURATION", default_value = "30m", value_parser = duration)]
    pub(crate) timeout: Duration,

    /// Say more: -v what is done, -v -v every call with its time, -v -v -v what calls carry
    /// (secrets masked)
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) verbose: u8,

    /// Say only what is wrong
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
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
    fn the_words_of_the_issue_are_understood() {
        let parse = |words: &str| Cli::try_parse_from(words.split_whitespace());
        assert_eq!(parse("ehosd_deploy -v -v -v ehos.yaml").unwrap().verbose, 3);
        assert_eq!(parse("ehosd_deploy ehos.yaml").unwrap().external, None, "within the group");
        assert_eq!(parse("ehosd_deploy --external ehos.yaml").unwrap().external, Some(vec![]), "worldwide");
        let given = parse("ehosd_deploy --external=10.0.0.0/8,192.0.2.0/24 ehos.yaml").unwrap().external;
        assert_eq!(given.map(|networks| networks.len()), Some(2));
        let host = parse("ehosd_deploy --host admin@10.0.0.5 ehos.yaml").unwrap().host.unwrap();
        assert_eq!((host.user.as_str(), host.host.as_str(), host.port), ("admin", "10.0.0.5", 22));
        for words in [
            "ehosd_deploy --prepare --destroy ehos.yaml",
            "ehosd_deploy --yes ehos.yaml",
            "ehosd_deploy --external=nowhere ehos.yaml",
            "ehosd_deploy --binaries x --package y ehos.yaml",
        ] {
            assert!(parse(words).is_err(), "{words}");
        }
    }
}
