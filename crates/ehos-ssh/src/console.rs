//! Finds a server's host keys in its console log, where cloud-init prints them.
//!
//! Deliberately takes whole keys only: the table of fingerprints that cloud-init prints too is cut by narrow consoles.

use crate::host_key::{HostKey, HostKeyKind};

const BEGIN: &str = "-----BEGIN SSH HOST KEY KEYS-----";
const END: &str = "-----END SSH HOST KEY KEYS-----";

/// Gives the host keys of the last boot in a console log; none if they are not printed yet, or not to their end.
///
/// The log reaches us through the cloud's API, so that it is as good as the cloud's word for who the server is.
pub fn host_keys_in_console(log: &str) -> Vec<HostKey> {
    let Some(end) = log.rfind(END) else { return Vec::new() };
    let Some(begin) = log[..end].rfind(BEGIN) else { return Vec::new() };
    let mut keys = Vec::new();
    // A serial console ends its lines in CR LF, some also in CR CR LF.
    for line in log[begin + BEGIN.len()..end].split(['\r', '\n']) {
        if let Some(key) = key_in(line)
            && !keys.contains(&key)
        {
            keys.push(key);
        }
    }
    keys
}

/// A line may begin with a stamp of the kernel, or with a priority and a program's name from the log daemon.
fn key_in(line: &str) -> Option<HostKey> {
    let words: Vec<_> = line.split_whitespace().collect();
    words.windows(2).find_map(|pair| {
        let kind = HostKeyKind::ALL.into_iter().find(|kind| pair[0].ends_with(kind.name()))?;
        HostKey::from_words(kind.name(), pair[1]).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host_key::tests::{ECDSA, ED25519};

    #[test]
    fn host_keys_are_found_between_their_marks() {
        let table = "ci-info: | ssh-ed25519 | SHA256:FdIzPJr0ic78gCNstxVkbmEZrIWHClljBd3nxKVabiM | - | - |\n";
        let rows = [
            (
                "plain",
                format!("x\n{BEGIN}\n{ED25519} root@h\n{ECDSA} root@h\n{END}\ny"),
                vec![ED25519, ECDSA],
            ),
            ("CR LF", format!("{BEGIN}\r\n{ED25519} root@h\r\n{END}\r\n"), vec![ED25519]),
            (
                "kernel stamps and a log daemon's",
                format!(
                    "[   12.5] cloud-init[7]: {BEGIN}\n[   12.6] cloud-init[7]: {ED25519}\n<14>{ECDSA} x\n[  13.0] {END}\n"
                ),
                vec![ED25519, ECDSA],
            ),
            (
                "the last of two boots",
                format!("{BEGIN}\n{ECDSA}\n{END}\nreboot\n{BEGIN}\n{ED25519}\n{END}\n"),
                vec![ED25519],
            ),
            (
                "a second boot that has not come so far",
                format!("{BEGIN}\n{ED25519}\n{END}\n{BEGIN}\n"),
                vec![ED25519],
            ),
            ("not to the end yet", format!("{BEGIN}\n{ED25519}\n"), vec![]),
            ("the beginning scrolled off", format!("{ED25519}\n{END}\n"), vec![]),
            ("a key outside of the marks", format!("{ECDSA}\n{BEGIN}\n{END}\n{ED25519}"), vec![]),
            ("fingerprints alone", table.to_owned(), vec![]),
            ("a key that is cut", format!("{BEGIN}\n{}\n{ECDSA}\n{END}\n", &ED25519[..40]), vec![ECDSA]),
            ("a key twice", format!("{BEGIN}\n{ED25519}\n{ED25519}\n{END}\n"), vec![ED25519]),
            ("nothing", String::new(), vec![]),
        ];
        for (row, log, keys) in rows {
            let found: Vec<_> = host_keys_in_console(&log).iter().map(HostKey::to_string).collect();
            assert_eq!(found, keys, "{row}");
        }
    }
}
