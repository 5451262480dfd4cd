//! The way into a master: as whom, with which keys, and how its host key is known.
//!
//! Deliberately takes a host key on trust only where that was said: a master that we have made shows its keys on its
//! console.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

use ehos_boot::Trouble;
use ehos_ssh::{HostKeys, Identity, Session, SshError, Target, Timeouts, host_keys_in_console};

use crate::cli::Cli;
use crate::master::Master;

/// The first users of the images of today.
const USERS: [&str; 6] = ["debian", "ubuntu", "almalinux", "rocky", "centos", "cloud-user"];

/// How long a master may take until it lets us in, once it has said that it is up.
const LETS_IN: Duration = Duration::from_mins(3);

/// Logs in to a master whose server we know.
pub(crate) async fn to_master(master: &Master, cli: &Cli) -> Result<Session, Trouble> {
    let pinned = host_keys_in_console(&master.console);
    let keys = if pinned.is_empty() { known_hosts(cli) } else { HostKeys::Pinned(pinned) };
    let users = users(cli.user.as_deref(), &master.console);
    let mut refused = None;
    for user in &users {
        let target = Target { user: user.clone(), host: master.reach.to_string(), port: 22 };
        match wait(&target, &keys, cli).await {
            Ok(session) => return Ok(session),
            Err(error @ SshError::Refused { .. }) => refused = refused.or(Some(error)),
            Err(error) => return Err(Trouble::new(error.to_string())),
        }
    }
    let why = refused.map_or_else(|| "nobody is let in".to_owned(), |error| error.to_string());
    Err(Trouble::new(format!("{why} (tried as {}; --user names another)", users.join(", "))))
}

/// Lists who may be the master's first user. cloud-init says on the console whom it has given the key to; without that, the
/// first users of common images are tried, each once: sshd shuts out who is refused too often.
fn users(named: Option<&str>, console: &str) -> Vec<String> {
    if let Some(user) = named {
        return vec![user.to_owned()];
    }
    let told = console.lines().find_map(|line| {
        let (_, rest) = line.split_once("Authorized keys from ")?;
        let user = rest.split_once(" for user ")?.1;
        Some(user.chars().take_while(|c| c.is_ascii_alphanumeric() || "_-.".contains(*c)).collect::<String>())
    });
    told.filter(|user| !user.is_empty()).map_or_else(|| USERS.map(str::to_owned).to_vec(), |user| vec![user])
}

/// Logs in to a host that was named.
pub(crate) async fn to_host(target: &Target, cli: &Cli) -> Result<Session, Trouble> {
    wait(target, &known_hosts(cli), cli).await.map_err(|error| Trouble::new(error.to_string()))
}

async fn wait(target: &Target, keys: &HostKeys, cli: &Cli) -> Result<Session, SshError> {
    let identities = match &cli.identity {
        Some(file) => vec![Identity::File(file.clone())],
        None => Identity::usual(),
    };
    let deadline = std::time::Instant::now() + LETS_IN;
    Session::wait_for(target, keys, &identities, Timeouts::default(), deadline, |error| {
        log::info!("{error}");
        // The keys were there before the machine said that it is up.
        if matches!(error, SshError::Refused { .. }) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })
    .await
}

fn known_hosts(cli: &Cli) -> HostKeys {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    HostKeys::KnownHosts { file: home.join(".ssh/known_hosts"), accept_new: cli.accept_new }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_console_tells_who_is_let_in() {
        let told = "ci-info: +++++Authorized keys from ~rocky/.ssh/authorized_keys for user rocky+++++\r\n";
        for (named, console, expected, row) in [
            (Some("me"), told, vec!["me"], "who was named"),
            (None, told, vec!["rocky"], "who has got the key"),
            (None, "nothing", USERS.to_vec(), "the usual ones"),
            (None, "Authorized keys from x for user ++", USERS.to_vec(), "no name"),
        ] {
            assert_eq!(users(named, console), expected, "{row}");
        }
    }
}
