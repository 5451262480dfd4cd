//! What is wrong with a file is told with its place, its line and what was expected: one golden file for each row.

use std::fmt::Write as _;
use std::path::Path;

use crate::files::{Files, GOOD, told};

/// Compares with `tests/bad/NAME.txt`; `EHOS_UPDATE=1` writes it anew.
fn golden(name: &str, told: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad").join(format!("{name}.txt"));
    let told = format!("{}\n", told.trim_end());
    if std::env::var_os("EHOS_UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &told).unwrap();
    }
    assert_eq!(told, std::fs::read_to_string(&path).unwrap_or_default(), "{name}");
}

/// GOOD with one line replaced.
fn with(old: &str, new: &str) -> String {
    assert!(GOOD.contains(old));
    GOOD.replace(old, new)
}

#[test]
fn each_fault_is_told_with_its_place() {
    let bomb = {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for i in 1..9 {
            let before = format!("*a{}", i - 1);
            writeln!(text, "a{i}: &a{i} [{}]", vec![before; 10].join(", ")).unwrap();
        }
        text
    };
    let rows: Vec<(&str, Vec<u8>)> = vec![
        ("wrong key", with("nodes_max", "nodesmax").into()),
        ("wrong key of a cloud", with("password:", "pasword:").into()),
        ("key of another section", with("nodes_max: 6", "host_ip: 192.0.2.1").into()),
        ("key nobody knows", with("nodes_max: 6", "zzz: 7").into()),
        ("wrong type", with("nodes_max: 6", "nodes_max: six").into()),
        ("negative number", with("nodes_max: 6", "nodes_min: -1").into()),
        ("password for nodes", with("condor:", "condor:\n  authentication: password").into()),
        ("pool without an address", with("  host_ip: 192.0.2.10", "  pool_id: mine").into()),
        ("list for a number", with("nodes_max: 6", "nodes_max: [6]").into()),
        ("list for a secret", with("password: hunter2-and-more", "password: [hunter2-and-more]").into()),
        ("number for a section", with("condor:\n  host_ip: 192.0.2.10", "condor: 5").into()),
        ("wrong word", with("nodes_max: 6", "node_allocation: fil-first").into()),
        ("wrong time", with("nodes_max: 6", "sleep: soon").into()),
        ("zero time", with("nodes_max: 6", "boot_timeout: 0").into()),
        ("wrong size", with("nodes_max: 6", "min_ram: 8 apples").into()),
        ("wrong yes", with("region_name: RegionOne", "insecure: maybe").into()),
        ("wrong address", with("nodes_max: 6", "listen: 9680").into()),
        ("password in the address", with("https://", "https://bob:hunter2@").into()),
        ("missing value", with("    username: alice\n", "").into()),
        ("missing values", with("    username: alice\n    password: hunter2-and-more\n", "").into()),
        ("value not set", with("alice", "None").into()),
        ("placeholder", with("alice", "<USERNAME>").into()),
        ("no flavor", with("  flavor: m1.medium\n", "  key: mine\n").into()),
        ("no pool", with("  host_ip: 192.0.2.10", "  host_ip: None  # later").into()),
        ("no pool, no condor", with("condor:\n  host_ip: 192.0.2.10\n", "").into()),
        ("unknown cloud", with("nodes_max: 6", "master_cloud: bergn").into()),
        ("unknown backend", with("region_name: RegionOne", "backend: opnstack").into()),
        ("more nodes needed than allowed", with("nodes_max: 6", "nodes_max: 6\n  nodes_min: 7").into()),
        ("more spare than the default allows", with("nodes_max: 6", "nodes_spare: 7").into()),
        ("duplicate key", with("nodes_max: 6", "nodes_max: 6\n  nodes_max: 7").into()),
        ("duplicate secret", with("username: alice", "password: swordfish-2").into()),
        (
            "duplicate by another name",
            with("flavor: m1.medium", "flavor: m1.medium\n  flavors: [m1.xlarge]").into(),
        ),
        (
            "both domains",
            with("username: alice", "username: alice\n    user_domain_id: x\n    user_domain_name: y").into(),
        ),
        ("bad prefix", with("flavor: m1.medium", "flavor: m1.medium\n  project_prefix: 'ehøs!'").into()),
        ("no space", with("nodes_max: 6", "nodes_max:6").into()),
        ("no colon", with("nodes_max: 6", "nodes_max: 6\n  nodes_min 2").into()),
        ("tab", with("  nodes_max: 6", "\tnodes_max: 6").into()),
        ("colon in a value", with("alice", "ali: ce").into()),
        ("open quote", with("alice", "\"alice").into()),
        ("tag", with("alice", "!!python/object:os.system alice").into()),
        ("percent", with("alice", "%alice").into()),
        ("empty", Vec::new()),
        ("only comments", b"# nothing\n\n# at all\n".to_vec()),
        ("only a word", b"hunter2\n".to_vec()),
        ("only a list", b"- hunter2\n".to_vec()),
        ("no cloud", b"ehos: {flavor: m1.small}\n".to_vec()),
        ("placeholder for a cloud", with("  bergen:", "  <CLOUD_NAME>:").into()),
        ("binary", b"\x7fELF\x02\x01\x01\x00\x00\x00 password: hunter2".to_vec()),
        ("utf-16", b"\xff\xfec\x00l\x00o\x00u\x00d\x00s\x00".to_vec()),
        (
            "latin-1",
            with("alice", "bj@rn")
                .replace('@', "\u{1}")
                .bytes()
                .map(|b| if b == 1 { 0xf8 } else { b })
                .collect(),
        ),
        ("two documents", format!("{GOOD}---\n{GOOD}").into()),
        ("alias to nowhere", with("alice", "*nobody").into()),
        ("alias into itself", with("clouds:", "clouds: &a\n  x: *a").into()),
        ("alias bomb", bomb.into()),
        ("deep nesting", "[".repeat(10_000).into()),
        ("long line", with("nodes_max: 6", &format!("nodes_max: {}", "x".repeat(100_000))).into()),
        ("far in a long line", format!("ehos: {{key: {}, nodesmax: 7}}\n", "x".repeat(5000)).into()),
        ("windows line ends", with("nodes_max", "nodesmax").replace('\n', "\r\n").into()),
        ("byte order mark", format!("\u{feff}{}", with("clouds:", "cloudz:")).into()),
    ];
    for (name, bytes) in rows {
        let told = told(&bytes);
        assert!(told.contains("ehos.yaml:"), "{name} has a place\n{told}");
        assert!(!told.contains("hunter2") && !told.contains("swordfish"), "{name} shows a secret\n{told}");
        golden(&name.replace([',', ' '], "-").replace("--", "-"), &told);
    }
}

#[test]
fn all_faults_of_all_files_are_told_at_once() {
    let files = Files::new();
    let first = files.write("ehos.yaml", with("nodes_max: 6", "nodesmax: 6\n  sleep: soon"));
    let second = files.write("secrets.yaml", "condor:\n  pasword: hunter2-and-more\n  host_ip: [1]\n");
    let third = files.write("broken.yaml", "condor: {password: hunter2-and-more\n");
    golden("several-files", &files.told(&[first, second, third, files.folder.path().join("gone.yaml")]));
}

#[test]
fn a_place_is_in_the_file_that_has_it() {
    let files = Files::new();
    let first = files.write("ehos.yaml", GOOD);
    let second = files.write("more.yaml", "ehos_daemon:\n  nodes_min: 9\n");
    golden("across-files", &files.told(&[first, second]));
}

#[test]
fn a_misspelt_cloud_of_a_later_file_is_suspected() {
    let files = Files::new();
    let first = files.write("ehos.yaml", GOOD);
    let second = files.write("secrets.yaml", "clouds: {bergn: {password: swordfish}}\n");
    golden("misspelt-cloud-in-a-later-file", &files.told(&[first, second]));
}

#[test]
fn of_very_many_problems_the_first_are_shown() {
    let mut text = GOOD.to_owned();
    (0..2000).for_each(|i| writeln!(text, "x{i}: 1").unwrap());
    let problems = crate::files::load(&text).unwrap_err();
    assert_eq!(problems.iter().count(), 101);
    assert!(problems.to_string().contains("error: and 1900 more problems, not shown"));
}

#[test]
fn a_folder_is_no_file() {
    let files = Files::new();
    std::fs::create_dir(files.folder.path().join("ehos.yaml")).unwrap();
    let told = files.told(&[files.folder.path().join("ehos.yaml")]);
    assert!(told.starts_with("error: ehos.yaml cannot be read: it is a folder"), "{told}");
    assert!(files.told(&[]).starts_with("error: no configuration file is given"));
}

#[test]
fn colour_only_where_it_is_asked_for() {
    let problems = crate::files::load("cloudz: 1").unwrap_err();
    assert!(problems.render(true).contains("\u{1b}["));
    assert!(!problems.render(false).contains('\u{1b}'));
    assert_eq!(problems.to_string(), problems.render(false));
    assert!(!problems.render(true).contains(":::"));
}
