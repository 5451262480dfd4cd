//! What there is in the world, in numbers and rows, for a live table and for tests.
//!
//! Deliberately draws nothing.

use ehos_model::{CloudName, FlavorName, NodeId, PoolId, Role, ServerStatus, Timestamp};

use crate::state::State;

/// What has happened since the world began.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) finished: u64,
    pub(crate) evicted: u64,
    pub(crate) lost: u64,
    pub(crate) bought: u64,
    pub(crate) twice: u64,
    pub(crate) most_servers: u64,
}

/// The world in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Servers of all clouds and pools that are not gone, failed ones and those being deleted included.
    pub servers: u64,
    /// Those in BUILD.
    pub building: u64,
    /// Those in ERROR.
    pub failed: u64,
    /// Machines in the pool.
    pub machines: u64,
    /// Cores of the machines in the pool.
    pub cores: u64,
    /// Cores that jobs run on.
    pub cores_busy: u64,
    /// Jobs that wait.
    pub idle: u64,
    /// Jobs that run.
    pub running: u64,
    /// Jobs that came to their end.
    pub finished: u64,
    /// Jobs killed since their server was deleted under them. Never, if EHOS works.
    pub evicted: u64,
    /// Jobs lost since their server vanished by itself.
    pub lost: u64,
    /// Orders that nobody answered and that are going to be carried out.
    pub late: u64,
    /// Orders that were carried out.
    pub bought: u64,
    /// Orders accepted for a node that had a server already. Never, if EHOS works.
    pub bought_twice: u64,
    /// The most servers that there ever were at one moment.
    pub most_servers: u64,
}

/// One server and what runs on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeView {
    /// Its node.
    pub node: NodeId,
    /// Where it runs.
    pub cloud: CloudName,
    /// Its size by name.
    pub flavor: FlavorName,
    /// Its size in cores.
    pub cores: u32,
    /// What the cloud says of it.
    pub status: ServerStatus,
    /// When it was ordered.
    pub created: Timestamp,
    /// What the pool says of it; `None` until it has joined.
    pub startd: Option<StartdView>,
}

/// What a machine of the pool does, free of the collector's lag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartdView {
    /// Jobs that run on it.
    pub jobs: u32,
    /// Cores they have.
    pub cores_busy: u32,
    /// It takes no more jobs.
    pub draining: bool,
}

impl State {
    /// Counts a server that was just made for a node.
    pub(crate) fn count_servers(&mut self, node: &NodeId) {
        self.tally.bought += 1;
        let executes = self.servers.values().filter(|server| server.role == Role::Execute);
        self.tally.most_servers = self.tally.most_servers.max(executes.count() as u64);
        if self.servers.values().filter(|server| server.node == *node).count() > 1 {
            self.tally.twice += 1;
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        let with = |status: &ServerStatus| self.servers.values().filter(|one| one.status == *status).count();
        let startds = self.startds.values();
        let cores = |free: bool| {
            startds.clone().map(|one| u64::from(if free { one.free.cores } else { one.total.cores })).sum()
        };
        let (total, free): (u64, u64) = (cores(false), cores(true));
        let jobs = self.queue.counts();
        Stats {
            servers: self.servers.len() as u64,
            building: with(&ServerStatus::Building) as u64,
            failed: with(&ServerStatus::Error) as u64,
            machines: self.startds.len() as u64,
            cores: total,
            cores_busy: total - free,
            idle: jobs.idle,
            running: jobs.running,
            finished: self.tally.finished,
            evicted: self.tally.evicted,
            lost: self.tally.lost,
            late: self.late_orders(),
            bought: self.tally.bought,
            bought_twice: self.tally.twice,
            most_servers: self.tally.most_servers,
        }
    }

    pub(crate) fn node_views(&self, pool: &PoolId) -> Vec<NodeView> {
        let mut servers: Vec<_> = self.servers.values().filter(|server| server.pool == *pool).collect();
        servers.sort_by(|a, b| (a.created, &a.node).cmp(&(b.created, &b.node)));
        let view = |server: &&crate::servers::ServerRecord| NodeView {
            node: server.node.clone(),
            cloud: server.cloud.clone(),
            flavor: server.flavor.name.clone(),
            cores: server.flavor.size.cores,
            status: server.status.clone(),
            created: self.timestamp(server.created),
            startd: self.startds.get(server.node.as_str()).map(|startd| StartdView {
                jobs: u32::try_from(startd.jobs.len()).unwrap_or(u32::MAX),
                cores_busy: startd.total.cores.saturating_sub(startd.free.cores),
                draining: startd.draining,
            }),
        };
        servers.iter().map(view).collect()
    }
}
