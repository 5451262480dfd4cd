//! From the command line to the exit status: checks everything, builds in all clouds at once, prints the table.
//!
//! Deliberately one build at a time for each user of this machine: two would delete each other's servers.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use ehos_config::{Config, Loaded};
use ehos_model::PoolId;
use ehos_terminal::{Sink, Verbosity, WRONG, aligned, colour, say, start_log};
use indicatif::MultiProgress;
use tokio::task::JoinSet;

use crate::build::build;
use crate::cli::Cli;
use crate::connect;
use crate::progress::Bars;
use crate::site::{Order, Site};
use crate::stop::Stop;
use crate::trouble::{Done, Trouble};
use crate::watch::span;
use crate::write::Writer;

/// Exit status after Ctrl-C.
const INTERRUPTED: u8 = 130;

/// What came of one cloud, and how long it took.
type Row = (String, Result<Done, Trouble>, Duration);

/// Does what the command line says.
pub(crate) async fn run(mut cli: Cli) -> ExitCode {
    if cli.files.is_empty() {
        match ehos_config::find("ehos.yaml") {
            Ok(file) => cli.files.push(file),
            Err(error) => return complain(&format!("error: {error}")),
        }
    }
    let screen = (!cli.quiet && std::io::stderr().is_terminal()).then(MultiProgress::new);
    let verbosity = if cli.quiet { Verbosity::Quiet } else { Verbosity::Level(cli.verbose) };
    let sink = screen.clone().map_or(Sink::Stderr, Sink::Above);
    if let Err(error) = start_log(verbosity, sink) {
        return complain(&format!("error: {error:#}"));
    }
    let loaded = match ehos_config::load_before_master(&cli.files) {
        Ok(loaded) => loaded,
        Err(problems) => return complain(problems.render(colour()).trim_end()),
    };
    warn(&loaded);
    let (config, ready) = match prepare(&cli, loaded.config) {
        Ok(ready) => ready,
        Err(error) => return complain(&format!("error: {error:#}")),
    };
    work(&cli, &config, ready, screen).await.unwrap_or_else(|error| {
        log::error!("{error:#}");
        ExitCode::FAILURE
    })
}

/// What is known to be right before anything is asked of a cloud.
struct Ready {
    base: crate::site::Base,
    sites: Vec<Site>,
    writer: Writer,
    _lock: Option<File>,
}

/// Checks all that can be checked here, then gives the pool what it lacks.
fn prepare(cli: &Cli, mut config: Config) -> anyhow::Result<(Config, Ready)> {
    if config.is_embedded() {
        bail!("pool and clouds of this configuration are embedded: their nodes need no image");
    }
    let base = connect::base(cli.base.as_deref())?;
    let mut sites = connect::sites(&config, cli)?;
    let named =
        config.clouds.iter().filter_map(|cloud| Some((cloud.name.clone(), cloud.servers.image.clone()?)));
    let writer = Writer::new(cli.files.clone(), named.collect());
    if cli.dry_run {
        return Ok((config, Ready { base, sites, writer, _lock: None }));
    }
    if writer.complete(&config)? {
        config = ehos_config::load_before_master(&cli.files)?.config;
        sites = connect::sites(&config, cli)?;
    }
    let lock = lock(&config.policy.pool)?;
    Ok((config, Ready { base, sites, writer, _lock: Some(lock) }))
}

async fn work(
    cli: &Cli,
    config: &Config,
    ready: Ready,
    screen: Option<MultiProgress>,
) -> anyhow::Result<ExitCode> {
    let stop = Stop::on_signals()?;
    let prober = connect::prober(config).await?;
    let order = connect::order(cli, config, ready.base, prober, ready.writer)?;
    let bars = Bars::new(screen.clone(), ready.sites.iter().map(Site::name));
    let rows = build_all(ready.sites, order, &bars, &stop).await;
    if let Some(screen) = screen {
        screen.clear()?;
    }
    report(cli, &rows)
}

/// Builds everywhere at once; the rows are in the order of the configuration.
async fn build_all(sites: Vec<Site>, order: Order, bars: &Bars, stop: &Stop) -> Vec<Row> {
    let order = std::sync::Arc::new(order);
    let mut running = JoinSet::new();
    for (index, site) in sites.into_iter().enumerate() {
        let (order, stop, progress) = (std::sync::Arc::clone(&order), stop.clone(), bars.add(site.name()));
        running.spawn(async move {
            let begun = Instant::now();
            let result = build(&site, &order, &progress, &stop).await;
            progress.end(if result.is_ok() { "done" } else { "FAILED" });
            if let Err(Trouble { why, console, interrupted: false }) = &result {
                // Through the log, which knows of the bars.
                let tail = console.as_ref().map_or_else(String::new, |console| {
                    format!("\n  the end of its console:\n    {}", console.replace('\n', "\n    "))
                });
                log::error!("{}: {why}{tail}", site.name());
            }
            (index, (site.name().to_string(), result, begun.elapsed()))
        });
    }
    let mut rows = running.join_all().await;
    rows.sort_by_key(|(index, _)| *index);
    rows.into_iter().map(|(_, row)| row).collect()
}

/// Prints the table and gives the exit status.
fn report(cli: &Cli, rows: &[Row]) -> anyhow::Result<ExitCode> {
    let failed = rows.iter().any(|(_, result, _)| result.is_err());
    if !cli.quiet || failed {
        let mut out = std::io::stdout().lock();
        let header = ["cloud", "result", "image", "HTCondor", "time"].map(str::to_owned);
        let mut table = vec![header];
        table.extend(rows.iter().map(cells));
        for line in aligned(&table) {
            match writeln!(out, "{line}") {
                // Whoever reads has seen enough; what is built is built.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => break,
                result => result.context("the table cannot be printed")?,
            }
        }
    }
    let interrupted =
        rows.iter().any(|(_, result, _)| result.as_ref().is_err_and(|trouble| trouble.interrupted));
    Ok(match (interrupted, failed) {
        (true, _) => ExitCode::from(INTERRUPTED),
        (_, true) => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    })
}

fn cells((cloud, result, took): &Row) -> [String; 5] {
    let (word, image, htcondor) = match result {
        Ok(Done::Built { image, htcondor }) => ("built", image.clone(), htcondor.clone()),
        Ok(Done::UpToDate { image }) => ("up to date", image.clone(), None),
        Ok(Done::Found { image }) => ("id written", image.clone(), None),
        Ok(Done::Would(what)) => ("would", what.clone(), None),
        Err(trouble) if trouble.interrupted => ("interrupted", "-".to_owned(), None),
        Err(_) => ("FAILED", "-".to_owned(), None),
    };
    [cloud.clone(), word.to_owned(), image, htcondor.unwrap_or_else(|| "-".to_owned()), span(*took)]
}

/// Takes the lock of this user's builds for a pool; it ends with the process, however that ends.
fn lock(pool: &PoolId) -> anyhow::Result<File> {
    let user = ehos_terminal::user();
    let plain: String =
        pool.as_str().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let path = std::env::temp_dir().join(format!("ehos_build_images-{user}-{plain}.lock"));
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
    let file = file.with_context(|| format!("cannot open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!("another ehos_build_images builds for the pool {pool} already; wait for it or stop it")
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

fn warn(loaded: &Loaded) {
    for problem in &loaded.warnings {
        let text = problem.to_string();
        log::warn!("{}", text.strip_prefix("warning: ").unwrap_or(&text));
    }
}

/// Says what is wrong before anything is done.
fn complain(message: &str) -> ExitCode {
    say(message);
    ExitCode::from(WRONG)
}
