//! What can go wrong between here and a machine, each with what to do next.
//!
//! Deliberately holds no secret: a command is shown by its arguments, never by what it reads.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::command::Exit;
use crate::target::Target;

/// Why something did not come about on the other machine.
#[derive(Debug, thiserror::Error)]
pub enum SshError {
    /// No TCP connection came about.
    #[error("{target} cannot be reached ({source}); check its address, that it runs, and that its security group or \
             firewall lets TCP port {} in", target.port)]
    Unreachable {
        /// Where to.
        target: Target,
        /// What the system says.
        source: io::Error,
    },
    /// What listens there does not speak SSH, or not yet.
    #[error("what listens on {}:{} is no SSH server: {}; check address and port", target.host, target.port, what_it_said(said))]
    NotSsh {
        /// Where.
        target: Target,
        /// What it said in place of a greeting; empty if nothing.
        said: String,
    },
    /// The machine has another host key than the one that is known.
    #[error(transparent)]
    HostKeyChanged(Box<ChangedHostKey>),
    /// Nobody vouches for the machine's host key.
    #[error(
        "the host key of {target} is not known: {fingerprint}; compare it with the machine's own \
             (`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on its console), then log in once with ssh, or accept new keys"
    )]
    HostKeyUnknown {
        /// Whose.
        target: Target,
        /// Its fingerprint.
        fingerprint: String,
    },
    /// The file of known hosts cannot be read or written.
    #[error("the known hosts in {} cannot be used: {source}; check who owns the file", file.display())]
    KnownHosts {
        /// Which file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The machine does not let us in with what we have.
    #[error("{target} refuses to let us in; tried {}; put the public key of one of them into {}'s \
             ~/.ssh/authorized_keys there, or name another user or key", what_was_tried(tried), target.user)]
    Refused {
        /// Whom and where.
        target: Target,
        /// What was tried, in order, with what came of it.
        tried: Vec<String>,
    },
    /// A private key has a passphrase, and no agent holds it.
    #[error("the key {} has a passphrase, and no agent that holds it let us in; run `ssh-add {}` and try again",
            file.display(), file.display())]
    EncryptedKey {
        /// Which file.
        file: PathBuf,
    },
    /// `sudo` wants a password.
    #[error("sudo on {target} wants a password of {}; give that user a line `{} ALL=(ALL) NOPASSWD: ALL` in \
             /etc/sudoers.d/ehos there (visudo -f), or log in as root", target.user, target.user)]
    SudoPassword {
        /// Whom and where.
        target: Target,
    },
    /// There is no `sudo`.
    #[error("{target} has no sudo; install it there, or log in as root")]
    SudoMissing {
        /// Where.
        target: Target,
    },
    /// No space for a file.
    #[error(
        "there is no space for {path} on {target} (`df -h` and `df -i` there tell more); free some and run this again, \
             what is there already is not sent twice"
    )]
    DiskFull {
        /// Where.
        target: Target,
        /// Which file.
        path: String,
    },
    /// The connection was lost.
    #[error(
        "the connection to {target} was lost while {during} ({why}); run this again, what is done already is not \
             done twice"
    )]
    Cut {
        /// Where to.
        target: Target,
        /// In the middle of what.
        during: String,
        /// How it showed.
        why: String,
    },
    /// Something took too long.
    #[error("{what} took more than {after:?}; see on the machine what it hangs on, then run this again")]
    TimedOut {
        /// What.
        what: String,
        /// The limit.
        after: Duration,
    },
    /// A command failed.
    #[error("{command} failed ({exit}): {}", tail(stderr))]
    Failed {
        /// Its arguments, as a shell would take them.
        command: String,
        /// How it ended.
        exit: Exit,
        /// The end of what it wrote to its standard error.
        stderr: String,
    },
    /// A command wrote more than was to be read.
    #[error("{command} wrote more than {limit} bytes; ask for less, or follow it line by line")]
    TooLong {
        /// Its arguments, as a shell would take them.
        command: String,
        /// How much would have been read.
        limit: usize,
    },
    /// What is to be sent cannot be read here.
    #[error("{what} cannot be read: {source}")]
    Local {
        /// What.
        what: String,
        /// What the system says.
        source: io::Error,
    },
    /// Something that cannot be carried over.
    #[error("{what} cannot be sent: it holds a NUL character")]
    Nul {
        /// What.
        what: String,
    },
    /// SSH itself failed in another way.
    #[error("SSH with {target} failed while {during}: {source}")]
    Protocol {
        /// With whom.
        target: Target,
        /// In the middle of what.
        during: String,
        /// What the library says.
        source: ssh2::Error,
    },
    /// The work was given up here, at the end of the program.
    #[error("{during} was given up at the end of this program")]
    GivenUp {
        /// In the middle of what.
        during: String,
    },
}

/// A machine that shows another host key than the known one.
#[derive(Debug, thiserror::Error)]
#[error("THE HOST KEY OF {target} IS NOT THE KNOWN ONE: expected {}, found {found} ({known_from}). Somebody may be \
         listening in, so nothing was sent. Only if you know that the machine was made anew: {}",
         expected.join(" or "), self.how_to_forget())]
pub struct ChangedHostKey {
    /// Whose.
    pub target: Target,
    /// The fingerprints of the known ones.
    pub expected: Vec<String>,
    /// The fingerprint of the one that it showed.
    pub found: String,
    /// Where the known ones come from, with the lines of a file.
    pub known_from: String,
    /// The file of known hosts, where they come from one.
    pub known_hosts: Option<PathBuf>,
}

impl ChangedHostKey {
    fn how_to_forget(&self) -> String {
        let Some(file) = &self.known_hosts else {
            return "make it again, so that its key is read again".to_owned();
        };
        let Target { host, port, .. } = &self.target;
        let name = if *port == 22 { host.clone() } else { format!("[{host}]:{port}") };
        format!("ssh-keygen -f '{}' -R '{name}'", file.display())
    }
}

impl SshError {
    /// Tells whether a machine that still boots may answer so, and otherwise later.
    pub(crate) const fn may_pass_at_boot(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Refused { .. } | Self::Cut { .. } | Self::TimedOut { .. } => {
                true
            }
            Self::NotSsh { said, .. } => said.is_empty(),
            _ => false,
        }
    }
}

fn what_it_said(said: &str) -> String {
    if said.is_empty() { "it says nothing".to_owned() } else { format!("it says {said:?}") }
}

fn what_was_tried(tried: &[String]) -> String {
    if tried.is_empty() { "nothing, for there is no key here".to_owned() } else { tried.join(", ") }
}

/// The last lines of a complaint in one.
fn tail(stderr: &str) -> String {
    const LONGEST: usize = 600;
    let lines: Vec<_> = stderr.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if lines.is_empty() {
        return "it did not say why".to_owned();
    }
    let joined = lines.join("; ");
    let surplus = joined.chars().count().saturating_sub(LONGEST);
    match joined.char_indices().nth(surplus) {
        Some((at, _)) if surplus > 0 => format!("…{}", &joined[at..]),
        _ => joined,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_complaint_is_kept() {
        assert_eq!(tail("a\n\n b \n"), "a; b");
        assert_eq!(tail(" \n"), "it did not say why");
        let long = tail(&format!("{}\nthe cause", "ä".repeat(1000)));
        assert!(
            long.starts_with('…') && long.ends_with("the cause") && long.chars().count() == 601,
            "{long}"
        );
    }

    #[test]
    fn a_changed_key_is_said_loudly_with_what_to_do() {
        let error = SshError::HostKeyChanged(Box::new(ChangedHostKey {
            target: "a@h:2222".parse().unwrap(),
            expected: vec!["SHA256:x".to_owned()],
            found: "SHA256:y".to_owned(),
            known_from: "known_hosts line 7".to_owned(),
            known_hosts: Some("known_hosts".into()),
        }));
        let text = error.to_string();
        for part in [
            "NOT THE KNOWN ONE",
            "SHA256:x",
            "SHA256:y",
            "line 7",
            "ssh-keygen -f 'known_hosts' -R '[h]:2222'",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
