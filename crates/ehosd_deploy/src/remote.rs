//! The half of a deployment that is done over SSH: programs, configuration and unit are put in place and started.
//!
//! Deliberately the same for a fresh master and for one that has run for years: what is there already is not sent
//! again, and only `ehosd` is restarted, so that jobs go on.

use std::time::Duration;

use ehos_boot::Trouble;
use ehos_ssh::{Command, Exit, Output, Session, SshError, Upload, Uploaded};
use tokio::time::{Instant, sleep};

use crate::bundle::{Bundle, Carried, Programs, Reader};
use ehos_terminal::Progress;

/// Where programs lie until it is known that they run there.
const STAGED: &str = "/usr/local/lib/ehos";

/// How long a package manager may be busy with something else.
const BUSY: Duration = Duration::from_mins(5);

/// How long HTCondor may take to answer.
const ANSWERS: Duration = Duration::from_mins(2);

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(3);

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Installed {
    /// How many files were sent; those that were there already are not counted.
    pub(crate) written: usize,
    /// Whether the daemon was started anew.
    pub(crate) restarted: bool,
    /// What the daemon says of itself (*`StatusText`*).
    pub(crate) status: String,
}

/// Puts everything in place and starts the daemon.
pub(crate) async fn install(
    session: &Session,
    bundle: &Bundle,
    progress: &Progress,
) -> Result<Installed, Trouble> {
    progress.step("looks whether HTCondor runs there");
    ready(session).await?;
    progress.step("brings the programs");
    let mut written = programs(session, &bundle.programs).await?;
    progress.step("brings the configuration");
    user(session).await?;
    for file in &bundle.files {
        written += usize::from(put(session, file, &file.to).await? == Uploaded::Written);
    }
    progress.step("starts ehosd");
    let restarted = start(session, written > 0).await?;
    progress.step("waits until ehosd serves");
    let status = serves(session).await?;
    Ok(Installed { written, restarted, status })
}

/// Runs a command as root that must end well.
async fn root(session: &Session, what: &str, command: Command) -> Result<Output, Trouble> {
    let output = session.run(&command.sudo()).await.and_then(Output::success);
    output.map_err(|error| during(what, &error))
}

fn during(what: &str, error: &SshError) -> Trouble {
    Trouble::new(format!("{what}: {error}"))
}

/// Checks what must be there before anything is changed.
async fn ready(session: &Session) -> Result<(), Trouble> {
    root(session, "root's rights", Command::new("true")).await?;
    let tools = Command::shell("command -v systemctl && command -v condor_status");
    let found = session.run(&tools).await.map_err(|error| during("a first look", &error))?;
    if found.exit != Exit::Status(0) {
        let missing = if found.text().contains("systemctl") {
            "HTCondor: a master is made from an image that has it (ehos_build_images), or install it there"
        } else {
            "systemd, which ehosd is started by"
        };
        return Err(Trouble::new(format!("{} lacks {missing}", session.target())));
    }
    let end = Instant::now() + ANSWERS;
    loop {
        let asked = Command::new("condor_status").args(["-collector", "-af", "Name"]);
        let asked = session.run(&asked).await.map_err(|error| during("the collector", &error))?;
        if asked.exit == Exit::Status(0) && !asked.text().is_empty() {
            return Ok(());
        }
        if Instant::now() >= end {
            let said = String::from_utf8_lossy(&asked.stderr).trim().to_owned();
            return Err(Trouble::new(format!(
                "the collector on {} does not answer ({said}): systemctl status condor",
                session.target()
            )));
        }
        sleep(PAUSE).await;
    }
}

/// Brings the programs and makes sure that they run there before they take the place of older ones.
async fn programs(session: &Session, programs: &Programs) -> Result<usize, Trouble> {
    match programs {
        Programs::Package { name, bytes } => package(session, name, bytes.clone()).await,
        Programs::Single(programs) => {
            let mut written = 0;
            for program in programs {
                let name = program.to.rsplit('/').next().unwrap_or_default();
                let staged = format!("{STAGED}/{name}");
                let sent = put(session, program, &staged).await?;
                let tried = session.run(&Command::new(&staged).arg("--version")).await;
                let tried = tried.map_err(|error| during(name, &error))?;
                if tried.exit != Exit::Status(0) {
                    let said = String::from_utf8_lossy(&tried.stderr).trim().to_owned();
                    return Err(Trouble::new(format!(
                        "{name} does not run on {}: {said}; build it for that system and name its folder with \
                         --binaries, or use --package",
                        session.target()
                    )));
                }
                let place = "cmp -s -- \"$1\" \"$2\" || { cp -- \"$1\" \"$2.new\" && mv -fT -- \"$2.new\" \"$2\" && echo new; }";
                let place = Command::shell(place).arg(&staged).arg(&program.to);
                let placed = root(session, name, place).await?;
                written += usize::from(sent == Uploaded::Written || placed.text() == "new");
            }
            Ok(written)
        }
    }
}

/// Installs a package; another package manager at work is waited for.
async fn package(session: &Session, name: &str, bytes: secrecy::SecretSlice<u8>) -> Result<usize, Trouble> {
    let path = format!("{STAGED}/{name}");
    let upload = Upload::bytes(bytes, path.as_str()).mode(0o644).owner("root:root").sudo();
    let sent = session.upload(&upload, |_| {}).await.map_err(|error| during(name, &error))?;
    let end = Instant::now() + BUSY;
    let install = if std::path::Path::new(name).extension().is_some_and(|end| end == "deb") {
        Command::new("dpkg").args(["--install", &path])
    } else {
        Command::new("rpm").args(["--upgrade", "--replacepkgs", &path])
    };
    loop {
        let done = session.run(&install.clone().sudo().time_limit(BUSY)).await;
        let done = done.map_err(|error| during(name, &error))?;
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        match done.exit {
            Exit::Status(0) => return Ok(usize::from(sent == Uploaded::Written)),
            _ if said.contains("lock") && Instant::now() < end => {
                log::info!("the package manager on {} is busy: waiting", session.target());
                sleep(PAUSE).await;
            }
            _ if said.contains("lock") => {
                let why = format!(
                    "the package manager on {} has been busy for {} min: see what apt or dnf does there, then run this \
                     again",
                    session.target(),
                    BUSY.as_secs() / 60
                );
                return Err(Trouble::new(why));
            }
            _ => return Err(Trouble::new(format!("{name} cannot be installed: {}", said.trim()))),
        }
    }
}

/// Makes the daemon's user where there is none.
async fn user(session: &Session) -> Result<(), Trouble> {
    let make = "id ehos >/dev/null 2>&1 || useradd --system --create-home --home-dir /var/lib/ehos \
                --shell /usr/sbin/nologin ehos";
    root(session, "the user ehos", Command::shell(make)).await?;
    Ok(())
}

async fn put(session: &Session, file: &Carried, to: &str) -> Result<Uploaded, Trouble> {
    let folder = to.rsplit_once('/').map_or("/", |(folder, _)| folder);
    let make = Command::new("mkdir").args(["-p", "-m", "0755", "--", folder]);
    root(session, folder, make).await?;
    let (mode, owner) = match (file.reader, file.runs) {
        (Reader::Ehos, _) => (0o600, "ehos:ehos"),
        (Reader::Everybody, true) => (0o755, "root:root"),
        (Reader::Everybody, false) => (0o644, "root:root"),
    };
    let upload = Upload::bytes(file.bytes.clone(), to).mode(mode).owner(owner).sudo();
    session.upload(&upload, |_| {}).await.map_err(|error| during(to, &error))
}

/// Starts the daemon, anew where something has changed.
async fn start(session: &Session, changed: bool) -> Result<bool, Trouble> {
    root(session, "systemd", Command::new("systemctl").arg("daemon-reload")).await?;
    root(session, "systemd", Command::new("systemctl").args(["enable", "ehos"])).await?;
    let active = Command::new("systemctl").args(["is-active", "--quiet", "ehos"]);
    let active = session.run(&active).await.map_err(|error| during("systemd", &error))?;
    if !changed && active.exit == Exit::Status(0) {
        return Ok(false);
    }
    // It returns when ehosd has looked once, or has given up.
    let restart =
        Command::new("systemctl").args(["restart", "ehos"]).sudo().time_limit(Duration::from_mins(7));
    let restarted = session.run(&restart).await.map_err(|error| during("systemd", &error))?;
    if restarted.exit == Exit::Status(0) {
        return Ok(true);
    }
    Err(journal(session, "ehosd does not start").await)
}

/// Looks whether the daemon stays up, and what it says of itself.
async fn serves(session: &Session) -> Result<String, Trouble> {
    let show = "systemctl show ehos --property=ActiveState,NRestarts --value; systemctl show ehos --property=StatusText \
                --value";
    let mut first = None;
    for _ in 0..3 {
        let shown = session.run(&Command::shell(show)).await.and_then(Output::success);
        let shown = shown.map_err(|error| during("systemd", &error))?.text();
        let mut lines = shown.lines();
        let (state, restarts) =
            (lines.next().unwrap_or_default(), lines.next().unwrap_or_default().to_owned());
        if state != "active" || first.as_ref().is_some_and(|first| *first != restarts) {
            return Err(journal(session, &format!("ehosd does not stay up (it is {state})")).await);
        }
        first = Some(restarts);
        if let Some(status) = lines.next().filter(|status| !status.is_empty()) {
            return Ok(status.to_owned());
        }
        sleep(PAUSE).await;
    }
    Ok("active".to_owned())
}

/// Adds the daemon's last words.
async fn journal(session: &Session, what: &str) -> Trouble {
    let ask = Command::new("journalctl").args(["-u", "ehos", "-n", "20", "-o", "cat", "--no-pager"]).sudo();
    let said = session.run(&ask).await.map(|output| output.text()).unwrap_or_default();
    let hint = format!("{what} on {}: journalctl -u ehos there tells more", session.target());
    Trouble::new(hint).with_console(&said)
}
