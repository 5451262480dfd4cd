//! Opens a connection: TCP, the greeting, the host key, and only then the login.
//!
//! Deliberately sends nothing of ours before the host key is judged, and has no way around that.

use std::io;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ssh2::{ErrorCode, MethodType};

use crate::auth::{self, Identity};
use crate::error::{ChangedHostKey, SshError};
use crate::host_key::{HostKey, HostKeyKind};
use crate::known_hosts;
use crate::pump::Connection;
use crate::target::Target;

/// Who vouches for a machine's host key.
#[derive(Clone, Debug)]
pub enum HostKeys {
    /// These and no other, as from [`crate::host_keys_in_console`].
    Pinned(Vec<HostKey>),
    /// A file as of OpenSSH.
    KnownHosts {
        /// The file; it need not exist.
        file: PathBuf,
        /// Whether the key of a machine that the file does not name is taken and written there.
        accept_new: bool,
    },
}

/// How long the other side may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For the TCP connection and the greeting, for each address of the machine.
    pub connect: Duration,
    /// For each step of handshake and login.
    pub answer: Duration,
    /// Between two questions whether it is still there; after three without answer the connection is lost.
    pub keep_alive: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            answer: Duration::from_secs(30),
            keep_alive: Duration::from_secs(10),
        }
    }
}

/// What all steps of one attempt to connect know.
pub(crate) struct Attempt {
    pub(crate) target: Target,
    pub(crate) timeouts: Timeouts,
    pub(crate) given_up: Arc<AtomicBool>,
}

impl Attempt {
    /// Fails where nobody waits for the result any more.
    pub(crate) fn go_on(&self, during: &str) -> Result<(), SshError> {
        if self.given_up.load(Ordering::Relaxed) {
            return Err(SshError::GivenUp { during: during.to_owned() });
        }
        Ok(())
    }

    /// Sorts what the library says.
    pub(crate) fn failure(&self, during: &str, source: ssh2::Error) -> SshError {
        let (target, during) = (self.target.clone(), during.to_owned());
        match source.code() {
            ErrorCode::Session(TIMEOUT) => {
                SshError::TimedOut { what: format!("{during} on {target}"), after: self.timeouts.answer }
            }
            _ if is_cut(&source) => SshError::Cut { target, during, why: source.message().to_owned() },
            _ => SshError::Protocol { target, during, source },
        }
    }
}

/// Of libssh2's error codes, which the crate does not name.
const TIMEOUT: i32 = -9;

/// Tells whether an error of the library means that the connection is no more.
pub(crate) fn is_cut(error: &ssh2::Error) -> bool {
    /// No socket, no banner, not sent, timed out, disconnected, not received.
    const CUT: [i32; 6] = [-1, -2, -7, TIMEOUT, -13, -43];
    matches!(error.code(), ErrorCode::Session(code) if CUT.contains(&code))
}

/// Connects and logs in.
pub(crate) fn connect(
    attempt: &Attempt,
    keys: &HostKeys,
    identities: &[Identity],
) -> Result<Connection, SshError> {
    let target = &attempt.target;
    let known = Known::of(keys, target)?;
    let stream = dial(attempt)?;
    greeting(&stream, attempt)?;
    let unreachable = |source| SshError::Unreachable { target: target.clone(), source };
    let polled = stream.try_clone().map_err(unreachable)?;
    let setting_up = |source| attempt.failure("setting up the connection", source);
    let mut session = ssh2::Session::new().map_err(setting_up)?;
    session.set_timeout(u32::try_from(attempt.timeouts.answer.as_millis()).unwrap_or(u32::MAX));
    session.method_pref(MethodType::HostKey, &known.methods()).map_err(setting_up)?;
    session.set_tcp_stream(stream);
    session.handshake().map_err(|source| attempt.failure("agreeing on keys", source))?;
    let shown = session.host_key().and_then(|(bytes, _)| HostKey::from_bytes(bytes).ok());
    // All that was offered to the machine are the kinds that are understood.
    let shown =
        shown.ok_or_else(|| SshError::NotSsh { target: target.clone(), said: "no host key".to_owned() })?;
    known.judge(target, &shown)?;
    auth::log_in(&session, attempt, identities)?;
    log::debug!("logged in to {target}, host key {} {}", shown.kind().name(), shown.fingerprint());
    Ok(Connection::new(session, polled, target.clone(), attempt.timeouts))
}

/// The keys that are right for a machine, and where they come from.
struct Known<'a> {
    keys: Vec<(HostKey, String)>,
    revoked: Vec<(HostKey, String)>,
    file: Option<(&'a Path, bool)>,
}

impl<'a> Known<'a> {
    fn of(keys: &'a HostKeys, target: &Target) -> Result<Self, SshError> {
        match keys {
            HostKeys::Pinned(keys) => {
                let from = "it was pinned for this machine";
                let keys = keys.iter().map(|key| (key.clone(), from.to_owned())).collect();
                Ok(Self { keys, revoked: Vec::new(), file: None })
            }
            HostKeys::KnownHosts { file, accept_new } => {
                let lines = known_hosts::read(file, target)
                    .map_err(|source| SshError::KnownHosts { file: file.clone(), source })?;
                let (mut keys, mut revoked) = (Vec::new(), Vec::new());
                for line in lines {
                    let list = if line.revoked { &mut revoked } else { &mut keys };
                    list.push((line.key, format!("{} line {}", file.display(), line.line)));
                }
                Ok(Self { keys, revoked, file: Some((file, *accept_new)) })
            }
        }
    }

    /// The known kinds first: a machine with several keys then shows the one that we can compare.
    /// The other kinds follow, so that a machine made anew shows a key that can be named in the error.
    fn methods(&self) -> String {
        let is_known = |kind: &HostKeyKind| self.keys.iter().any(|(key, _)| key.kind() == *kind);
        let (mut first, others): (Vec<_>, Vec<_>) = HostKeyKind::ALL.into_iter().partition(is_known);
        first.extend(others);
        first.into_iter().map(HostKeyKind::methods).collect::<Vec<_>>().join(",")
    }

    fn judge(&self, target: &Target, shown: &HostKey) -> Result<(), SshError> {
        let target = target.clone();
        if let Some((_, from)) = self.revoked.iter().find(|(key, _)| key == shown) {
            return Err(SshError::HostKeyChanged(Box::new(ChangedHostKey {
                target,
                expected: vec!["any but the revoked ones".to_owned()],
                found: shown.fingerprint(),
                known_from: format!("revoked by {from}"),
                known_hosts: None,
            })));
        }
        if self.keys.iter().any(|(key, _)| key == shown) {
            return Ok(());
        }
        let file = match (self.file, self.keys.is_empty()) {
            (Some((file, true)), true) => {
                return known_hosts::add(file, &target, shown)
                    .map_err(|source| SshError::KnownHosts { file: file.to_owned(), source });
            }
            (_, true) => return Err(SshError::HostKeyUnknown { target, fingerprint: shown.fingerprint() }),
            (file, false) => file,
        };
        let mut from: Vec<_> = self.keys.iter().map(|(_, from)| from.clone()).collect();
        from.dedup();
        Err(SshError::HostKeyChanged(Box::new(ChangedHostKey {
            target,
            expected: self.keys.iter().map(|(key, _)| key.fingerprint()).collect(),
            found: shown.fingerprint(),
            known_from: from.join(", "),
            known_hosts: file.map(|(file, _)| file.to_owned()),
        })))
    }
}

/// Tries one address of the machine after the other.
fn dial(attempt: &Attempt) -> Result<TcpStream, SshError> {
    let Target { host, port, .. } = &attempt.target;
    let unreachable = |source| SshError::Unreachable { target: attempt.target.clone(), source };
    let mut last = io::Error::new(io::ErrorKind::NotFound, "its name has no address");
    for address in (host.as_str(), *port).to_socket_addrs().map_err(unreachable)? {
        attempt.go_on("connecting")?;
        match TcpStream::connect_timeout(&address, attempt.timeouts.connect) {
            Ok(stream) => {
                // Small packets follow each other; to wait for fuller ones costs 40 ms each time.
                stream.set_nodelay(true).map_err(unreachable)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(unreachable(last))
}

/// Looks at the first words without taking them: an SSH server says `SSH-2.0-…` by itself (RFC 4253, 4.2).
fn greeting(stream: &TcpStream, attempt: &Attempt) -> Result<(), SshError> {
    let unreachable = |source| SshError::Unreachable { target: attempt.target.clone(), source };
    let not_ssh = |said: &[u8]| {
        let said = String::from_utf8_lossy(said);
        let said = said.lines().next().unwrap_or_default().trim().chars().take(80).collect();
        SshError::NotSsh { target: attempt.target.clone(), said }
    };
    let deadline = Instant::now() + attempt.timeouts.connect;
    let mut words = [0; 1024];
    let mut said = 0;
    loop {
        attempt.go_on("waiting for a greeting")?;
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(not_ssh(&words[..said]));
        }
        stream.set_read_timeout(Some(left.min(Duration::from_millis(250)))).map_err(unreachable)?;
        let before = said;
        match stream.peek(&mut words) {
            Ok(0) => return Err(not_ssh(&words[..said])),
            Ok(length) => said = length,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionReset) => return Err(not_ssh(&[])),
            Err(error) => return Err(unreachable(error)),
        }
        // Other lines may come before.
        if words[..said].split(|byte| *byte == b'\n').any(|line| line.starts_with(b"SSH-")) {
            return Ok(());
        }
        if said == words.len() {
            return Err(not_ssh(&words));
        }
        if said > 0 && said == before {
            // What was seen is seen again at once, so there is nothing to block on.
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host_key::tests::{ECDSA, ED25519};

    #[test]
    fn the_known_kinds_are_asked_for_first() {
        let keys = HostKeys::Pinned(vec![ECDSA.parse().unwrap()]);
        let methods = Known::of(&keys, &"a@h".parse().unwrap()).unwrap().methods();
        assert!(methods.starts_with("ecdsa-sha2-nistp256,ssh-ed25519,"), "{methods}");
    }

    #[test]
    fn a_shown_key_is_judged() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("known_hosts");
        let (ed25519, ecdsa): (HostKey, HostKey) = (ED25519.parse().unwrap(), ECDSA.parse().unwrap());
        std::fs::write(&file, format!("# x\nh {ED25519}\n@revoked * {ECDSA}\n")).unwrap();
        let pinned = HostKeys::Pinned(vec![ed25519.clone()]);
        let nothing = HostKeys::Pinned(Vec::new());
        let known = |accept_new| HostKeys::KnownHosts { file: file.clone(), accept_new };
        let line = format!("{} line 2", file.display());
        let rows = [
            ("pinned", &pinned, "a@h", &ed25519, None),
            ("not the pinned one", &pinned, "a@h", &ecdsa, Some("it was pinned")),
            ("nothing is pinned", &nothing, "a@h", &ecdsa, Some("is not known")),
            ("in the file", &known(false), "a@h", &ed25519, None),
            ("revoked", &known(true), "a@new", &ecdsa, Some("revoked by")),
            ("unknown", &known(false), "a@other", &ed25519, Some("is not known")),
            ("new", &known(true), "a@new", &ed25519, None),
            ("no longer new", &known(false), "a@new", &ed25519, None),
        ];
        for (row, keys, target, shown, complaint) in rows {
            let target = target.parse().unwrap();
            let result =
                Known::of(keys, &target).unwrap().judge(&target, shown).map_err(|error| error.to_string());
            match complaint {
                None => assert_eq!(result, Ok(()), "{row}"),
                Some(part) => {
                    assert!(result.as_ref().is_err_and(|text| text.contains(part)), "{row}: {result:?}");
                }
            }
        }
        std::fs::write(&file, format!("# x\nh {ED25519}\n")).unwrap();
        let target = "a@h".parse().unwrap();
        let error = Known::of(&known(true), &target).unwrap().judge(&target, &ecdsa).unwrap_err().to_string();
        for part in [&line, &ed25519.fingerprint(), &ecdsa.fingerprint()] {
            assert!(error.contains(part.as_str()), "{error}");
        }
    }
}
