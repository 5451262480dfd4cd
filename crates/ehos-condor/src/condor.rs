//! The real pool: HTCondor's own tools, run on a machine of the pool.
//!
//! Deliberately holds no state of the pool: every answer is asked for anew.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use async_trait::async_trait;
use ehos_model::{Demand, Failure, Machine, NodeId, Slot};
use secrecy::SecretString;
use tokio::sync::OnceCell;

use crate::event_log::Watch;
use crate::tools::{Call, ToolError, Tools};
use crate::{Cluster, Domains, JobCounts, Pool, SleepJobs, drain, queue, slots};

/// How long a startd takes between two reports where the configuration does not say.
const UPDATE_INTERVAL: Duration = Duration::from_mins(5);

/// How HTCondor is reached.
#[derive(Clone, Debug)]
pub struct CondorSettings {
    /// Where HTCondor's tools are; `None`: on `PATH`.
    pub tools_dir: Option<PathBuf>,
    /// The longest one call may take. HTCondor itself gives up connecting after 20 s.
    pub timeout: Duration,
    /// The event log; `None`: what `condor_config_val EVENT_LOG` says.
    pub event_log: Option<PathBuf>,
    /// The longest that a startd takes between two reports, if that is longer than *`UPDATE_INTERVAL`* of this
    /// machine's configuration: a collector that came up more lately does not know everybody yet.
    pub report_interval: Duration,
    /// Submits jobs as this user and group, by number: root may not own jobs, but may be others.
    pub submit_as: Option<(u32, u32)>,
}

impl Default for CondorSettings {
    fn default() -> Self {
        Self {
            tools_dir: None,
            timeout: Duration::from_mins(1),
            event_log: None,
            report_interval: Duration::ZERO,
            submit_as: None,
        }
    }
}

/// The HTCondor pool that this machine is part of.
#[derive(Debug)]
pub struct CondorPool {
    tools: Tools,
    submit_as: Option<(u32, u32)>,
    event_log: Option<PathBuf>,
    least_interval: Duration,
    report_interval: OnceCell<Duration>,
    domains: OnceCell<Domains>,
    watch: OnceLock<Watch>,
}

impl CondorPool {
    /// Makes ready to ask; asks nothing yet, so that it works while the pool is down.
    #[must_use]
    pub fn new(settings: CondorSettings) -> Self {
        let CondorSettings { tools_dir, timeout, event_log, report_interval, submit_as } = settings;
        Self {
            tools: Tools { dir: tools_dir, timeout },
            submit_as,
            event_log,
            least_interval: report_interval,
            report_interval: OnceCell::new(),
            domains: OnceCell::new(),
            watch: OnceLock::new(),
        }
    }

    /// Gives how seldom startds report (*`UPDATE_INTERVAL`* of this machine's configuration, asked for once, or what
    /// the settings say).
    async fn report_interval(&self) -> Result<Duration, Failure> {
        let ask = || async {
            let value = config_value(&self.tools, "UPDATE_INTERVAL").await?;
            let seconds = value.and_then(|value| value.parse().ok());
            Ok::<_, Failure>(seconds.map_or(UPDATE_INTERVAL, Duration::from_secs))
        };
        let ours = self.report_interval.get_or_try_init(ask).await?;
        Ok(self.least_interval.max(*ours))
    }

    /// Gives the watch over the event log, which begins with the first call.
    fn watch(&self) -> &Watch {
        self.watch.get_or_init(|| Watch::start(self.tools.clone(), self.event_log.clone()))
    }
}

/// Asks for a value of HTCondor's configuration; `None` where it is not set.
pub(crate) async fn config_value(tools: &Tools, name: &str) -> Result<Option<String>, Failure> {
    match tools.run(Call::new("condor_config_val", &[name])).await {
        Ok(answer) => Ok(Some(answer.trim().to_owned()).filter(|value| !value.is_empty())),
        Err(error @ ToolError::Failed { .. }) if error.complaint().contains("Not defined") => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[async_trait]
impl Pool for CondorPool {
    async fn demand(&self) -> Result<Vec<Demand>, Failure> {
        // Watched from the first look on: what is submitted after it must wake us.
        self.watch();
        queue::demand(&self.tools).await
    }

    async fn slots(&self) -> Result<Vec<Slot>, Failure> {
        slots::slots(&self.tools, self.report_interval().await?).await
    }

    async fn drain(&self, machine: &Machine, reason: &str) -> Result<(), Failure> {
        drain::drain(&self.tools, machine, reason).await
    }

    async fn resume(&self, machine: &Machine) -> Result<(), Failure> {
        drain::resume(&self.tools, machine).await
    }

    async fn forget(&self, machine: &Machine) -> Result<(), Failure> {
        drain::forget(&self.tools, machine).await
    }

    async fn domains(&self) -> Result<Domains, Failure> {
        let ask = || async {
            let (uid, trust) = tokio::try_join!(
                config_value(&self.tools, "UID_DOMAIN"),
                config_value(&self.tools, "TRUST_DOMAIN")
            )?;
            let missing =
                |name| Failure::rejected(format!("{name} is not set in HTCondor's configuration here"));
            let uid = uid.ok_or_else(|| missing("UID_DOMAIN"))?;
            let trust = trust.ok_or_else(|| missing("TRUST_DOMAIN"))?;
            Ok::<_, Failure>(Domains { uid, trust })
        };
        self.domains.get_or_try_init(ask).await.cloned()
    }

    async fn join_token(&self, node: &NodeId, lifetime: Duration) -> Result<SecretString, Failure> {
        drain::join_token(&self.tools, node, lifetime).await
    }

    async fn submit(&self, jobs: &SleepJobs) -> Result<Cluster, Failure> {
        queue::submit(&self.tools, jobs, self.submit_as).await
    }

    async fn jobs(&self, cluster: Cluster) -> Result<JobCounts, Failure> {
        queue::jobs(&self.tools, cluster).await
    }

    async fn finished(&self, cluster: Cluster) -> Result<u64, Failure> {
        queue::finished(&self.tools, cluster).await
    }

    async fn remove(&self, cluster: Cluster) -> Result<(), Failure> {
        queue::remove(&self.tools, cluster).await
    }

    async fn queue_changed(&self) {
        self.watch().changed().await;
    }
}
