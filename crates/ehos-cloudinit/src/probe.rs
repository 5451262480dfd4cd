//! Turns an execute node into a probe of a fresh image, which no user's job ever runs on, and reads what it found.
//!
//! Deliberately leaves the template alone: what it adds goes beside it as a part of its own, so that the image is
//! proved with the very template that its nodes will boot from.

use ehos_model::NodeId;

use crate::console::{after, lines};
use crate::part::{Part, Type};
use crate::values::{expect, is_label};
use crate::{Boot, TemplateError, read_console};

/// Tries a job where there is no pool yet; `__NODE__` stands for the node.
const ALONE: &str = include_str!("probe/alone.sh");

/// Keeps users' jobs away; the last file of `config.d` in alphabetical order.
const POOL: &str = include_str!("probe/pool.sh");

/// Where a probe runs its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeMode {
    /// In the pool that it joins: it takes only a job whose `EhosProbe` names it.
    Pool,
    /// In a pool of its own, all daemons on the node, with a job that it submits itself.
    Alone,
}

/// What has become of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// Nothing yet.
    Going,
    /// Its job has run.
    Passed,
    /// It could not boot or could not run the job.
    Failed {
        /// Why, without secrets.
        why: String,
    },
}

/// Makes the part that turns the execute node `node` into a probe.
///
/// # Errors
/// [`TemplateError::Value`] where the node's name is no host name.
pub fn probe_part(mode: ProbeMode, node: &NodeId) -> Result<Part, TemplateError> {
    expect("node", node.as_str(), is_label, "lower case letters, digits and hyphens, at most 63")?;
    let script = match mode {
        ProbeMode::Pool => POOL.to_owned(),
        ProbeMode::Alone => format!("{POOL}{ALONE}"),
    };
    Ok(Part::ours("ehos-probe", Type::Boothook, script.replace("__NODE__", node.as_str())))
}

/// Reads from the console log of a probe in [`ProbeMode::Alone`] what has become of it.
pub fn read_probe(log: &str) -> Probe {
    if let Boot::Failed { why } = read_console(log) {
        return Probe::Failed { why };
    }
    let passed = |line: &String| after(line, "EHOS probe: ").is_some_and(|said| said.trim_end() == "passed");
    if lines(log).iter().any(passed) { Probe::Passed } else { Probe::Going }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_probe_takes_its_own_job_alone() {
        let text =
            |mode| probe_part(mode, &NodeId::new("ehos-probe-1")).unwrap().text.expose_secret().to_owned();
        for mode in [ProbeMode::Pool, ProbeMode::Alone] {
            let text = text(mode);
            assert!(text.starts_with("#cloud-boothook\n#!/bin/sh\n"), "{text}");
            assert!(text.contains("\nSTART = (TARGET.EhosProbe =?= \"ehos-probe-1\")\n"), "{text}");
            assert!(!text.contains("__NODE__"));
        }
        assert!(!text(ProbeMode::Pool).contains("DAEMON_LIST"));
        assert!(
            text(ProbeMode::Alone).contains("\nDAEMON_LIST = MASTER COLLECTOR NEGOTIATOR SCHEDD STARTD\n")
        );
        assert!(probe_part(ProbeMode::Pool, &NodeId::new("a\"b")).is_err());
    }

    #[test]
    fn what_became_of_a_probe_is_read() {
        let failed = |why: &str| Probe::Failed { why: why.into() };
        for (log, expected) in [
            ("The EHOS vm is up after 9 seconds\n", Probe::Going),
            ("EHOS probe: passed\r\n", Probe::Passed),
            ("EHOS probe: passed over\n", Probe::Going),
            ("EHOS probe: FAILED: no slot | StartLog: x\n", failed("no slot | StartLog: x")),
            (
                "Running module runcmd (x) failed\nEHOS probe: passed\n",
                failed("cloud-init's module runcmd failed"),
            ),
        ] {
            assert_eq!(read_probe(log), expected, "{log}");
        }
    }
}
