//! OpenSSH's file of known hosts: which keys it holds for a machine, and a line more.
//!
//! Deliberately no certificates (`@cert-authority` lines are passed over), and never takes a line away: a changed key
//! is for a person to judge.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

use crate::host_key::HostKey;
use crate::target::Target;

/// A key that the file holds for a machine.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// From 1.
    pub(crate) line: usize,
    pub(crate) key: HostKey,
    /// `@revoked`: never to be taken.
    pub(crate) revoked: bool,
}

/// Reads what the file says of a machine; a file that does not exist says nothing.
pub(crate) fn read(file: &Path, target: &Target) -> io::Result<Vec<Known>> {
    match std::fs::read(file) {
        Ok(bytes) => Ok(known(&String::from_utf8_lossy(&bytes), target)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn known(text: &str, target: &Target) -> Vec<Known> {
    let name = name(target);
    let mut known = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let mut words = line.split_whitespace().peekable();
        let marker = words.next_if(|word| word.starts_with('@'));
        let (Some(hosts), Some(kind), Some(base64)) = (words.next(), words.next(), words.next()) else {
            continue;
        };
        let is_plain = marker.is_none_or(|marker| marker == "@revoked");
        if hosts.starts_with('#') || !is_plain || !names(hosts, &name) {
            continue;
        }
        if let Ok(key) = HostKey::from_words(kind, base64) {
            known.push(Known { line: at + 1, key, revoked: marker.is_some() });
        }
    }
    known
}

/// How the file names a machine: with its port only where that is not 22.
fn name(target: &Target) -> String {
    let host = target.host.to_lowercase();
    if target.port == 22 { host } else { format!("[{host}]:{}", target.port) }
}

/// Tells whether the first word of a line, a hash or a list of patterns, names a machine.
fn names(hosts: &str, name: &str) -> bool {
    if let Some(hashed) = hosts.strip_prefix("|1|") {
        return is_hash_of(hashed, name).unwrap_or(false);
    }
    let mut named = false;
    for pattern in hosts.to_lowercase().split(',') {
        match pattern.strip_prefix('!') {
            Some(pattern) if fits(pattern.as_bytes(), name.as_bytes()) => return false,
            Some(_) => {}
            None => named |= fits(pattern.as_bytes(), name.as_bytes()),
        }
    }
    named
}

/// `salt|HMAC-SHA1(salt, name)`, both in base64.
fn is_hash_of(hashed: &str, name: &str) -> Option<bool> {
    let (salt, hash) = hashed.split_once('|')?;
    let (salt, hash) = (STANDARD.decode(salt).ok()?, STANDARD.decode(hash).ok()?);
    let mut mac = Hmac::<Sha1>::new_from_slice(&salt).ok()?;
    mac.update(name.as_bytes());
    Some(mac.verify_slice(&hash).is_ok())
}

/// Tells whether a pattern with `*` and `?` fits. It goes back to the last `*` only, so that it takes no long time.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut of) = (0, 0);
    let mut star = None;
    while at < name.len() {
        match pattern.get(of) {
            Some(b'*') => {
                star = Some((of, at));
                of += 1;
            }
            Some(&byte) if byte == b'?' || byte == name[at] => {
                at += 1;
                of += 1;
            }
            _ => {
                let Some((star_of, star_at)) = star else { return false };
                star = Some((star_of, star_at + 1));
                (of, at) = (star_of + 1, star_at + 1);
            }
        }
    }
    pattern[of..].iter().all(|byte| *byte == b'*')
}

/// Adds a line, and the file and its folder where they do not exist, closed to others.
///
/// The name is written plain where Debian's ssh would hash it: who is told that line 7 is wrong shall see in line 7 which
/// machine it means, and the addresses are no secret beside the configuration that names the same ones.
pub(crate) fn add(file: &Path, target: &Target, key: &HostKey) -> io::Result<()> {
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut known_hosts = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(file)?;
    let line = format!("{} {key}\n", name(target));
    let line = if ends_a_line(&mut known_hosts)? { line } else { format!("\n{line}") };
    // One call: two programs that add at once do not mix their lines.
    known_hosts.write_all(line.as_bytes())?;
    known_hosts.sync_all()
}

/// A file that somebody edited may lack its last newline.
fn ends_a_line(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::host_key::tests::{ECDSA, ED25519};

    fn target(text: &str) -> Target {
        text.parse().unwrap()
    }

    /// Both made by `ssh-keygen -H`.
    const HASHED_PORT: &str = "|1|ygADmAZIqmGVK/0lEznGr7L+z4E=|gs3uF1t9qeQ3Nx6kpfBgDxdryMs=";
    const HASHED: &str = "|1|MRwXDPtaDrBrGMAh/o56q7fGbFI=|mZQQUnmGmtchZxlUwFEX0sEy0xE=";

    #[test]
    fn a_line_names_a_machine_as_openssh_reads_it() {
        let rows = [
            ("its name", "master.example.org", "a@master.example.org", true),
            ("another name", "master.example.com", "a@master.example.org", false),
            ("upper case", "Master.Example.org", "a@MASTER.example.org", true),
            ("one of a list", "10.0.0.5,master", "a@master", true),
            ("a star", "*.example.org", "a@master.example.org", true),
            ("a star is not the end", "*.example.org", "a@example.org.evil", false),
            ("two stars", "m*r.*.org", "a@master.example.org", true),
            ("a question mark", "10.0.0.?", "a@10.0.0.5", true),
            ("a question mark is one", "10.0.0.?", "a@10.0.0.55", false),
            ("not this one", "*.example.org,!master.example.org", "a@master.example.org", false),
            ("not another one", "*.example.org,!x.example.org", "a@master.example.org", true),
            ("a port", "[10.0.0.5]:2222", "a@10.0.0.5:2222", true),
            ("another port", "[10.0.0.5]:2222", "a@10.0.0.5:2223", false),
            ("the usual port is another machine", "10.0.0.5", "a@10.0.0.5:2222", false),
            ("IPv6", "2001:db8::1", "a@[2001:db8::1]", true),
            ("IPv6 with a port", "[2001:db8::1]:2222", "a@[2001:db8::1]:2222", true),
            ("hashed", HASHED, "a@master.example.org", true),
            ("hashed, another", HASHED, "a@10.0.0.5", false),
            ("hashed with a port", HASHED_PORT, "a@10.0.0.5:2222", true),
            ("hashed with another port", HASHED_PORT, "a@10.0.0.5", false),
            ("a broken hash", "|1|x|y", "a@x", false),
        ];
        for (row, hosts, whom, is_named) in rows {
            let lines = known(&format!("# x\n\n{hosts} {ED25519} comment\n"), &target(whom));
            assert_eq!(
                lines.iter().map(|known| known.line).collect::<Vec<_>>(),
                [3].repeat(is_named.into()),
                "{row}"
            );
        }
    }

    #[test]
    fn markers_and_rubbish_are_understood() {
        let rows = [
            ("revoked", format!("@revoked * {ED25519}"), Some(true)),
            ("an authority", format!("@cert-authority * {ED25519}"), None),
            ("a comment", format!("#h {ED25519}"), None),
            ("a broken key", "h ssh-ed25519 AAAA".to_owned(), None),
            ("plain", format!("h {ED25519}"), Some(false)),
        ];
        for (row, line, revoked) in rows {
            assert_eq!(known(&line, &target("a@h")).first().map(|known| known.revoked), revoked, "{row}");
        }
    }

    #[test]
    fn a_line_is_added_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("new/known_hosts");
        let (one, two) = (target("a@h:2222"), target("a@g"));
        assert_eq!(read(&file, &one).unwrap(), []);
        add(&file, &one, &ED25519.parse().unwrap()).unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.trim_end()).unwrap();
        add(&file, &two, &ECDSA.parse().unwrap()).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("[h]:2222 {ED25519}\ng {ECDSA}\n"));
        let lines = |target| read(&file, target).unwrap().iter().map(|known| known.line).collect::<Vec<_>>();
        assert_eq!((lines(&one), lines(&two)), (vec![1], vec![2]));
    }
}
