//! Decides what to buy and what to give back: joins servers and slots into nodes, packs jobs, plans steps.
//!
//! Deliberately pure: no call to a pool or a cloud, no clock, no dice of its own. Time is `snapshot.at`, chance is
//! `snapshot.seed`, and the same input gives the same plan, in the daemon, in the embedded world and in replay.
//!
//! One tick, as a caller writes it:
//! ```text
//! inventory = reconcile(&snapshot, &memory, &policy)      what is there
//! memory    = memory.observed(&snapshot, &inventory)      what was learned from it
//! plan      = plan(&inventory, &snapshot, &memory, &policy)
//! memory    = memory.intending(&plan, snapshot.at)        written down before anything is done
//! outcomes  = (execute the steps)
//! memory    = memory.after(&outcomes)
//! ```
//! The phases of [`plan`] stand in one module each: `expire`, `cover`, `grow`, `headroom`, `shrink`.

mod backoff;
mod budget;
mod choice;
mod cover;
mod deletable;
mod dice;
mod drift;
mod expire;
mod grow;
mod headroom;
mod inventory;
mod look;
mod memory;
mod note;
mod packer;
mod plan;
mod reconcile;
mod shrink;
mod size;
mod step;
#[cfg(test)]
mod testing;
mod tied;
mod unmet;
mod wake;
mod words;

pub use deletable::Deletable;
pub use inventory::{Cause, Inventory, Node, Phase, Stray};
pub use memory::Memory;
pub use note::Note;
pub use plan::{Plan, plan};
pub use reconcile::reconcile;
pub use step::{Action, Outcome, Step};
pub use unmet::{Blocker, Unmet, Waiting};
