//! What a node is told, held against what was put in, and against cloud-init itself.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ehos_cloudinit::{EXECUTE_YAML, Kind, NodeFacts, Secret, Template, TemplateError};
use ehos_model::{CloudName, FlavorName, NodeId};
use proptest::prelude::*;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

#[derive(Clone, Debug)]
struct Facts {
    node: String,
    cloud: String,
    flavor: String,
    gpus: u32,
    host_ip: String,
    domain: String,
    token: String,
    seconds: u64,
}

fn ordinary() -> Facts {
    Facts {
        node: "ehos-execute-1".into(),
        cloud: "bergen".into(),
        flavor: "m1.medium".into(),
        gpus: 0,
        host_ip: "192.0.2.1".into(),
        domain: "example.org".into(),
        token: "eyJhbGciOiJIUzI1NiJ9.eyJqdGkiOiIxIn0.c2ln-_".into(),
        seconds: 60,
    }
}

fn render(facts: &Facts) -> Result<String, TemplateError> {
    static TEMPLATE: LazyLock<Template> =
        LazyLock::new(|| Template::parse(Kind::Execute, "execute.yaml", EXECUTE_YAML).unwrap());
    let rendered = TEMPLATE.render_node(&NodeFacts {
        pool: &"ehos@192.0.2.1".into(),
        node: &NodeId::from(facts.node.as_str()),
        cloud: &CloudName::from(facts.cloud.as_str()),
        flavor: &FlavorName::from(facts.flavor.as_str()),
        gpus: facts.gpus,
        host_ip: &facts.host_ip,
        uid_domain: &facts.domain,
        trust_domain: &facts.domain,
        secret: Secret::Token(&SecretString::from(facts.token.as_str())),
        update_interval: Duration::from_secs(facts.seconds),
    })?;
    Ok(rendered.expose_secret().to_owned())
}

/// The value that HTCondor takes from a configuration text.
fn setting<'a>(config: &'a str, name: &str) -> Vec<&'a str> {
    config
        .lines()
        .filter_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix('='))
        .map(str::trim)
        .collect()
}

/// Words as a user might choose them, harmless and harmful ones.
fn any_word() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-z0-9][a-z0-9-]{0,20}",
        2 => "[A-Za-z0-9._:/ ()=-]{1,20}",
        1 => "[a-z]{1,5}[\n\r\t\"'\\\\#$:{}\\[\\]&*!|>%@`,-][ a-z]{0,5}",
        1 => "\\PC{1,20}",
        1 => any::<String>(),
    ]
}

proptest! {
    /// Either a value is refused, or it comes out of the YAML as it went in and nothing else has changed.
    #[test]
    fn a_value_stays_in_its_place(
        node in any_word(), cloud in any_word(), flavor in any_word(), gpus in 0..3_u32, token in any_word(),
        host_ip in prop_oneof![Just("192.0.2.1".to_owned()), any_word()],
        domain in prop_oneof![Just("example.org".to_owned()), any_word()],
        harmless in any::<[bool; 6]>(),
    ) {
        // One wild value in an otherwise ordinary node gets through often enough to tell something.
        let pick = |keep: bool, wild: String, tame: String| if keep { tame } else { wild };
        let usual = ordinary();
        let facts = Facts {
            node: pick(harmless[0], node, usual.node),
            cloud: pick(harmless[1], cloud, usual.cloud),
            flavor: pick(harmless[2], flavor, usual.flavor),
            host_ip: pick(harmless[3], host_ip, usual.host_ip),
            domain: pick(harmless[4], domain, usual.domain),
            token: pick(harmless[5], token, usual.token),
            gpus,
            seconds: 60,
        };
        match render(&facts) {
            Err(error) => {
                prop_assert!(matches!(error, TemplateError::Value { .. }), "{error}");
            }
            Ok(text) => {
                let options = serde_saphyr::options! { with_snippet: false };
                let yaml: Value = serde_saphyr::from_str_with_options(&text, options).unwrap();
                let plain = render(&Facts { gpus, ..ordinary() }).unwrap();
                prop_assert_eq!(text.lines().count(), plain.lines().count());
                prop_assert_eq!(yaml.as_object().unwrap().len(), 9);
                prop_assert_eq!(&yaml["hostname"], &facts.node);
                let files = yaml["write_files"].as_array().unwrap();
                let token = STANDARD.decode(files[1]["content"].as_str().unwrap()).unwrap();
                prop_assert_eq!(token, facts.token.as_bytes());
                let config = files[0]["content"].as_str().unwrap();
                prop_assert_eq!(setting(config, "EhosNode"), [format!("\"{}\"", facts.node)]);
                prop_assert_eq!(setting(config, "EhosCloud"), [format!("\"{}\"", facts.cloud)]);
                prop_assert_eq!(setting(config, "EhosFlavor"), [format!("\"{}\"", facts.flavor)]);
                prop_assert_eq!(setting(config, "CONDOR_HOST"), [&facts.host_ip]);
                prop_assert_eq!(setting(config, "UID_DOMAIN"), [&facts.domain]);
                prop_assert_eq!(config.matches("use feature:GPUs").count(), usize::from(gpus > 0));
            }
        }
    }
}

#[test]
fn the_shipped_template_tells_a_node_what_it_must_know() {
    let text = render(&ordinary()).unwrap();
    let yaml: Value = serde_saphyr::from_str(&text).unwrap();
    assert_eq!(yaml["hostname"], "ehos-execute-1");
    assert_eq!(yaml["fqdn"], "ehos-execute-1.example.org");
    assert_eq!(yaml["manage_etc_hosts"], true);
    assert_eq!(yaml["preserve_hostname"], false);
    assert_eq!(yaml["ssh_pwauth"], false);
    assert_eq!(yaml["final_message"], "The EHOS vm is up after $UPTIME seconds");
    let [config, token] = yaml["write_files"].as_array().unwrap().as_slice() else { panic!("two files") };
    assert_eq!(
        (&token["permissions"], &token["owner"], &token["encoding"]),
        (&"0600".into(), &"root:root".into(), &"b64".into())
    );
    let config = config["content"].as_str().unwrap();
    assert!(!config.contains("eyJ"), "the token stands in its own file only");
    for (name, value) in [
        ("MAXJOBRETIREMENTTIME", "30 * 24 * 3600"),
        ("STARTD_ATTRS", "$(STARTD_ATTRS) EhosNode EhosCloud EhosFlavor EhosPool"),
        ("EhosPool", "\"ehos@192.0.2.1\""),
        ("START", "True"),
        ("SUSPEND", "False"),
        ("PREEMPT", "False"),
        ("KILL", "False"),
        ("UPDATE_INTERVAL", "60"),
        ("RunBenchmarks", "False"),
        ("TRUST_DOMAIN", "example.org"),
    ] {
        assert_eq!(setting(config, name), [value], "{name}");
    }
    for machine in ["NUM_CPUS", "MEMORY"] {
        assert_eq!(setting(config, machine), [""; 0], "{machine} is for the startd to find out");
    }
}
