//! Decides which rules a pool's security groups lack, and which they have too many.
//!
//! Deliberately takes nothing away that others may have added: such rules are told, no more.

use ehos_cloud::prepare::{Cidr, Ethertype, FoundRule, Remote, Rule, SecurityGroup};

/// The port of secure shell.
const SSH: u16 = 22;

/// The port of HTCondor: everything comes in there.
const CONDOR: u16 = 9618;

/// Both kinds of addresses.
const BOTH: [Ethertype; 2] = [Ethertype::V4, Ethertype::V6];

/// What is to be done with a pool's groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RulePlan {
    /// What they lack.
    pub add: Vec<Rule>,
    /// What ours has too much: the group's place in the list, and the rule.
    pub remove: Vec<(usize, FoundRule)>,
    /// What they let in besides and what is not ours to take away.
    pub others: Vec<Rule>,
}

/// Lists what a pool needs to be let in: secure shell from anywhere; HTCondor within `group`, and from `external`, where an
/// empty list means anywhere.
#[must_use]
pub fn wanted(group: &str, external: Option<&[Cidr]>) -> Vec<Rule> {
    let mut rules: Vec<_> =
        BOTH.into_iter().map(|ethertype| Rule::port(ethertype, "tcp", SSH, Remote::Anywhere)).collect();
    let mut condor = |ethertype, remote: &Remote| {
        for protocol in ["tcp", "udp"] {
            let rule = Rule::port(ethertype, protocol, CONDOR, remote.clone());
            if !rules.contains(&rule) {
                rules.push(rule);
            }
        }
    };
    for ethertype in BOTH {
        condor(ethertype, &Remote::Group(group.to_owned()));
    }
    match external {
        None => (),
        Some([]) => BOTH.into_iter().for_each(|ethertype| condor(ethertype, &Remote::Anywhere)),
        Some(networks) => networks.iter().for_each(|cidr| condor(cidr.ethertype(), &cidr.remote())),
    }
    rules
}

/// Compares what is wanted with what all the groups of a server let in together; `exact`: what is ours and not wanted goes.
#[must_use]
pub fn plan(wanted: &[Rule], groups: &[SecurityGroup], exact: bool) -> RulePlan {
    let mut plan = RulePlan::default();
    let mut kept = Vec::new();
    for (at, group) in groups.iter().enumerate() {
        for found in &group.rules {
            let ours = group.ours || found.ours;
            if exact && ours && !wanted.contains(&found.rule) {
                plan.remove.push((at, found.clone()));
                continue;
            }
            if !wanted.iter().any(|rule| rule.covers(&found.rule)) {
                plan.others.push(found.rule.clone());
            }
            kept.push(&found.rule);
        }
    }
    // In a group of our own the rules are those of the documentation, word for word.
    let word_for_word = groups.iter().all(|group| group.ours);
    let is_there = |rule: &&Rule| {
        kept.iter().any(|there| if word_for_word { *there == *rule } else { there.covers(rule) })
    };
    plan.add = wanted.iter().filter(|rule| !is_there(rule)).cloned().collect();
    plan
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(rules: &[Rule]) -> Vec<String> {
        rules.iter().map(ToString::to_string).collect()
    }

    const WITHIN: [&str; 6] = [
        "22/tcp from anywhere (IPv4)",
        "22/tcp from anywhere (IPv6)",
        "9618/tcp from group g (IPv4)",
        "9618/udp from group g (IPv4)",
        "9618/tcp from group g (IPv6)",
        "9618/udp from group g (IPv6)",
    ];

    #[test]
    fn what_a_pool_needs() {
        let cidr = |text: &str| text.parse::<Cidr>().unwrap();
        let everywhere = [
            "9618/tcp from anywhere (IPv4)",
            "9618/udp from anywhere (IPv4)",
            "9618/tcp from anywhere (IPv6)",
            "9618/udp from anywhere (IPv6)",
        ];
        let one = [cidr("192.0.2.0/24"), cidr("2001:db8::/32"), cidr("192.0.2.9/24")];
        let ranges = [
            "9618/tcp from 192.0.2.0/24",
            "9618/udp from 192.0.2.0/24",
            "9618/tcp from 2001:db8::/32",
            "9618/udp from 2001:db8::/32",
        ];
        for (external, more, row) in [
            (None, &[][..], "within the group"),
            (Some(&[][..]), &everywhere[..], "worldwide"),
            (Some(&one[..]), &ranges[..], "from networks, each once"),
        ] {
            assert_eq!(words(&wanted("g", external)), [&WITHIN[..], more].concat(), "{row}");
        }
    }

    fn group(ours: bool, rules: &[(&Rule, bool)]) -> SecurityGroup {
        let found = |(at, (rule, ours)): (usize, &(&Rule, bool))| FoundRule {
            id: at.to_string(),
            ours: *ours,
            rule: (*rule).clone(),
        };
        let rules = rules.iter().enumerate().map(found).collect();
        SecurityGroup { id: "g".into(), name: "ehos".into(), ours, rules }
    }

    #[test]
    fn rules_are_added_and_only_ours_removed() {
        let wanted = wanted("g", None);
        let ssh = &wanted[0];
        let wide = Rule { traffic: ehos_cloud::prepare::Traffic::Any, ..ssh.clone() };
        let web = Rule::port(Ethertype::V4, "tcp", 443, Remote::Anywhere);
        let all: Vec<_> = wanted.iter().map(|rule| (rule, true)).collect();
        for (groups, exact, add, remove, others, row) in [
            (vec![group(true, &[])], true, 6, 0, 0, "a new group"),
            (vec![group(true, &all)], true, 0, 0, 0, "a second time"),
            (vec![group(true, &[&all[..], &[(&web, false)]].concat())], true, 0, 1, 0, "too much in ours"),
            (vec![group(true, &[&all[..], &[(&web, false)]].concat())], false, 0, 0, 1, "by the way"),
            (vec![group(true, &[(&wide, false)])], true, 6, 1, 0, "a wide rule in ours goes for narrow ones"),
            (vec![group(false, &[(&wide, false)])], true, 3, 0, 1, "in another's it serves"),
            (vec![group(false, &[(&web, true)])], true, 6, 1, 0, "our rule in another's goes"),
            (vec![group(false, &[(&web, false)])], true, 6, 0, 1, "another's rule stays and is told"),
            (vec![group(false, &all[..3]), group(false, &all[3..])], true, 0, 0, 0, "two groups together"),
        ] {
            let plan = plan(&wanted, &groups, exact);
            assert_eq!(
                (plan.add.len(), plan.remove.len(), plan.others.len()),
                (add, remove, others),
                "{row}"
            );
        }
    }
}
