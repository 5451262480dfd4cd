//! Makes of a rendered template and an administrator's own parts the bytes that Nova gets, before base64.
//!
//! Deliberately changes no part: one text goes as it is, several go as MIME multipart (RFC 2046), and what is too long
//! for Nova is compressed.

use std::fmt::Write as _;
use std::io::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use sha2::{Digest, Sha256};

use crate::part::{Part, Type};
use crate::{Problem, TemplateError};

/// The most user-data that Nova takes, characters of base64 (*Nova `user_data`*, a column of 65 535 bytes).
pub const NOVA_BASE64_LIMIT: usize = 65_535;

/// How cloud-init adds a part to what came before: lists grow, and what is there already stays (*header
/// `X-Merge-Type`*). By its own rule a part's `runcmd` would take the place of ours.
const MERGE: &str = "list(append)+dict(no_replace,recurse_list)+str()";

/// The longest line that mail programs, and so Python's, leave alone (RFC 5322), characters.
const LINE: usize = 998;

/// Packs the user-data `main`, as rendered from the template `name`, with `parts` behind it.
///
/// Scripts run before the commands of `main`, in the order given; commands (`runcmd`) of a part run after them.
///
/// # Errors
/// [`TemplateError::TooLarge`] where Nova would not take it although it is compressed; [`TemplateError::Invalid`]
/// where cloud-init would take `main` for something else.
pub fn pack(name: &str, main: &SecretString, parts: &[Part]) -> Result<SecretSlice<u8>, TemplateError> {
    let text = main.expose_secret();
    let bytes = if parts.is_empty() {
        // cloud-init looks for it there (*`convert_string`*), whatever stands around.
        let head: String = text.chars().take(4096).collect();
        if head.to_ascii_lowercase().contains("mime-version:") {
            let what = "cloud-init takes a text with the word MIME-Version: for a multipart message";
            return Err(TemplateError::Invalid {
                template: name.to_owned(),
                problems: vec![Problem::whole(what)],
            });
        }
        text.as_bytes().to_vec()
    } else {
        let kind = Type::of(text).unwrap_or(Type::CloudConfig);
        multipart(&Part { name: name.to_owned(), kind, text: main.clone() }, parts).into_bytes()
    };
    if base64_len(bytes.len()) <= NOVA_BASE64_LIMIT {
        return Ok(bytes.into());
    }
    let packed = gzip(&bytes);
    let base64 = base64_len(packed.len());
    if base64 <= NOVA_BASE64_LIMIT {
        return Ok(packed.into());
    }
    Err(TemplateError::TooLarge {
        template: name.to_owned(),
        bytes: bytes.len(),
        compressed: packed.len(),
        base64,
        limit: NOVA_BASE64_LIMIT,
    })
}

/// Gives the SHA-256 of a template's text, 64 hexadecimal digits, by which an image says what it was made from.
pub fn fingerprint(text: &str) -> String {
    Sha256::digest(text).iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

const fn base64_len(bytes: usize) -> usize {
    bytes.div_ceil(3) * 4
}

/// The same bytes for the same input: without a time in the header.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // Writing to memory does not fail; a text cut short would be told by its size and by cloud-init.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

fn multipart(main: &Part, parts: &[Part]) -> String {
    let boundary = boundary(main, parts);
    let mut out = format!(
        "Content-Type: multipart/mixed; boundary=\"{boundary}\"\nMIME-Version: 1.0\nNumber-Attachments: "
    );
    let _ = writeln!(out, "{}", parts.len() + 1);
    for (number, part) in std::iter::once(main).chain(parts).enumerate() {
        let text = part.text.expose_secret();
        let encoding = if is_plain(text) { "7bit" } else { "base64" };
        let _ = write!(
            out,
            "\n--{boundary}\nContent-Type: {}; charset=\"utf-8\"\nMIME-Version: 1.0\nContent-Transfer-Encoding: \
             {encoding}\nContent-Disposition: attachment; filename=\"{}\"\n",
            part.kind.mime(),
            file_name(number, &part.name)
        );
        if number > 0 && part.kind.is_merged() {
            let _ = writeln!(out, "X-Merge-Type: {MERGE}");
        }
        out.push('\n');
        if encoding == "7bit" {
            out.push_str(text);
        } else {
            let encoded = STANDARD.encode(text);
            let lines = encoded.as_bytes().chunks(76).map(|line| String::from_utf8_lossy(line));
            out.push_str(&lines.collect::<Vec<_>>().join("\n"));
        }
    }
    let _ = writeln!(out, "\n--{boundary}--");
    out
}

fn boundary(main: &Part, parts: &[Part]) -> String {
    let occurs =
        |word: &str| std::iter::once(main).chain(parts).any(|part| part.text.expose_secret().contains(word));
    let mut number = 0_u64;
    loop {
        let word = format!("===ehos-{number}===");
        if !occurs(&word) {
            return word;
        }
        number += 1;
    }
}

/// Whether a text comes through as it is: Python would change line ends, and split no line.
fn is_plain(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_graphic() || matches!(c, ' ' | '\t' | '\n'))
        && text.split('\n').all(|line| line.len() <= LINE)
}

/// cloud-init runs scripts in the order of their names; the file of `runcmd` bears that name.
fn file_name(number: usize, name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or_default();
    let safe: String = last
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '_' })
        .take(64)
        .collect();
    format!("{number:02}-{safe}")
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;

    const MAIN: &str = "#cloud-config\nhostname: n1\n";

    fn packed(main: &str, parts: &[&str]) -> Result<Vec<u8>, TemplateError> {
        let parts: Vec<Part> =
            parts.iter().flat_map(|text| Part::parse("my site.yaml", text).unwrap()).collect();
        pack("execute.yaml", &main.into(), &parts).map(|bytes| bytes.expose_secret().to_vec())
    }

    /// Text that no program makes shorter by much.
    fn noise(length: usize) -> String {
        let mut state = 1_u64;
        let letters = (0..length).map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(b'0' + u8::try_from(state >> 58).unwrap())
        });
        letters.collect()
    }

    #[test]
    fn one_text_goes_as_it_is() {
        assert_eq!(packed(MAIN, &[]).unwrap(), MAIN.as_bytes());
        let fits = format!("{MAIN}# {}\n", "x".repeat(49_149 - MAIN.len() - 3));
        assert_eq!(STANDARD.encode(&fits).len(), 65_532);
        assert_eq!(packed(&fits, &[]).unwrap(), fits.as_bytes());
    }

    #[test]
    fn what_is_too_long_is_compressed() {
        let long = format!("{MAIN}# {}\n", "x".repeat(49_149 - MAIN.len() - 2));
        let bytes = packed(&long, &[]).unwrap();
        assert!(bytes.len() < 1000 && bytes.starts_with(&[0x1f, 0x8b]));
        assert_eq!(bytes, packed(&long, &[]).unwrap(), "without a time in it");
        let mut text = String::new();
        GzDecoder::new(bytes.as_slice()).read_to_string(&mut text).unwrap();
        assert_eq!(text, long);
    }

    #[test]
    fn what_is_too_large_even_so_is_told_with_both_sizes() {
        let error = packed(&format!("{MAIN}# {}\n", noise(90_000)), &[]).unwrap_err();
        let TemplateError::TooLarge { bytes, compressed, base64, limit, .. } = error else {
            panic!("{error}")
        };
        assert_eq!((bytes, limit), (90_030, 65_535));
        assert!(compressed < bytes && base64 > limit && base64 == compressed.div_ceil(3) * 4);
        let message = error.to_string();
        assert!(
            message
                .starts_with("execute.yaml: the user-data is too large: 90030 bytes, and compressed still "),
            "{message}"
        );
    }

    #[test]
    fn several_texts_go_as_multipart() {
        let text =
            String::from_utf8(packed(MAIN, &["#!/bin/sh\ntrue\n", "#cloud-config\nruncmd: []\n"]).unwrap());
        assert_eq!(
            text.unwrap(),
            "Content-Type: multipart/mixed; boundary=\"===ehos-0===\"\nMIME-Version: 1.0\nNumber-Attachments: 3\n\n\
             --===ehos-0===\nContent-Type: text/cloud-config; charset=\"utf-8\"\nMIME-Version: 1.0\n\
             Content-Transfer-Encoding: 7bit\n\
             Content-Disposition: attachment; filename=\"00-execute.yaml\"\n\n#cloud-config\nhostname: n1\n\n\
             --===ehos-0===\nContent-Type: text/x-shellscript; charset=\"utf-8\"\nMIME-Version: 1.0\n\
             Content-Transfer-Encoding: 7bit\n\
             Content-Disposition: attachment; filename=\"01-my_site.yaml\"\n\n#!/bin/sh\ntrue\n\n\
             --===ehos-0===\nContent-Type: text/cloud-config; charset=\"utf-8\"\nMIME-Version: 1.0\n\
             Content-Transfer-Encoding: 7bit\n\
             Content-Disposition: attachment; filename=\"02-my_site.yaml\"\n\
             X-Merge-Type: list(append)+dict(no_replace,recurse_list)+str()\n\n#cloud-config\nruncmd: []\n\n\
             --===ehos-0===--\n"
        );
    }

    #[test]
    fn what_mail_would_change_is_encoded() {
        let long = format!("#!/bin/sh\n# {}\n", "x".repeat(1000));
        for (part, row) in [
            ("#!/bin/sh\necho \u{e6}\n", "letters beyond ASCII"),
            ("#!/bin/sh\r\n", "line ends of Windows"),
            (long.as_str(), "a long line"),
        ] {
            let text = String::from_utf8(packed(MAIN, &[part]).unwrap()).unwrap();
            let (_, second) = text.split_once("01-my_site.yaml\"\n\n").unwrap();
            let body = second.split("\n--").next().unwrap().replace('\n', "");
            assert_eq!(STANDARD.decode(body).unwrap(), part.as_bytes(), "{row}");
        }
        let text = String::from_utf8(packed(MAIN, &["#!/bin/sh\n# ===ehos-0===\n"]).unwrap()).unwrap();
        assert!(text.contains("boundary=\"===ehos-1===\""), "a boundary that occurs in a part is not taken");
    }

    #[test]
    fn what_cloud_init_would_misread_is_refused() {
        let message = packed(&format!("{MAIN}# Mime-Version: 1.0\n"), &[]).unwrap_err().to_string();
        assert!(message.contains("takes a text with the word MIME-Version:"), "{message}");
        assert!(packed(&format!("{MAIN}# {}\n# MIME-Version: 1.0\n", "x".repeat(4096)), &[]).is_ok());
    }

    #[test]
    fn a_fingerprint_is_what_sha256sum_says() {
        assert_eq!(fingerprint("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
