//! `cargo xtask install` for real into a folder, and what systemd says of the unit that it writes.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as the tests do")]

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The most that `systemd-analyze security` may find, in tenths.
const EXPOSURE: &str = "--threshold=25";

/// Installs the programs that are built beside this test, or builds them, and gives what was said.
fn install(umask: &str, arguments: &[&str]) -> String {
    let xtask = Path::new(env!("CARGO_BIN_EXE_xtask"));
    let built = xtask.parent().unwrap();
    let all =
        ["ehosd", "ehos_sleep_jobs", "ehos_build_images"].iter().all(|program| built.join(program).exists());
    // A build would put them anew while other tests run them.
    let from = if all { format!("--programs '{}'", built.display()) } else { "--profile debug".to_owned() };
    let script = format!("umask {umask}; exec \"$0\" install {from} \"$@\"");
    let output = run(Command::new("sh").args(["-c", &script]).arg(xtask).args(arguments));
    assert!(output.status.success(), "{}", text(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn run(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).env("LC_ALL", "C").output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Every file and folder below one, with its mode.
fn modes(folder: &Path, found: &mut BTreeMap<PathBuf, u32>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        found.insert(path.clone(), std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777);
        if path.is_dir() {
            modes(&path, found);
        }
    }
}

/// Whether a machine has files of EHOS of its own, which come before those of a prefix.
fn has_its_own() -> bool {
    ["/etc/ehos", "/usr/local/etc/ehos", "/usr/share/ehos", "/usr/local/share/ehos"]
        .iter()
        .any(|folder| Path::new(folder).exists())
}

#[test]
fn it_installs_once_keeps_what_is_not_its_own_and_the_programs_find_their_files() {
    let dir = tempfile::tempdir().unwrap();
    let destdir = dir.path().join("root");
    let arguments = ["--prefix", "/usr/local", "--destdir", destdir.to_str().unwrap()];
    let told = install("077", &[&arguments[..], &["--dry-run"]].concat());
    assert!(told.contains("would install") && !destdir.exists(), "{told}");
    let told = install("077", &arguments);
    assert!(told.contains("installed  0755  ") && !told.contains("replaced"), "{told}");
    assert!(!told.contains("systemctl"), "a package's own tools do that: {told}");

    let prefix = destdir.join("usr/local");
    let mut found = BTreeMap::new();
    modes(&destdir, &mut found);
    for (path, mode) in &found {
        let right = match path.strip_prefix(&prefix) {
            Ok(within) if within == Path::new("etc/ehos/ehos.yaml") => 0o600,
            Ok(within) if within.starts_with("bin") || path.is_dir() => 0o755,
            Err(_) => 0o755,
            Ok(_) => 0o644,
        };
        assert_eq!(*mode, right, "{} is {mode:o}", path.display());
    }
    for file in ["bin/ehosd", "bin/ehos_sleep_jobs", "bin/ehos_build_images", "share/ehos/execute.yaml"] {
        assert!(found.contains_key(&prefix.join(file)), "{file}");
    }
    for file in
        ["share/ehos/centos7/base.yaml", "etc/ehos/ehos.yaml.example", "lib/systemd/system/ehos.service"]
    {
        assert!(found.contains_key(&prefix.join(file)), "{file}");
    }
    let unit = std::fs::read_to_string(prefix.join("lib/systemd/system/ehos.service")).unwrap();
    assert!(unit.contains("ExecStart=/usr/local/bin/ehosd /usr/local/etc/ehos/ehos.yaml\n"), "{unit}");

    // An administrator fills in the configuration, and has a template of his own.
    let demo =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../etc/demo.yaml")).unwrap();
    let (config, own) = (prefix.join("etc/ehos/ehos.yaml"), prefix.join("etc/ehos/execute.yaml"));
    std::fs::write(&config, &demo).unwrap();
    let template = std::fs::read_to_string(prefix.join("share/ehos/execute.yaml")).unwrap();
    std::fs::write(&own, format!("{template}# Ours.\n")).unwrap();
    std::fs::write(prefix.join("share/ehos/execute.yaml"), "an older version").unwrap();
    let told = install("000", &arguments);
    let words: Vec<&str> =
        told.lines().filter(|line| line.contains("  0")).filter_map(|line| line.split(' ').next()).collect();
    let count = |word| words.iter().filter(|each| **each == word).count();
    assert_eq!((count("kept"), count("replaced"), count("unchanged")), (1, 1, words.len() - 2), "{told}");
    assert_eq!(std::fs::read_to_string(&config).unwrap(), demo);
    assert!(std::fs::read_to_string(&own).unwrap().ends_with("# Ours.\n"));
    assert_eq!(std::fs::read_to_string(prefix.join("share/ehos/execute.yaml")).unwrap(), template);

    if has_its_own() {
        eprintln!("SKIPPED: this machine has EHOS installed, its files come before those of a prefix");
        return;
    }
    let mut command = Command::new(prefix.join("bin/ehosd"));
    let output = run(command.args(["-v", "--check"]).current_dir("/"));
    let said = text(&output);
    assert!(output.status.success() && said.contains(&format!("{}: right", config.display())), "{said}");
    assert!(said.contains(&format!("boot from {}", own.display())), "etc comes before share: {said}");
    std::fs::remove_file(&own).unwrap();
    let mut command = Command::new(prefix.join("bin/ehosd"));
    let said = text(&run(command.args(["-v", "--check"]).current_dir("/")));
    let shipped = prefix.join("share/ehos/execute.yaml");
    assert!(said.contains(&format!("boot from {}", shipped.display())), "{said}");
}

#[test]
fn a_prefix_that_a_unit_cannot_name_is_refused() {
    for prefix in ["local", "/opt/my programs", "/opt/%n", "/opt/$HOME"] {
        let output =
            run(Command::new(env!("CARGO_BIN_EXE_xtask")).args(["install", "--prefix", prefix, "--dry-run"]));
        assert_eq!(output.status.code(), Some(1), "{prefix}");
        assert!(text(&output).contains(prefix), "{}", text(&output));
    }
}

/// On a machine without systemd there is nobody to ask; Debian's package `systemd` has it, and `.ci/run` installs that.
#[test]
fn systemd_takes_the_unit_and_finds_it_hardened() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        eprintln!("SKIPPED: no systemd-analyze here, so nobody has looked at share/ehos.service");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let prefix = dir.path().join("local");
    let told = install("022", &["--prefix", prefix.to_str().unwrap()]);
    assert!(told.contains("systemctl link"), "systemd does not look there by itself: {told}");
    let unit = prefix.join("lib/systemd/system/ehos.service");

    let output = run(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&unit));
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    let complaints: Vec<&str> = said
        .lines()
        // systemd 252 of Debian 12 does not know them and says that it leaves them out.
        .filter(|line| !line.contains("'RestartSteps'") && !line.contains("'RestartMaxDelaySec'"))
        .filter(|line| line.contains("ehos.service"))
        .collect();
    assert_eq!(complaints, [""; 0]);

    let output = run(Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager", EXPOSURE])
        .arg(&unit));
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    let line =
        said.lines().find(|line| line.contains("Overall exposure level")).unwrap_or_else(|| panic!("{said}"));
    eprintln!("{}", line.trim());
}
