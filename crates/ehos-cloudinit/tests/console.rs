//! What real consoles showed: cloud-init 25.1.4 on Debian 13 and 22.4.2 on Debian 12, most with user-data that fails in
//! one way each. Lines of packages and addresses are left out.

use ehos_cloudinit::{Boot, ImageMarks, Probe, read_console, read_image, read_probe, tail};

#[test]
fn the_first_failure_is_told() {
    for (log, expected, row) in [
        (
            include_str!("samples/runcmd-not-found.txt"),
            "Failed to run module scripts-user (scripts in /var/lib/cloud/instance/scripts)",
            "a command that is not there",
        ),
        (
            include_str!("samples/runcmd-exit.txt"),
            "Failed to run module scripts-user (scripts in /var/lib/cloud/instance/scripts)",
            "a command that fails",
        ),
        (
            include_str!("samples/runcmd-no-list.txt"),
            "cloud-init's module runcmd failed",
            "commands that are no list",
        ),
        (
            include_str!("samples/failing-modules.txt"),
            "cloud-init's module users-groups failed",
            "a user's name and a package",
        ),
        (
            include_str!("samples/bad-yaml.txt"),
            "Unexpected failure parsing userdata: while parsing a flow sequence",
            "no YAML",
        ),
        (
            include_str!("samples/bad-part.txt"),
            "Failed loading yaml blob. Invalid format at line 2 column 4: \"while parsing a flow sequence",
            "no YAML in one part of several",
        ),
        (
            include_str!("samples/not-multipart.txt"),
            "Unhandled non-multipart (text/x-not-multipart) userdata: 'b'hello there'...'",
            "no type",
        ),
        (
            include_str!("samples/bad-jinja.txt"),
            "Ignoring jinja template for part-001: 'dict object' has no attribute 'nothere'",
            "jinja that asks for what is not there",
        ),
        (include_str!("samples/crash.txt"), "cloud-init crashed", "a stage that dies"),
        (
            include_str!("samples/base-failed.txt"),
            "no signing key from https://htcss-downloads.chtc.wisc.edu/repo",
            "share/base.yaml on Debian 12 without a way out",
        ),
    ] {
        assert_eq!(read_console(log), Boot::Failed { why: expected.into() }, "{row}");
    }
}

#[test]
fn warnings_that_do_no_harm_are_passed_over() {
    for (log, seconds, row) in [
        (include_str!("samples/base.txt"), 2195.03, "share/base.yaml"),
        (include_str!("samples/master.txt"), 1436.04, "share/master.yaml"),
        (include_str!("samples/probe-alone.txt"), 2089.74, "share/execute.yaml with a probe"),
    ] {
        let Boot::Up { after: Some(after) } = read_console(log) else { panic!("{row} is not up") };
        assert!((after.as_secs_f64() - seconds).abs() < 0.001, "{row}: {after:?}");
    }
}

#[test]
fn an_image_and_a_probe_tell_their_end() {
    let marks = ImageMarks { htcondor: Some("23.9.6".into()), clean: true };
    assert_eq!(read_image(include_str!("samples/base.txt")), marks);
    assert_eq!(read_probe(include_str!("samples/probe-alone.txt")), Probe::Passed);
    assert_eq!(read_probe(include_str!("samples/master.txt")), Probe::Going);
    let Probe::Failed { why } = read_probe(include_str!("samples/probe-failed.txt")) else {
        panic!("START = False")
    };
    assert!(why.starts_with("the job did not end within 5 minutes: 1 undefined  | StartLog: "), "{why}");
}

#[test]
fn a_tail_is_short_and_readable() {
    let shown = tail(include_str!("samples/runcmd-not-found.txt"), 3);
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[1], "The EHOS vm is up after 1319.04 seconds");
}
