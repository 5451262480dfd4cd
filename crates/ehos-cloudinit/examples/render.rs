//! Renders `execute.yaml` for one node and prints it, to look at or to boot a machine with.
//!
//! `render NODE HOST_IP DOMAIN [TEMPLATE] < TOKEN`; the token comes on standard input, since arguments are public.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use ehos_cloudinit::{NodeFacts, Template, find_template};
use secrecy::{ExposeSecret, SecretString};

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "printing is what it is for")]
fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [node, host_ip, domain, file @ ..] = args.as_slice() else {
        bail!("usage: render NODE HOST_IP DOMAIN [TEMPLATE] < TOKEN");
    };
    let mut token = String::new();
    std::io::stdin().read_to_string(&mut token).context("no token on standard input")?;
    let found = find_template("execute.yaml", file.first().map(Path::new))?;
    eprintln!("{}", found.origin);
    let template = Template::parse(&found.origin.to_string(), &found.text)?;
    for warning in template.warnings() {
        eprintln!("{warning}");
    }
    let user_data = template.render_node(&NodeFacts {
        pool: &"example".into(),
        node: &node.as_str().into(),
        cloud: &"example".into(),
        flavor: &"m1.medium".into(),
        gpus: 0,
        host_ip,
        uid_domain: domain,
        trust_domain: domain,
        token: &SecretString::from(token.trim()),
        update_interval: Duration::from_mins(1),
    })?;
    print!("{}", user_data.expose_secret());
    Ok(())
}
