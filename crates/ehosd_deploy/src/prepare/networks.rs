//! Finds the networks that nodes are plugged into.
//!
//! Deliberately chooses only where nothing else can be meant, and makes no network.

use ehos_cloud::prepare::Network;

use super::{Done, PrepareError, Step, called, list, named};

/// Finds the networks that are configured, or the only one that can be meant; the name is given where none is configured.
pub(super) fn choose_networks(
    all: &[Network],
    configured: &[String],
) -> Result<(Vec<Step>, Option<String>), PrepareError> {
    let step = |network: &Network, note: &str| Step {
        what: "network",
        name: called(&network.name, &network.id),
        done: Done::Found,
        note: note.to_owned(),
    };
    if configured.is_empty() {
        let network = only_network(all)?;
        let is_only = all.iter().filter(|one| one.name == network.name).count() == 1;
        let name = if is_only { called(&network.name, &network.id) } else { network.id.clone() };
        return Ok((vec![step(network, "the only one for nodes")], Some(name)));
    }
    let mut steps = Vec::new();
    for name in configured {
        let network = named("network", name, all, |one| (&*one.id, &*one.name))?;
        let Some(network) = network else {
            let there: Vec<_> = all.iter().filter(|one| one.is_usable()).map(|one| &*one.name).collect();
            let hint = format!("it has for nodes: {}", list(&there));
            return Err(PrepareError::Configured { what: "network", name: name.clone(), count: 0, hint });
        };
        let note = match network {
            _ if !network.up => "it is switched off",
            _ if network.subnets == 0 => "it has no subnet: servers get no address from it",
            _ if network.external => "it leads out of the cloud: nodes can be reached from everywhere",
            _ => "",
        };
        steps.push(step(network, note));
    }
    Ok((steps, None))
}

/// Finds the only network that nodes can be plugged into.
///
/// # Errors
/// Where there is none, or several.
pub fn only_network(all: &[Network]) -> Result<&Network, PrepareError> {
    let usable: Vec<_> = all.iter().filter(|network| network.is_usable()).collect();
    match &*usable {
        [one] => Ok(one),
        [] => Err(PrepareError::NoNetwork),
        several => {
            let names: Vec<_> = several.iter().map(|one| called(&one.name, &one.id)).collect();
            Err(PrepareError::SeveralNetworks(list(&names)))
        }
    }
}
