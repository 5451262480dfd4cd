//! All that one look at the world gave.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{CloudName, CloudOffer, Demand, Observed, Server, Slot, Timestamp};

/// What one cloud told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloudView {
    /// Its servers that carry our pool's id.
    pub servers: Observed<Vec<Server>>,
    /// What it offers.
    pub offer: Observed<CloudOffer>,
    /// Fingerprint of the template that its new nodes are told; `None`: not known, as in records of older versions.
    #[serde(default)]
    pub template: Option<String>,
}

/// The world as seen at one moment. Time and chance enter EHOS's decisions here and nowhere else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// When the look was begun.
    pub at: Timestamp,
    /// The dice of this tick: names of new nodes and the `random` allocation are drawn from it.
    pub seed: u64,
    /// Waiting jobs.
    pub demand: Observed<Vec<Demand>>,
    /// Partitionable and static slots of the whole pool, ours and others'. Dynamic ones are told by their parents.
    pub slots: Observed<Vec<Slot>>,
    /// Every configured cloud.
    pub clouds: BTreeMap<CloudName, CloudView>,
}
