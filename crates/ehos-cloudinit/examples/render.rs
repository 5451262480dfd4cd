//! Renders a template, packs it as Nova gets it and prints it, to look at or to boot a machine with.
//!
//! `render base`, `render master NODE DOMAIN` or `render execute NODE HOST_IP DOMAIN < TOKEN`, each with
//! `--template FILE`, `--part FILE` (more than once) and `--probe alone|pool`. The token, or with `--password` the
//! pool's password, comes on standard input, since arguments are public.

use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use ehos_cloudinit::{
    Kind, MasterFacts, NodeFacts, Part, ProbeMode, Secret, Template, find_template, pack, probe_part,
};
use secrecy::{ExposeSecret, SecretString};

const USAGE: &str = "usage: render base | render master NODE DOMAIN | render execute NODE HOST_IP DOMAIN < TOKEN, \
                     with [--template FILE] [--part FILE]... [--probe alone|pool] [--password]";

#[derive(Default)]
struct Options {
    words: Vec<String>,
    template: Option<String>,
    parts: Vec<String>,
    probe: Option<ProbeMode>,
    password: bool,
}

fn options() -> Result<Options> {
    let mut options = Options::default();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--template" => options.template = Some(args.next().context(USAGE)?),
            "--password" => options.password = true,
            "--part" => options.parts.push(args.next().context(USAGE)?),
            "--probe" => {
                options.probe = Some(match args.next().as_deref() {
                    Some("alone") => ProbeMode::Alone,
                    Some("pool") => ProbeMode::Pool,
                    _ => bail!(USAGE),
                });
            }
            _ => options.words.push(arg),
        }
    }
    Ok(options)
}

fn template(kind: Kind, file: Option<&str>) -> Result<Template> {
    let found = find_template(kind.file_name(), file.map(Path::new))?;
    let template = Template::parse(kind, &found.origin.to_string(), &found.text)?;
    for warning in template.warnings() {
        complain(&format!("{}: {warning}", found.origin));
    }
    Ok(template)
}

#[expect(clippy::print_stderr, reason = "warnings go beside the result")]
fn complain(words: &str) {
    eprintln!("{words}");
}

fn main() -> Result<()> {
    let options = options()?;
    let words: Vec<&str> = options.words.iter().map(String::as_str).collect();
    let file = options.template.as_deref();
    let (node, rendered) = match words.as_slice() {
        ["base"] => ("base", template(Kind::Base, file)?.render_base()?),
        ["master", node, domain] => {
            let facts = MasterFacts {
                pool: &"example".into(),
                node: &(*node).into(),
                uid_domain: domain,
                trust_domain: domain,
            };
            (*node, template(Kind::Master, file)?.render_master(&facts)?)
        }
        ["execute", node, host_ip, domain] => {
            let mut secret = String::new();
            std::io::stdin().read_to_string(&mut secret).context("no token on standard input")?;
            let secret = SecretString::from(secret.trim());
            let facts = NodeFacts {
                pool: &"example".into(),
                node: &(*node).into(),
                cloud: &"example".into(),
                flavor: &"m1.medium".into(),
                gpus: 0,
                host_ip,
                uid_domain: domain,
                trust_domain: domain,
                secret: if options.password { Secret::Password(&secret) } else { Secret::Token(&secret) },
                update_interval: Duration::from_mins(1),
            };
            (*node, template(Kind::Execute, file)?.render_node(&facts)?)
        }
        _ => bail!(USAGE),
    };
    let mut parts = Vec::new();
    for file in &options.parts {
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
        parts.extend(Part::parse(file, &text)?);
    }
    parts.extend(options.probe.map(|mode| probe_part(mode, &node.into())).transpose()?);
    let packed = pack("user-data", &rendered, &parts)?;
    std::io::stdout().write_all(packed.expose_secret())?;
    Ok(())
}
