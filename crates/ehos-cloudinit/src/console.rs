//! Reads from a server's console log what became of its boot, and makes pieces of it fit to be shown.
//!
//! Deliberately believes words, not guesses: cloud-init prints its final message although modules have failed, and
//! warns of things that do no harm.

use std::time::Duration;

/// The words that a template's `final_message` must hold, before the seconds.
const UP: &str = "The EHOS vm is up after";

/// Our own scripts begin their lines with `EHOS` and one more word.
const FAILED: &str = ": FAILED:";

/// The longest reason that is told, characters.
const WHY: usize = 600;

/// What cloud-init says when a server is not what its user-data wanted (*cloud-init 22.4, 25.1 and their systemd
/// units*).
const FAILURES: [&str; 16] = [
    "Failed to run module ",
    "Failed loading yaml blob",
    "Unexpected failure parsing userdata",
    "Failed at merging in cloud config part",
    "Invalid cloud-config provided",
    "Unhandled non-multipart",
    "Unhandled unknown content-type",
    "Failed decompressing",
    "Ignoring jinja template for",
    "failed run of stage",
    "Can not apply stage",
    "Failed to start cloud-",
    "Failed to start Cloud-init",
    "Failed to start Initial cloud-init job",
    "Failed to start Apply the settings specified in cloud-config",
    "Failed to start Execute cloud user/final scripts",
];

/// Modules that only print or ask for what a node does not need.
const HARMLESS: [&str; 4] = ["ssh-authkey-fingerprints", "keys-to-console", "grub-dpkg", "install-hotplug"];

/// How far a boot has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Boot {
    /// Neither word of its end nor of a failure.
    Going,
    /// cloud-init has done all that it was told.
    Up {
        /// How long it took since power-on.
        after: Option<Duration>,
    },
    /// Something has failed; the boot may yet go on.
    Failed {
        /// The first failure, without secrets.
        why: String,
    },
}

/// What a server that an image is made of has said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageMarks {
    /// The version of HTCondor that was installed.
    pub htcondor: Option<String>,
    /// Whether it is cleaned up and about to switch itself off.
    pub clean: bool,
}

/// Reads how far a boot has come.
pub fn read_console(log: &str) -> Boot {
    let lines = lines(log);
    if let Some(why) = lines.iter().find_map(|line| own_failure(line)) {
        return Boot::Failed { why };
    }
    if let Some(why) = lines.iter().find_map(|line| failure(line)) {
        return Boot::Failed { why };
    }
    let seconds: Vec<Option<Duration>> =
        lines.iter().filter_map(|line| after(line, UP)).map(seconds).collect();
    if !seconds.is_empty() {
        // Where the kernel has spoken in between, the line that was put together again has the number.
        return Boot::Up { after: seconds.into_iter().flatten().next() };
    }
    if lines.iter().any(|line| line.contains("Cloud-init v. ") && line.contains(" finished at ")) {
        let why = format!(
            "cloud-init has ended without {UP:?}: it has not read the user-data, or took it for another"
        );
        return Boot::Failed { why };
    }
    Boot::Going
}

/// Reads what a server that an image is made of has said.
pub fn read_image(log: &str) -> ImageMarks {
    let mut marks = ImageMarks::default();
    for line in lines(log) {
        let Some(said) = after(&line, "EHOS image: ") else { continue };
        if said.trim_end() == "clean" {
            marks.clean = true;
        } else if let Some(version) =
            said.strip_prefix("HTCondor ").and_then(|rest| rest.trim_end().strip_suffix(" is installed"))
        {
            marks.htcondor = Some(version.to_owned());
        }
    }
    marks
}

/// Gives the last `lines` lines that are not empty, without control characters and without secrets.
pub fn tail(log: &str, lines: usize) -> String {
    let clean = clean(log);
    let all: Vec<_> = clean.lines().map(str::trim_end).filter(|line| !line.is_empty()).map(masked).collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// The lines of a log, once as they are and once more without the kernel's words between them.
pub(crate) fn lines(log: &str) -> Vec<String> {
    let clean = clean(log);
    let mut lines: Vec<String> = clean.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.extend(rejoined(&clean));
    lines
}

/// What stands in `line` behind `mark`.
pub(crate) fn after<'a>(line: &'a str, mark: &str) -> Option<&'a str> {
    line.split_once(mark).map(|(_, rest)| rest)
}

fn seconds(text: &str) -> Option<Duration> {
    let word = text.split_whitespace().next()?;
    Duration::try_from_secs_f64(word.parse().ok()?).ok()
}

/// The reason that one of our scripts gives.
fn own_failure(line: &str) -> Option<String> {
    let said = after(line, "EHOS ")?;
    let (who, why) = said.split_once(FAILED)?;
    (!who.is_empty() && who.chars().all(|c| c.is_ascii_lowercase())).then(|| shown(why))
}

fn failure(line: &str) -> Option<String> {
    if let Some(module) = after(line, "Running module ").filter(|rest| rest.ends_with(" failed")) {
        let module = module.split([' ', '(']).next().unwrap_or_default();
        return is_serious(module).then(|| format!("cloud-init's module {module} failed"));
    }
    // A frame of a traceback: a stage has ended in the middle.
    if line.contains("/cloudinit/cmd/main.py\", line ") {
        return Some("cloud-init crashed".to_owned());
    }
    let at = FAILURES.iter().filter_map(|words| line.find(words)).min()?;
    let module = line[at..].strip_prefix("Failed to run module ").and_then(|rest| rest.split(' ').next());
    if module.is_some_and(|module| !is_serious(module)) { None } else { Some(shown(&line[at..])) }
}

fn is_serious(module: &str) -> bool {
    !HARMLESS.contains(&module.replace('_', "-").as_str())
}

fn shown(words: &str) -> String {
    masked(words.trim()).chars().take(WHY).collect()
}

/// Takes out what moves the cursor or colours the text.
fn clean(log: &str) -> String {
    let mut out = String::with_capacity(log.len());
    let mut rest = log.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => match rest.next() {
                // A control sequence ends with a letter or one of @[\]^_`{|}~ (ECMA-48).
                Some('[') => while rest.next().is_some_and(|c| !('@'..='~').contains(&c)) {},
                Some(']') => while rest.next().is_some_and(|c| c != '\u{7}') {},
                _ => {}
            },
            '\r' if rest.peek() == Some(&'\n') => {}
            // A progress bar that is drawn again.
            '\r' => out.push('\n'),
            '\n' | '\t' => out.push(c),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// Puts together again the lines into which the kernel has spoken: `The EHOS [   12.345678] random: …` and the rest.
fn rejoined(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut open: Option<String> = None;
    for line in text.lines() {
        let whole = match open.take() {
            // The kernel may have said more than one line.
            Some(begun) if kernel(line) == Some(0) => {
                open = Some(begun);
                continue;
            }
            Some(begun) => begun + line,
            None => line.to_owned(),
        };
        match kernel(&whole) {
            Some(at) if at > 0 => open = Some(whole[..at].to_owned()),
            _ if whole != line => out.push(whole),
            _ => {}
        }
    }
    out
}

/// Where in a line a stamp of the kernel begins, as in `[   12.345678] `.
fn kernel(line: &str) -> Option<usize> {
    line.match_indices('[').map(|(at, _)| at).find(|at| {
        let Some((stamp, _)) = line[at + 1..].split_once("] ") else { return false };
        let Some((seconds, micros)) = stamp.trim_start().split_once('.') else { return false };
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        digits(seconds) && digits(micros) && micros.len() == 6
    })
}

/// Hides what is or may be a secret.
fn masked(line: &str) -> String {
    let lower = line.to_ascii_lowercase();
    let named = ["password", "passwd", "token", "secret"].iter().filter_map(|word| {
        let end = lower.find(word)? + word.len();
        let gap = lower[end..].find(['=', ':']).filter(|gap| *gap <= 2)?;
        Some(end + gap + 1)
    });
    let arguments = lower.find("condor_store_cred").into_iter().filter_map(|at| {
        let option = lower[at..].find(" -p ")?;
        Some(at + option + 4)
    });
    let line = match named.chain(arguments).min() {
        Some(from) if !line[from..].trim().is_empty() => format!("{} ***", &line[..from]),
        _ => line.to_owned(),
    };
    without_tokens(&line)
}

/// IDTOKENS begin as all JSON Web Tokens do (RFC 7519), with `{"` in base64.
fn without_tokens(line: &str) -> String {
    let is_inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("eyJ") {
        let end = rest[at..].find(|c| !is_inner(c)).map_or(rest.len(), |length| at + length);
        out.push_str(&rest[..at]);
        out.push_str("***");
        rest = &rest[end..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// A log may hold anything and be cut anywhere; a secret in it is not shown all the same.
        #[test]
        fn any_log_is_read(
            before in "([\\PC\r\n\t\u{1b}\u{7}\\[\\]0-9.]|EHOS image|: FAILED:|token|EHOS |Running module ){0,30}",
            after in "([ \n\r\u{e6}\"']\\PC{0,20})?",
        ) {
            let log = format!("{before}\neyJhbGciOiJIUzI1NiJ9.eyJzdWIi.c2lnbmF0dXJl{after}");
            prop_assert!(!tail(&log, 9).contains("c2lnbmF0dXJl"));
            let boot = format!("{:?}", read_console(&log));
            prop_assert!(!boot.contains("c2lnbmF0dXJl"));
            let escape = char::from(0x1b);
            prop_assert!(!tail(&log, 9).contains(escape));
            read_image(&log);
        }

        /// The kernel may speak anywhere.
        #[test]
        fn a_mark_is_found_whatever_the_kernel_says(at in 0..38_usize, words in "[ -Z^-~]{0,30}") {
            let mark = "The EHOS vm is up after 1234.5 seconds";
            let log = format!("{}[   34.123456] {words}\n{}\n", &mark[..at], &mark[at..]);
            let Boot::Up { after: Some(after) } = read_console(&log) else { panic!("{log}") };
            prop_assert_eq!(after, Duration::from_millis(1_234_500));
        }
    }

    fn failed(log: &str) -> String {
        match read_console(log) {
            Boot::Failed { why } => why,
            other => panic!("{other:?} of {log}"),
        }
    }

    #[test]
    fn a_boot_is_up_when_it_says_so() {
        let up = |seconds: f64| Boot::Up { after: Some(Duration::from_secs_f64(seconds)) };
        for (log, expected, row) in [
            ("", Boot::Going, "nothing yet"),
            ("[    0.000000] Linux version 6.12\r\n", Boot::Going, "the kernel"),
            ("The EHOS vm is up after 34.21 seconds\n", up(34.21), "plainly"),
            (
                "[   34.215671] cloud-init[512]: The EHOS vm is up after 34.21 seconds\r\n",
                up(34.21),
                "with a prefix",
            ),
            ("\u{1b}[0;32mThe EHOS vm is up after\u{1b}[0m 34.21 seconds", up(34.21), "in colour"),
            ("The EHOS vm [   12.345678] random: crng init done\nis up after 9 seconds\n", up(9.0), "split"),
            (
                "The EHOS [   12.345678] a\n[   12.345679] b\nvm is up [   12.345680] c\nafter 9 seconds\n",
                up(9.0),
                "split more than once",
            ),
            ("The EHOS vm is up after", Boot::Up { after: None }, "cut off"),
            ("The EHOS vm is up after a while", Boot::Up { after: None }, "in other words"),
            ("The EHOS vm is up after -1 seconds", Boot::Up { after: None }, "a clock gone wrong"),
            ("a bar 1%\rThe EHOS vm is up after 9 seconds", up(9.0), "behind a progress bar"),
        ] {
            assert_eq!(read_console(log), expected, "{row}");
        }
    }

    #[test]
    fn a_failure_counts_whatever_is_said_afterwards() {
        let up = "\nThe EHOS vm is up after 9 seconds\n";
        for (log, expected) in [
            ("[   12.345678] cloud-init[9]: EHOS image: FAILED: no signing key", "no signing key"),
            ("EHOS master: FAILED: HTCondor does not start", "HTCondor does not start"),
            (
                "[FAILED] Failed to start Execute cloud user/final scripts.",
                "Failed to start Execute cloud user/final scripts.",
            ),
            ("util.py[WARNING]: Running module ntp (<module 'x'>) failed", "cloud-init's module ntp failed"),
            (
                "[\u{1b}[0;1;31mFAILED\u{1b}[0m] Failed to start cloud-final.service",
                "Failed to start cloud-final.service",
            ),
        ] {
            assert_eq!(failed(&format!("{log}{up}")), expected);
        }
        assert_eq!(
            failed("Running module runcmd (x) failed\nEHOS image: FAILED: why"),
            "why",
            "ours says more"
        );
        assert!(failed("Cloud-init v. 25.1 finished at now. Up 9 seconds").contains("has ended without"));
    }

    #[test]
    fn what_does_no_harm_is_no_failure() {
        for line in [
            "cc_resizefs.py[WARNING]: Device '/dev/overlay' did not exist. cannot resize: dev=overlay",
            "Running module ssh_authkey_fingerprints (<module 'x'>) failed",
            "Failed to run module keys-to-console (x)",
            "log_util.py[WARNING]: Failed generating key type rsa to file /etc/ssh/ssh_host_rsa_key",
            "schema.py[WARNING]: cloud-config failed schema validation!",
            "echo \"EHOS $1: FAILED: why\"",
            "running module x failed not",
        ] {
            assert_eq!(read_console(line), Boot::Going, "{line}");
        }
    }

    #[test]
    fn the_marks_of_an_image_are_read() {
        let marks =
            |htcondor: Option<&str>, clean| ImageMarks { htcondor: htcondor.map(str::to_owned), clean };
        for (log, expected) in [
            ("", marks(None, false)),
            (
                "EHOS image: container runtime: none\r\nEHOS image: HTCondor 25.0.4 is installed\r\n",
                marks(Some("25.0.4"), false),
            ),
            (
                "[ 9.123456] sh[1]: EHOS image: HTCondor 23.9.6 is installed\nEHOS image: clean\n",
                marks(Some("23.9.6"), true),
            ),
            ("EHOS im[    9.123456] usb 1-1\nage: clean\n", marks(None, true)),
            ("EHOS image: cleaning\nEHOS image: HTCondor is installed", marks(None, false)),
        ] {
            assert_eq!(read_image(log), expected, "{log}");
        }
    }

    #[test]
    fn a_tail_shows_no_secret() {
        let log = "first\n\u{1b}[1mbold\u{1b}[0m\r\n\n  password=hunter2 x\nTOKEN: hunter2\ncondor_store_cred -p hunter2 -f x\n\
                   Authorization eyJhbGci.eyJzdWI.c2ln-_ end\nthe password\u{7} is wrong\npassword:\n";
        assert_eq!(
            tail(log, 7),
            "bold\n  password= ***\nTOKEN: ***\ncondor_store_cred -p  ***\nAuthorization *** end\n\
             the password is wrong\npassword:"
        );
        assert_eq!(tail(log, 1), "password:");
        assert_eq!(tail("", 5), "");
        assert!(!failed("EHOS image: FAILED: token=hunter2").contains("hunter2"));
    }
}
