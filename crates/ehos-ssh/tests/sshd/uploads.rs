//! Files: whole or not at all, closed to others, not twice.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::time::Instant;

use ehos_ssh::{Command, SshError, Target, Upload, Uploaded};

use crate::bed::{Fault, Proxy, Setup, Sshd, can_isolate, processes_with, until};

fn mode(file: &Path) -> u32 {
    std::fs::metadata(file).unwrap().permissions().mode() & 0o7777
}

/// Bytes that do not repeat, so that a wrong order would show.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 4711_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..length).map(|_| next()).collect()
}

#[tokio::test]
async fn a_file_is_written_once() {
    let Some(sshd) = Sshd::start() else { return };
    let session = sshd.connect().await;
    let (file, remote) = (sshd.path("disk/a 'file'"), sshd.remote("disk/a 'file'"));
    let one = || Upload::bytes(noise(100_000), &remote);
    let same_size = || Upload::bytes(vec![0; 100_000], &remote);
    let rows = [
        ("new", one(), Uploaded::Written, 0o644),
        ("again", one(), Uploaded::Unchanged, 0o644),
        ("another mode", one().mode(0o600), Uploaded::Corrected, 0o600),
        ("that mode again", one().mode(0o600), Uploaded::Unchanged, 0o600),
        ("other bytes", same_size().mode(0o750), Uploaded::Written, 0o750),
        ("no bytes", Upload::bytes(vec![], &remote), Uploaded::Written, 0o644),
        ("no bytes again", Upload::bytes(vec![], &remote), Uploaded::Unchanged, 0o644),
    ];
    for (row, upload, expected, expected_mode) in rows {
        assert_eq!(session.upload(&upload, |_| ()).await.unwrap(), expected, "{row}");
        assert_eq!(mode(&file), expected_mode, "{row}");
    }
    session.upload(&one(), |_| ()).await.unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), noise(100_000));
    assert_eq!(sshd.names("disk"), ["a 'file'"], "nothing else is left");
}

#[tokio::test]
async fn a_link_is_replaced_and_a_folder_is_not() {
    let Some(sshd) = Sshd::start() else { return };
    let session = sshd.connect().await;
    std::fs::write(sshd.path("victim"), "x").unwrap();
    symlink(sshd.path("victim"), sshd.path("disk/link")).unwrap();
    let upload = Upload::bytes(b"x".to_vec(), sshd.remote("disk/link"));
    assert_eq!(session.upload(&upload, |_| ()).await.unwrap(), Uploaded::Written);
    assert!(sshd.path("disk/link").symlink_metadata().unwrap().is_file());

    let onto_folder =
        session.upload(&Upload::bytes(b"x".to_vec(), sshd.remote("disk")), |_| ()).await.unwrap_err();
    assert!(matches!(onto_folder, SshError::Failed { .. }), "{onto_folder}");
    let nowhere =
        session.upload(&Upload::bytes(b"x".to_vec(), sshd.remote("none/x")), |_| ()).await.unwrap_err();
    assert!(nowhere.to_string().contains("No such file"), "{nowhere}");
    assert_eq!(sshd.names("disk"), ["link"]);
}

#[tokio::test]
async fn a_program_of_50_mb_goes_over() {
    let Some(sshd) = Sshd::start() else { return };
    let session = sshd.connect().await;
    let bytes = noise(50_000_000);
    std::fs::write(sshd.path("program"), &bytes).unwrap();
    let upload = Upload::file(sshd.path("program"), sshd.remote("disk/program")).mode(0o755);
    let mut progress = Vec::new();
    let begun = Instant::now();
    assert_eq!(session.upload(&upload, |bytes| progress.push(bytes)).await.unwrap(), Uploaded::Written);
    let took = begun.elapsed();
    println!("50 MB in {took:.2?}: {:.0} MB/s", 50.0 / took.as_secs_f64());
    assert!(std::fs::read(sshd.path("disk/program")).unwrap() == bytes);
    assert!(
        progress.is_sorted() && progress.last() == Some(&50_000_000) && progress.len() > 1,
        "{progress:?}"
    );
    let begun = Instant::now();
    assert_eq!(session.upload(&upload, |_| ()).await.unwrap(), Uploaded::Unchanged);
    println!("50 MB that are there already: {:.2?}", begun.elapsed());
}

#[tokio::test]
async fn a_cut_in_the_middle_leaves_nothing_half_and_is_made_good() {
    let Some(sshd) = Sshd::start() else { return };
    for (row, fault) in [("drop", Fault::Drops), ("stall", Fault::Stalls)] {
        std::fs::write(sshd.path("disk/program"), "the old one").unwrap();
        let upload = Upload::bytes(noise(8_000_000), sshd.remote("disk/program"));
        let proxy = Proxy::to(sshd.port, 3_000_000, fault);
        let session = sshd.connect_to(&Target { port: proxy.port, ..sshd.target() }).await.unwrap();
        let error = session.upload(&upload, |_| ()).await.unwrap_err();
        assert!(matches!(error, SshError::Cut { .. }), "{row}: {error}");
        let text = error.to_string();
        assert!(text.contains("while writing") && text.contains("run this again"), "{row}: {text}");
        assert!(proxy.carried() >= 3_000_000, "{row}: it was in the middle");
        drop((session, proxy));
        until("the half file is taken away", || sshd.names("disk") == ["program"]);
        assert_eq!(std::fs::read(sshd.path("disk/program")).unwrap(), b"the old one", "{row}");
        let again = sshd.connect().await.upload(&upload, |_| ()).await.unwrap();
        assert_eq!(again, Uploaded::Written, "{row}");
        assert!(std::fs::read(sshd.path("disk/program")).unwrap() == noise(8_000_000), "{row}");
    }
}

#[tokio::test]
async fn a_full_disk_is_named() {
    if !can_isolate() {
        return;
    }
    let Some(sshd) = Sshd::with(&Setup { small_disk: true, ..Setup::default() }) else { return };
    let session = sshd.connect().await;
    let filler = Upload::bytes(noise(600_000), sshd.remote("disk/filler"));
    session.upload(&filler, |_| ()).await.unwrap();
    let upload = Upload::bytes(noise(700_000), sshd.remote("disk/program"));
    let error = session.upload(&upload, |_| ()).await.unwrap_err();
    assert!(matches!(&error, SshError::DiskFull { path, .. } if path.ends_with("disk/program")), "{error}");
    assert_eq!(sshd.names("disk"), ["filler"]);
    // The same connection goes on, once there is space.
    session.run(&Command::new("rm").arg(sshd.remote("disk/filler"))).await.unwrap().success().unwrap();
    assert_eq!(session.upload(&upload, |_| ()).await.unwrap(), Uploaded::Written);
}

#[tokio::test]
async fn a_limit_on_the_size_of_files_counts_as_a_full_disk() {
    let Some(sshd) = Sshd::start() else { return };
    // What the login shell reads first; 100 kB.
    let rc = "command=\"ulimit -f 100; exec sh -c \\\"$SSH_ORIGINAL_COMMAND\\\"\" ";
    let key = std::fs::read_to_string(sshd.path("key.pub")).unwrap();
    std::fs::write(sshd.path("authorized_keys"), format!("{rc}{key}")).unwrap();
    let session = sshd.connect().await;
    let upload = Upload::bytes(noise(700_000), sshd.remote("disk/program"));
    let error = session.upload(&upload, |_| ()).await.unwrap_err();
    assert!(matches!(error, SshError::DiskFull { .. }), "{error}");
    assert_eq!(sshd.names("disk"), [""; 0]);
}

#[tokio::test]
async fn root_gets_a_secret_file_that_nobody_else_ever_reads() {
    const SECRET: &str = "hush-hush-4711-of-the-file";
    if !can_isolate() {
        return;
    }
    let setup = Setup { sudoers: Some("admin ALL=(ALL) NOPASSWD: ALL"), ..Setup::default() };
    let Some(sshd) = Sshd::with(&setup) else { return };
    std::fs::set_permissions(sshd.path("disk"), std::fs::Permissions::from_mode(0o700)).unwrap();
    let session = sshd.connect().await;
    let refused =
        session.upload(&Upload::bytes(b"x".to_vec(), sshd.remote("disk/x")), |_| ()).await.unwrap_err();
    assert!(refused.to_string().contains("Permission denied"), "{refused}");

    let secret = SECRET.repeat(100_000).into_bytes();
    let upload =
        Upload::bytes(secret.clone(), sshd.remote("disk/password")).mode(0o640).owner("root:admin").sudo();
    let mut looks = 0;
    let look = |_| {
        looks += 1;
        assert_eq!(processes_with(SECRET), [""; 0]);
        for name in sshd.names("disk").iter().filter(|name| name.as_str() != "password") {
            // It may be moved to its place in this moment.
            if let Ok(data) = sshd.path("disk").join(name).metadata() {
                assert_eq!(data.permissions().mode() & 0o077, 0, "{name}");
            }
        }
    };
    assert_eq!(session.upload(&upload, look).await.unwrap(), Uploaded::Written);
    assert!(looks > 0);
    let data = sshd.path("disk/password").metadata().unwrap();
    assert_eq!((data.uid(), data.gid(), data.mode() & 0o7777), (0, 54321, 0o640));
    assert!(std::fs::read(sshd.path("disk/password")).unwrap() == secret);
    assert_eq!(session.upload(&upload, |_| ()).await.unwrap(), Uploaded::Unchanged);
    let given = upload.owner("admin");
    assert_eq!(session.upload(&given, |_| ()).await.unwrap(), Uploaded::Corrected);
}
