//! From the command line to the exit status: reads the configuration, then checks, looks once, or serves.
//!
//! Deliberately holds the order of things and none of their content.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use ehos_config::{Config, Loaded};
use ehos_model::Timestamp;
use ehos_scaler::Memory;
use ehos_terminal::{DECISION, Sink, Verbosity, WRONG, colour, say, start_log};
use tokio::time::Instant;

use crate::cli::Cli;
use crate::connect::Connections;
use crate::report;
use crate::state::{StateDir, read_memory};
use crate::systemd::Systemd;
use crate::table::Table;
use crate::tick::Engine;
use crate::wake::{Wake, Waker, stop_on_signals};
use crate::{check, embedded};

/// Does what the command line says.
pub(crate) async fn run(mut cli: Cli) -> ExitCode {
    if cli.files.is_empty() {
        match ehos_config::find("ehos.yaml") {
            Ok(file) => cli.files.push(file),
            Err(error) => return complain(&format!("error: {error}")),
        }
    }
    let loaded = match ehos_config::load(&cli.files) {
        Ok(loaded) => loaded,
        Err(problems) => return complain(&problems.render(colour())),
    };
    let table = Table::for_config(&loaded.config, &cli);
    let verbosity = if cli.quiet { Verbosity::Quiet } else { Verbosity::Level(cli.verbose) };
    let screen = table.as_ref().and_then(Table::screen);
    let sink = screen.map_or(Sink::Stderr, Sink::Above);
    if let Err(error) = start_log(verbosity, sink) {
        return complain(&format!("error: {error:#}"));
    }
    if cli.check {
        for warning in &loaded.warnings {
            say(&format!("{}\n", warning.render(colour())));
        }
    } else {
        warn(&loaded);
    }
    let connections = match Connections::new(&loaded.config, None) {
        Ok(connections) => connections,
        Err(error) => return complain(&format!("error: {error:#}")),
    };
    let result = if cli.check {
        check::check(&cli, &loaded.config, connections).await
    } else {
        work(cli, loaded, connections, table).await
    };
    result.unwrap_or_else(|error| {
        log::error!("{error:#}");
        ExitCode::FAILURE
    })
}

async fn work(
    cli: Cli,
    loaded: Loaded,
    connections: Connections,
    table: Option<Table>,
) -> anyhow::Result<ExitCode> {
    let Loaded { config, files: read, .. } = loaded;
    if cli.dry_run {
        return dry_run(&config, connections).await;
    }
    let systemd = Systemd::from_environment();
    let ending = systemd.clone();
    let stop = stop_on_signals(cli.run_for, move || ending.stopping())?;
    let state = StateDir::open(&config.daemon.state_dir)?;
    let world = connections.world.clone();
    let _beside = match &world {
        Some(world) => Some(embedded::serve(world, &config, &state).await?),
        None => None,
    };
    let memory = memory(&config);
    let engine = Engine::new(config.policy.clone(), connections.hands, memory);
    let waker = Waker::new(stop, [read, connections.files].concat())?;
    let files = cli.files;
    let mut daemon = Daemon { engine, state, systemd, waker, config, files, refused: false, world, table };
    if cli.once {
        return Ok(daemon.once().await);
    }
    daemon.serve().await;
    Ok(ExitCode::SUCCESS)
}

/// Prints what would be done and why.
async fn dry_run(config: &Config, connections: Connections) -> anyhow::Result<ExitCode> {
    let mut engine = Engine::new(config.policy.clone(), connections.hands, memory(config));
    let (snapshot, inventory, plan) = engine.look().await;
    let mut out = std::io::stdout().lock();
    for line in report::outlook(&snapshot, &inventory, &plan) {
        writeln!(out, "{line}")?;
    }
    let blind = report::unknown(&snapshot).next().is_some();
    Ok(if blind { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What is remembered; nothing of an embedded world, which begins anew.
fn memory(config: &Config) -> Memory {
    if config.is_embedded() { Memory::default() } else { read_memory(&config.daemon.state_dir) }
}

/// The running daemon.
struct Daemon {
    engine: Engine,
    state: StateDir,
    systemd: Systemd,
    waker: Waker,
    config: Config,
    /// The files of the command line, which name others.
    files: Vec<PathBuf>,
    /// Whether the files were wrong when they were last read.
    refused: bool,
    world: Option<ehos_sim::World>,
    table: Option<Table>,
}

impl Daemon {
    /// Does one tick; fails where something could not be seen or done.
    async fn once(&mut self) -> ExitCode {
        let Some(tick) = self.engine.tick(&self.state, &self.systemd, self.waker.stopped()).await else {
            return ExitCode::FAILURE;
        };
        let failed = tick.outcomes.iter().any(|outcome| outcome.result.is_err());
        let blind = report::unknown(&tick.snapshot).next().is_some();
        if failed || blind { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }

    /// Ticks until the end is asked for.
    async fn serve(&mut self) {
        log::info!(
            target: DECISION,
            "ehosd {} serves pool {} with {} cloud{}",
            env!("CARGO_PKG_VERSION"),
            self.config.policy.pool,
            self.config.clouds.len(),
            if self.config.clouds.len() == 1 { "" } else { "s" }
        );
        while !self.waker.stopping() {
            let tick = self.engine.tick(&self.state, &self.systemd, self.waker.stopped()).await;
            let Some(tick) = tick else { break };
            let until =
                Instant::now() + ehos_model::elapsed(Timestamp::now(), tick.next(&self.engine.policy));
            if let Some(table) = &mut self.table {
                table.show(&tick, self.world.as_ref());
            }
            let pool = std::sync::Arc::clone(&self.engine.hands.pool);
            let (engine, systemd) = (&mut self.engine, &self.systemd);
            let wait =
                self.waker.wait(until, || pool.queue_changed(), || engine.ask_ahead(), || systemd.alive());
            match wait.await {
                Wake::Queue => log::info!("the queue has changed"),
                Wake::Time => {}
                Wake::Reload => {
                    self.systemd.reloading();
                    self.reload();
                    self.systemd.reloaded(self.refused);
                }
                Wake::Stop => break,
            }
        }
        if let Some(table) = &mut self.table {
            table.finish(self.world.as_ref());
        }
        let left =
            if self.world.is_some() { "the embedded world is gone" } else { "the servers stay as they are" };
        log::info!(target: DECISION, "stopped; {left}");
    }

    /// Reads the configuration and the templates anew; one that is wrong, or asks for what needs a restart, changes nothing.
    fn reload(&mut self) {
        let refused = std::mem::replace(&mut self.refused, true);
        let loaded = match ehos_config::load(&self.files) {
            Ok(loaded) => loaded,
            Err(problems) => {
                log::error!(
                    "the configuration is wrong, the old one stays in force\n{}",
                    problems.render(colour())
                );
                return;
            }
        };
        let connections = match self.connect(&loaded.config) {
            Ok(connections) => connections,
            Err(error) => {
                log::error!("the new configuration is not taken, the old one stays in force: {error:#}");
                return;
            }
        };
        let changes = ehos_config::changes(&self.config, &loaded.config);
        let templates = connections.hands.other_templates(&self.engine.hands);
        if changes.is_empty() && templates.is_empty() {
            self.refused = false;
            let target = if refused { DECISION } else { module_path!() };
            log::info!(target: target, "the configuration was read again and is right; nothing has changed");
            return;
        }
        self.engine.take_over(loaded.config.policy.clone(), connections.hands);
        self.refused = false;
        warn(&loaded);
        for change in changes {
            log::info!(target: DECISION, "configuration: {change}");
        }
        for cloud in templates {
            log::info!(target: DECISION, "configuration: execute.yaml of {cloud} has changed");
        }
        for gone in self.config.clouds.iter().filter(|cloud| loaded.config.cloud(&cloud.name).is_none()) {
            log::warn!("cloud {} is not configured any more: nobody looks after its servers now", gone.name);
        }
        self.waker.watch([loaded.files, connections.files].concat());
        self.config = loaded.config;
    }

    /// Makes ready what another configuration works with, if it can be taken without a restart.
    fn connect(&self, config: &Config) -> anyhow::Result<Connections> {
        let old = &self.config;
        anyhow::ensure!(
            config.policy.pool == old.policy.pool,
            "the pool's id has changed; restart ehosd for that"
        );
        anyhow::ensure!(
            config.daemon.state_dir == old.daemon.state_dir,
            "ehos_daemon.state_dir has changed; restart ehosd for that"
        );
        anyhow::ensure!(
            config.is_embedded() == old.is_embedded(),
            "the backend has changed between openstack and embedded; restart ehosd for that"
        );
        Connections::new(config, self.world.clone())
    }
}

fn warn(loaded: &Loaded) {
    for problem in &loaded.warnings {
        let text = problem.to_string();
        log::warn!("{}", text.strip_prefix("warning: ").unwrap_or(&text));
    }
}

/// Says what is wrong before the log is there to say it.
fn complain(message: &str) -> ExitCode {
    say(message.trim_end());
    ExitCode::from(WRONG)
}
