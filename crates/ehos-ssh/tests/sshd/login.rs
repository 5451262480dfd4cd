//! Who is let in where: addresses, host keys, keys of our own, and waiting for a machine that boots.

use std::io::Write as _;
use std::net::TcpListener;
use std::ops::ControlFlow;
use std::process::{Child, Command as Local, Stdio};
use std::time::{Duration, Instant};

use ehos_ssh::{Command, HostKeys, Identity, Session, SshError, Target};

use crate::bed::{Setup, Sshd, free_port, keygen, timeouts, until};

fn at(port: u16) -> Target {
    Target { user: "admin".to_owned(), host: "127.0.0.1".to_owned(), port }
}

async fn try_to(target: &Target, keys: &HostKeys, identities: &[Identity]) -> Result<Session, SshError> {
    Session::connect(target, keys, identities, timeouts()).await
}

fn error(result: Result<Session, SshError>) -> SshError {
    match result {
        Ok(_) => panic!("was let in"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn where_nothing_listens_the_address_is_named() {
    let target = at(free_port());
    let error = error(try_to(&target, &HostKeys::Pinned(vec![]), &[]).await);
    assert!(matches!(error, SshError::Unreachable { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("refused") && text.contains(&target.port.to_string()), "{text}");
}

#[tokio::test]
async fn what_is_no_ssh_server_is_told_by_what_it_says() {
    let rows =
        [("http", "HTTP/1.1 400 Bad Request\r\n\r\n", "400 Bad Request"), ("silent", "", "says nothing")];
    for (row, greeting, expected) in rows {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = at(listener.local_addr().unwrap().port());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(greeting.as_bytes()).unwrap();
            stream
        });
        let begun = Instant::now();
        let error = error(try_to(&target, &HostKeys::Pinned(vec![]), &[]).await);
        assert!(
            matches!(error, SshError::NotSsh { .. }) && error.to_string().contains(expected),
            "{row}: {error}"
        );
        assert!(begun.elapsed() < Duration::from_secs(5), "{row}");
        drop(server.join().unwrap());
    }
}

#[tokio::test]
async fn the_pinned_key_is_asked_for_and_no_other_is_taken() {
    let Some(sshd) = Sshd::start() else { return };
    for name in ["host_ed25519", "host_ecdsa"] {
        let keys = HostKeys::Pinned(vec![sshd.host_key(name)]);
        try_to(&sshd.target(), &keys, &sshd.identities()).await.unwrap();
    }
    // Another key of the same kind, and one of a kind that the machine does not have.
    for kind in ["ed25519", "rsa"] {
        keygen(&sshd.path(kind), kind, "");
        let (known, shown) = (sshd.host_key(kind), sshd.host_key("host_ed25519"));
        let keys = HostKeys::Pinned(vec![known.clone()]);
        let error = error(try_to(&sshd.target(), &keys, &sshd.identities()).await);
        assert!(matches!(error, SshError::HostKeyChanged(_)), "{error}");
        let text = error.to_string();
        assert!(text.contains(&known.fingerprint()) && text.contains(&shown.fingerprint()), "{text}");
    }
    let log = sshd.log();
    let logins = log.matches("Accepted publickey").count();
    assert_eq!(logins, 2, "nobody logs in where the key is wrong: {log}");
}

#[tokio::test]
async fn a_file_of_known_hosts_is_kept() {
    let Some(sshd) = Sshd::start() else { return };
    let file = sshd.path("known_hosts");
    let known = |accept_new| HostKeys::KnownHosts { file: file.clone(), accept_new };
    let target = sshd.target();
    let unknown = error(try_to(&target, &known(false), &sshd.identities()).await);
    assert!(matches!(unknown, SshError::HostKeyUnknown { .. }), "{unknown}");
    assert!(unknown.to_string().contains(&sshd.host_key("host_ed25519").fingerprint()) && !file.exists());

    try_to(&target, &known(true), &sshd.identities()).await.unwrap();
    let key = sshd.host_key("host_ed25519");
    let line = format!("[127.0.0.1]:{} {key}\n", sshd.port);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), line);
    // ssh-keygen reads it, too, and hashes it.
    let path = file.to_str().unwrap();
    assert!(
        Local::new("ssh-keygen")
            .args(["-q", "-H", "-f", path])
            .stderr(Stdio::null())
            .status()
            .unwrap()
            .success()
    );
    assert!(!std::fs::read_to_string(&file).unwrap().contains("127.0.0.1"));
    try_to(&target, &known(false), &sshd.identities()).await.unwrap();

    // The machine is made anew at the same address.
    let port = sshd.port;
    drop(sshd);
    let renewed = Sshd::with(&Setup { port: Some(port), ..Setup::default() }).unwrap();
    std::fs::write(renewed.path("known_hosts"), format!("# mine\n{line}")).unwrap();
    let keys = HostKeys::KnownHosts { file: renewed.path("known_hosts"), accept_new: true };
    let changed = error(try_to(&renewed.target(), &keys, &renewed.identities()).await);
    assert!(matches!(changed, SshError::HostKeyChanged(_)), "{changed}");
    let text = changed.to_string();
    for part in [&key.fingerprint(), &renewed.host_key("host_ed25519").fingerprint(), "known_hosts line 2"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[tokio::test]
async fn who_is_not_let_in_learns_what_was_tried() {
    let Some(sshd) = Sshd::start() else { return };
    let (wrong, closed) = (sshd.path("wrong"), sshd.path("closed"));
    keygen(&wrong, "ed25519", "");
    keygen(&closed, "ed25519", "hush-hush-4711");
    let no_agent = Identity::AgentAt(sshd.path("no-agent"));
    let files = |files: &[&std::path::PathBuf]| {
        files.iter().map(|file| Identity::File((*file).clone())).collect::<Vec<_>>()
    };
    let missing = sshd.path("missing");
    let refused = error(try_to(&sshd.target(), &sshd.pinned(), &files(&[&wrong, &missing])).await);
    assert!(matches!(refused, SshError::Refused { .. }), "{refused}");
    let text = refused.to_string();
    assert!(text.contains("wrong (refused)") && text.contains("missing (No such file"), "{text}");

    let refused = error(try_to(&sshd.target(), &sshd.pinned(), &[no_agent]).await);
    assert!(refused.to_string().contains("SSH_AUTH_SOCK"), "{refused}");

    let encrypted = error(try_to(&sshd.target(), &sshd.pinned(), &files(&[&wrong, &closed])).await);
    assert!(matches!(&encrypted, SshError::EncryptedKey { file } if *file == closed), "{encrypted}");
    assert!(encrypted.to_string().contains("ssh-add"), "{encrypted}");

    // One that opens is enough.
    try_to(&sshd.target(), &sshd.pinned(), &files(&[&closed, &wrong, &sshd.path("key")])).await.unwrap();
}

#[tokio::test]
async fn keys_of_all_usual_kinds_let_us_in() {
    let Some(sshd) = Sshd::start() else { return };
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let file = sshd.path(kind);
        keygen(&file, kind, "");
        std::fs::copy(file.with_extension("pub"), sshd.path("authorized_keys")).unwrap();
        let session = try_to(&sshd.target(), &sshd.pinned(), &[Identity::File(file)]).await.unwrap();
        assert_eq!(session.run(&Command::new("echo").arg(kind)).await.unwrap().text(), kind);
    }
}

struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[tokio::test]
async fn the_agent_holds_what_a_passphrase_closes() {
    let Some(sshd) = Sshd::start() else { return };
    let socket = sshd.path("agent");
    let agent =
        Local::new("ssh-agent").arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn().unwrap();
    let _agent = Agent(agent);
    until("the agent listens", || socket.exists());
    let add = |file: &str| {
        let mut add = Local::new("ssh-add");
        let output = add.arg("-q").arg(sshd.path(file)).env("SSH_AUTH_SOCK", &socket).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    let identities = [Identity::AgentAt(socket.clone())];
    let empty = error(try_to(&sshd.target(), &sshd.pinned(), &identities).await);
    assert!(empty.to_string().contains("holds no key"), "{empty}");
    keygen(&sshd.path("wrong"), "ed25519", "");
    add("wrong");
    add("key");
    try_to(&sshd.target(), &sshd.pinned(), &identities).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_boots_is_waited_for() {
    let Some(first) = Sshd::start() else { return };
    let (target, dir) = (first.target(), tempfile::tempdir().unwrap());
    let key = dir.path().join("key");
    std::fs::copy(first.path("key"), &key).unwrap();
    let known = HostKeys::KnownHosts { file: dir.path().join("known_hosts"), accept_new: true };
    drop(first);
    let identities = [Identity::File(key.clone())];
    let mut second = None;
    let mut reasons = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(30);
    let session = Session::wait_for(&target, &known, &identities, timeouts(), deadline, |why| {
        reasons.push(why.to_string());
        match reasons.len() {
            // Nothing listens; then sshd does, and the key comes last.
            1 => second = Sshd::with(&Setup { port: Some(target.port), ..Setup::default() }),
            2 => {
                let public = Local::new("ssh-keygen").arg("-y").arg("-f").arg(&key).output().unwrap().stdout;
                std::fs::write(second.as_ref().unwrap().path("authorized_keys"), public).unwrap();
            }
            _ => {}
        }
        ControlFlow::Continue(())
    });
    let session = session.await.unwrap();
    assert!(session.run(&Command::new("true")).await.unwrap().success().is_ok());
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert!(
        reasons[0].contains("cannot be reached") && reasons[1].contains("refuses to let us in"),
        "{reasons:?}"
    );
}

#[tokio::test]
async fn waiting_ends_at_a_wrong_host_key_and_at_the_deadline() {
    let Some(sshd) = Sshd::start() else { return };
    let begun = Instant::now();
    let (far, near) = (begun + Duration::from_mins(1), begun + Duration::from_secs(3));
    let keys = HostKeys::Pinned(vec![sshd.host_key("key")]);
    let go_on = |_: &SshError| ControlFlow::Continue(());
    let wrong = Session::wait_for(&sshd.target(), &keys, &sshd.identities(), timeouts(), far, go_on).await;
    assert!(matches!(error(wrong), SshError::HostKeyChanged(_)));
    assert!(begun.elapsed() < Duration::from_secs(10));
    let late = Session::wait_for(&at(free_port()), &keys, &[], timeouts(), near, go_on).await;
    assert!(matches!(error(late), SshError::Unreachable { .. }));
}
