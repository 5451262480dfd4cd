//! A machine's public host key, and how OpenSSH writes it.
//!
//! Deliberately trusts nobody: whether a key is the right one is for [`crate::HostKeys`].

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest as _, Sha256};

/// The kinds of host key that are taken, the preferred one first. DSA is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostKeyKind {
    /// Ed25519.
    Ed25519,
    /// ECDSA on NIST's P-256.
    EcdsaP256,
    /// ECDSA on NIST's P-384.
    EcdsaP384,
    /// ECDSA on NIST's P-521.
    EcdsaP521,
    /// RSA.
    Rsa,
}

impl HostKeyKind {
    pub(crate) const ALL: [Self; 5] =
        [Self::Ed25519, Self::EcdsaP256, Self::EcdsaP384, Self::EcdsaP521, Self::Rsa];

    /// Gives the name in a public key's line and in the key itself (RFC 4253, 5656, 8709).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ssh-ed25519",
            Self::EcdsaP256 => "ecdsa-sha2-nistp256",
            Self::EcdsaP384 => "ecdsa-sha2-nistp384",
            Self::EcdsaP521 => "ecdsa-sha2-nistp521",
            Self::Rsa => "ssh-rsa",
        }
    }

    /// Gives the number of fields of such a key: its name, and a point, a curve with a point, or two numbers.
    const fn fields(self) -> usize {
        match self {
            Self::Ed25519 => 2,
            Self::EcdsaP256 | Self::EcdsaP384 | Self::EcdsaP521 | Self::Rsa => 3,
        }
    }

    /// Gives the signature algorithms that a machine can prove such a key with (RFC 8332 for RSA).
    pub(crate) const fn methods(self) -> &'static str {
        match self {
            Self::Rsa => "rsa-sha2-512,rsa-sha2-256,ssh-rsa",
            other => other.name(),
        }
    }
}

/// A text or bytes that are no host key of a known kind.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no public key of OpenSSH (`ssh-ed25519 AAAA…`)")]
pub struct NotAHostKey;

/// A public host key.
#[derive(Clone, PartialEq, Eq)]
pub struct HostKey {
    kind: HostKeyKind,
    bytes: Vec<u8>,
}

impl HostKey {
    /// Takes the bytes of SSH's wire format: the kind's name and the key's numbers, each with its length (RFC 4253, 6.6).
    ///
    /// # Errors
    /// Where they are not that, above all where the end is missing.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotAHostKey> {
        let mut fields = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let (length, after) = rest.split_first_chunk().ok_or(NotAHostKey)?;
            let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| NotAHostKey)?;
            let (field, after) = after.split_at_checked(length).ok_or(NotAHostKey)?;
            fields.push(field);
            rest = after;
        }
        let kind = HostKeyKind::ALL.into_iter().find(|kind| fields.first() == Some(&kind.name().as_bytes()));
        match kind {
            Some(kind) if fields.len() == kind.fields() => Ok(Self { kind, bytes: bytes.to_owned() }),
            _ => Err(NotAHostKey),
        }
    }

    /// Takes the two words of a public key's line.
    pub(crate) fn from_words(kind: &str, base64: &str) -> Result<Self, NotAHostKey> {
        let key = Self::from_bytes(&STANDARD.decode(base64).map_err(|_| NotAHostKey)?)?;
        if key.kind.name() == kind { Ok(key) } else { Err(NotAHostKey) }
    }

    /// Gives its kind.
    pub const fn kind(&self) -> HostKeyKind {
        self.kind
    }

    /// Gives its bytes in SSH's wire format.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Gives its fingerprint as `ssh-keygen -l` prints it: `SHA256:` and 43 characters.
    pub fn fingerprint(&self) -> String {
        format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(&self.bytes)))
    }
}

impl FromStr for HostKey {
    type Err = NotAHostKey;

    /// Reads an OpenSSH public key's line: kind, base64, and perhaps a comment.
    fn from_str(line: &str) -> Result<Self, NotAHostKey> {
        let mut words = line.split_whitespace();
        match (words.next(), words.next()) {
            (Some(kind), Some(base64)) => Self::from_words(kind, base64),
            _ => Err(NotAHostKey),
        }
    }
}

impl fmt::Display for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.name(), STANDARD.encode(&self.bytes))
    }
}

impl fmt::Debug for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostKey({} {})", self.kind.name(), self.fingerprint())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const ED25519: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEk//FLZdlrTf4HrvSaqYYn/CcXiT2SuI/cHUEMUUFaR";
    pub(crate) const ECDSA: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBIg7+8e1ZaFTn\
         Oo+TU0kVYfxAzSeyiLZTErAiN12nbpK9xAtsJYOAkEIq80l7QzwHIFo1U65TiiLMyWPguKZEyw=";

    #[test]
    fn a_line_is_read_and_its_fingerprint_is_the_one_of_ssh_keygen() {
        let rows = [
            ("Ed25519", ED25519.to_owned(), Some("SHA256:FdIzPJr0ic78gCNstxVkbmEZrIWHClljBd3nxKVabiM")),
            ("ECDSA", ECDSA.to_owned(), Some("SHA256:ll+umUs2upxD9cHAeshsvI6STOSCdmVisOJp6a/9Xzg")),
            (
                "a comment",
                format!("{ED25519} root@x y"),
                Some("SHA256:FdIzPJr0ic78gCNstxVkbmEZrIWHClljBd3nxKVabiM"),
            ),
            ("the kind lies", ED25519.replace("ssh-ed25519", "ssh-rsa"), None),
            ("cut off", ED25519[..40].to_owned(), None),
            ("no base64", "ssh-ed25519 !".to_owned(), None),
            ("an unknown kind", "ssh-dss AAAAB3NzaC1kc3MAAAAA".to_owned(), None),
            ("a kind alone", "ssh-ed25519".to_owned(), None),
            ("nothing", String::new(), None),
        ];
        for (row, line, fingerprint) in rows {
            let key = line.parse::<HostKey>().ok();
            assert_eq!(key.as_ref().map(HostKey::fingerprint).as_deref(), fingerprint, "{row}");
            if let Some(key) = key {
                assert!(line.starts_with(&key.to_string()), "{row}");
            }
        }
    }

    #[test]
    fn bytes_that_lie_about_their_length_are_no_key() {
        let rows: [&[u8]; 5] = [
            &[],
            &[0, 0],
            &[255, 255, 255, 255, 1],
            b"\x00\x00\x00\x0bssh-ed25519",
            b"\x00\x00\x00\x0bssh-ed25519\x00\x00\x00",
        ];
        for bytes in rows {
            assert_eq!(HostKey::from_bytes(bytes), Err(NotAHostKey), "{bytes:?}");
        }
    }
}
