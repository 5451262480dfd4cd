//! The commands to single machines: drain, resume, forget, and the token with which one joins.
//!
//! Deliberately refuses to drain what is claimed: the startd itself is made to check, so that no race is lost.

use std::time::Duration;

use ehos_model::{Failure, FailureKind, Machine, NodeId};
use secrecy::SecretString;

use crate::cell::rows;
use crate::tools::{Call, ToolError, Tools};

/// What must hold for each slot of a startd that is drained. A slot in state Owner has no claim either.
const UNCLAIMED: &str = r#"(State=="Unclaimed"||State=="Owner")&&(NumDynamicSlots?:0)==0"#;
/// How the reason of each drain of ours begins (*startd ad `DrainReason`*).
const OURS: &str = "ehos: ";

/// Drains a machine.
pub(crate) async fn drain(tools: &Tools, machine: &Machine, reason: &str) -> Result<(), Failure> {
    let host = host(machine)?;
    let reason = format!("{OURS}{reason}");
    // Without -debug the tool keeps its reasons to itself: a refusal and a dead network read alike.
    let args = ["-debug", "-check", UNCLAIMED, "-reason", &reason, host];
    let Err(error) = tools.run(Call::new("condor_drain", &args).login()).await else { return Ok(()) };
    if !error.complaint().contains("error code 10001") {
        return Err(explain(error));
    }
    // It drains already. If that is our doing, what was asked for is done.
    match drain_reason(tools, machine).await? {
        Some(other) if !other.starts_with(OURS) => Err(Failure::new(
            FailureKind::Conflict,
            format!("{machine} is being drained by somebody else ({other})"),
        )),
        _ => Ok(()),
    }
}

/// Takes a drain back. HTCondor does not complain where there is none.
pub(crate) async fn resume(tools: &Tools, machine: &Machine) -> Result<(), Failure> {
    let args = ["-debug", "-cancel", host(machine)?];
    tools.run(Call::new("condor_drain", &args).login()).await.map(drop).map_err(explain)
}

/// Asks why a machine drains.
async fn drain_reason(tools: &Tools, machine: &Machine) -> Result<Option<String>, Failure> {
    let constraint = format!("Machine==\"{}\"&&Draining", host(machine)?);
    let answer =
        tools.run(Call::new("condor_status", &["-constraint", &constraint, "-af:tV", "DrainReason"])).await?;
    Ok(rows::<1>(&answer).flatten().find_map(|[reason]| reason.text()))
}

/// Sorts what `condor_drain` complains of.
fn explain(error: ToolError) -> Failure {
    let complaint = error.complaint();
    // 10003: the check did not hold; 10002: another drain than the one named.
    if complaint.contains("error code 10003") || complaint.contains("error code 10002") {
        return Failure::new(FailureKind::Conflict, error.to_string());
    }
    if complaint.contains("Can't find address for startd") {
        return Failure::new(FailureKind::NotFound, error.to_string());
    }
    error.into()
}

/// Removes a machine's ads: those of its slots, of its startd and of its master.
pub(crate) async fn forget(tools: &Tools, machine: &Machine) -> Result<(), Failure> {
    let host = host(machine)?;
    // No TARGET. here: the requirements are evaluated within each ad, and a scope would match none.
    let ad = |kind| {
        format!("MyType = \"Query\"\nTargetType = \"{kind}\"\nRequirements = Machine == \"{host}\"\n\n")
    };
    let startd = [ad("Machine"), ad("StartD")].concat();
    let master = ad("DaemonMaster");
    for (command, ads) in [("INVALIDATE_STARTD_ADS", startd), ("INVALIDATE_MASTER_ADS", master)] {
        // TCP, since a datagram that is refused reads like one that is taken.
        let args = ["-debug", "-tcp", "-multiple", command];
        tools.run(Call::new("condor_advertise", &args).input(&ads).login()).await?;
    }
    Ok(())
}

/// Fetches a token that can do nothing but join.
pub(crate) async fn join_token(
    tools: &Tools,
    node: &NodeId,
    lifetime: Duration,
) -> Result<SecretString, Failure> {
    let seconds = lifetime.as_secs().clamp(1, i32::MAX.unsigned_abs().into()).to_string();
    let mut args = vec!["-lifetime", &seconds];
    for right in ["READ", "ADVERTISE_STARTD", "ADVERTISE_MASTER"] {
        args.extend(["-authz", right]);
    }
    let answer = tools.run(Call::new("condor_token_fetch", &args).login()).await?;
    let token = answer.trim();
    if token.split('.').count() != 3 || token.contains(char::is_whitespace) {
        return Err(Failure::rejected(format!(
            "condor_token_fetch gave something for {node} that is no token"
        )));
    }
    Ok(token.into())
}

/// Refuses what is no host name: a tool would take `-fast` for an option, and a quote would end a ClassAd string.
fn host(machine: &Machine) -> Result<&str, Failure> {
    let name = machine.as_str();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte);
    if name.is_empty() || name.starts_with('-') || !name.bytes().all(plain) {
        return Err(Failure::new(FailureKind::NotFound, format!("{machine:?} is no machine's name")));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    /// What `condor_drain` complained of in two versions, each file one situation.
    #[test]
    fn complaints_of_real_pools() {
        let transient = FailureKind::Transient { retry_after: None };
        macro_rules! both {
            ($file:literal) => {
                [
                    include_str!(concat!("../tests/samples/23/", $file)),
                    include_str!(concat!("../tests/samples/25/", $file)),
                ]
            };
        }
        for (row, complaints, kind) in [
            ("a busy machine", both!("drain-busy.txt"), FailureKind::Conflict),
            ("nobody knows it", both!("drain-unknown.txt"), FailureKind::NotFound),
            ("we may not", both!("drain-denied.txt"), FailureKind::Auth),
            ("its server is gone, its ad not yet", both!("drain-vanished.txt"), transient.clone()),
            ("no collector", both!("drain-no-collector.txt"), transient),
        ] {
            for complaint in complaints {
                let status = std::process::ExitStatus::from_raw(256);
                let failure = explain(ToolError::Failed {
                    tool: "condor_drain",
                    status,
                    complaint: complaint.to_owned(),
                });
                assert_eq!(failure.kind, kind, "{row}: {failure}");
            }
        }
    }

    #[test]
    fn only_host_names_reach_a_tool() {
        for name in ["n1.bed.test", "N_1", "fe80::1", "slot1-x"] {
            assert!(host(&name.into()).is_ok(), "{name}");
        }
        for name in ["", "-fast", "a b", "a\"b", "a\\b", "a\nb", "ä"] {
            let refused = host(&name.into()).map(drop).map_err(|failure| failure.kind);
            assert_eq!(refused, Err(FailureKind::NotFound), "{name:?}");
        }
    }
}
