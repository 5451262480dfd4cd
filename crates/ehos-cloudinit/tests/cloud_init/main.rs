//! Holds what we make against cloud-init itself: its schema, its reading of user-data, its merging.
//!
//! Where cloud-init is not installed these tests say so and pass; CI installs it.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test fails by it, and says what it skips")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use ehos_cloudinit::{Kind, MasterFacts, NodeFacts, Part, ProbeMode, Secret, Template, pack, probe_part};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJqdGkiOiIxIn0.c2ln-_";

fn share() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../share")
}

/// Whether cloud-init is there to be asked.
fn has_cloud_init() -> bool {
    let is_there = Command::new("cloud-init").arg("--version").output().is_ok();
    if !is_there {
        eprintln!("SKIPPED: there is no cloud-init on this machine to ask");
    }
    is_there
}

/// Renders a template in all the ways there are.
fn renderings(kind: Kind, name: &str, text: &str) -> Vec<SecretString> {
    let template = Template::parse(kind, name, text).unwrap();
    let (pool, node) = (&"ehos@192.0.2.1".into(), &"ehos-1".into());
    let (uid_domain, trust_domain) = ("example.org", "example.org");
    match kind {
        Kind::Base => vec![template.render_base().unwrap()],
        Kind::Master => {
            vec![template.render_master(&MasterFacts { pool, node, uid_domain, trust_domain }).unwrap()]
        }
        Kind::Execute => {
            let (token, password) = (SecretString::from(TOKEN), SecretString::from("hunter2"));
            let mut all = Vec::new();
            for secret in [Secret::Token(&token), Secret::Password(&password)] {
                for gpus in [0, 2] {
                    let facts = NodeFacts {
                        pool,
                        node,
                        cloud: &"bergen".into(),
                        flavor: &"m1.medium".into(),
                        gpus,
                        host_ip: "192.0.2.1",
                        uid_domain,
                        trust_domain,
                        secret,
                        update_interval: Duration::from_mins(1),
                    };
                    // One that is written for the other secret alone says so.
                    all.extend(template.render_node(&facts));
                }
            }
            assert!(!all.is_empty());
            all
        }
    }
}

/// The user-data of a node with parts beside it, read by cloud-init: its parts, and the cloud-config they add up to.
fn read_back(main: &SecretString, parts: &[Part]) -> (Vec<(String, String, String)>, Value) {
    let packed = pack("execute.yaml", main, parts).unwrap();
    // cloud-init belongs to the system's Python, whatever else is installed.
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cloud_init/parts.py");
    let mut child = Command::new("/usr/bin/python3")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(packed.expose_secret()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let parts = answer["parts"].as_array().unwrap().iter();
    (parts.map(|part| (word(&part[0]), word(&part[1]), word(&part[2]))).collect(), answer["config"].clone())
}

fn node() -> SecretString {
    let text = std::fs::read_to_string(share().join("execute.yaml")).unwrap();
    renderings(Kind::Execute, "execute.yaml", &text).swap_remove(0)
}

#[test]
fn its_schema_takes_every_template_of_share() {
    if !has_cloud_init() {
        return;
    }
    for folder in ["", "centos7"] {
        for kind in [Kind::Base, Kind::Execute, Kind::Master] {
            let path = share().join(folder).join(kind.file_name());
            let text = std::fs::read_to_string(&path).unwrap();
            for rendered in renderings(kind, &path.display().to_string(), &text) {
                let mut file = tempfile::NamedTempFile::new().unwrap();
                file.write_all(rendered.expose_secret().as_bytes()).unwrap();
                let output = Command::new("cloud-init")
                    .args(["schema", "--config-file"])
                    .arg(file.path())
                    .output()
                    .unwrap();
                let said = [output.stdout, output.stderr]
                    .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                    .concat();
                assert!(output.status.success() && said.contains("Valid"), "{}: {said}", path.display());
            }
        }
    }
}

/// Two files that say the same grow apart, so they are held together where they must not differ.
#[test]
fn the_templates_of_centos_7_differ_only_where_they_must() {
    let read = |name: &str| std::fs::read_to_string(share().join(name)).unwrap();
    let body = |text: &str, from: &str| text[text.find(from).unwrap()..].to_owned();
    for kind in [Kind::Execute, Kind::Master] {
        let (new, old) = (read(kind.file_name()), read(&format!("centos7/{}", kind.file_name())));
        // Its cloud-init does not know the key yet.
        let new = body(&new, "\nhostname: ").replace("prefer_fqdn_over_hostname: false\n", "");
        assert_eq!(body(&old, "\nhostname: "), new, "{kind}");
        assert!(old.contains("END OF LIFE"), "{kind}");
    }
    let clean = |text: &str| {
        let script = body(text, "  - path: /usr/local/sbin/ehos-clean");
        script.lines().filter(|line| !line.contains("clean all")).map(str::to_owned).collect::<Vec<_>>()
    };
    let without_apt: Vec<_> =
        clean(&read("base.yaml")).into_iter().filter(|line| !line.contains("command -v apt-get")).collect();
    assert_eq!(clean(&read("centos7/base.yaml")), without_apt);
}

#[test]
fn its_schema_takes_what_becomes_of_an_old_template() {
    if !has_cloud_init() {
        return;
    }
    let old = include_str!("old-execute.yaml");
    let without = old.replace("  - condor_store_cred -p {password} -f /var/lock/condor/pool_password\n", "");
    for (text, count) in [(old, 2), (without.as_str(), 4)] {
        let all = renderings(Kind::Execute, "old.yaml", text);
        assert_eq!(all.len(), count, "with the password alone, or with either");
        for rendered in all {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(rendered.expose_secret().as_bytes()).unwrap();
            let output = Command::new("cloud-init")
                .args(["schema", "--config-file"])
                .arg(file.path())
                .output()
                .unwrap();
            let said =
                [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            assert!(output.status.success(), "{said:?}");
        }
    }
}

#[test]
fn a_part_adds_to_a_node_and_takes_nothing_from_it() {
    if !has_cloud_init() {
        return;
    }
    let site = "#cloud-config\nhostname: mine\nfinal_message: mine\npackages: [htop]\nwrite_files:\n- path: \
                /etc/condor/config.d/99-site.conf\n  content: A = 1\nruncmd:\n- [echo, one]\n";
    let more = "#cloud-config\npackages: [jq]\nruncmd: [[echo, two]]\nntp: {servers: [a]}\n";
    let parts: Vec<Part> = [
        Part::parse("site.yaml", site).unwrap(),
        Part::parse("more.yaml", more).unwrap(),
        vec![probe_part(ProbeMode::Pool, &"ehos-1".into()).unwrap()],
    ]
    .concat();
    let (_, alone) = read_back(&node(), &[]);
    let (_, both) = read_back(&node(), &parts);
    let (alone, both) = (alone.as_object().unwrap(), both.as_object().unwrap());
    for (key, ours) in alone {
        match (ours, &both[key]) {
            (Value::Array(ours), Value::Array(all)) => assert_eq!(all[..ours.len()], ours[..], "{key}"),
            (ours, value) => assert_eq!(value, ours, "{key}"),
        }
    }
    assert_eq!(both["packages"], serde_json::json!(["htop", "jq"]));
    assert_eq!(both["ntp"], serde_json::json!({"servers": ["a"]}));
    assert_eq!(both["write_files"].as_array().unwrap().len(), 3);
    let commands = both["runcmd"].as_array().unwrap();
    assert_eq!(
        commands[commands.len() - 2..],
        [serde_json::json!(["echo", "one"]), serde_json::json!(["echo", "two"])]
    );
}

#[test]
fn every_part_arrives_as_it_was_given() {
    if !has_cloud_init() {
        return;
    }
    let given = [
        ("text/x-shellscript", "#!/bin/sh\necho plain\n".to_owned()),
        ("text/x-shellscript", "#!/bin/sh\necho \u{e6}\u{f8}\u{e5} # no end of line".to_owned()),
        ("text/x-shellscript", "#!/usr/bin/env python3\nprint(1)\n\n\n".to_owned()),
        ("text/cloud-boothook", format!("#cloud-boothook\n#!/bin/sh\n# {}\n", "x".repeat(2000))),
        ("text/jinja2", "## template: jinja\n#cloud-config\nruncmd: ['echo {{ v1.region }}']\n".to_owned()),
        ("text/x-shellscript", "#!/bin/sh\n--===ehos-0===\nFrom me\n.\n".to_owned()),
    ];
    let parts: Vec<Part> =
        given.iter().flat_map(|(_, text)| Part::parse("a/site.sh", text).unwrap()).collect();
    let (seen, _) = read_back(&node(), &parts);
    assert_eq!(seen.len(), 7);
    assert_eq!((seen[0].0.as_str(), seen[0].2.as_str()), ("text/cloud-config", node().expose_secret()));
    for (number, ((kind, text), seen)) in (1..).zip(given.iter().zip(&seen[1..])) {
        assert_eq!((seen.0.as_str(), &seen.2), (*kind, text));
        assert_eq!(seen.1, format!("{number:02}-site.sh"));
        assert!(seen.1.as_str() < "runcmd", "scripts run in the order of their names, ours last");
    }
}

#[test]
fn what_was_compressed_is_read() {
    if !has_cloud_init() {
        return;
    }
    let long = Part::parse("long.sh", &format!("#!/bin/sh\n# {}\n", "x".repeat(80_000))).unwrap();
    let (seen, _) = read_back(&node(), &long);
    assert_eq!((seen.len(), seen[1].2.len()), (2, 80_013));
    let text = format!("{}# {}\n", node().expose_secret(), "x".repeat(80_000));
    let (seen, config) = read_back(&text.as_str().into(), &[]);
    assert_eq!((seen[0].2.as_str(), &config["hostname"]), (text.as_str(), &"ehos-1".into()));
}
