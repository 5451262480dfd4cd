//! From the command line to the exit status: checks everything, builds in all clouds at once, prints the table.
//!
//! Deliberately one build at a time for each user of this machine: two would delete each other's servers.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use ehos_boot::{Stop, Trouble, Writer, span};
use ehos_config::{Config, Loaded};
use ehos_terminal::{Bars, Sink, Verbosity, WRONG, aligned, colour, say, start_log};
use indicatif::MultiProgress;
use tokio::task::JoinSet;

use crate::build::{STEPS, build};
use crate::cli::Cli;
use crate::connect;
use crate::done::Done;
use crate::ids::Ids;
use crate::site::{Order, Site};

/// Exit status after Ctrl-C.
const INTERRUPTED: u8 = 130;

/// The most characters of a name that a lock carries.
const LOCK_NAME: usize = 150;

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
    ids: Ids,
    _locks: Vec<File>,
}

/// Checks all that can be checked here, then gives the pool what it lacks.
fn prepare(cli: &Cli, mut config: Config) -> anyhow::Result<(Config, Ready)> {
    if config.is_embedded() {
        bail!("pool and clouds of this configuration are embedded: their nodes need no image");
    }
    let base = connect::base(cli.base.as_deref())?;
    let mut sites = connect::sites(&config, cli)?;
    let writer = Writer::new(cli.files.clone());
    let mut locks = Vec::new();
    if !cli.dry_run {
        // The file first: two first runs must not give a pool two names. Then the pool, which two files may share.
        let file = cli.files.first().map(|file| file.canonicalize()).transpose()?.unwrap_or_default();
        locks.push(lock(&file.to_string_lossy(), "from this file")?);
        config = ehos_config::load_before_master(&cli.files)?.config;
        if writer.complete(&config)? {
            config = ehos_config::load_before_master(&cli.files)?.config;
        }
        sites = connect::sites(&config, cli)?;
        let pool = config.policy.pool.as_str();
        locks.push(lock(pool, &format!("for the pool {pool}"))?);
    }
    let named =
        config.clouds.iter().filter_map(|cloud| Some((cloud.name.clone(), cloud.servers.image.clone()?)));
    let ids = Ids::new(writer, named.collect());
    Ok((config, Ready { base, sites, ids, _locks: locks }))
}

async fn work(
    cli: &Cli,
    config: &Config,
    ready: Ready,
    screen: Option<MultiProgress>,
) -> anyhow::Result<ExitCode> {
    let stop = Stop::on_signals("interrupted: deleting what was made; once more ends at once and leaves it")?;
    let prober = connect::prober(config).await?;
    let order = connect::order(cli, config, ready.base, prober, ready.ids)?;
    let bars = Bars::new(screen.clone(), ready.sites.iter().map(|site| site.name().as_str()));
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
        let (order, stop, progress) =
            (std::sync::Arc::clone(&order), stop.clone(), bars.add(site.name().as_str(), STEPS));
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
        let plans = rows.iter().filter_map(|(cloud, result, _)| match result {
            Ok(Done::Would(what)) => Some(format!("{cloud}: would {what}")),
            _ => None,
        });
        for line in aligned(&table).into_iter().chain(plans) {
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
        Ok(Done::Would(_)) => ("would build", "-".to_owned(), None),
        Err(trouble) if trouble.interrupted => ("interrupted", "-".to_owned(), None),
        Err(_) => ("FAILED", "-".to_owned(), None),
    };
    [cloud.clone(), word.to_owned(), image, htcondor.unwrap_or_else(|| "-".to_owned()), span(*took)]
}

/// Takes a lock of this user's builds; it ends with the process, however that ends.
fn lock(of: &str, words: &str) -> anyhow::Result<File> {
    let plain: String = of.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    // The end of a path tells more than its beginning, and a file's name has an end.
    let plain = plain.get(plain.len().saturating_sub(LOCK_NAME)..).unwrap_or(&plain);
    // The user's own folder, where nobody else can take the name; else one for all.
    let folder = std::env::var_os("XDG_RUNTIME_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let path = folder.join(format!("ehos_build_images-{}-{plain}.lock", ehos_terminal::user()));
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
    let file = file.with_context(|| format!("cannot open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!("another ehos_build_images builds {words} already; wait for it or stop it")
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
