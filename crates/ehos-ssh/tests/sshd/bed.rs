//! A real sshd for each test, on a port and in a folder of its own, and a network between that can fail.
//! It touches nothing of the machine: as root, sshd sees users and disks of its own in a mount namespace.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ehos_ssh::{HostKey, HostKeys, Identity, Session, SshError, Target, Timeouts};

/// Waits for a condition.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < deadline, "not within 20 s: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

pub(crate) fn timeouts() -> Timeouts {
    Timeouts {
        connect: Duration::from_secs(2),
        answer: Duration::from_secs(20),
        keep_alive: Duration::from_secs(2),
    }
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|data| std::os::unix::fs::MetadataExt::uid(&data) == 0)
}

/// Whether this machine lets root give sshd users and disks of its own; says so if not.
pub(crate) fn can_isolate() -> bool {
    let can = is_root()
        && Command::new("unshare")
            .args(["-m", "true"])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|s| s.success());
    if !can {
        eprintln!("SKIPPED: this needs root and a mount namespace (unshare -m)");
    }
    can
}

fn run(program: &str, args: &[&str]) {
    let output = Command::new(program).args(args).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

pub(crate) fn keygen(file: &Path, kind: &str, passphrase: &str) {
    run("ssh-keygen", &["-q", "-t", kind, "-N", passphrase, "-C", "test", "-f", file.to_str().unwrap()]);
}

/// How sshd is set up.
#[derive(Default)]
pub(crate) struct Setup {
    /// What the user `admin` may do, in the language of sudoers; only where [`can_isolate`].
    pub(crate) sudoers: Option<&'static str>,
    /// Gives [`Sshd::disk`] a file system of 1 MiB of its own; only where [`can_isolate`].
    pub(crate) small_disk: bool,
    /// A `sudo` to be found before the real one.
    pub(crate) fake_sudo: Option<&'static str>,
    /// The port, if another one than a free one.
    pub(crate) port: Option<u16>,
}

pub(crate) struct Sshd {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) port: u16,
    user: String,
    child: Child,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Sshd {
    /// Starts one, or says that there is none.
    pub(crate) fn start() -> Option<Self> {
        Self::with(&Setup::default())
    }

    pub(crate) fn with(setup: &Setup) -> Option<Self> {
        if !Path::new("/usr/sbin/sshd").exists() {
            eprintln!("SKIPPED: there is no sshd on this machine (apt-get install openssh-server)");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        for folder in ["disk", "home", "bin"] {
            std::fs::create_dir(dir.path().join(folder)).unwrap();
        }
        for (name, kind) in [("host_ed25519", "ed25519"), ("host_ecdsa", "ecdsa"), ("key", "ed25519")] {
            keygen(&dir.path().join(name), kind, "");
        }
        std::fs::copy(dir.path().join("key.pub"), dir.path().join("authorized_keys")).unwrap();
        let user = match setup.sudoers {
            Some(_) => "admin".to_owned(),
            None => String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout)
                .unwrap()
                .trim()
                .to_owned(),
        };
        let isolated = is_root() && can_isolate();
        assert!(isolated || (setup.sudoers.is_none() && !setup.small_disk), "ask can_isolate first");
        let port = setup.port.unwrap_or_else(free_port);
        write_config(dir.path(), port, setup);
        let mut command = if isolated { isolate(dir.path(), setup) } else { Command::new("/usr/sbin/sshd") };
        let config = dir.path().join("sshd_config");
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        command.args(["-D", "-e", "-f"]).arg(config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = command.spawn().unwrap();
        let mut sshd = Self { dir, port, user, child };
        until("sshd listens", || {
            let ended = sshd.child.try_wait().unwrap();
            assert!(ended.is_none(), "sshd ended: {}", sshd.log());
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Some(sshd)
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn remote(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn target(&self) -> Target {
        Target { user: self.user.clone(), host: "127.0.0.1".to_owned(), port: self.port }
    }

    pub(crate) fn host_key(&self, name: &str) -> HostKey {
        std::fs::read_to_string(self.path(name).with_extension("pub")).unwrap().parse().unwrap()
    }

    pub(crate) fn pinned(&self) -> HostKeys {
        HostKeys::Pinned(vec![self.host_key("host_ed25519")])
    }

    pub(crate) fn identities(&self) -> [Identity; 1] {
        [Identity::File(self.path("key"))]
    }

    pub(crate) async fn connect(&self) -> Session {
        self.connect_to(&self.target()).await.unwrap()
    }

    pub(crate) async fn connect_to(&self, target: &Target) -> Result<Session, SshError> {
        Session::connect(target, &self.pinned(), &self.identities(), timeouts()).await
    }

    /// The names in a folder there.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        // What sshd sees of its small disk is reached through its own root.
        let seen = PathBuf::from(format!("/proc/{}/root{}", self.child.id(), self.remote(folder)));
        let folder = if seen.exists() { seen } else { self.path(folder) };
        let entries = std::fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

fn write_config(dir: &Path, port: u16, setup: &Setup) {
    let at = |name: &str| dir.join(name).display().to_string();
    let mut config = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nUsePAM no\n\
         StrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n\
         MaxStartups 100\nLogLevel VERBOSE\n",
        at("host_ed25519"),
        at("host_ecdsa"),
        at("authorized_keys"),
    );
    if let Some(sudo) = setup.fake_sudo {
        let file = dir.join("bin/sudo");
        std::fs::write(&file, sudo).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        writeln!(config, "SetEnv PATH={}:/usr/bin:/bin", at("bin")).unwrap();
    }
    std::fs::write(dir.join("sshd_config"), config).unwrap();
}

/// A mount namespace with users of its own; none of them is locked, which sshd without PAM would refuse.
fn isolate(dir: &Path, setup: &Setup) -> Command {
    let home = dir.join("home").display().to_string();
    let files = [
        (
            "passwd",
            format!(
                "root:x:0:0::{home}:/bin/sh\nsshd:x:101:65534::/run/sshd:/usr/sbin/nologin\nadmin:x:54321:54321::{home}:/bin/sh\n"
            ),
        ),
        (
            "shadow",
            "root:*:19000:0:99999:7:::\nsshd:*:19000:0:99999:7:::\nadmin:*:19000:0:99999:7:::\n".to_owned(),
        ),
        ("group", "root:x:0:\nnogroup:x:65534:\nadmin:x:54321:\n".to_owned()),
        ("sudoers", format!("root ALL=(ALL) ALL\n{}\n", setup.sudoers.unwrap_or_default())),
    ];
    let mut script = "set -e\nmount -t tmpfs -o mode=755 tmpfs /run\nmkdir /run/sshd\n".to_owned();
    for (name, text) in files {
        let file = dir.join(name);
        std::fs::write(&file, text).unwrap();
        let mode = if name == "sudoers" { 0o440 } else { 0o644 };
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        // A machine without sudo has no sudoers.
        writeln!(script, "[ ! -e /etc/{name} ] || mount --bind '{}' /etc/{name}", file.display()).unwrap();
    }
    if setup.small_disk {
        writeln!(script, "mount -t tmpfs -o size=1m tmpfs '{}'", dir.join("disk").display()).unwrap();
    }
    script += "exec /usr/sbin/sshd \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", &script, "sh"]);
    command
}

/// What the network does to what we send.
#[derive(Clone, Copy)]
pub(crate) enum Fault {
    /// Both ends are closed.
    Drops,
    /// Nothing moves any more, and nobody says so.
    Stalls,
}

/// A network between us and sshd that fails after this many bytes of ours.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    carried: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

impl Proxy {
    pub(crate) fn to(port: u16, fails_after: u64, fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap().port();
        let (carried, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, end) = (Arc::clone(&carried), Arc::clone(&over));
        thread::spawn(move || {
            let (mut near, _) = listener.accept().unwrap();
            let mut far = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let (mut back_from, mut back_to) = (far.try_clone().unwrap(), near.try_clone().unwrap());
            let failed = Arc::new(AtomicBool::new(false));
            let has_failed = Arc::clone(&failed);
            thread::spawn(move || {
                let mut buffer = [0; 16 << 10];
                while let Ok(length @ 1..) = back_from.read(&mut buffer) {
                    if has_failed.load(Ordering::Relaxed) || back_to.write_all(&buffer[..length]).is_err() {
                        break;
                    }
                }
            });
            let mut buffer = [0; 16 << 10];
            while count.load(Ordering::Relaxed) < fails_after {
                match near.read(&mut buffer) {
                    Ok(length @ 1..) if far.write_all(&buffer[..length]).is_ok() => {
                        count.fetch_add(length as u64, Ordering::Relaxed);
                    }
                    _ => return,
                }
            }
            failed.store(true, Ordering::Relaxed);
            if matches!(fault, Fault::Stalls) {
                while !end.load(Ordering::Relaxed) {
                    thread::sleep(Duration::from_millis(20));
                }
            }
            for stream in [&near, &far] {
                let _already_closed = stream.shutdown(Shutdown::Both);
            }
        });
        Self { port: own, carried, over }
    }

    pub(crate) fn carried(&self) -> u64 {
        self.carried.load(Ordering::Relaxed)
    }
}

/// The processes of this machine whose arguments or environment hold a text.
pub(crate) fn processes_with(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        if !entry.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        for part in ["cmdline", "environ"] {
            let bytes = std::fs::read(entry.path().join(part)).unwrap_or_default();
            let shown = String::from_utf8_lossy(&bytes).replace('\0', " ");
            if shown.contains(text) {
                found.push(format!("{}: {shown}", entry.path().display()));
            }
        }
    }
    found
}
