//! Logs in with the keys there are: those of the agent first, then files.
//!
//! Deliberately asks nobody for a password or a passphrase: a program that deploys may have no terminal.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ssh2::ErrorCode;

use crate::connect::{Attempt, is_cut};
use crate::error::SshError;

/// How many keys of an agent are tried: sshd hangs up at its sixth refusal (`MaxAuthTries`), and files come after.
const AGENT_TRIES: usize = 4;

/// Something to log in with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The keys that the agent of `$SSH_AUTH_SOCK` holds.
    Agent,
    /// The keys that the agent behind this socket holds.
    AgentAt(PathBuf),
    /// A private key without passphrase.
    File(PathBuf),
}

impl Identity {
    /// Gives what ssh uses, too: the agent, then the files of `~/.ssh` that there are.
    pub fn usual() -> Vec<Self> {
        let mut identities = vec![Self::Agent];
        if let Some(home) = std::env::home_dir() {
            let files = ["id_ed25519", "id_ecdsa", "id_rsa"].map(|name| home.join(".ssh").join(name));
            identities.extend(files.into_iter().filter(|file| file.exists()).map(Self::File));
        }
        identities
    }
}

/// Logs in, or says what was tried.
pub(crate) fn log_in(
    session: &ssh2::Session,
    attempt: &Attempt,
    identities: &[Identity],
) -> Result<(), SshError> {
    let mut tried = Vec::new();
    let mut encrypted = None;
    for identity in identities {
        attempt.go_on("logging in")?;
        let result = match identity {
            Identity::Agent => by_agent(session, attempt, None, &mut tried),
            Identity::AgentAt(socket) => by_agent(session, attempt, Some(socket), &mut tried),
            Identity::File(file) => match kind_of_key(file) {
                Ok(Key::Open) => by_file(session, attempt, file, &mut tried),
                Ok(Key::Encrypted) => {
                    tried.push(format!("{} (has a passphrase)", file.display()));
                    encrypted.get_or_insert_with(|| file.clone());
                    Ok(false)
                }
                Err(error) => {
                    tried.push(format!("{} ({error})", file.display()));
                    Ok(false)
                }
            },
        };
        if result? {
            return Ok(());
        }
    }
    match encrypted {
        Some(file) => Err(SshError::EncryptedKey { file }),
        None => Err(SshError::Refused { target: attempt.target.clone(), tried }),
    }
}

fn by_agent(
    session: &ssh2::Session,
    attempt: &Attempt,
    socket: Option<&Path>,
    tried: &mut Vec<String>,
) -> Result<bool, SshError> {
    let listed = session.agent().and_then(|mut agent| {
        if let Some(socket) = socket {
            agent.set_identity_path(socket)?;
        }
        agent.connect()?;
        agent.list_identities()?;
        let keys = agent.identities()?;
        Ok((agent, keys))
    });
    let Ok((agent, keys)) = listed else {
        tried.push("the agent (none runs, see $SSH_AUTH_SOCK)".to_owned());
        return Ok(false);
    };
    if keys.is_empty() {
        tried.push("the agent (holds no key, see ssh-add)".to_owned());
    }
    for key in keys.iter().take(AGENT_TRIES) {
        match agent.userauth(&attempt.target.user, key) {
            Ok(()) => return Ok(true),
            Err(error) => tried.push(format!("the agent's {} ({})", key.comment(), refusal(attempt, error)?)),
        }
    }
    if let Some(more @ 1..) = keys.len().checked_sub(AGENT_TRIES) {
        tried.push(format!("not the {more} other keys of the agent"));
    }
    Ok(false)
}

fn by_file(
    session: &ssh2::Session,
    attempt: &Attempt,
    file: &Path,
    tried: &mut Vec<String>,
) -> Result<bool, SshError> {
    match session.userauth_pubkey_file(&attempt.target.user, None, file, None) {
        Ok(()) => Ok(true),
        Err(error) => {
            tried.push(format!("{} ({})", file.display(), refusal(attempt, error)?));
            Ok(false)
        }
    }
}

/// Says why a key did not do; a lost connection is no such reason.
fn refusal(attempt: &Attempt, error: ssh2::Error) -> Result<String, SshError> {
    const AUTHENTICATION_FAILED: i32 = -18;
    const PUBLICKEY_UNVERIFIED: i32 = -19;
    match error.code() {
        ErrorCode::Session(AUTHENTICATION_FAILED | PUBLICKEY_UNVERIFIED) => Ok("refused".to_owned()),
        _ if is_cut(&error) => Err(attempt.failure("logging in", error)),
        _ => Ok(format!("unusable: {}", error.message())),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Key {
    Open,
    Encrypted,
}

/// Looks whether a private key has a passphrase; the library cannot tell this from a broken file.
fn kind_of_key(file: &Path) -> std::io::Result<Key> {
    // Zeroed when it goes: the text is the key.
    let text = secrecy::SecretString::from(std::fs::read_to_string(file)?);
    Ok(kind_of(secrecy::ExposeSecret::expose_secret(&text)))
}

fn kind_of(pem: &str) -> Key {
    /// The head of OpenSSH's own form, followed by the cipher's name with its length.
    const OPEN: &[u8] = b"openssh-key-v1\0\0\0\0\x04none";
    if pem.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") || pem.contains("Proc-Type: 4,ENCRYPTED") {
        return Key::Encrypted;
    }
    let body = pem.split_once("-----BEGIN OPENSSH PRIVATE KEY-----").map(|(_, body)| body.trim_start());
    // 32 characters of base64 are 24 bytes, and the head is 23.
    match body.and_then(|body| body.get(..32)).and_then(|body| STANDARD.decode(body).ok()) {
        Some(head) if !head.starts_with(OPEN) => Key::Encrypted,
        _ => Key::Open,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passphrase_is_seen() {
        let openssh = |head: &[u8]| {
            format!(
                "-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n-----END",
                STANDARD.encode([head, &[0; 60]].concat())
            )
        };
        let rows = [
            ("OpenSSH's own", openssh(b"openssh-key-v1\0\0\0\0\x04none"), Key::Open),
            ("OpenSSH's own, encrypted", openssh(b"openssh-key-v1\0\0\0\0\x0aaes256-ctr"), Key::Encrypted),
            ("PKCS 8", "-----BEGIN PRIVATE KEY-----\nx".to_owned(), Key::Open),
            ("PKCS 8, encrypted", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nx".to_owned(), Key::Encrypted),
            ("PEM", "-----BEGIN RSA PRIVATE KEY-----\nx".to_owned(), Key::Open),
            (
                "PEM, encrypted",
                "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nx".to_owned(),
                Key::Encrypted,
            ),
            ("rubbish", "x".to_owned(), Key::Open),
        ];
        for (row, pem, expected) in rows {
            assert_eq!(kind_of(&pem), expected, "{row}");
        }
    }
}
