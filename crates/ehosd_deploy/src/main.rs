//! Makes cloud accounts ready for a pool, or writes a first configuration for them.
//!
//! Deliberately decides nothing: the library of this package does.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgAction, Parser};
use ehos_cloud::OpenStackCloud;
use ehos_cloud::prepare::Cidr;
use ehos_config::{Backend, Environment};
use ehos_terminal::{Sink, Verbosity, WRONG, aligned, colour, say, start_log};
use ehosd_deploy::init::{Around, Source, ask_on_terminal, init};
use ehosd_deploy::prepare::{Options, edits, prepare};

/// Makes cloud accounts ready for an EHOS pool.
#[derive(Debug, Parser)]
#[command(name = "ehosd_deploy", version, max_term_width = 100)]
struct Cli {
    /// The configuration; later files override earlier ones key by key. Without any, ehos.yaml is
    /// looked for in /etc/ehos, /usr/local/etc/ehos, etc and so on
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Make the accounts ready: security group, keypair, network; write what was chosen into ehos.yaml
    #[arg(long, conflicts_with = "init")]
    prepare: bool,

    /// The public key to log in to nodes with; without it, your own of
    /// `~/.ssh`, the ed25519 one first
    #[arg(long, value_name = "FILE.pub")]
    ssh_key: Option<PathBuf>,

    /// Let HTCondor be reached from outside the security group: from these networks, or from anywhere
    #[arg(long, value_name = "CIDR,...", num_args = 0.., require_equals = true, value_delimiter = ',')]
    external: Option<Vec<Cidr>>,

    /// Write a first configuration, to FILE or ehos.yaml, for the clouds of these keystone rc files or
    /// entries clouds.yaml:NAME; passwords come from them, from
    /// `$OS_PASSWORD` or from the terminal
    #[arg(long, value_name = "KEYSTONE_RC", num_args = 1.., value_delimiter = ',')]
    init: Vec<Source>,

    /// Overwrite the file that --init writes
    #[arg(long, requires = "init")]
    force: bool,

    /// Say more: -v what is done, -v -v every call with its time
    #[arg(short, long, action = ArgAction::Count)]
    verbose: u8,
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Err(error) = start_log(Verbosity::Level(cli.verbose), Sink::Stderr) {
        say(&format!("error: {error:#}"));
        return ExitCode::from(WRONG);
    }
    let result = if cli.init.is_empty() { make_ready(&cli).await } else { begin(&cli).await };
    result.unwrap_or_else(|error| {
        say(&format!("error: {error:#}"));
        ExitCode::FAILURE
    })
}

/// Writes a first configuration.
async fn begin(cli: &Cli) -> anyhow::Result<ExitCode> {
    let target = cli.files.first().cloned().unwrap_or_else(|| "ehos.yaml".into());
    let around = Around { environment: Environment::current(), ask: &ask_on_terminal };
    let chosen = init(&cli.init, &target, cli.force, &around).await?;
    let mut rows = vec![["cloud", "key", "chosen", "because"].map(str::to_owned)];
    rows.extend(chosen.into_iter().map(|one| {
        let values = if one.choice.values.is_empty() { "-".to_owned() } else { one.choice.values.join(", ") };
        [one.cloud, one.key.to_owned(), values, one.choice.why]
    }));
    for line in aligned(&rows) {
        say(&line);
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes the accounts ready, one cloud after the other.
async fn make_ready(cli: &Cli) -> anyhow::Result<ExitCode> {
    let files = if cli.files.is_empty() { vec![ehos_config::find("ehos.yaml")?] } else { cli.files.clone() };
    let config = match ehos_config::load_before_master(&files) {
        Ok(loaded) => loaded.config,
        Err(problems) => {
            say(problems.render(colour()).trim_end());
            return Ok(ExitCode::from(WRONG));
        }
    };
    anyhow::ensure!(
        !config.is_unnamed(),
        "the pool has no name yet: write `pool_id: NAME` below condor; what is made in a cloud carries it"
    );
    let options = Options {
        ssh_key: cli.ssh_key.clone(),
        external: cli.external.clone(),
        exact: cli.prepare,
        home: std::env::var_os("HOME").map(PathBuf::from),
    };
    let mut ready = Vec::new();
    let mut rows = vec![["cloud", "what", "name", "result", ""].map(str::to_owned)];
    let mut failed = false;
    for cloud in &config.clouds {
        let Backend::OpenStack(access) = &cloud.backend else { continue };
        let (name, pool) = (cloud.name.clone(), config.policy.pool.clone());
        let opened = OpenStackCloud::new(name, pool, access.clone(), cloud.servers.clone())?;
        match prepare(&opened, cloud, &options).await {
            Ok(prepared) => {
                rows.extend(prepared.steps.iter().map(|step| step.cells(&cloud.name)));
                ready.push((cloud.name.clone(), prepared));
            }
            Err(error) => {
                say(&format!("error: cloud {}: {error}", cloud.name));
                failed = true;
            }
        }
    }
    ehos_config::write_back(&files, &edits(&config, &ready))?;
    for line in aligned(&rows) {
        say(&line);
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn who_is_let_in_is_said_behind_an_equals_sign() {
        let external = |words: &str| {
            Cli::try_parse_from(words.split(' ')).map(|cli| cli.external.map(|list| list.len())).ok()
        };
        assert_eq!(external("ehosd_deploy --prepare ehos.yaml"), Some(None), "nobody");
        assert_eq!(external("ehosd_deploy --prepare --external ehos.yaml"), Some(Some(0)), "everybody");
        let two = "ehosd_deploy --prepare --external=192.0.2.0/24,2001:db8::/32 ehos.yaml";
        assert_eq!(external(two), Some(Some(2)), "two networks");
        assert_eq!(external("ehosd_deploy --prepare --external=here"), None, "no network");
    }
}
