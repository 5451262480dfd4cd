//! One named row a rule.

use std::time::Duration;

use ehos_model::{Role, Server, ServerStatus, Slot, Snapshot, Timestamp};

use crate::memory::{IdleMemory, NodeMemory, Order};
use crate::testing::{busy, cloud, draft, drained, noon, policy, server, slot, snapshot, unknown};
use crate::{Inventory, Memory, Phase, Stray, reconcile};

use ServerStatus::{Active, Building, Deleting, Error, Shutoff};

fn joined(heard: i64) -> NodeMemory {
    NodeMemory { heard: Some(noon(heard)), ..never_joined() }
}

fn never_joined() -> NodeMemory {
    NodeMemory {
        cloud: "bergen".into(),
        flavor: "medium".into(),
        ordered: noon(-600),
        booting: false,
        heard: None,
        idle: None,
        draining: None,
        drain_asked: None,
        resume_asked: None,
        delete_asked: None,
        error_seen: None,
        blamed: false,
    }
}

fn remembering(node: NodeMemory) -> Memory {
    Memory { nodes: [("n".into(), node)].into(), ..Memory::default() }
}

fn ordered(at: i64) -> Memory {
    let order = Order { cloud: "bergen".into(), flavor: "medium".into(), at: noon(at) };
    Memory { orders: [("n".into(), order)].into(), ..Memory::default() }
}

fn of(snapshot: &Snapshot, memory: &Memory) -> Inventory {
    reconcile(snapshot, memory, &policy(draft()))
}

fn word(inventory: &Inventory) -> &'static str {
    inventory.node(&"n".into()).map_or("none", |node| node.phase.word())
}

fn old(server: Server) -> Server {
    Server { created: noon(-3600), ..server }
}

fn heard(at: i64, slot: Slot) -> Slot {
    Slot { heard: noon(at), ..slot }
}

type Row<'a> = (&'a str, Option<Server>, Vec<Slot>, Memory, &'a str);

#[test]
fn the_phase_follows_from_server_slots_and_memory() {
    let no = Memory::default;
    let booting = NodeMemory { booting: true, ..never_joined() };
    let in_error = |at| NodeMemory { error_seen: Some(noon(at)), ..never_joined() };
    let claimed = Slot { draining: true, claims: 1, ..slot("n") };
    let matched = Slot { state: ehos_model::SlotState::Matched, ..slot("n") };
    let second = |slot: Slot| Slot { name: "slot2@n".to_owned(), ..slot };
    let rows: Vec<Row> = vec![
        ("building", Some(server("n", Building)), vec![], no(), "building"),
        ("up, no startd yet", Some(server("n", Active)), vec![], no(), "joining"),
        ("no startd in time", Some(old(server("n", Active))), vec![], no(), "failed"),
        ("in BUILD for too long", Some(old(server("n", Building))), vec![], no(), "failed"),
        ("idle", Some(server("n", Active)), vec![slot("n")], no(), "idle"),
        ("a claim, although it reads Unclaimed", Some(server("n", Active)), vec![busy("n")], no(), "busy"),
        ("matched is not idle", Some(server("n", Active)), vec![matched], no(), "busy"),
        (
            "one of two slots claimed",
            Some(server("n", Active)),
            vec![slot("n"), second(busy("n"))],
            no(),
            "busy",
        ),
        ("draining, a job runs", Some(server("n", Active)), vec![claimed.clone()], no(), "draining"),
        (
            "one of two slots drained",
            Some(server("n", Active)),
            vec![drained("n"), second(claimed)],
            no(),
            "draining",
        ),
        ("drained", Some(server("n", Active)), vec![drained("n")], no(), "drained"),
        ("being deleted", Some(server("n", Deleting)), vec![slot("n")], no(), "deleting"),
        ("in ERROR, first seen", Some(server("n", Error)), vec![], no(), "lost"),
        ("in ERROR after it was up", Some(server("n", Error)), vec![], remembering(never_joined()), "lost"),
        ("in ERROR for a while", Some(server("n", Error)), vec![], remembering(in_error(-60)), "failed"),
        ("in ERROR after BUILD", Some(server("n", Error)), vec![], remembering(booting.clone()), "failed"),
        ("in ERROR after the order", Some(server("n", Error)), vec![], ordered(-30), "failed"),
        ("in ERROR, and its startd lives", Some(server("n", Error)), vec![busy("n")], no(), "busy"),
        ("shut down", Some(server("n", Shutoff)), vec![slot("n")], no(), "failed"),
        (
            "an unknown status is left alone",
            Some(server("n", ServerStatus::Other("PAUSED".into()))),
            vec![],
            no(),
            "lost",
        ),
        ("silent for too long", Some(server("n", Active)), vec![heard(-600, busy("n"))], no(), "failed"),
        ("silent for less", Some(server("n", Active)), vec![heard(-599, busy("n"))], no(), "busy"),
        ("its ad is gone", Some(old(server("n", Active))), vec![], remembering(joined(-300)), "lost"),
        (
            "its ad is gone for long",
            Some(old(server("n", Active))),
            vec![],
            remembering(joined(-600)),
            "failed",
        ),
        ("nothing but an ad", None, vec![slot("n")], no(), "none"),
        (
            "an ad younger than the listing",
            None,
            vec![Slot { started: noon(-30), ..slot("n") }],
            no(),
            "idle",
        ),
        ("ordered, not listed yet", None, vec![], ordered(-100), "building"),
        ("ordered, and never listed", None, vec![], ordered(-120), "none"),
        ("ordered and listed", Some(server("n", Active)), vec![], ordered(-100), "joining"),
        ("ordered, and in the pool already", None, vec![slot("n")], ordered(-100), "idle"),
    ];
    for (row, server, slots, memory, phase) in rows {
        let inventory = of(&snapshot(vec![], server.into_iter().collect(), slots), &memory);
        assert_eq!(word(&inventory), phase, "{row}");
    }
}

#[test]
fn an_accepted_step_is_believed_for_a_moment() {
    let asked = |drain: Option<i64>, resume: Option<i64>, delete: Option<i64>| {
        let time = |seconds: Option<i64>| -> Option<Timestamp> { seconds.map(noon) };
        remembering(NodeMemory {
            drain_asked: time(drain),
            resume_asked: time(resume),
            delete_asked: time(delete),
            ..joined(-10)
        })
    };
    for (row, slot, memory, phase) in [
        ("a drain that does not show yet", slot("n"), asked(Some(-59), None, None), "draining"),
        ("a drain that never showed", slot("n"), asked(Some(-60), None, None), "idle"),
        ("a job came first", busy("n"), asked(Some(-59), None, None), "busy"),
        ("a resume that does not show yet", drained("n"), asked(None, Some(-59), None), "idle"),
        ("a resume that never showed", drained("n"), asked(None, Some(-60), None), "drained"),
        ("a delete that does not show yet", drained("n"), asked(None, None, Some(-119)), "deleting"),
        ("a delete that never showed", drained("n"), asked(None, None, Some(-120)), "drained"),
    ] {
        let inventory = of(&snapshot(vec![], vec![server("n", Active)], vec![slot]), &memory);
        assert_eq!(word(&inventory), phase, "{row}");
    }
}

#[test]
fn a_node_that_worked_since_the_last_look_has_not_been_idle() {
    let idle = |job_starts, started| IdleMemory { since: noon(-400), job_starts, started: noon(started) };
    for (row, idle, since) in [
        ("idle all the time", Some(idle(3, -500)), -400),
        ("a short job in between", Some(idle(2, -500)), 0),
        ("a new startd", Some(idle(3, -900)), 0),
        ("nothing is remembered", None, 0),
    ] {
        let memory = remembering(NodeMemory { idle, ..joined(-10) });
        let inventory = of(&snapshot(vec![], vec![server("n", Active)], vec![slot("n")]), &memory);
        assert_eq!(inventory.nodes[0].phase, Phase::Idle { since: noon(since) }, "{row}");
    }
}

#[test]
fn nothing_is_concluded_while_the_pool_is_unknown() {
    for (row, server, memory, phase) in [
        ("up", server("n", Active), remembering(joined(-10)), "joining"),
        ("not in time", old(server("n", Active)), Memory::default(), "joining"),
        ("silent", old(server("n", Active)), remembering(joined(-3000)), "joining"),
        ("building for long", old(server("n", Building)), Memory::default(), "building"),
        ("in ERROR after it worked", server("n", Error), remembering(joined(-3000)), "lost"),
        ("in ERROR, never joined", server("n", Error), ordered(-30), "failed"),
    ] {
        let snapshot = Snapshot { slots: unknown(), ..snapshot(vec![], vec![server], vec![]) };
        assert_eq!(word(&of(&snapshot, &memory)), phase, "{row}");
    }
}

#[test]
fn silence_counts_from_when_somebody_listened() {
    for (row, blind, phase) in [("an hour ago", -3600, "failed"), ("lately", -100, "lost")] {
        let memory = Memory { blind_until: Some(noon(blind)), ..remembering(joined(-3600)) };
        let gone = snapshot(vec![], vec![old(server("n", Active))], vec![]);
        assert_eq!(word(&of(&gone, &memory)), phase, "joined, blind {row}");
    }
    for (row, blind, phase) in [("an hour ago", -3600, "failed"), ("lately", -100, "joining")] {
        let memory = Memory { blind_until: Some(noon(blind)), ..Memory::default() };
        let never = snapshot(vec![], vec![old(server("n", Active))], vec![]);
        assert_eq!(word(&of(&never, &memory)), phase, "never joined, blind {row}");
    }
    let memory = Memory { blind_until: Some(noon(-100)), ..Memory::default() };
    let stale = snapshot(vec![], vec![server("n", Active)], vec![heard(-3000, busy("n"))]);
    assert_eq!(word(&of(&stale, &memory)), "busy", "an ad from before the collector was silent");
}

#[test]
fn nodes_of_an_unknown_cloud_stay() {
    let rows: Vec<(&str, Vec<Slot>, NodeMemory, &str)> = vec![
        ("its startd tells of it", vec![busy("n")], joined(-10), "busy"),
        ("it was building", vec![], NodeMemory { booting: true, ..never_joined() }, "building"),
        ("it was joining", vec![], never_joined(), "joining"),
        ("it should have joined", vec![], NodeMemory { ordered: noon(-3600), ..never_joined() }, "lost"),
        ("its ad is gone", vec![], joined(-3000), "lost"),
        (
            "it was being deleted",
            vec![],
            NodeMemory { delete_asked: Some(noon(-300)), ..never_joined() },
            "lost",
        ),
    ];
    for (row, slots, memory, phase) in rows {
        let mut snapshot = snapshot(vec![], vec![], slots);
        snapshot.clouds.get_mut("bergen").unwrap().servers = unknown();
        let inventory = of(&snapshot, &remembering(memory));
        assert_eq!(word(&inventory), phase, "{row}");
        assert_eq!(inventory.nodes[0].server, None, "{row}");
    }
    let mut snapshot = snapshot(vec![], vec![], vec![Slot { cloud: None, ..slot("n") }]);
    assert_eq!(of(&snapshot, &Memory::default()).nodes.len(), 0, "all clouds were asked");
    snapshot.clouds.get_mut("bergen").unwrap().servers = unknown();
    assert_eq!(word(&of(&snapshot, &Memory::default())), "idle", "it may be the unknown cloud's");
}

#[test]
fn strays_are_told_apart() {
    let second = |status| Server { id: "second".into(), created: noon(-100), ..server("n", status) };
    for (row, servers, slots, kept, safe) in [
        (
            "both build: the older stays",
            vec![second(Building), server("n", Building)],
            vec![],
            "server-of-n",
            true,
        ),
        ("the one that is up stays", vec![server("n", Building), second(Active)], vec![], "second", true),
        (
            "both are up: in doubt",
            vec![server("n", Active), second(Active)],
            vec![slot("n")],
            "server-of-n",
            false,
        ),
        (
            "the startd may be of either",
            vec![server("n", Building), second(Error)],
            vec![slot("n")],
            "server-of-n",
            false,
        ),
        (
            "the startd is of the one that is up",
            vec![server("n", Active), second(Error)],
            vec![busy("n")],
            "server-of-n",
            true,
        ),
    ] {
        let inventory = of(&snapshot(vec![], servers, slots), &Memory::default());
        assert_eq!(inventory.nodes[0].server.as_ref().unwrap().id.as_str(), kept, "{row}");
        assert!(matches!(&inventory.strays[..], [Stray::Duplicate { safe: s, .. }] if *s == safe), "{row}");
        assert_eq!(inventory.existing(), 2, "{row}: both count");
    }
    let foreign = Slot { node: None, ..slot("desk") };
    let inventory = of(&snapshot(vec![], vec![], vec![foreign, slot("n")]), &Memory::default());
    assert!(matches!(&inventory.strays[..], [Stray::Foreign(_), Stray::Ad { .. }]), "{:?}", inventory.strays);
}

#[test]
fn a_startd_belongs_to_the_pool_that_it_names() {
    let of_pool = |pool: Option<&str>| Slot { pool: pool.map(Into::into), ..slot("n") };
    for (row, pool, servers, nodes, stray) in [
        ("ours, without a server", Some("pool"), vec![], 0, Some("ad")),
        ("another's is room, although it names a node", Some("theirs"), vec![], 0, Some("foreign")),
        ("none named and no server: not ours to touch", None, vec![], 0, Some("foreign")),
        ("none named, but the server is ours", None, vec![server("n", Active)], 1, None),
        (
            "another's does not speak for our server",
            Some("theirs"),
            vec![server("n", Active)],
            1,
            Some("foreign"),
        ),
    ] {
        let inventory = of(&snapshot(vec![], servers, vec![of_pool(pool)]), &Memory::default());
        assert_eq!(inventory.nodes.len(), nodes, "{row}");
        let strays: Vec<_> = inventory
            .strays
            .iter()
            .map(|stray| match stray {
                Stray::Ad { .. } => "ad",
                Stray::Duplicate { .. } => "duplicate",
                Stray::Foreign(_) => "foreign",
            })
            .collect();
        assert_eq!(strays, stray.into_iter().collect::<Vec<_>>(), "{row}");
    }
}

#[test]
fn only_execute_servers_are_nodes() {
    let nothing = Inventory::default();
    for role in [Role::Master, Role::Build, Role::Other("probe".to_owned())] {
        let other = Server { role, id: "other".into(), ..server("n", Active) };
        for (row, servers, slots, expected) in [
            ("without a startd", vec![other.clone()], vec![], nothing.clone()),
            (
                "a probe in the pool: no node, no room, no stray",
                vec![other.clone()],
                vec![slot("n")],
                nothing.clone(),
            ),
            ("a probe at work", vec![other.clone()], vec![busy("n")], nothing.clone()),
        ] {
            assert_eq!(of(&snapshot(vec![], servers, slots), &Memory::default()), expected, "{row}");
        }
        let both = snapshot(vec![], vec![other.clone(), server("n", Active)], vec![slot("n")]);
        assert_eq!(word(&of(&both, &Memory::default())), "idle", "a node's own startd is its own");
    }
    let gone = of(&snapshot(vec![], vec![], vec![slot("n")]), &Memory::default());
    assert!(matches!(&gone.strays[..], [Stray::Ad { .. }]), "a probe that is gone leaves ads like any other");
}

#[test]
fn the_inventory_is_ordered_and_searchable() {
    let mut snapshot = snapshot(vec![], vec![server("c", Active), server("a", Active)], vec![]);
    snapshot.clouds.insert("oslo".into(), cloud("oslo", vec![server("b", Active)]));
    let inventory = of(&snapshot, &Memory::default());
    assert_eq!(inventory.nodes.iter().map(|node| node.id.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(inventory.node(&"b".into()).unwrap().id.as_str(), "b");
    assert_eq!(inventory.node(&"d".into()), None);
    assert_eq!(Duration::ZERO, ehos_model::elapsed(noon(5), noon(0)), "a clock ahead is no time");
}
