//! Makes of a configuration what the tick works with: the pool, the clouds, the templates.
//!
//! Deliberately connects to nothing yet: a cloud or a pool that is down now is looked at again in every tick.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use ehos_cloud::{Cloud, OpenStackCloud};
use ehos_cloudinit::{NodeFacts, Recipe, Secret};
use ehos_condor::{CondorPool, CondorSettings, Pool};
use ehos_config::{Authentication, Backend, CloudSettings, Config};
use ehos_model::{CloudName, NodeId, PoolId};
use ehos_sim::World;
use secrecy::SecretString;

use crate::embedded;
use crate::execute::{Hands, Join, UPDATE_INTERVAL, update_interval};

/// What embedded nodes are told; they do not listen.
const EMBEDDED_MASTER: &str = "127.0.0.1";

/// The pool and the clouds of a configuration.
pub(crate) struct Connections {
    pub(crate) hands: Hands,
    /// The files that the templates were read from.
    pub(crate) files: Vec<PathBuf>,
    /// The OpenStack clouds once more, for looking up what is named.
    pub(crate) openstack: Vec<Arc<OpenStackCloud>>,
    /// The embedded world, where there is one.
    pub(crate) world: Option<World>,
}

impl Connections {
    /// Makes them ready; an embedded world goes on where it was.
    ///
    /// # Errors
    /// Where a template or a CA file is wrong, and where the configuration wants what is not there yet.
    pub(crate) fn new(config: &Config, world: Option<World>) -> anyhow::Result<Self> {
        let recipes = recipes(config)?;
        let pool_id = &config.policy.pool;
        let world = match world {
            None if config.is_embedded() => Some(embedded::world()),
            world => world,
        };
        let mut openstack = Vec::new();
        let mut clouds: BTreeMap<CloudName, Arc<dyn Cloud>> = BTreeMap::new();
        for settings in &config.clouds {
            let cloud: Arc<dyn Cloud> = match (&settings.backend, &world) {
                (Backend::OpenStack(_), _) => {
                    let cloud = Arc::new(open(settings, pool_id)?);
                    openstack.push(Arc::clone(&cloud));
                    cloud
                }
                (Backend::Embedded(embedded), Some(world)) => {
                    Arc::new(world.add_cloud(embedded::cloud(settings, embedded, pool_id)))
                }
                (Backend::Embedded(_), None) => bail!("cloud {} is embedded, but no pool is", settings.name),
            };
            clouds.insert(settings.name.clone(), cloud);
        }
        let condor = CondorSettings { report_interval: UPDATE_INTERVAL, ..CondorSettings::default() };
        let (pool, master): (Arc<dyn Pool>, _) = match &world {
            Some(world) => (Arc::new(world.pool()), EMBEDDED_MASTER.to_owned()),
            None => (Arc::new(CondorPool::new(condor)), master(config)?),
        };
        let join = Arc::new(Join {
            pool: pool_id.clone(),
            master,
            token_lifetime: config.condor.token_lifetime,
            update_interval: update_interval(config.policy.lost_timeout),
        });
        let files = recipes.values().flat_map(|recipe| recipe.files().to_vec()).collect();
        let hands = Hands { pool, clouds, recipes: Arc::new(recipes), join };
        Ok(Self { hands, files, openstack, world })
    }
}

/// The master's address; nodes cannot join without it.
fn master(config: &Config) -> anyhow::Result<String> {
    if config.condor.authentication == Authentication::Password {
        bail!(
            "condor.authentication: password is not there yet in this version; set it to idtokens, which \
             HTCondor has had since 9.0"
        );
    }
    config.condor.host_ip.clone().context(
        "condor.host_ip is not set: write the address at which the nodes reach the master (ehosd_deploy sets it)",
    )
}

fn open(settings: &CloudSettings, pool: &PoolId) -> anyhow::Result<OpenStackCloud> {
    let Backend::OpenStack(access) = &settings.backend else { bail!("{} is no OpenStack", settings.name) };
    let (name, servers) = (settings.name.clone(), settings.servers.clone());
    Ok(OpenStackCloud::new(name, pool.clone(), access.clone(), servers)?)
}

/// Renders a node of every flavor with a token that is none, so that a name that cannot stand in a configuration is
/// told now and not when the first job waits.
fn prove(recipe: &Recipe, config: &Config, cloud: &CloudSettings) -> anyhow::Result<()> {
    let token = SecretString::from("token");
    for flavor in &cloud.servers.flavors {
        let facts = NodeFacts {
            pool: &config.policy.pool,
            node: &NodeId::new("node"),
            cloud: &cloud.name,
            flavor: &flavor.as_str().into(),
            gpus: 0,
            host_ip: config.condor.host_ip.as_deref().unwrap_or(EMBEDDED_MASTER),
            uid_domain: "example.org",
            trust_domain: "example.org",
            secret: Secret::Token(&token),
            update_interval: update_interval(config.policy.lost_timeout),
        };
        recipe.render(&facts, &[])?;
    }
    Ok(())
}

/// Reads and proves what the nodes of every cloud are told.
fn recipes(config: &Config) -> anyhow::Result<BTreeMap<CloudName, Recipe>> {
    let mut recipes = BTreeMap::new();
    for cloud in &config.clouds {
        let recipe = Recipe::find(cloud.userdata_file.as_deref(), &cloud.userdata_parts)?;
        log::info!("the nodes of {} boot from {}", cloud.name, recipe.origin());
        for warning in recipe.warnings() {
            log::warn!("{}: {warning}", recipe.origin());
        }
        prove(&recipe, config, cloud)?;
        recipes.insert(cloud.name.clone(), recipe);
    }
    Ok(recipes)
}
