//! How the bed is: what answers, and how many nodes and jobs there are.
//! It only asks; a part that does not answer is down, whatever the reason.

use std::fmt;

use serde_json::Value;

use super::Bed;
use crate::workspace::output;

const SERVICES: [(&str, &str, &str); 6] = [
    ("keystone", "identity", "/"),
    ("nova", "compute", "/servers/detail"),
    ("placement", "placement", "/"),
    ("glance", "image", "/v2/images"),
    ("neutron", "network", "/v2.0/ports"),
    ("cinder", "volumev3", "/volumes"),
];

/// Each part of the bed with what it answered; `None` is a part that is down.
pub(crate) struct Status {
    manager: Option<String>,
    services: Vec<(&'static str, Option<String>)>,
    nodes: Option<String>,
    jobs: Option<String>,
}

impl Status {
    /// Asks every part of the bed once.
    pub(crate) fn of(bed: &Bed) -> Status {
        let ask = |script: &str, args: &[&str]| output(&mut bed.script(script, args)).ok();
        // The other daemons outlive their master for a while, but nobody would mend them.
        let version = "pidof condor_master >/dev/null && condor_status -schedd -af CondorVersion";
        let manager = ask("exec", &["sh", "-c", version])
            .and_then(|text| Some(text.split_whitespace().nth(1)?.to_owned()));
        let services: Vec<_> = SERVICES
            .iter()
            .map(|(name, kind, path)| (*name, ask("api", &[kind, path]).map(|body| counted(&body))))
            .collect();
        let nodes = manager.as_ref().and_then(|_| {
            let text = ask("exec", &["condor_status", "-constraint", "PartitionableSlot", "-af", "Name"])?;
            Some(format!("machines: {}, in the pool: {}", bed.machines(), text.lines().count()))
        });
        let jobs = manager.as_ref().and_then(|_| {
            let text = ask("exec", &["condor_q", "-allusers", "-totals", "-af", "Idle", "Running", "Held"])?;
            let mut words = text.split_whitespace();
            Some(format!("idle: {}, running: {}, held: {}", words.next()?, words.next()?, words.next()?))
        });
        Status { manager, services, nodes, jobs }
    }

    /// Whether manager and every service answer.
    pub(crate) fn is_up(&self) -> bool {
        self.manager.is_some() && self.services.iter().all(|(_, answer)| answer.is_some())
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, answer: &Option<String>| {
            let state = if answer.is_some() { "up" } else { "down" };
            writeln!(f, "{name:9}  {state:4}  {}", answer.as_deref().unwrap_or_default())
        };
        row("manager", &self.manager.as_ref().map(|version| format!("HTCondor {version}")))?;
        for (name, answer) in &self.services {
            row(name, answer)?;
        }
        row("nodes", &self.nodes)?;
        row("jobs", &self.jobs)
    }
}

/// What a listing holds, as `servers: 3`; nothing for an answer that is no listing.
fn counted(body: &str) -> String {
    let Ok(Value::Object(parts)) = serde_json::from_str(body) else { return String::new() };
    parts
        .iter()
        .filter(|(name, _)| ["servers", "ports", "images", "volumes"].contains(&name.as_str()))
        .find_map(|(name, value)| Some(format!("{name}: {}", value.as_array()?.len())))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listings_are_counted() {
        let rows = [
            ("a listing", r#"{"servers": [{}, {}]}"#, "servers: 2"),
            ("its links are not it", r#"{"first": "/v2", "images": [], "schema": "x"}"#, "images: 0"),
            ("versions", r#"{"versions": [{}]}"#, ""),
            ("no JSON", "<html>", ""),
        ];
        for (name, body, want) in rows {
            assert_eq!(counted(body), want, "{name}");
        }
    }

    #[test]
    fn one_dead_service_is_a_bed_that_is_down() {
        let mut status = Status {
            manager: Some("23.9.6".into()),
            services: vec![("nova", Some("servers: 0".into())), ("glance", None)],
            nodes: None,
            jobs: None,
        };
        assert!(!status.is_up());
        assert!(status.to_string().contains("glance     down"));
        status.services.pop();
        assert!(status.is_up());
        status.manager = None;
        assert!(!status.is_up());
    }
}
