//! What is run there: arguments, input, output, ends of all kinds, and sudo.

use std::time::{Duration, Instant};

use ehos_ssh::{Command, Exit, Line, SshError};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::bed::{Fault, Proxy, Setup, Sshd, can_isolate, processes_with, until};

#[test]
fn arguments_arrive_unchanged() {
    let Some(sshd) = Sshd::start() else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let session = runtime.block_on(sshd.connect());
    let word = prop_oneof![
        "[ '\"$`\\\\\n\t!*?~#&|;<>(){}=%-]{0,12}",
        "\\PC{0,12}",
        "[^\u{0}]{0,12}",
        Just("$(id)".to_owned()),
        Just("-n".to_owned()),
    ];
    let mut runner = TestRunner::new(Config { cases: 200, failure_persistence: None, ..Config::default() });
    let arrive = |words: Vec<String>| {
        let command = Command::new("printf").arg("%s\\0").args(words.clone());
        let output = runtime.block_on(session.run(&command)).unwrap().success().unwrap();
        let arrived: Vec<_> = output.stdout.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect();
        let mut sent: Vec<_> = words.into_iter().map(String::into_bytes).collect();
        sent.push(Vec::new());
        prop_assert_eq!(arrived, sent);
        Ok(())
    };
    runner.run(&prop::collection::vec(word, 1..5), arrive).unwrap();
}

#[tokio::test]
async fn a_command_ends_as_it_ends() {
    let Some(sshd) = Sshd::start() else { return };
    let session = sshd.connect().await;
    let rows = [
        ("well", "exit 0", Exit::Status(0), "", ""),
        ("badly", "echo out; echo why >&2; exit 3", Exit::Status(3), "out", "why\n"),
        ("killed", "kill -9 $$", Exit::Signal("KILL".to_owned()), "", ""),
        ("terminated", "kill -TERM $$", Exit::Signal("TERM".to_owned()), "", ""),
        ("input", "cat", Exit::Status(0), "the input", ""),
    ];
    for (row, script, exit, stdout, stderr) in rows {
        let output = session.run(&Command::shell(script).stdin(b"the input".to_vec())).await.unwrap();
        assert_eq!((&output.exit, output.text().as_str()), (&exit, stdout), "{row}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), stderr, "{row}");
        let failure = output.success().err().map(|error| error.to_string());
        assert_eq!(failure.is_none(), exit == Exit::Status(0), "{row}");
        if let Some(text) = failure {
            assert!(text.contains(&exit.to_string()) && !text.contains("the input"), "{row}: {text}");
        }
    }
    let missing = session.run(&Command::new("ehos-no-such-program")).await.unwrap().success().unwrap_err();
    assert!(missing.to_string().contains("No such file"), "{missing}");
}

#[tokio::test]
async fn much_goes_both_ways_at_once() {
    let Some(sshd) = Sshd::start() else { return };
    let session = sshd.connect().await;
    let megabytes: Vec<u8> = (0..10_000_000_u32).map(|n| (n % 251) as u8).collect();
    let both = Command::shell("tee /dev/stderr").stdin(megabytes.clone());
    let output = session.run(&both).await.unwrap();
    assert!(output.stdout == megabytes && output.stderr.len() >= 64 << 10);
    // Input that nobody reads is no error.
    let deaf = session.run(&Command::new("true").stdin(megabytes.clone())).await.unwrap();
    assert_eq!(deaf.exit, Exit::Status(0));
    let error = session.run(&Command::new("cat").stdin(megabytes).output_limit(1 << 20)).await.unwrap_err();
    assert!(matches!(error, SshError::TooLong { .. }), "{error}");
}

#[tokio::test]
async fn what_hangs_is_ended_there_too() {
    let Some(sshd) = Sshd::start() else { return };
    let session = sshd.connect().await;
    let length = format!("1000.{}", sshd.port);
    let begun = Instant::now();
    let hanging = Command::new("sleep").arg(&length).time_limit(Duration::from_secs(1));
    let error = session.run(&hanging).await.unwrap_err();
    assert!(matches!(error, SshError::TimedOut { .. }) && error.to_string().contains("sleep"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(processes_with(&length), [""; 0]);
    // The connection is as good as before.
    assert_eq!(session.run(&Command::new("echo").arg("x")).await.unwrap().text(), "x");
    // And what does not want to end is killed.
    let stubborn =
        Command::shell("trap '' TERM; while :; do sleep 0.1; done").time_limit(Duration::from_secs(1));
    let error = session.run(&stubborn).await.unwrap_err();
    assert!(matches!(error, SshError::TimedOut { .. }), "{error}");
}

#[test]
fn what_nobody_waits_for_ends() {
    let Some(sshd) = Sshd::start() else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let session = runtime.block_on(sshd.connect());
    let hanging = Command::new("sleep").arg("1000").time_limit(Duration::from_secs(1000));
    let waited =
        runtime.block_on(async { tokio::time::timeout(Duration::from_secs(1), session.run(&hanging)).await });
    assert!(waited.is_err());
    let error = runtime.block_on(session.run(&Command::new("true"))).unwrap_err();
    assert!(matches!(error, SshError::Cut { .. }), "{error}");
    // The end of the runtime waits for its threads.
    let begun = Instant::now();
    drop(runtime);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_dead_peer_is_noticed() {
    let Some(sshd) = Sshd::start() else { return };
    for (fault, why) in [(Fault::Drops, ""), (Fault::Stalls, "no sign of life")] {
        // The login takes about 4 kB.
        let proxy = Proxy::to(sshd.port, 20_000, fault);
        let session = sshd.connect_to(&ehos_ssh::Target { port: proxy.port, ..sshd.target() }).await.unwrap();
        let begun = Instant::now();
        let command = Command::shell("cat >/dev/null; sleep 1000").stdin(vec![0; 40_000]);
        let error = session.run(&command.time_limit(Duration::from_secs(1000))).await.unwrap_err();
        assert!(matches!(error, SshError::Cut { .. }) && error.to_string().contains(why), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    }
    // One that only has nothing to say is not taken for dead.
    let quiet = sshd.connect().await.run(&Command::shell("sleep 5; echo x")).await.unwrap();
    assert_eq!(quiet.text(), "x");
}

#[tokio::test]
async fn lines_are_followed_as_they_come() {
    let Some(sshd) = Sshd::start() else { return };
    let session = sshd.connect().await;
    let go = sshd.path("go");
    let script = r#"echo one; echo two >&2; while [ ! -e "$1" ]; do sleep 0.05; done; printf three"#;
    let mut lines = Vec::new();
    let command = Command::shell(script).arg(sshd.remote("go"));
    let output = session.follow(&command, |line| {
        lines.push(line);
        if lines.len() == 2 {
            // It goes on only if we saw these before its end.
            std::fs::write(&go, "").unwrap();
        }
    });
    assert_eq!(output.await.unwrap().exit, Exit::Status(0));
    lines[..2].sort_by_key(|line| matches!(line, Line::Err(_)));
    let [one, two, three] = ["one", "two", "three"].map(str::to_owned);
    assert_eq!(lines, [Line::Out(one), Line::Err(two), Line::Out(three)]);
}

#[tokio::test]
async fn a_secret_input_shows_in_no_process() {
    const SECRET: &str = "hush-hush-4711-of-the-input";
    let Some(sshd) = Sshd::start() else { return };
    let session = sshd.connect().await;
    let marker = format!("marker-{}", sshd.port);
    let script =
        r#"IFS= read -r secret; echo ready; while [ ! -e "$1" ]; do sleep 0.05; done; [ ${#secret} = "$2" ]"#;
    let command = Command::shell(script).args([sshd.remote("go"), SECRET.len().to_string(), marker.clone()]);
    let command = command.stdin(format!("{SECRET}\n").into_bytes());
    let output = session.follow(&command, |_| {
        assert!(!processes_with(&marker).is_empty(), "the command is there to be seen");
        assert_eq!(processes_with(SECRET), [""; 0]);
        std::fs::write(sshd.path("go"), "").unwrap();
    });
    output.await.unwrap().success().unwrap();
}

#[tokio::test]
async fn sudo_with_a_password_says_what_to_do() {
    // Where root can give sshd users of its own it is the real sudo.
    let setup = if can_isolate() {
        Setup { sudoers: Some("admin ALL=(ALL) ALL"), ..Setup::default() }
    } else {
        Setup {
            fake_sudo: Some("#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n"),
            ..Setup::default()
        }
    };
    let Some(sshd) = Sshd::with(&setup) else { return };
    if sshd.target().user == "root" {
        eprintln!("SKIPPED: root needs no sudo, and there is no other user to be had");
        return;
    }
    let session = sshd.connect().await;
    let error = session.sudo(&Command::new("id")).await.unwrap_err();
    assert!(
        matches!(error, SshError::SudoPassword { .. }) && error.to_string().contains("NOPASSWD"),
        "{error}"
    );
    assert!(session.run(&Command::new("id")).await.unwrap().success().is_ok(), "the connection is good");
}

#[tokio::test]
async fn sudo_makes_root_and_carries_the_end_back() {
    if !can_isolate() {
        return;
    }
    let setup = Setup { sudoers: Some("admin ALL=(ALL) NOPASSWD: ALL"), ..Setup::default() };
    let Some(sshd) = Sshd::with(&setup) else { return };
    let session = sshd.connect().await;
    assert_eq!(session.run(&Command::new("id").arg("-u")).await.unwrap().text(), "54321");
    assert_eq!(session.sudo(&Command::new("id").arg("-u")).await.unwrap().text(), "0");
    let killed = session.sudo(&Command::shell("kill -9 $$")).await.unwrap();
    assert_ne!(killed.exit, Exit::Status(0));
    let length = format!("1000.{}", sshd.port);
    let hanging = Command::new("sleep").arg(&length).time_limit(Duration::from_secs(1));
    let error = session.sudo(&hanging).await.unwrap_err();
    assert!(matches!(error, SshError::TimedOut { .. }), "{error}");
    until("root's process is ended", || processes_with(&length).is_empty());
}
