//! What every cloud behind [`Prepare`] must do, as one check for the embedded cloud and for a real one.
//!
//! Deliberately makes one of each thing, and removes all of them again, also when a check fails.

use std::time::Instant;

use ehos_model::{Failure, FailureKind, NodeId, Role, ServerId, ServerStatus};

use super::{Checked, LOOK, Terms, broken, ensure, until};
use crate::prepare::{
    Ethertype, FloatingAddress, Network, Remote, Rule, SecurityGroup, Volume, VolumeStatus,
};
use crate::{Prepare, Resource, ResourceKind, ServerOrder};

/// What the check works with beside [`Terms`].
#[derive(Clone, Debug)]
pub struct Keys {
    /// A public key.
    pub one: String,
    /// Another one.
    pub other: String,
}

/// Checks `cloud`; `stranger` is the same cloud as another pool sees it.
///
/// # Errors
/// The first rule that is broken. What was made is removed all the same.
pub async fn check(
    cloud: &dyn Prepare,
    stranger: &dyn Prepare,
    terms: &Terms,
    keys: &Keys,
) -> Checked<Vec<&'static str>> {
    let mut held = Vec::new();
    let result = rules(cloud, stranger, terms, keys, &mut held).await;
    let swept = sweep(cloud, terms).await;
    result?;
    held.push(swept?);
    Ok(held)
}

async fn rules(
    cloud: &dyn Prepare,
    stranger: &dyn Prepare,
    terms: &Terms,
    keys: &Keys,
    held: &mut Vec<&'static str>,
) -> Checked<()> {
    held.push(offers(cloud, terms).await?);
    let (group, rule) = groups(cloud, stranger, terms).await?;
    held.push(rule);
    held.push(ingress(cloud, &group).await?);
    held.push(others(cloud, stranger, &group).await?);
    held.push(keypairs(cloud, terms, keys).await?);
    let (address, rule) = floating(cloud, stranger).await?;
    held.push(rule);
    let server = server(cloud, terms).await?;
    held.push(addresses(cloud, terms, &address, &server).await?);
    let (volume, rule) = volumes(cloud, stranger, terms).await?;
    held.push(rule);
    held.push(attached(cloud, terms, &volume, &server).await?);
    held.push(listed(cloud, stranger, terms).await?);
    held.push(untouched(cloud, stranger).await?);
    Ok(())
}

fn fine<T>(rule: &'static str, result: Result<T, Failure>) -> Checked<T> {
    result.map_err(|failure| broken(rule, &failure))
}

fn refused<T: std::fmt::Debug>(
    rule: &'static str,
    result: &Result<T, Failure>,
    kind: &FailureKind,
) -> Checked<()> {
    ensure(matches!(result, Err(failure) if failure.kind == *kind), rule, || format!("{result:?}"))
}

async fn offers(cloud: &dyn Prepare, terms: &Terms) -> Checked<&'static str> {
    let rule = "it tells its networks, flavors and images";
    let networks = fine(rule, cloud.networks().await)?;
    ensure(networks.iter().any(Network::is_usable), rule, || format!("{networks:?}"))?;
    let flavors = fine(rule, cloud.flavors().await)?;
    let sorted = flavors.is_sorted_by_key(|flavor| flavor.size.cores);
    let has = flavors.iter().any(|flavor| flavor.name == terms.flavor && flavor.size.cores > 0);
    ensure(sorted && has, rule, || format!("{flavors:?}"))?;
    let images = fine(rule, cloud.offered_images().await)?;
    let newest_first = images.is_sorted_by(|a, b| a.image.created >= b.image.created);
    ensure(!images.is_empty() && newest_first, rule, || format!("{images:?}"))?;
    Ok(rule)
}

async fn groups(
    cloud: &dyn Prepare,
    stranger: &dyn Prepare,
    terms: &Terms,
) -> Checked<(SecurityGroup, &'static str)> {
    let rule = "a security group is made once, is ours and no other pool's, and lets nothing in";
    let group = fine(rule, cloud.make_security_group(&terms.prefix).await)?;
    let again = fine(rule, cloud.make_security_group(&terms.prefix).await)?;
    ensure(group == again && group.ours && group.rules.is_empty(), rule, || format!("{group:?}, {again:?}"))?;
    let theirs = fine(rule, stranger.make_security_group(&terms.prefix).await)?;
    ensure(theirs.id == group.id && !theirs.ours, rule, || format!("another pool has {theirs:?}"))?;
    Ok((group, rule))
}

/// Finds the group anew.
async fn look(cloud: &dyn Prepare, group: &SecurityGroup, rule: &'static str) -> Checked<SecurityGroup> {
    let groups = fine(rule, cloud.security_groups().await)?;
    let found = groups.into_iter().find(|one| one.id == group.id);
    found.ok_or_else(|| broken(rule, &"the group is not listed"))
}

async fn ingress(cloud: &dyn Prepare, group: &SecurityGroup) -> Checked<&'static str> {
    let rule = "a rule is added once, reads as it was ordered, and can be taken out twice";
    let network = "192.0.2.0/24".parse().map_err(|error| broken(rule, &error))?;
    let wanted = [
        Rule::port(Ethertype::V4, "tcp", 22, Remote::Anywhere),
        Rule::port(Ethertype::V6, "tcp", 22, Remote::Anywhere),
        Rule::port(Ethertype::V4, "udp", 9618, Remote::Group(group.id.clone())),
        Rule::port(Ethertype::V4, "tcp", 9618, Remote::Network(network)),
    ];
    for each in wanted.iter().chain(&wanted) {
        fine(rule, cloud.add_rule(group, each).await)?;
    }
    let filled = look(cloud, group, rule).await?;
    let exact = filled.rules.len() == wanted.len()
        && wanted.iter().all(|wanted| filled.rules.iter().any(|found| found.rule == *wanted && found.ours));
    ensure(exact, rule, || format!("{:?}", filled.rules))?;
    for each in filled.rules.iter().chain(&filled.rules).filter(|found| found.rule == wanted[3]) {
        fine(rule, cloud.remove_rule(&filled, each).await)?;
    }
    let left = look(cloud, group, rule).await?.rules;
    ensure(left.len() == wanted.len() - 1, rule, || format!("{left:?}"))?;
    Ok(rule)
}

async fn others(cloud: &dyn Prepare, stranger: &dyn Prepare, group: &SecurityGroup) -> Checked<&'static str> {
    let rule = "in another's group only one's own rules are one's own, to be listed and removed";
    let added = Rule::port(Ethertype::V4, "tcp", 443, Remote::Anywhere);
    fine(rule, stranger.add_rule(group, &added).await)?;
    let theirs = look(stranger, group, rule).await?;
    let (own, foreign): (Vec<_>, Vec<_>) = theirs.rules.iter().partition(|found| found.ours);
    let parted = own.iter().all(|found| found.rule == added) && own.len() == 1 && !foreign.is_empty();
    ensure(parted, rule, || format!("{theirs:?}"))?;
    for found in foreign {
        refused(rule, &stranger.remove_rule(&theirs, found).await, &FailureKind::Rejected)?;
    }
    let listed = fine(rule, stranger.ours().await)?;
    let mut listed =
        listed.iter().filter(|one| one.kind == ResourceKind::SecurityGroupRule && one.id == own[0].id);
    let resource = listed.next().ok_or_else(|| broken(rule, &"it is not listed"))?;
    fine(rule, stranger.remove(resource).await)?;
    let left = look(cloud, group, rule).await?.rules;
    ensure(!left.iter().any(|found| found.rule == added), rule, || format!("{left:?}"))?;
    Ok(rule)
}

async fn keypairs(cloud: &dyn Prepare, terms: &Terms, keys: &Keys) -> Checked<&'static str> {
    let rule = "a key is imported once and is ours; another key of its name is a conflict";
    for _ in 0..2 {
        let key = fine(rule, cloud.import_key(&terms.prefix, &keys.one).await)?;
        ensure(key.ours && key.holds(&keys.one), rule, || format!("{key:?}"))?;
    }
    refused(rule, &cloud.import_key(&terms.prefix, &keys.other).await, &FailureKind::Conflict)?;
    let name = format!("{}-x", terms.prefix);
    refused(rule, &cloud.import_key(&name, "no key").await, &FailureKind::Rejected)?;
    let all = fine(rule, cloud.keypairs().await)?;
    ensure(all.iter().filter(|key| key.name.starts_with(&terms.prefix)).count() == 1, rule, || {
        format!("{all:?}")
    })?;
    Ok(rule)
}

async fn floating(cloud: &dyn Prepare, stranger: &dyn Prepare) -> Checked<(FloatingAddress, &'static str)> {
    let rule = "a free floating IP of ours is used before a new one, and no other pool's";
    let address = fine(rule, cloud.make_floating_ip(None).await)?;
    let again = fine(rule, cloud.make_floating_ip(None).await)?;
    ensure(address == again && address.port.is_none(), rule, || format!("{address:?}, {again:?}"))?;
    let theirs = fine(rule, stranger.make_floating_ip(None).await)?;
    let resource = Resource::new(ResourceKind::FloatingIp, &*theirs.id, theirs.ip.to_string());
    fine(rule, stranger.remove(&resource).await)?;
    ensure(theirs.id != address.id, rule, || format!("another pool got {theirs:?}"))?;
    Ok((address, rule))
}

async fn server(cloud: &dyn Prepare, terms: &Terms) -> Checked<ServerId> {
    let rule = "a server becomes ACTIVE within the deadline";
    let node = NodeId::from(format!("{}-master", terms.prefix));
    let order = ServerOrder::new(node, Role::Master, terms.flavor.clone());
    let id = fine(rule, cloud.create(&order).await)?;
    until(cloud, terms, rule, |servers| {
        servers.iter().any(|one| one.id == id && one.status == ServerStatus::Active)
    })
    .await?;
    Ok(id)
}

async fn addresses(
    cloud: &dyn Prepare,
    terms: &Terms,
    address: &FloatingAddress,
    server: &ServerId,
) -> Checked<&'static str> {
    let rule = "a floating IP leads to a server and is among its addresses within the deadline";
    let own = fine(rule, cloud.addresses(server).await)?;
    ensure(own.iter().any(|one| !one.floating), rule, || format!("{own:?}"))?;
    for _ in 0..2 {
        fine(rule, cloud.associate(address, server).await)?;
    }
    // Now that it is taken, a new one would have to be got.
    let elsewhere = cloud.make_floating_ip(Some("no.such.network")).await;
    refused(rule, &elsewhere, &FailureKind::NotFound)?;
    let begun = Instant::now();
    loop {
        let all = fine(rule, cloud.addresses(server).await)?;
        if all.iter().any(|one| one.floating && one.ip == address.ip) {
            break;
        }
        ensure(begun.elapsed() < terms.deadline, rule, || format!("{all:?}"))?;
        tokio::time::sleep(LOOK).await;
    }
    let nobody = ServerId::from("00000000-0000-4000-8000-000000000000");
    refused(rule, &cloud.addresses(&nobody).await, &FailureKind::NotFound)?;
    refused(rule, &cloud.associate(address, &nobody).await, &FailureKind::Conflict)?;
    Ok(rule)
}

async fn volumes(
    cloud: &dyn Prepare,
    stranger: &dyn Prepare,
    terms: &Terms,
) -> Checked<(Volume, &'static str)> {
    let rule = "a volume is made once, becomes available within the deadline, and is no other pool's";
    let made = fine(rule, cloud.make_volume(&terms.prefix, 1).await)?;
    let again = fine(rule, cloud.make_volume(&terms.prefix, 1).await)?;
    ensure(made.id == again.id && made.size == 1, rule, || format!("{made:?}, {again:?}"))?;
    let volume = becomes(cloud, terms, &made.id, &VolumeStatus::Available, rule).await?;
    let theirs = fine(rule, stranger.volumes().await)?;
    ensure(!theirs.iter().any(|one| one.id == made.id), rule, || format!("another pool sees {theirs:?}"))?;
    Ok((volume, rule))
}

async fn attached(
    cloud: &dyn Prepare,
    terms: &Terms,
    volume: &Volume,
    server: &ServerId,
) -> Checked<&'static str> {
    let rule = "a volume is attached, cannot be removed then, and is detached";
    fine(rule, cloud.attach(&volume.id, server).await)?;
    let held = becomes(cloud, terms, &volume.id, &VolumeStatus::InUse, rule).await?;
    ensure(held.server.as_ref() == Some(server), rule, || format!("{held:?}"))?;
    fine(rule, cloud.attach(&volume.id, server).await)?;
    let resource = Resource::new(ResourceKind::Volume, &*volume.id, &*volume.name);
    refused(rule, &cloud.remove(&resource).await, &FailureKind::Conflict)?;
    fine(rule, cloud.detach(&volume.id, server).await)?;
    becomes(cloud, terms, &volume.id, &VolumeStatus::Available, rule).await?;
    refused(rule, &cloud.detach(&volume.id, server).await, &FailureKind::NotFound)?;
    Ok(rule)
}

async fn becomes(
    cloud: &dyn Prepare,
    terms: &Terms,
    id: &str,
    status: &VolumeStatus,
    rule: &'static str,
) -> Checked<Volume> {
    let begun = Instant::now();
    loop {
        let all = fine(rule, cloud.volumes().await)?;
        match all.into_iter().find(|one| one.id == id) {
            Some(volume) if volume.status == *status => return Ok(volume),
            other => ensure(begun.elapsed() < terms.deadline, rule, || format!("{other:?}"))?,
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn listed(cloud: &dyn Prepare, stranger: &dyn Prepare, terms: &Terms) -> Checked<&'static str> {
    let rule = "all that was made is listed as ours, in the order of removal, and as no other pool's";
    let ours = fine(rule, cloud.ours().await)?;
    for kind in [
        ResourceKind::Server,
        ResourceKind::FloatingIp,
        ResourceKind::Volume,
        ResourceKind::SecurityGroup,
        ResourceKind::KeyPair,
    ] {
        let named = |one: &&Resource| kind == ResourceKind::FloatingIp || one.name.starts_with(&terms.prefix);
        let count = ours.iter().filter(|one| one.kind == kind).filter(named).count();
        ensure(count == 1, rule, || format!("{count} of {kind:?} in {ours:?}"))?;
    }
    ensure(ours.is_sorted_by_key(|one| one.kind), rule, || format!("{ours:?}"))?;
    let theirs = fine(rule, stranger.ours().await)?;
    ensure(!theirs.iter().any(|one| ours.contains(one)), rule, || format!("another pool has {theirs:?}"))?;
    Ok(rule)
}

async fn untouched(cloud: &dyn Prepare, stranger: &dyn Prepare) -> Checked<&'static str> {
    let rule = "another pool cannot remove any of it";
    let ours = fine(rule, cloud.ours().await)?;
    for each in &ours {
        refused(rule, &stranger.remove(each).await, &FailureKind::Rejected)?;
    }
    let still = fine(rule, cloud.ours().await)?;
    ensure(still == ours, rule, || format!("{still:?}"))?;
    Ok(rule)
}

/// Removes all that is ours, in its order, as somebody would who gives an account back.
async fn sweep(cloud: &dyn Prepare, terms: &Terms) -> Checked<&'static str> {
    let rule = "all of it can be removed, in the order of the list, within the deadline; twice is no failure";
    let begun = Instant::now();
    let mut seen: Vec<Resource> = Vec::new();
    loop {
        let ours = fine(rule, cloud.ours().await)?;
        if ours.is_empty() {
            break;
        }
        for each in &ours {
            match cloud.remove(each).await {
                Err(failure) if failure.kind != FailureKind::Conflict => return Err(broken(rule, &failure)),
                _ => (),
            }
        }
        ensure(begun.elapsed() < terms.deadline, rule, || format!("{ours:?} is still there"))?;
        seen.extend(ours);
        tokio::time::sleep(LOOK).await;
    }
    for each in &seen {
        fine(rule, cloud.remove(each).await)?;
    }
    Ok(rule)
}
