//! Reads public keys, and refuses what is none.
//!
//! Deliberately never shows what a file holds: it may be a private key, given by mistake.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest as _, Sha256};

/// Where a key is looked for below the home folder, the best one first.
const DEFAULTS: [&str; 3] = [".ssh/id_ed25519.pub", ".ssh/id_ecdsa.pub", ".ssh/id_rsa.pub"];

/// The most bytes that are read.
const SIZE_MAX: u64 = 64 << 10;

/// Kinds that OpenSSH still takes; `ssh-dss` is none of them.
const KINDS: [&str; 7] = [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];

/// Why a file gives no public key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It cannot be read.
    #[error("the key {} cannot be read: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It holds a private key.
    #[error(
        "{} is a private key, which nobody else must ever have: give its public half, usually {}.pub",
        path.display(),
        path.display()
    )]
    Private {
        /// The file.
        path: PathBuf,
    },
    /// It holds something else.
    #[error(
        "{} is no public key: expected is one line that begins with ssh-ed25519, ecdsa-sha2-... or ssh-rsa",
        path.display()
    )]
    NotAKey {
        /// The file.
        path: PathBuf,
    },
}

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// One line: kind, key, comment.
    pub line: String,
    /// As `ssh-keygen -l` prints it: `SHA256:...`.
    pub fingerprint: String,
}

impl PublicKey {
    /// Understands one line; `None` where it is no public key.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let (kind, key) = (words.next()?, words.next()?);
        let bytes = STANDARD.decode(key).or_else(|_| STANDARD_NO_PAD.decode(key)).ok()?;
        // The key names its kind once more (RFC 4253, section 6.6).
        let length = usize::try_from(u32::from_be_bytes(*bytes.first_chunk()?)).ok()?;
        let inner = bytes.get(4..)?.get(..length)?;
        if !KINDS.contains(&kind) || inner != kind.as_bytes() {
            return None;
        }
        let fingerprint = format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(&bytes)));
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        Some(Self { line, fingerprint })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// Where it holds anything but one public key.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let mut bytes = Vec::new();
        let read = File::open(path).and_then(|file| file.take(SIZE_MAX).read_to_end(&mut bytes));
        read.map_err(|error| KeyError::Read { path: path.to_owned(), error })?;
        let text = String::from_utf8_lossy(&bytes);
        if text.contains("PRIVATE KEY") || text.starts_with("PuTTY-User-Key-File") {
            return Err(KeyError::Private { path: path.to_owned() });
        }
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        match (lines.next().and_then(Self::parse), lines.next()) {
            (Some(key), None) => Ok(key),
            _ => Err(KeyError::NotAKey { path: path.to_owned() }),
        }
    }

    /// Finds the user's own key; `None` where there is none.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn find(home: Option<&Path>) -> Result<Option<(PathBuf, Self)>, KeyError> {
        let paths = home.into_iter().flat_map(|home| DEFAULTS.map(|name| home.join(name)));
        let Some(path) = paths.into_iter().find(|path| path.is_file()) else { return Ok(None) };
        let key = Self::read(&path)?;
        Ok(Some((path, key)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFRqUidIojvZvR+M7yNWz5CzjKVbJhNPHHMhtEmPU1w1 me@here";

    #[test]
    fn a_public_key_is_one_line_that_names_its_kind_twice() {
        let key = PublicKey::parse(KEY).unwrap();
        assert!(key.fingerprint.starts_with("SHA256:") && key.fingerprint.len() == 50, "{key:?}");
        assert_eq!(PublicKey::parse(&KEY.replace(' ', "  ")).unwrap(), key, "blanks do not count");
        for (line, row) in [
            (KEY.replace("ssh-ed25519", "ssh-rsa"), "another kind than the key says"),
            (KEY.replace("ssh-ed25519", "ssh-dss"), "a kind of old"),
            (KEY.replace("IFRq", "!"), "no base64"),
            ("ssh-ed25519".to_owned(), "no key"),
            ("ssh-ed25519 AAAA".to_owned(), "too short"),
            ("ssh-ed25519 //////8=".to_owned(), "a length beyond its end"),
            (String::new(), "nothing"),
        ] {
            assert_eq!(PublicKey::parse(&line), None, "{row}");
        }
    }

    #[test]
    fn a_private_key_is_refused_and_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("id");
        let secret = "b3BlbnNzaC1rZXktdjEAAAAA";
        for (text, words) in [
            (format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{secret}\n"), "is a private key"),
            (format!("PuTTY-User-Key-File-3: ssh-ed25519\n{secret}\n"), "is a private key"),
            (format!("{KEY}\n{KEY}\n"), "is no public key"),
            (secret.to_owned(), "is no public key"),
            (String::new(), "is no public key"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = PublicKey::read(&path).unwrap_err().to_string();
            assert!(error.contains(words) && !error.contains(secret), "{error}");
        }
        std::fs::write(&path, format!("# mine\n\n{KEY}\n")).unwrap();
        assert_eq!(PublicKey::read(&path).unwrap().line, KEY);
        let missing = PublicKey::read(&folder.path().join("none")).unwrap_err();
        assert!(missing.to_string().contains("cannot be read"), "{missing}");
    }

    #[test]
    fn the_best_of_the_users_keys_is_found() {
        let home = tempfile::tempdir().unwrap();
        assert!(PublicKey::find(Some(home.path())).unwrap().is_none(), "no folder");
        std::fs::create_dir(home.path().join(".ssh")).unwrap();
        let other = KEY.replace("PU1w1", "PU1w2");
        for (name, key) in [("id_rsa.pub", KEY), ("id_ed25519.pub", &other)] {
            std::fs::write(home.path().join(".ssh").join(name), key).unwrap();
        }
        let (path, key) = PublicKey::find(Some(home.path())).unwrap().unwrap();
        assert!(path.ends_with("id_ed25519.pub"));
        assert_eq!(key.line, other);
        assert!(PublicKey::find(None).unwrap().is_none(), "nobody's home");
    }
}
