//! Makes of a configuration what is built with: the clouds, the templates, the pool.
//!
//! Deliberately checks all that can be checked here before anything is made in a cloud.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use ehos_cloud::OpenStackCloud;
use ehos_cloudinit::{Kind, Recipe, Template, find_template, fingerprint, pack};
use ehos_condor::{CondorPool, CondorSettings, Pool};
use ehos_config::{Backend, CloudSettings, Config};
use ehos_model::ServerSettings;
use secrecy::ExposeSecret as _;

use crate::cli::Cli;
use crate::ids::Ids;
use crate::node::Maker;
use crate::probe::pool_is_up;
use crate::site::{Base, Order, Prober, Site};

/// The clean-up's word, which a base.yaml that cleans up says.
const CLEANS: &str = "ehos-clean";

/// Who owns the probes' jobs where root builds: the first of these that there is.
const USERS: [&str; 2] = ["ehos", "nobody"];

/// Reads what base servers are told.
///
/// # Errors
/// Where the template is wrong or too large.
pub(crate) fn base(file: Option<&Path>) -> anyhow::Result<Base> {
    let found = find_template("base.yaml", file)?;
    let origin = found.origin.to_string();
    let template = Template::parse(Kind::Base, &origin, &found.text)?;
    for warning in template.warnings() {
        log::warn!("{origin}: {warning}");
    }
    let rendered = template.render_base()?;
    let cleans = rendered.expose_secret().contains(CLEANS);
    if !cleans {
        log::warn!("{origin}: it does not run ehos-clean: host keys, machine id and logs stay in the image");
    }
    let user_data = pack(&origin, &rendered, &[])?;
    Ok(Base { origin, user_data, fingerprint: fingerprint(&found.text), cleans })
}

/// Opens the clouds in which images are wanted; embedded ones need none.
///
/// # Errors
/// Where `--only` names none, or something is missing that only the administrator can say.
pub(crate) fn sites(config: &Config, cli: &Cli) -> anyhow::Result<Vec<Site>> {
    for only in &cli.only {
        let names: Vec<_> = config.clouds.iter().map(|cloud| cloud.name.as_str()).collect();
        ensure!(
            names.contains(&only.as_str()),
            "--only {only}: there is no such cloud; there is {}",
            names.join(", ")
        );
    }
    let wanted = |cloud: &&CloudSettings| {
        cli.only.is_empty() || cli.only.iter().any(|only| *only == *cloud.name.as_str())
    };
    config.clouds.iter().filter(wanted).map(|cloud| site(cloud, config)).collect()
}

fn site(cloud: &CloudSettings, config: &Config) -> anyhow::Result<Site> {
    let name = &cloud.name;
    let Backend::OpenStack(access) = &cloud.backend else {
        bail!("cloud {name} is embedded: its nodes need no image");
    };
    let base = cloud.base_image.clone().with_context(|| {
        format!(
            "cloud {name}: ehos.image is not set: write the name or id of the image that node images are built \
             from, a Debian, Ubuntu, AlmaLinux or Rocky Linux with cloud-init"
        )
    })?;
    // The image that is configured now may be gone; nothing is made from it.
    let servers = ServerSettings { image: None, ..cloud.servers.clone() };
    Ok(Site {
        cloud: Arc::new(OpenStackCloud::new(
            name.clone(),
            config.policy.pool.clone(),
            access.clone(),
            servers,
        )?),
        base,
        prefix: cloud.project_prefix.clone(),
        configured: cloud.servers.image.clone(),
        recipe: Recipe::find(cloud.userdata_file.as_deref(), &cloud.userdata_parts)?,
    })
}

/// Finds out how images can be tried from here.
pub(crate) async fn prober(config: &Config) -> anyhow::Result<Prober> {
    let alone = |why: &str| {
        log::info!("no pool is up here ({why}): a node of each image will run its job in a pool of its own");
        Ok(Prober::Alone)
    };
    let Some(master) = config.condor.host_ip.clone() else { return alone("condor.host_ip is not set") };
    let settings = CondorSettings { submit_as: submit_as()?, ..CondorSettings::default() };
    let pool: Arc<dyn Pool> = Arc::new(CondorPool::new(settings));
    match pool_is_up(&*pool).await {
        Ok(()) => Ok(Prober::Pool { pool, master }),
        Err(failure) => alone(&failure.message),
    }
}

/// Chooses who owns the probes' jobs: HTCondor takes none from root.
fn submit_as() -> anyhow::Result<Option<(u32, u32)>> {
    if ehos_terminal::user() != 0 {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd").context("cannot read /etc/passwd")?;
    Ok(USERS.iter().find_map(|name| user(&users, name)))
}

/// Finds a user's numbers in `/etc/passwd`.
fn user(users: &str, name: &str) -> Option<(u32, u32)> {
    let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut numbers = line.split(':').skip(2).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// Puts together what holds for all clouds.
pub(crate) fn order(
    cli: &Cli,
    config: &Config,
    base: Base,
    prober: Prober,
    ids: Ids,
) -> anyhow::Result<Order> {
    Ok(Order {
        pool: config.policy.pool.clone(),
        base,
        prober,
        ids,
        maker: Maker::here(),
        force: cli.force,
        keep: cli.keep,
        dry_run: cli.dry_run,
        keep_images: usize::try_from(cli.keep_images)?,
        timeout: cli.timeout,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_name() {
        let users = "root:x:0:0:root:/:/bin/sh\nehos:x:995:994::/var/lib/ehos:/bin/sh\nbad:x:y:1::/:/x\n";
        assert_eq!(user(users, "ehos"), Some((995, 994)));
        assert_eq!(user(users, "eho"), None, "another name");
        assert_eq!(user(users, "bad"), None, "no number");
    }

    #[test]
    fn the_shipped_base_cleans_up() {
        let base = base(None).unwrap();
        assert!(base.cleans && base.fingerprint.len() == 64);
        assert!(!base.user_data.expose_secret().is_empty());
    }
}
