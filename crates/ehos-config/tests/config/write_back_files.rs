//! Which file a value goes to, and what becomes of the file itself: rights, owner, backup, links.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};

use ehos_config::{Edit, NewValue, WriteBackError, Written, write_back};
use secrecy::SecretString;

use crate::files::Files;

const TEXT: &str = "ehos:\n  key: None\ncondor:\n  password: None\n";

fn key(text: &str) -> Edit {
    Edit::ehos("key", text)
}

fn password() -> Edit {
    Edit::condor("password", SecretString::from("hunter2"))
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn one(path: &PathBuf, edit: Edit) -> Result<Written, WriteBackError> {
    write_back(std::slice::from_ref(path), &[edit]).map(|mut written| written.remove(0))
}

#[test]
fn the_last_file_that_has_the_key_gets_the_value() {
    let rows: [(&str, &[&str], Edit, usize, usize); 9] = [
        (
            "the last that has it set",
            &["ehos: {key: a}", "ehos: {key: b}", "ehos: {network: n}"],
            key("k"),
            1,
            1,
        ),
        ("the last that has it unset", &["ehos: {key: a}", "# x\nehos:\n  key: None"], key("k"), 1, 3),
        ("under an old name", &["ehos: {image_id: a}", "ehos: {key: b}"], Edit::ehos("image", "k"), 0, 1),
        ("the last that has the section", &["ehos: {}", "ehos:\n", "condor: {}"], key("k"), 1, 2),
        ("the first gets the section", &["clouds: {}", "condor: {}"], key("k"), 0, 3),
        (
            "the last that has the cloud",
            &["clouds: {a: {}}", "clouds: {a: {}, b: {}}", "clouds: {b: {}}"],
            Edit::cloud("a", "image", "k"),
            1,
            1,
        ),
        (
            "a cloud's section before the cloud",
            &["clouds: {a: {ehos: {}}}", "clouds: {a: {}}"],
            Edit::cloud_ehos("a", "key", "k"),
            0,
            1,
        ),
        (
            "a cloud before the common section",
            &["clouds: {a: {}}", "ehos: {key: b}"],
            Edit::cloud_ehos("a", "key", "k"),
            0,
            1,
        ),
        ("an alias of the section", &["daemon: {}", "clouds: {}"], Edit::daemon("master_cloud", "a"), 0, 1),
    ];
    for (name, texts, edit, expected, line) in rows {
        let files = Files::new();
        let write = |(at, text): (usize, &&str)| files.write(&format!("{at}.yaml"), text);
        let paths: Vec<PathBuf> = texts.iter().enumerate().map(write).collect();
        let written = write_back(&paths, &[edit]).unwrap();
        assert_eq!(written[0].file, paths[expected], "{name}");
        assert_eq!(written[0].line, line, "{name}");
        for (path, text) in paths.iter().zip(texts) {
            assert_eq!(read(path) != **text, *path == paths[expected], "{name}: the others are as they were");
        }
    }
}

#[test]
fn values_of_several_files_are_written_at_once() {
    let files = Files::new();
    let (a, b) =
        (files.write("a.yaml", "ehos: {key: None}\n"), files.write("b.yaml", "condor: {password: None}\n"));
    let paths = [a.clone(), b.clone()];
    let edits = [key("k"), password(), Edit::condor("host_ip", "192.0.2.1")];
    let told: Vec<(PathBuf, String, bool)> = write_back(&paths, &edits)
        .unwrap()
        .into_iter()
        .map(|written| (written.file, written.key, written.backup.is_some()))
        .collect();
    let expected = [(&a, "ehos.key"), (&b, "condor.password"), (&b, "condor.host_ip")];
    assert_eq!(told, expected.map(|(file, key)| (file.clone(), key.to_owned(), true)));
    assert_eq!(read(&a), "ehos: {key: k}\n");
    assert_eq!(read(&b), "condor: {password: hunter2, host_ip: 192.0.2.1}\n");
    let error = write_back(&paths, &[key("other"), Edit::cloud("none", "image", "x")]).unwrap_err();
    assert!(matches!(error, WriteBackError::Cloud { .. }), "{error}");
    assert_eq!(read(&a), "ehos: {key: k}\n", "one impossible edit, and nothing is written");
}

#[test]
fn the_same_file_given_twice_is_one() {
    let files = Files::new();
    let path = files.write("ehos.yaml", TEXT);
    let link = files.folder.path().join("link.yaml");
    symlink(&path, &link).unwrap();
    let written = write_back(&[path.clone(), link.clone(), path.clone()], &[key("k"), password()]).unwrap();
    assert_eq!(written.len(), 2);
    assert_eq!(read(&path), TEXT.replacen("None", "k", 1).replace("None", "hunter2"));
}

#[test]
fn rights_stay_unless_a_secret_comes_in() {
    let rows = [
        ("its owner's", key("k"), 0o600, 0o600),
        ("readable by all, no secret", key("k"), 0o644, 0o644),
        ("the group's", password(), 0o640, 0o640),
        ("readable by all", password(), 0o644, 0o640),
        ("writable by all", password(), 0o666, 0o660),
        ("readable by all but the group", password(), 0o604, 0o600),
        ("a secret given as text", Edit::condor("password", "hunter2"), 0o644, 0o640),
    ];
    for (name, edit, before, after) in rows {
        let files = Files::new();
        let path = files.write("ehos.yaml", TEXT);
        let backup = files.write("ehos.yaml.backup", "older");
        set_mode(&path, before);
        set_mode(&backup, 0o666);
        let written = one(&path, edit).unwrap();
        assert_eq!((mode(&path), mode(&backup)), (after, after), "{name}");
        assert_eq!(read(&backup), TEXT, "{name}: the backup is the file before");
        assert_eq!(written.backup, Some(backup.canonicalize().unwrap()), "{name}");
        assert_eq!(written.closed, (before != after).then_some((before, after)), "{name}");
        assert_eq!(
            names(files.folder.path()),
            ["ehos.yaml", "ehos.yaml.backup"],
            "{name}: nothing is left over"
        );
    }
}

#[test]
fn nothing_to_change_touches_nothing() {
    let files = Files::new();
    let path = files.write("ehos.yaml", "ehos: {key: k}\n");
    let before = fs::metadata(&path).unwrap();
    let written = one(&path, key("k")).unwrap();
    assert_eq!((written.backup, written.line), (None, 1));
    assert_eq!(fs::metadata(&path).unwrap().ino(), before.ino());
    assert_eq!(names(files.folder.path()), ["ehos.yaml"]);
}

#[test]
fn a_link_stays_a_link() {
    let files = Files::new();
    let target = files.write("real/site.yaml", TEXT);
    let link = files.folder.path().join("ehos.yaml");
    symlink("real/site.yaml", &link).unwrap();
    let written = one(&link, key("k")).unwrap();
    assert!(link.is_symlink());
    assert!(!target.is_symlink());
    assert!(read(&target).contains("key: k"));
    assert_eq!(written.file, link);
    assert_eq!(names(&files.folder.path().join("real")), ["site.yaml", "site.yaml.backup"]);
}

#[test]
fn owner_and_group_stay() {
    let files = Files::new();
    let path = files.write("ehos.yaml", TEXT);
    let own = fs::metadata(&path).unwrap();
    // Only root may give files away; everybody else sees that his own stay his.
    let (owner, group) = if own.uid() == 0 { (4321, 1234) } else { (own.uid(), own.gid()) };
    chown(&path, Some(owner), Some(group)).unwrap();
    set_mode(&path, 0o640);
    one(&path, password()).unwrap();
    for file in [&path, &files.folder.path().join("ehos.yaml.backup")] {
        let meta = fs::metadata(file).unwrap();
        assert_eq!(
            (meta.uid(), meta.gid(), meta.mode() & 0o7777),
            (owner, group, 0o640),
            "{}",
            file.display()
        );
    }
}

#[test]
fn what_is_no_file_is_refused() {
    let files = Files::new();
    let at = |name: &str| files.folder.path().join(name);
    fs::create_dir(at("folder")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    symlink("nowhere", at("dangling")).unwrap();
    let rows = [
        ("folder", "folder is a folder, so nothing can be written into it"),
        ("socket", "socket is a pipe or a device, so nothing can be written into it"),
        ("dangling", "dangling cannot be read"),
        ("missing", "missing cannot be read"),
    ];
    for (name, expected) in rows {
        let error = one(&at(name), key("k")).unwrap_err().to_string();
        assert_eq!(error.replace(&format!("{}/", files.folder.path().display()), ""), expected);
    }
    assert!(matches!(write_back(&[], &[key("k")]), Err(WriteBackError::NoFile)));
}

#[test]
fn a_pipe_is_refused_without_waiting_for_its_other_end() {
    let files = Files::new();
    let path = files.folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    assert!(matches!(one(&path, key("k")), Err(WriteBackError::NotAFile { .. })));
}

#[test]
fn what_cannot_be_put_in_place_leaves_the_file_as_it_was() {
    let files = Files::new();
    let path = files.write("ehos.yaml", TEXT);
    fs::create_dir(files.folder.path().join("ehos.yaml.backup")).unwrap();
    let error = one(&path, key("k")).unwrap_err();
    assert!(matches!(&error, WriteBackError::Write { .. }), "{error}");
    assert_eq!(read(&path), TEXT);
    assert_eq!(names(files.folder.path()), ["ehos.yaml", "ehos.yaml.backup"], "nothing is left over");

    let long = files.write(&format!("{}.yaml", "e".repeat(245)), TEXT);
    let error = one(&long, key("k")).unwrap_err();
    assert!(matches!(&error, WriteBackError::Write { .. }), "there is no name for the new one: {error}");
    assert_eq!(read(&long), TEXT);
}

#[test]
fn a_file_that_may_not_be_written_is_refused() {
    let files = Files::new();
    let path = files.write("ehos.yaml", TEXT);
    set_mode(&path, 0o400);
    let result = one(&path, key("k"));
    if fs::metadata(&path).unwrap().uid() == 0 {
        assert!(result.is_ok(), "root may write anything");
        assert_eq!(mode(&path), 0o400);
    } else {
        assert!(matches!(result, Err(WriteBackError::ReadOnly { .. })));
        assert_eq!(read(&path), TEXT);
        set_mode(&path, 0o600);
        set_mode(files.folder.path(), 0o500);
        let error = one(&path, key("k")).unwrap_err();
        set_mode(files.folder.path(), 0o700);
        assert!(matches!(error, WriteBackError::Write { .. }), "{error}");
        assert_eq!(read(&path), TEXT);
    }
}

#[test]
fn programs_do_not_lose_each_others_values() {
    let files = Files::new();
    let keys = ["a", "b", "c", "d"];
    let clouds: Vec<String> = keys.iter().map(|name| format!("  {name}: {{image: None}}\n")).collect();
    let path = files.write("ehos.yaml", format!("clouds:\n{}", clouds.concat()));
    std::thread::scope(|scope| {
        for name in keys {
            let path = path.clone();
            scope.spawn(move || {
                for round in 0..10 {
                    one(&path, Edit::cloud(name, "image", format!("{name}-{round}"))).unwrap();
                }
            });
        }
    });
    let clouds: Vec<String> = keys.iter().map(|name| format!("  {name}: {{image: {name}-9}}\n")).collect();
    assert_eq!(read(&path), format!("clouds:\n{}", clouds.concat()));
}

#[test]
fn no_secret_is_shown() {
    let edits = [password(), Edit::condor("password", "hunter2")];
    assert_eq!(format!("{edits:?}"), "[Edit(\"condor.password\"), Edit(\"condor.password\")]");
    assert!(!format!("{:?}", NewValue::Secret("hunter2".into())).contains("hunter2"));
    let files = Files::new();
    for text in [
        "condor: [hunter2]\n",
        "condor: {password: {hunter2: hunter2}}\n",
        "condor:\n  password: hunter2: x\n",
    ] {
        let path = files.write("ehos.yaml", text);
        let error = one(&path, password()).unwrap_err();
        let told = format!("{error} {error:?}");
        assert!(!told.contains("hunter2"), "{told}");
    }
    let path = files.write("ehos.yaml", TEXT);
    let error = one(&path, Edit::condor("password", "hunter2\nhunter2")).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"));
    assert!(!format!("{:?}", one(&path, password()).unwrap()).contains("hunter2"));
}
