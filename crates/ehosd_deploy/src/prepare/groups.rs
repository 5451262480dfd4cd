//! Finds or makes the security groups, and fills them.
//!
//! Deliberately leaves the deciding about rules to [`rules`].

use ehos_cloud::Prepare;
use ehos_cloud::prepare::SecurityGroup;
use ehos_config::CloudSettings;

use super::{Done, Options, PrepareError, Step, during, list, named, rules};

/// Finds or makes the groups and fills them; the name is given where none is configured.
pub(super) async fn fill_groups(
    cloud: &dyn Prepare,
    all: &[SecurityGroup],
    settings: &CloudSettings,
    options: &Options,
) -> Result<(Vec<Step>, Option<String>), PrepareError> {
    let configured = &settings.servers.security_groups;
    let mut names = configured.clone();
    if names.is_empty() {
        names.push(settings.project_prefix.clone());
    }
    let (mut groups, mut steps) = (Vec::new(), Vec::new());
    for name in &names {
        // Where none is configured several may have our name: the cloud says which one is meant.
        let found = if configured.is_empty() {
            None
        } else {
            named("security group", name, all, |one| (&*one.id, &*one.name))?
        };
        let group = match found {
            Some(group) => group.clone(),
            None => make_group(cloud, name).await?,
        };
        let done = if all.iter().any(|one| one.id == group.id) { Done::Found } else { Done::Made };
        steps.push(Step { what: "security group", name: group.name.clone(), done, note: String::new() });
        groups.push(group);
    }
    // The rules go into a group of ours, if there is one.
    let at = groups.iter().position(|group| group.ours).unwrap_or_default();
    if let (Some(target), Some(step)) = (groups.get(at), steps.get_mut(at)) {
        let wanted = rules::wanted(&target.id, options.external.as_deref());
        let plan = rules::plan(&wanted, &groups, options.exact);
        carry_out(cloud, &groups, target, &plan).await?;
        if step.done == Done::Found && (!plan.add.is_empty() || !plan.remove.is_empty()) {
            step.done = Done::Changed;
        }
        step.note = note(&plan, wanted.len());
    }
    let chosen = groups.first().map(|group| {
        let twins = all.iter().filter(|one| one.name == group.name && one.id != group.id).count();
        if twins == 0 { group.name.clone() } else { group.id.clone() }
    });
    Ok((steps, chosen.filter(|_| configured.is_empty())))
}

async fn make_group(cloud: &dyn Prepare, name: &str) -> Result<SecurityGroup, PrepareError> {
    let is_id = name.len() >= 32 && name.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    if is_id {
        let hint = "an id cannot be made: write a name, or leave security_groups out".to_owned();
        return Err(PrepareError::Configured {
            what: "security group",
            name: name.to_owned(),
            count: 0,
            hint,
        });
    }
    let made = cloud.make_security_group(name).await;
    made.map_err(|failure| during(&format!("the security group '{name}'"), failure))
}

/// Adds before it removes, so that nothing is shut out in between.
async fn carry_out(
    cloud: &dyn Prepare,
    groups: &[SecurityGroup],
    target: &SecurityGroup,
    plan: &rules::RulePlan,
) -> Result<(), PrepareError> {
    for rule in &plan.add {
        let added = cloud.add_rule(target, rule).await;
        added.map_err(|failure| during(&format!("the rule '{rule}' of '{}'", target.name), failure))?;
    }
    for (at, found) in &plan.remove {
        let Some(group) = groups.get(*at) else { continue };
        let removed = cloud.remove_rule(group, found).await;
        removed
            .map_err(|failure| during(&format!("the rule '{}' of '{}'", found.rule, group.name), failure))?;
    }
    Ok(())
}

fn note(plan: &rules::RulePlan, wanted: usize) -> String {
    let mut parts = Vec::new();
    match plan.add.len() {
        0 => parts.push("all rules are there".to_owned()),
        added if added == wanted => parts.push(format!("{added} rules added")),
        _ => parts.push(format!("added: {}", list(&plan.add))),
    }
    if !plan.remove.is_empty() {
        let removed: Vec<_> = plan.remove.iter().map(|(_, found)| &found.rule).collect();
        parts.push(format!("removed: {}", list(&removed)));
    }
    if !plan.others.is_empty() {
        parts.push(format!("lets in besides, and that stays: {}", list(&plan.others)));
    }
    parts.join("; ")
}
