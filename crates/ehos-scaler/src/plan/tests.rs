//! One named row a rule; what holds over time stands in the scenarios.

mod drift;

use std::num::NonZeroU32;
use std::time::Duration;

use ehos_model::{
    Allowance, CloudPolicy, Failure, FailureKind, FlavorName, NodeAllocation, NodeLimits, PolicyDraft,
    Reserve, Server, ServerStatus, Slot, Snapshot,
};

use crate::memory::{IdleMemory, Order};
use crate::testing::{
    busy, cloud, cloud_policy, deeds, draft, drained, jobs, look, noon, policy, server, size, slot, snapshot,
    unknown,
};
use crate::{Action, Blocker, Memory, Outcome, Plan, Step};

use ServerStatus::{Active, Building, Error};

fn up(node: &str) -> Server {
    server(node, Active)
}

/// A memory in which these nodes have been idle for ten minutes, as of noon.
fn idle_for_long(snapshot: &Snapshot, draft: &PolicyDraft) -> Memory {
    let before = Snapshot { at: noon(-600), ..snapshot.clone() };
    let (_, mut memory, _) = look(&before, Memory::default(), &policy(draft.clone()));
    for node in memory.nodes.values_mut() {
        if let Some(IdleMemory { since, .. }) = &mut node.idle {
            *since = noon(-600);
        }
    }
    memory.shapes.clear();
    memory
}

fn limits(min: u32, max: u32, spare: u32) -> PolicyDraft {
    PolicyDraft { limits: NodeLimits::new(min, max, spare).unwrap(), ..draft() }
}

fn planned(snapshot: &Snapshot, memory: Memory, draft: PolicyDraft) -> Plan {
    look(snapshot, memory, &policy(draft)).2
}

#[test]
fn what_is_there_is_used_before_anything_is_bought() {
    let two = size(2, 4);
    let fragment = Slot { free: two, claims: 1, ..slot("a") };
    let static_slots = |n: &str| Slot { name: n.to_owned(), total: two, free: two, ..slot("a") };
    for (row, demand, servers, slots, expected) in [
        ("an empty queue buys nothing", vec![], vec![], vec![], vec![]),
        ("a group without idle jobs buys nothing", vec![jobs(0, two)], vec![], vec![], vec![]),
        ("nodes for all", vec![jobs(3, size(8, 16))], vec![], vec![], vec!["create large in bergen"; 3]),
        (
            "the smallest that fits",
            vec![jobs(1, size(4, 8))],
            vec![],
            vec![],
            vec!["create medium in bergen"],
        ),
        ("a large one for many", vec![jobs(4, two)], vec![], vec![], vec!["create large in bergen"]),
        ("a fragment of a busy node", vec![jobs(1, two)], vec![up("a")], vec![fragment], vec![]),
        (
            "cores without memory are no room",
            vec![jobs(1, two)],
            vec![up("a")],
            vec![Slot { free: size(4, 0), claims: 1, ..slot("a") }],
            vec!["create medium in bergen"],
        ),
        ("a node that boots", vec![jobs(2, two)], vec![server("a", Building)], vec![], vec![]),
        ("a node that joins", vec![jobs(2, two)], vec![up("a")], vec![], vec![]),
        (
            "static slots are not one room",
            vec![jobs(1, size(4, 8))],
            vec![up("a")],
            vec![static_slots("slot1@a"), static_slots("slot2@a")],
            vec!["create large in bergen"],
        ),
        (
            "a slot that is not ours",
            vec![jobs(1, two)],
            vec![],
            vec![Slot { node: None, ..slot("desk") }],
            vec![],
        ),
        (
            "a drained node is resumed",
            vec![jobs(1, two)],
            vec![up("a")],
            vec![drained("a")],
            vec!["resume a"],
        ),
        (
            "a drained node that is too small goes",
            vec![jobs(1, size(8, 16))],
            vec![up("a")],
            vec![drained("a")],
            vec!["create large in bergen", "delete a"],
        ),
    ] {
        let plan = planned(&snapshot(demand, servers, slots), Memory::default(), draft());
        assert_eq!(deeds(&plan), expected, "{row}");
    }
}

type Row<'a> = (&'a str, PolicyDraft, Allowance, Vec<Server>, usize, &'a str);

#[test]
fn ceilings_hold_and_are_named() {
    let quota = |cores, used| Allowance { max: Some(cores), used };
    let of = |change: &dyn Fn(&mut CloudPolicy)| {
        let mut cloud = cloud_policy("bergen");
        change(&mut cloud);
        PolicyDraft { clouds: vec![cloud], ..draft() }
    };
    let at = |n| NonZeroU32::new(n).unwrap();
    let rows: Vec<Row> = vec![
        ("nodes_max", limits(0, 2, 0), quota(99, 0), vec![], 2, "node-limit"),
        ("what has failed counts", limits(0, 2, 0), quota(99, 0), vec![server("a", Error)], 1, "node-limit"),
        (
            "what goes counts",
            limits(0, 2, 0),
            quota(99, 0),
            vec![server("a", ServerStatus::Deleting)],
            1,
            "node-limit",
        ),
        ("the cloud's own", of(&|c| c.nodes_max = Some(1)), quota(99, 0), vec![], 1, "node-limit"),
        (
            "max_creating",
            of(&|c| c.max_creating = at(3)),
            quota(99, 0),
            vec![server("a", Building)],
            2,
            "creating",
        ),
        ("quota", draft(), quota(20, 3), vec![], 2, "quota"),
        (
            "quota, some left to others",
            of(&|c| c.reserve = Reserve { cores: 2, ..Reserve::default() }),
            quota(20, 3),
            vec![],
            1,
            "quota",
        ),
        ("an overdrawn quota", draft(), quota(4, 20), vec![], 0, "quota"),
    ];
    for (row, draft, cores, servers, bought, word) in rows {
        let mut snapshot = snapshot(vec![jobs(20, size(8, 16))], servers, vec![]);
        let view = snapshot.clouds.get_mut("bergen").unwrap();
        if let ehos_model::Observed::Seen { value: offer, .. } = &mut view.offer {
            offer.quota.cores = cores;
        }
        let plan = planned(&snapshot, Memory::default(), draft);
        assert_eq!(plan.steps.iter().filter(|step| step.action.buys()).count(), bought, "{row}: {plan:?}");
        assert_eq!(plan.unmet[0].blocker.word(), word, "{row}");
        assert!(plan.unmet[0].demand.jobs <= 20 - u64::try_from(bought).unwrap(), "{row}");
    }
}

#[test]
fn what_is_ordered_is_taken_off_the_quota() {
    let mut snapshot = snapshot(vec![jobs(9, size(8, 16))], vec![], vec![]);
    if let ehos_model::Observed::Seen { value: offer, .. } =
        &mut snapshot.clouds.get_mut("bergen").unwrap().offer
    {
        offer.quota.cores = Allowance { max: Some(20), used: 0 };
    }
    let order = |at| Order { cloud: "bergen".into(), flavor: "large".into(), at };
    for (row, memory, bought) in [
        ("nothing ordered", Memory::default(), 2),
        (
            "ordered, not listed",
            Memory { orders: [("a".into(), order(noon(-30)))].into(), ..Memory::default() },
            1,
        ),
        (
            "ordered long ago",
            Memory { orders: [("a".into(), order(noon(-300)))].into(), ..Memory::default() },
            2,
        ),
    ] {
        assert_eq!(planned(&snapshot, memory, draft()).steps.len(), bought, "{row}");
    }
}

#[test]
fn a_job_that_fits_nothing_has_its_blocker() {
    let large = size(64, 1);
    let known = snapshot(vec![jobs(1, large)], vec![], vec![]);
    let mut no_image = snapshot(vec![jobs(1, size(1, 1))], vec![], vec![]);
    if let ehos_model::Observed::Seen { value: offer, .. } =
        &mut no_image.clouds.get_mut("bergen").unwrap().offer
    {
        offer.image = None;
    }
    let mut silent = known.clone();
    silent.clouds.get_mut("bergen").unwrap().offer = unknown();
    let machine = Slot { node: None, total: size(99, 99), free: size(0, 0), ..slot("desk") };
    let waits = snapshot(vec![jobs(1, large)], vec![], vec![machine]);
    for (row, snapshot, blocker) in [
        ("no flavor", known, Blocker::NoFlavorFits { waits_for: None }),
        (
            "only a slot that is not free",
            waits,
            Blocker::NoFlavorFits { waits_for: Some("slot1@desk".to_owned()) },
        ),
        ("no image", no_image, Blocker::NoImage { cloud: "bergen".into() }),
        ("a cloud that does not answer", silent, Blocker::CloudUnknown { cloud: "bergen".into() }),
    ] {
        let plan = planned(&snapshot, Memory::default(), draft());
        assert_eq!((plan.steps, plan.unmet.len()), (vec![], 1), "{row}");
        assert_eq!(plan.unmet[0].blocker, blocker, "{row}");
    }
}

#[test]
fn a_cloud_that_was_never_listed_may_be_full() {
    let mut snapshot = snapshot(vec![jobs(9, size(8, 16))], vec![], vec![]);
    snapshot.clouds.insert("oslo".into(), cloud("oslo", vec![]));
    snapshot.clouds.get_mut("oslo").unwrap().servers = unknown();
    let with = |nodes_max| PolicyDraft {
        clouds: vec![cloud_policy("bergen"), CloudPolicy { nodes_max, ..cloud_policy("oslo") }],
        ..limits(0, 5, 0)
    };
    for (row, nodes_max, bought) in [("without a ceiling", None, 0), ("with one", Some(3), 2)] {
        assert_eq!(planned(&snapshot, Memory::default(), with(nodes_max)).steps.len(), bought, "{row}");
    }
    let mut memory = Memory::default();
    memory.clouds.entry("oslo".into()).or_default().listed = Some(noon(-60));
    assert_eq!(planned(&snapshot, memory, with(None)).steps.len(), 5, "it was listed, and had none");
}

#[test]
fn an_idle_node_is_drained_when_nothing_wants_it() {
    let nodes = || (vec![up("a"), up("b")], vec![slot("a"), slot("b")]);
    let rows: Vec<(&str, Vec<ehos_model::Demand>, PolicyDraft, Vec<&str>)> = vec![
        ("nothing waits", vec![], draft(), vec!["drain a", "drain b"]),
        ("a job for one of them", vec![jobs(1, size(2, 2))], draft(), vec!["drain b"]),
        ("jobs for both", vec![jobs(2, size(4, 8))], draft(), vec![]),
        ("a job that it cannot run", vec![jobs(1, size(64, 2))], draft(), vec!["drain a", "drain b"]),
        ("nodes_min", vec![], limits(1, 10, 0), vec!["drain a"]),
        ("nodes_spare", vec![], limits(0, 10, 1), vec!["drain a"]),
        ("nodes_spare beside a job", vec![jobs(1, size(2, 2))], limits(0, 10, 1), vec![]),
        ("within the grace", vec![], PolicyDraft { idle_grace: Duration::from_mins(11), ..draft() }, vec![]),
        (
            "above a lowered nodes_max, without grace",
            vec![],
            PolicyDraft { idle_grace: Duration::from_mins(11), ..limits(0, 1, 0) },
            vec!["drain a"],
        ),
        (
            "above a lowered nodes_max, although jobs wait",
            vec![jobs(2, size(4, 8))],
            limits(0, 1, 0),
            vec!["drain a"],
        ),
    ];
    for (row, demand, draft, expected) in rows {
        let (servers, slots) = nodes();
        let snapshot = snapshot(demand, servers, slots);
        let memory = idle_for_long(&snapshot, &draft);
        assert_eq!(deeds(&planned(&snapshot, memory, draft)), expected, "{row}");
    }
    let (servers, slots) = nodes();
    let snapshot = snapshot(vec![], servers, slots);
    let plan = planned(&snapshot, Memory::default(), draft());
    assert_eq!(
        (deeds(&plan), plan.wake_at),
        (vec![], Some(noon(300))),
        "without memory the grace begins anew"
    );
}

#[test]
fn headroom_is_kept() {
    let (servers, slots) = (vec![up("a")], vec![slot("a")]);
    for (row, demand, draft, expected) in [
        ("nodes_min", vec![], limits(3, 10, 0), vec!["create medium in bergen"; 2]),
        ("nodes_spare", vec![], limits(0, 10, 2), vec!["create medium in bergen"]),
        (
            "nodes_spare beside jobs",
            vec![jobs(1, size(4, 8))],
            limits(0, 10, 2),
            vec!["create medium in bergen"; 2],
        ),
        (
            "never above nodes_max",
            vec![jobs(1, size(4, 8))],
            limits(0, 2, 2),
            vec!["create medium in bergen"],
        ),
    ] {
        let plan = planned(&snapshot(demand, servers.clone(), slots.clone()), Memory::default(), draft);
        assert_eq!(deeds(&plan), expected, "{row}");
    }
    let drained = snapshot(vec![], servers, vec![drained("a")]);
    assert_eq!(
        deeds(&planned(&drained, Memory::default(), limits(1, 10, 0))),
        ["resume a"],
        "resumed, not bought"
    );
}

#[test]
fn unknown_is_not_empty() {
    let all = || {
        let servers = vec![
            up("idle"),
            up("drained"),
            server("failed", Error),
            Server { created: noon(-9999), ..up("late") },
        ];
        let slots = vec![slot("idle"), drained("drained"), Slot { started: noon(-900), ..slot("gone") }];
        snapshot(vec![jobs(9, size(8, 16))], servers, slots)
    };
    let memory = |snapshot: &Snapshot| {
        let mut memory = idle_for_long(snapshot, &draft());
        memory.nodes.values_mut().for_each(|node| node.error_seen = Some(noon(-600)));
        memory
    };
    let known = all();
    let plan = planned(&known, memory(&known), limits(0, 5, 0));
    let mut sorted = deeds(&plan);
    sorted.sort();
    let expected = [
        "create large in bergen",
        "delete drained",
        "delete failed",
        "delete late",
        "drain idle",
        "release gone",
    ];
    assert_eq!(sorted, expected, "all known");
    let blind = Snapshot { slots: unknown(), ..all() };
    assert_eq!(
        deeds(&planned(&blind, memory(&known), limits(0, 5, 0))),
        ["create large in bergen"],
        "slots unknown"
    );
    let deaf = Snapshot { demand: unknown(), ..all() };
    let plan = planned(&deaf, memory(&known), limits(5, 5, 0));
    assert_eq!(
        deeds(&plan),
        ["delete failed", "delete late", "release gone"],
        "demand unknown: only what has failed"
    );
    let mut lost = all();
    lost.clouds.get_mut("bergen").unwrap().servers = unknown();
    assert_eq!(deeds(&planned(&lost, memory(&known), limits(0, 5, 0))), [""; 0], "the cloud unknown");
}

#[test]
fn a_drain_may_be_limited_by_the_operator() {
    let draining =
        Slot { draining: true, claims: 1, free: size(2, 4), state_since: noon(-3600), ..slot("a") };
    let snapshot = snapshot(vec![jobs(1, size(2, 4))], vec![up("a")], vec![draining]);
    assert_eq!(deeds(&planned(&snapshot, Memory::default(), draft())), ["resume a"], "as long as it takes");
    let limited = PolicyDraft { drain_timeout: Some(Duration::from_mins(30)), ..draft() };
    let plan = planned(&snapshot, Memory::default(), limited);
    assert_eq!(deeds(&plan), ["delete a", "create medium in bergen"]);
    assert_eq!(
        plan.steps[0].reason,
        "draining for 1h, drain_timeout allows 30m; this kills what runs on it (1 claim)"
    );
}

#[test]
fn a_failed_create_is_backed_off_by_its_kind() {
    let snapshot = snapshot(vec![jobs(1, size(4, 8))], vec![], vec![]);
    let create = |flavor: &str| Action::Create {
        node: "x".into(),
        cloud: "bergen".into(),
        flavor: FlavorName::from(flavor),
        image: None,
    };
    let retry_after = Some(Duration::from_mins(3));
    for (row, kind, expected, until) in [
        ("quota: the flavor", FailureKind::Quota, vec!["create large in bergen"], None),
        ("no host: the flavor", FailureKind::NoValidHost, vec!["create large in bergen"], None),
        ("refused: the flavor", FailureKind::Rejected, vec!["create large in bergen"], None),
        ("no login: the cloud", FailureKind::Auth, vec![], Some(30)),
        ("asked to wait: the cloud", FailureKind::Transient { retry_after }, vec![], Some(180)),
    ] {
        let step = Step { action: create("medium"), reason: String::new() };
        let outcome = Outcome { step, at: noon(0), result: Err(Failure::new(kind.clone(), "no")) };
        let mut memory = Memory::default().after(&[outcome]);
        assert_eq!(
            memory.orders.len(),
            usize::from(until == Some(180)),
            "{row}: only an ambiguous one may be there"
        );
        memory.orders.clear();
        let plan = planned(&snapshot, memory.clone(), draft());
        assert_eq!(deeds(&plan), expected, "{row}");
        assert_eq!(plan.wake_at, until.map(noon), "{row}");
        let again = Snapshot { at: noon(300), ..snapshot.clone() };
        assert_eq!(
            deeds(&planned(&again, memory, draft())),
            ["create medium in bergen"],
            "{row}: tried again"
        );
    }
}

#[test]
fn each_allocation_chooses_its_cloud() {
    let allocations = [
        (NodeAllocation::RoundRobin, "create medium in oslo"),
        (NodeAllocation::FillFirst, "create medium in tromso"),
        (NodeAllocation::Cheapest, "create medium in oslo"),
        (NodeAllocation::LeastWaste, "create medium in tromso"),
    ];
    let mut snapshot = snapshot(vec![jobs(1, size(3, 6))], vec![], vec![]);
    for name in ["oslo", "tromso"] {
        snapshot.clouds.insert(name.into(), cloud(name, vec![]));
    }
    let clouds = vec![
        CloudPolicy { flavors: vec!["large".into()], price: Some(0.2), ..cloud_policy("bergen") },
        CloudPolicy { price: Some(0.3), ..cloud_policy("oslo") },
        CloudPolicy { priority: -1, ..cloud_policy("tromso") },
    ];
    for (allocation, expected) in allocations {
        let memory = Memory { last_cloud: Some("bergen".into()), ..Memory::default() };
        let draft = PolicyDraft { allocation, clouds: clouds.clone(), ..draft() };
        assert_eq!(deeds(&planned(&snapshot, memory, draft)), [expected], "{allocation:?}");
    }
}

#[test]
fn the_memory_survives_json_and_keeps_what_was_intended() {
    let snapshot =
        snapshot(vec![jobs(3, size(8, 16))], vec![up("a"), up("b")], vec![drained("a"), busy("b")]);
    let (_, memory, plan) = look(&snapshot, Memory::default(), &policy(limits(3, 10, 0)));
    assert_eq!(deeds(&plan).iter().filter(|deed| deed.starts_with("create")).count(), 3);
    let memory = memory.intending(&plan, noon(0));
    let read: Memory = serde_json::from_str(&serde_json::to_string(&memory).unwrap()).unwrap();
    assert_eq!(read, memory);
    assert_eq!(read.orders.len(), 3, "a kill between the orders and the next listing buys nothing twice");
    assert_eq!(serde_json::from_str::<Memory>("{}").unwrap(), Memory::default(), "of an older version");
    let again = Snapshot { at: noon(30), ..snapshot };
    assert_eq!(deeds(&look(&again, read, &policy(limits(3, 10, 0))).2), ["delete a"], "all are under way");
}

#[test]
fn a_resume_is_believed_after_a_kill() {
    let snapshot = snapshot(vec![jobs(1, size(2, 4))], vec![up("a")], vec![drained("a")]);
    let (_, memory, plan) = look(&snapshot, Memory::default(), &policy(draft()));
    assert_eq!(deeds(&plan), ["resume a"]);
    let memory = memory.intending(&plan, noon(0));
    // The job runs by now; the ad is old.
    let later = Snapshot { at: noon(10), demand: crate::testing::seen(vec![]), ..snapshot };
    assert_eq!(deeds(&planned(&later, memory, draft())), [""; 0], "not deleted");
}
