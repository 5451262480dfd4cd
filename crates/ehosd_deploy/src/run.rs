//! From the command line to the exit status: which of the program's jobs is wanted, and in which order its steps go.
//!
//! Deliberately cleans nothing up after an interruption: whatever is there is found and gone on with by the next run.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use ehos_boot::{Stop, Trouble, Writer};
use ehos_cloud::OpenStackCloud;
use ehos_cloudinit::{Kind, Template, find_template};
use ehos_config::{Backend, CloudSettings, Config, Edit, Loaded};
use ehos_model::{CloudName, ServerSettings};
use ehos_ssh::Target;
use ehos_terminal::{Bars, Progress, Sink, Verbosity, WRONG, aligned, colour, say, start_log};
use indicatif::MultiProgress;
use tokio::task::JoinSet;

use crate::bundle::{self, Bundle};
use crate::cli::Cli;
use crate::master::{self, Account, Master, Wanted};
use crate::remote::{self, Installed};
use crate::{access, destroy};
use ehosd_deploy::{init, prepare};

/// Exit status after Ctrl-C.
const INTERRUPTED: u8 = 130;

/// How many steps a deployment has, for the bar.
const STEPS: u64 = 9;

/// Does what the command line says.
pub(crate) async fn run(mut cli: Cli) -> ExitCode {
    let screen = (!cli.quiet && std::io::stderr().is_terminal()).then(MultiProgress::new);
    let verbosity = if cli.quiet { Verbosity::Quiet } else { Verbosity::Level(cli.verbose) };
    let sink = screen.clone().map_or(Sink::Stderr, Sink::Above);
    if let Err(error) = start_log(verbosity, sink) {
        return complain(&format!("error: {error:#}"));
    }
    if !cli.init.is_empty() {
        return report(begin(&cli).await);
    }
    if cli.files.is_empty() {
        match ehos_config::find("ehos.yaml") {
            Ok(file) => cli.files.push(file),
            Err(error) => return complain(&format!("error: {error}")),
        }
    }
    let loaded = match ehos_config::load_before_master(&cli.files) {
        Ok(loaded) => loaded,
        Err(problems) => return complain(problems.render(colour()).trim_end()),
    };
    if loaded.config.is_embedded() {
        return complain(
            "error: pool and clouds of this configuration are embedded: there is nothing to deploy",
        );
    }
    for problem in &loaded.warnings {
        let text = problem.to_string();
        log::warn!("{}", text.strip_prefix("warning: ").unwrap_or(&text));
    }
    let stop = match Stop::on_signals("stopping; run it again to go on") {
        Ok(stop) => stop,
        Err(error) => return complain(&format!("error: {error}")),
    };
    tokio::select! {
        biased;
        () = stop.wanted() => ExitCode::from(INTERRUPTED),
        result = work(&cli, loaded, screen) => report(result),
    }
}

/// Writes a first configuration, and says what was chosen and why.
async fn begin(cli: &Cli) -> anyhow::Result<()> {
    let target = cli.files.first().cloned().unwrap_or_else(|| "ehos.yaml".into());
    let around =
        init::Around { environment: ehos_config::Environment::current(), ask: &init::ask_on_terminal };
    let chosen = init::init(&cli.init, &target, cli.force, &around).await?;
    let mut rows = vec![["cloud", "key", "chosen", "because"].map(str::to_owned)];
    rows.extend(chosen.into_iter().map(|one| {
        let values = if one.choice.values.is_empty() { "-".to_owned() } else { one.choice.values.join(", ") };
        [one.cloud, one.key.to_owned(), values, one.choice.why]
    }));
    print(&aligned(&rows))
}

async fn work(cli: &Cli, loaded: Loaded, screen: Option<MultiProgress>) -> anyhow::Result<()> {
    if let Some(target) = &cli.host {
        return host(cli, &loaded, target, screen).await;
    }
    if cli.destroy {
        return take_down(cli, &loaded.config, screen).await;
    }
    let writer = Writer::new(cli.files.clone());
    writer.complete(&loaded.config)?;
    let loaded = make_ready(cli, &writer).await?;
    if cli.prepare {
        return Ok(());
    }
    deploy(cli, &loaded, &writer, screen).await
}

/// Opens a cloud; what the configuration names as the nodes' image is looked up only where it is used.
fn open(cloud: &CloudSettings, config: &Config) -> anyhow::Result<Arc<dyn Account>> {
    let Backend::OpenStack(access) = &cloud.backend else { bail!("cloud {} is no OpenStack", cloud.name) };
    let servers = ServerSettings { image: None, ..cloud.servers.clone() };
    Ok(Arc::new(OpenStackCloud::new(
        cloud.name.clone(),
        config.policy.pool.clone(),
        access.clone(),
        servers,
    )?))
}

/// Makes the accounts of all clouds ready at once, prints what was found and made, and writes it down.
async fn make_ready(cli: &Cli, writer: &Writer) -> anyhow::Result<Loaded> {
    let config = ehos_config::load_before_master(&cli.files)?.config;
    let options = Arc::new(prepare::Options {
        ssh_key: cli.ssh_key.clone(),
        external: cli.external.clone(),
        exact: cli.prepare || cli.external.is_some(),
        home: std::env::var_os("HOME").map(PathBuf::from),
    });
    let mut running = JoinSet::new();
    for (index, settings) in config.clouds.iter().cloned().enumerate() {
        let (cloud, options) = (open(&settings, &config)?, Arc::clone(&options));
        running.spawn(async move {
            let result = prepare::prepare(&*cloud, &settings, &options).await;
            (index, settings.name, result)
        });
    }
    let mut results = running.join_all().await;
    results.sort_by_key(|(index, ..)| *index);
    let mut rows = vec![["cloud", "what", "name", "result", ""].map(str::to_owned)];
    let (mut ready, mut failed) = (Vec::new(), Vec::new());
    for (_, name, result) in results {
        match result {
            Ok(prepared) => {
                rows.extend(prepared.steps.iter().map(|step| step.cells(&name)));
                ready.push((name, prepared));
            }
            Err(error) => failed.push(format!("{name}: {error}")),
        }
    }
    if cli.prepare && !cli.quiet {
        print(&aligned(&rows))?;
    }
    writer.write(&prepare::edits(&config, &ready))?;
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    Ok(ehos_config::load_before_master(&cli.files)?)
}

/// The whole: the master, and EHOS on it.
async fn deploy(
    cli: &Cli,
    loaded: &Loaded,
    writer: &Writer,
    screen: Option<MultiProgress>,
) -> anyhow::Result<()> {
    let config = &loaded.config;
    let settings = master_cloud(config)?;
    let cloud = open(settings, config)?;
    // What is missing here is told before anything is made there.
    let programs = bundle::programs(cli.binaries.as_deref(), cli.package.as_deref())?;
    let found = find_template(Kind::Master.file_name(), None)?;
    let template = Template::parse(Kind::Master, &found.origin.to_string(), &found.text)?;
    let image = settings.servers.image.as_deref().with_context(|| {
        format!(
            "clouds.{}.image is not set: ehos_build_images makes the image that the master boots from, too",
            settings.name
        )
    })?;
    let domain = cli.domain.clone().unwrap_or_else(|| format!("{}.internal", settings.project_prefix));
    let flavor = cli.flavor.as_deref().or(settings.servers.flavors.first().map(String::as_str));
    let wanted = Wanted {
        pool: &config.policy.pool,
        prefix: &settings.project_prefix,
        template: &template,
        text: &found.text,
        image,
        flavor: flavor.context("no flavor is configured (ehos.flavors)")?.into(),
        domain: &domain,
        floating_ip: &settings.servers.floating_ip,
        spool: cli.spool,
        timeout: cli.timeout,
    };
    let bars = Bars::new(screen, std::iter::once(settings.name.as_str()));
    let progress = bars.add(settings.name.as_str(), STEPS);
    let done = async {
        let master = master::ensure(&*cloud, &wanted, &progress).await?;
        know_address(config, writer, &master)?;
        progress.step("logs in");
        let session = access::to_master(&master, cli).await?;
        let read =
            ehos_config::load_before_master(&cli.files).map_err(|error| Trouble::new(error.to_string()))?;
        let bundle = Bundle::read(&cli.files, &read.files, programs)
            .map_err(|error| Trouble::new(format!("{error:#}")))?;
        let installed = remote::install(&session, &bundle, &progress).await?;
        Ok::<_, Trouble>((master, session.target().clone(), installed))
    };
    let result = done.await;
    progress.end(if result.is_ok() { "done" } else { "FAILED" });
    let (master, target, installed) = result.map_err(told)?;
    if !cli.quiet {
        print(&summary(Some(&master), &target, &installed))?;
    }
    Ok(())
}

/// Writes down how nodes reach the master, unless the administrator has said so.
fn know_address(config: &Config, writer: &Writer, master: &Master) -> Result<(), Trouble> {
    match &config.condor.host_ip {
        None => writer
            .write(&[Edit::condor("host_ip", master.inside.to_string())])
            .map_err(|error| Trouble::new(format!("{error:#}"))),
        Some(known) if *known == master.inside.to_string() || *known == master.reach.to_string() => Ok(()),
        Some(known) => {
            log::warn!(
                "condor.host_ip is {known}, and the master {} has {}: nodes are told {known}",
                master.node,
                master.inside
            );
            Ok(())
        }
    }
}

/// Only the SSH half.
async fn host(
    cli: &Cli,
    loaded: &Loaded,
    target: &Target,
    screen: Option<MultiProgress>,
) -> anyhow::Result<()> {
    ensure!(
        loaded.config.condor.host_ip.is_some(),
        "condor.host_ip is not set: write the address at which nodes reach this master"
    );
    let programs = bundle::programs(cli.binaries.as_deref(), cli.package.as_deref())?;
    let bundle = Bundle::read(&cli.files, &loaded.files, programs)?;
    let bars = Bars::new(screen, std::iter::once(target.host.as_str()));
    let progress = bars.add(&target.host, STEPS);
    let done = async {
        progress.step("logs in");
        let session = access::to_host(target, cli).await?;
        remote::install(&session, &bundle, &progress).await
    };
    let result = done.await;
    progress.end(if result.is_ok() { "done" } else { "FAILED" });
    let installed = result.map_err(told)?;
    if !cli.quiet {
        print(&summary(None, target, &installed))?;
    }
    Ok(())
}

/// Takes the pool down.
async fn take_down(cli: &Cli, config: &Config, screen: Option<MultiProgress>) -> anyhow::Result<()> {
    ensure!(!config.is_unnamed(), "the pool has no name yet (condor.pool_id, host_ip): nothing can be its");
    let clouds: Vec<Arc<dyn Account>> =
        config.clouds.iter().map(|cloud| open(cloud, config)).collect::<anyhow::Result<_>>()?;
    let mut rows = vec![["cloud", "what", "name", "id"].map(str::to_owned)];
    for cloud in &clouds {
        for one in destroy::list(&**cloud).await.map_err(|trouble| told(named(cloud.name(), trouble)))? {
            rows.push([cloud.name().to_string(), one.kind.as_str().to_owned(), one.name, one.id]);
        }
    }
    if rows.len() == 1 {
        return print(&[format!("no cloud has anything of the pool {}", config.policy.pool)]);
    }
    print(&aligned(&rows))?;
    confirm(cli, config)?;
    if !cli.now {
        drain(cli, config).await?;
    }
    let bars = Bars::new(screen, clouds.iter().map(|cloud| cloud.name().as_str()));
    let mut running = JoinSet::new();
    for cloud in clouds {
        let progress: Progress = bars.add(cloud.name().as_str(), 1);
        running.spawn(async move {
            let result = destroy::delete(Arc::clone(&cloud), &progress).await;
            progress.end(if result.is_ok() { "done" } else { "FAILED" });
            result.map_err(|trouble| named(cloud.name(), trouble))
        });
    }
    let mut deleted = 0;
    let mut failed = Vec::new();
    for result in running.join_all().await {
        match result {
            Ok(count) => deleted += count,
            Err(trouble) => failed.push(trouble.why),
        }
    }
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    print(&[format!("the pool {} is gone: {deleted} things were deleted", config.policy.pool)])
}

/// Has the pool's name typed, so that nobody takes down the wrong one.
fn confirm(cli: &Cli, config: &Config) -> anyhow::Result<()> {
    if cli.yes {
        return Ok(());
    }
    let pool = config.policy.pool.as_str();
    ensure!(std::io::stdin().is_terminal(), "nobody is here to ask: give --yes to delete all of this");
    let mut out = std::io::stdout().lock();
    write!(out, "Type the pool's name, {pool}, to delete all of this: ")?;
    out.flush()?;
    let mut typed = String::new();
    std::io::stdin().lock().read_line(&mut typed)?;
    ensure!(typed.trim() == pool, "that is not the pool's name: nothing was deleted");
    Ok(())
}

/// Waits for the jobs, through the master.
async fn drain(cli: &Cli, config: &Config) -> anyhow::Result<()> {
    let cloud = open(master_cloud(config)?, config)?;
    let Some(server) = master::existing(&*cloud).await.map_err(told)? else {
        bail!("there is no master that could drain the nodes; give --now to delete all of this without");
    };
    let master = master::known(&*cloud, &server).await.map_err(told)?;
    let session = access::to_master(&master, cli).await.map_err(told)?;
    destroy::drain(&session, config.policy.pool.as_str(), cli.timeout).await.map_err(told)
}

fn master_cloud(config: &Config) -> anyhow::Result<&CloudSettings> {
    let name = config.daemon.master_cloud.as_ref().context(
        "there are several clouds: say in which one the master is to be, as ehos_daemon.master_cloud",
    )?;
    config.cloud(name).with_context(|| format!("there is no cloud {name}"))
}

fn named(cloud: &CloudName, trouble: Trouble) -> Trouble {
    Trouble { why: format!("{cloud}: {}", trouble.why), ..trouble }
}

/// Says a trouble, with the console or the journal that shows it.
fn told(trouble: Trouble) -> anyhow::Error {
    match trouble.console {
        Some(console) => {
            anyhow::anyhow!("{}\n  its last words:\n    {}", trouble.why, console.replace('\n', "\n    "))
        }
        None => anyhow::anyhow!(trouble.why),
    }
}

/// What an administrator wants to know in the end.
fn summary(master: Option<&Master>, target: &Target, installed: &Installed) -> Vec<String> {
    let mut rows = Vec::new();
    let mut row = |what: &str, value: String| rows.push([what.to_owned(), value]);
    if let Some(master) = master {
        row("master", format!("{} (server {} in {})", master.node, master.server, master.cloud));
        row(
            "address",
            if master.inside == master.reach {
                master.inside.to_string()
            } else {
                format!("{}, from outside {}", master.inside, master.reach)
            },
        );
    }
    row("log in", format!("ssh {}@{}", target.user, target.host));
    row("ehosd", installed.status.clone());
    row(
        "done",
        match (installed.written, installed.restarted) {
            (0, false) => "nothing: all was there and running".to_owned(),
            (written, _) => format!("{written} files brought, ehosd started"),
        },
    );
    row("its log", "journalctl -u ehos -f".to_owned());
    aligned(&rows)
}

fn print(lines: &[String]) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    for line in lines {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn report(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Says what is wrong before anything is done.
fn complain(message: &str) -> ExitCode {
    say(message);
    ExitCode::from(WRONG)
}
