//! Drift and images that were tried in vain: one named row a rule; what holds over time stands in the scenarios.

use std::time::Duration;

use ehos_model::{
    Allowance, CloudPolicy, CloudView, Demand, ImageId, NodeId, NodeLimits, Observed, PolicyDraft, Server,
    ServerStatus, Slot, Snapshot,
};

use crate::backoff::{self, Backoff};
use crate::memory::{MadeOf, Trial};
use crate::testing::{
    busy, cloud_policy, deeds, draft, drained, jobs, look, noon, policy, server, size, slot, snapshot,
    unknown,
};
use crate::{Memory, Note, Plan};

use ServerStatus::{Active, Building, Deleting};

/// Two nodes of the old image, in a cloud whose image is `image-2` now.
fn two(slots: Vec<Slot>) -> Snapshot {
    let mut snapshot = snapshot(vec![], vec![server("a", Active), server("b", Active)], slots);
    set_image(&mut snapshot, Some("image-2"));
    snapshot
}

fn idle() -> Vec<Slot> {
    vec![slot("a"), slot("b")]
}

fn view(snapshot: &mut Snapshot) -> &mut CloudView {
    snapshot.clouds.get_mut("bergen").unwrap()
}

fn set_image(snapshot: &mut Snapshot, image: Option<&str>) {
    if let Observed::Seen { value: offer, .. } = &mut view(snapshot).offer {
        offer.image = image.map(Into::into);
    }
}

fn server_of(snapshot: &mut Snapshot, node: &str, change: impl Fn(&mut Server)) {
    if let Observed::Seen { value: servers, .. } = &mut view(snapshot).servers {
        servers.iter_mut().filter(|server| server.node.as_str() == node).for_each(change);
    }
}

fn add(snapshot: &mut Snapshot, server: Server) {
    if let Observed::Seen { value: servers, .. } = &mut view(snapshot).servers {
        servers.push(server);
    }
}

/// As many as there are must be there, and there is a place more.
fn kept(nodes: u32) -> PolicyDraft {
    PolicyDraft { limits: NodeLimits::new(nodes, nodes + 1, 0).unwrap(), ..draft() }
}

fn drains(plan: &Plan) -> usize {
    deeds(plan).iter().filter(|deed| deed.starts_with("drain")).count()
}

#[test]
fn an_idle_node_that_differs_is_exchanged_although_nodes_min_wants_it() {
    type Change<'a> = &'a dyn Fn(&mut Snapshot);
    let nothing: Change = &|_| ();
    let same: Change = &|s| set_image(s, Some("image"));
    let cores = |used| {
        move |s: &mut Snapshot| {
            if let Observed::Seen { value: offer, .. } = &mut view(s).offer {
                offer.quota.cores = Allowance { max: Some(8), used };
            }
        }
    };
    let (full, overdrawn) = (cores(8), cores(9));
    let rows: Vec<(&str, Change, Vec<Slot>, Vec<&str>)> = vec![
        ("another image", nothing, idle(), vec!["drain a"]),
        ("the same image", same, idle(), vec![]),
        (
            "an image that is not known",
            &|s| ["a", "b"].iter().for_each(|node| server_of(s, node, |server| server.image = None)),
            idle(),
            vec![],
        ),
        ("no image to make another from", &|s| set_image(s, None), idle(), vec![]),
        ("an offer that is not known", &|s| view(s).offer = unknown(), idle(), vec![]),
        (
            "another template",
            &|s| {
                set_image(s, Some("image"));
                view(s).template = Some("template-2".to_owned());
            },
            idle(),
            vec!["drain a"],
        ),
        (
            "a template that is not known",
            &|s| {
                set_image(s, Some("image"));
                view(s).template = None;
            },
            idle(),
            vec![],
        ),
        (
            "a flavor that is not configured",
            &|s| {
                set_image(s, Some("image"));
                server_of(s, "b", |server| server.flavor = "huge".into());
            },
            idle(),
            vec!["drain b"],
        ),
        (
            "a flavor that is not known",
            &|s| {
                set_image(s, Some("image"));
                server_of(s, "b", |server| server.flavor = "unknown".into());
            },
            idle(),
            vec![],
        ),
        ("never a busy one", nothing, vec![busy("a"), busy("b")], vec![]),
        ("the one that is idle", nothing, vec![busy("a"), slot("b")], vec!["drain b"]),
        (
            "another is on its way out, which a place is bought for",
            &|s| server_of(s, "b", |server| server.status = Deleting),
            idle(),
            vec!["create medium in bergen"],
        ),
        (
            "another boots in the place of one that went",
            &|s| {
                add(s, server("c", Building));
                server_of(s, "c", |server| server.image = Some("image-2".into()));
            },
            idle(),
            vec![],
        ),
        (
            "drained: not taken back for nodes_min, which buys another",
            nothing,
            vec![slot("a"), drained("b")],
            vec!["create medium in bergen", "delete b"],
        ),
        ("the quota has a place for another when it is gone", &full, idle(), vec!["drain a"]),
        ("the quota has none even then", &overdrawn, idle(), vec![]),
        ("unknown slots", &|s| s.slots = unknown(), idle(), vec![]),
        ("unknown demand", &|s| s.demand = unknown(), idle(), vec![]),
    ];
    for (row, change, slots, expected) in rows {
        let mut snapshot = two(slots);
        change(&mut snapshot);
        let plan = look(&snapshot, Memory::default(), &policy(kept(2))).2;
        assert_eq!(deeds(&plan), expected, "{row}");
    }
}

#[test]
fn jobs_come_first() {
    type Row<'a> = (&'a str, Vec<Demand>, Vec<Slot>, Vec<&'a str>);
    let rows: Vec<Row> = vec![
        ("jobs for one: the other goes", vec![jobs(1, size(4, 8))], idle(), vec!["drain b"]),
        ("jobs for both", vec![jobs(2, size(4, 8))], idle(), vec![]),
        ("taken back for a job", vec![jobs(2, size(4, 8))], vec![slot("a"), drained("b")], vec!["resume b"]),
    ];
    for (row, demand, slots, expected) in rows {
        let snapshot = Snapshot { demand: crate::testing::seen(demand), ..two(slots) };
        let plan = look(&snapshot, Memory::default(), &policy(kept(2))).2;
        assert_eq!(deeds(&plan), expected, "{row}");
    }
    let mut mixed = two(idle());
    server_of(&mut mixed, "b", |server| server.image = Some("image-2".into()));
    mixed.demand = crate::testing::seen(vec![jobs(1, size(4, 8))]);
    let plan = look(&mixed, Memory::default(), &policy(kept(2))).2;
    assert_eq!(deeds(&plan), ["drain a"], "jobs are counted on the node that stays");
    let older = PolicyDraft { idle_grace: Duration::ZERO, ..draft() };
    let plan = look(&two(idle()), Memory::default(), &policy(older)).2;
    assert_eq!(drains(&plan), 2, "what nothing wants goes anyway, differing or not");
}

#[test]
fn jobs_for_one_node_buy_none_and_keep_it() {
    let of = |node: &str| Demand {
        requirements: Some(format!("(EhosNode == \"{node}\") && (TARGET.Arch == \"X86_64\")").into()),
        ..jobs(9, size(4, 8))
    };
    for (row, node, expected) in [
        ("a probe's test job", "probe", vec!["drain a"]),
        ("the node would go, had nobody asked for it", "a", vec!["drain b"]),
    ] {
        let snapshot = Snapshot { demand: crate::testing::seen(vec![of(node)]), ..two(idle()) };
        let plan = look(&snapshot, Memory::default(), &policy(kept(2))).2;
        assert_eq!(deeds(&plan), expected, "{row}");
        assert_eq!(plan.unmet[0].blocker.word(), "only-on", "{row}");
    }
}

#[test]
fn one_in_ten_goes_at_a_time_and_fewer_of_what_is_not_proven() {
    let pool = |nodes: u32| {
        let names: Vec<String> = (0..nodes).map(|i| format!("n{i:03}")).collect();
        let servers = names.iter().map(|name| server(name, Active)).collect();
        let mut snapshot = snapshot(vec![], servers, names.iter().map(|name| slot(name)).collect());
        set_image(&mut snapshot, Some("image-2"));
        snapshot
    };
    let proven = |snapshot: &mut Snapshot| {
        server_of(snapshot, "n000", |server| server.image = Some("image-2".into()));
    };
    for (row, nodes, proof, gone) in [
        ("at least one", 5, true, 1),
        ("one in ten", 60, true, 6),
        ("three while none of the new image has joined", 60, false, 3),
        ("one in ten is less than three", 20, false, 2),
    ] {
        let mut snapshot = pool(nodes);
        if proof {
            proven(&mut snapshot);
        }
        let plan = look(&snapshot, Memory::default(), &policy(kept(nodes))).2;
        assert_eq!(drains(&plan), gone, "{row}");
    }
}

/// Nodes of `image-2` that have been up for an hour and never joined.
fn failing(nodes: &[&str], change: impl Fn(&mut Server)) -> (Snapshot, Memory) {
    let mut snapshot = two(idle());
    for node in nodes {
        let mut late = Server { image: Some("image-2".into()), created: noon(-3600), ..server(node, Active) };
        change(&mut late);
        add(&mut snapshot, late);
    }
    (snapshot, Memory::default())
}

#[test]
fn an_image_is_set_aside_when_its_first_three_nodes_fail_to_join() {
    type Row<'a> = (&'a str, Vec<&'a str>, &'a dyn Fn(&mut Server), Vec<&'a str>, bool);
    let as_it_is = |_: &mut Server| ();
    let want = vec!["create medium in bergen from image"];
    let configured = vec!["create large in bergen"];
    let rows: Vec<Row> = vec![
        ("three of them", vec!["x", "y", "z"], &as_it_is, want.clone(), true),
        ("two: the flavor is backed off", vec!["x", "y"], &as_it_is, configured.clone(), false),
        (
            "a server in BUILD is the cloud's doing",
            vec!["x", "y", "z"],
            &|server| server.status = Building,
            configured.clone(),
            false,
        ),
        (
            "nodes of the image that works",
            vec!["x", "y", "z"],
            &|server| server.image = Some("image".into()),
            configured,
            false,
        ),
    ];
    for (row, nodes, change, expected, aside) in rows {
        let (mut snapshot, memory) = failing(&nodes, change);
        snapshot.demand = crate::testing::seen(vec![jobs(3, size(4, 8))]);
        let (_, memory, plan) = look(&snapshot, memory, &policy(draft()));
        let bought: Vec<String> =
            deeds(&plan).into_iter().filter(|deed| deed.starts_with("create")).collect();
        assert_eq!(bought, expected, "{row}");
        assert_eq!(!plan.notes.is_empty(), aside, "{row}");
        let again = look(&Snapshot { at: noon(30), ..snapshot }, memory, &policy(draft())).2;
        assert_eq!(again.notes, plan.notes, "{row}: a failure counts once");
    }
}

#[test]
fn what_is_set_aside_comes_back_by_another_image_or_a_node_that_joins() {
    let (mut snapshot, memory) = failing(&["x", "y", "z"], |_| ());
    let (_, memory, plan) = look(&snapshot, memory, &policy(kept(2)));
    let note = Note::Image {
        cloud: "bergen".into(),
        image: "image-2".into(),
        instead: Some("image".into()),
        failed: ["x", "y", "z"].map(NodeId::from).into(),
    };
    assert_eq!(plan.notes, [note]);
    assert_eq!(drains(&plan), 0, "nodes of the old image do not differ from what is made now");
    let text = plan.notes[0].to_string();
    for words in ["image-2 of bergen is set aside", "3 nodes", "x, y, z", "made from image,", "--force"] {
        assert!(text.contains(words), "{words} in {text}");
    }
    let read: Memory = serde_json::from_str(&serde_json::to_string(&memory).unwrap()).unwrap();
    assert_eq!(read, memory);
    let silent = Snapshot { demand: unknown(), ..snapshot.clone() };
    assert_eq!(
        look(&silent, memory.clone(), &policy(kept(2))).2.notes,
        plan.notes,
        "said whatever is unknown"
    );
    let mut late = snapshot.clone();
    if let Observed::Seen { value: slots, .. } = &mut late.slots {
        slots.push(slot("y"));
    }
    let plan = look(&late, memory.clone(), &policy(kept(2))).2;
    assert_eq!((plan.notes.len(), drains(&plan)), (0, 1), "one of it joined after all");
    set_image(&mut snapshot, Some("image-3"));
    let plan = look(&snapshot, memory, &policy(kept(2))).2;
    assert_eq!((plan.notes.len(), drains(&plan)), (0, 1), "another image is configured");
}

#[test]
fn without_an_older_image_the_back_off_goes_on() {
    let mut snapshot = snapshot(vec![jobs(1, size(4, 8))], vec![], vec![]);
    for node in ["x", "y", "z"] {
        add(&mut snapshot, Server { created: noon(-3600), ..server(node, Active) });
    }
    let only_medium = || {
        let medium = CloudPolicy { flavors: vec!["medium".into()], ..cloud_policy("bergen") };
        policy(PolicyDraft { clouds: vec![medium], ..draft() })
    };
    let (_, memory, plan) = look(&snapshot, Memory::default(), &only_medium());
    assert_eq!(deeds(&plan), ["delete x", "delete y", "delete z"]);
    assert!(matches!(&plan.notes[..], [Note::Image { instead: None, .. }]), "{:?}", plan.notes);
    assert_eq!(plan.unmet[0].blocker.word(), "cool-down");
    set_image(&mut snapshot, Some("image-2"));
    let plan = look(&snapshot, memory, &only_medium()).2;
    assert_eq!(
        deeds(&plan).last().map(String::as_str),
        Some("create medium in bergen"),
        "at once when repaired"
    );
}

#[test]
fn a_template_that_was_tried_in_vain_is_not_spread() {
    let (mut snapshot, memory) = failing(&["x", "y", "z"], |server| {
        server.image = Some("image".into());
        server.template = Some("template-2".to_owned());
    });
    set_image(&mut snapshot, Some("image"));
    view(&mut snapshot).template = Some("template-2".to_owned());
    let (_, memory, plan) = look(&snapshot, memory, &policy(kept(2)));
    assert_eq!(drains(&plan), 0);
    assert!(matches!(&plan.notes[..], [Note::Template { .. }]), "{:?}", plan.notes);
    // A new image cannot make up for it, and is not to blame.
    set_image(&mut snapshot, Some("image-2"));
    for node in ["u", "v", "w"] {
        let (image, template) = (Some("image-2".into()), Some("template-2".to_owned()));
        add(&mut snapshot, Server { image, template, created: noon(-3600), ..server(node, Active) });
    }
    let plan = look(&snapshot, memory, &policy(kept(2))).2;
    assert_eq!(drains(&plan), 0);
    assert!(matches!(&plan.notes[..], [Note::Template { .. }]), "{:?}", plan.notes);
}

#[test]
fn the_image_to_go_back_to_is_the_last_that_worked() {
    let works = |seconds| Trial::Works { last: noon(seconds) };
    let failed = Trial::Unproven { failed: ["x", "y", "z"].map(NodeId::from).into() };
    let images = |memory: &Memory| memory.clouds["bergen"].images.keys().cloned().collect::<Vec<ImageId>>();
    let mut memory = Memory::default();
    let bergen = memory.clouds.entry("bergen".into()).or_default();
    bergen.images = [
        ("image-0".into(), works(-9000)),
        ("image-1".into(), works(-5000)),
        ("image-2".into(), failed),
        ("image-9".into(), works(-7000)),
    ]
    .into();
    let mut snapshot = snapshot(vec![jobs(1, size(4, 8))], vec![], vec![]);
    set_image(&mut snapshot, Some("image-2"));
    let (_, memory, plan) = look(&snapshot, memory, &policy(draft()));
    assert_eq!(deeds(&plan), ["create medium in bergen from image-1"]);
    assert_eq!(images(&memory), ["image-1", "image-2"].map(ImageId::from), "the others are forgotten");
}

#[test]
fn only_the_back_off_that_the_image_caused_ends_with_it() {
    let made_of = |image: &str, template: &str| {
        let json = serde_json::json!({"image": image, "template": template});
        serde_json::from_value::<MadeOf>(json).unwrap()
    };
    for (row, suspects, ends) in [
        ("caused by it alone", vec![Some(made_of("image-2", "template"))], true),
        ("caused by what is made now", vec![Some(made_of("image", "template"))], false),
        ("something else failed", vec![None], false),
        ("something else failed as well", vec![Some(made_of("image-2", "template")), None], false),
    ] {
        let mut memory = Memory::default();
        let bergen = memory.clouds.entry("bergen".into()).or_default();
        let flavor = bergen.flavors.entry("medium".into()).or_default();
        for suspect in suspects {
            Backoff::fail(&mut flavor.backoff, backoff::FLAVOR, noon(-60), "failed", None, suspect);
        }
        let mut snapshot = snapshot(vec![], vec![], vec![]);
        set_image(&mut snapshot, Some("image"));
        let memory = look(&snapshot, memory, &policy(draft())).1;
        assert_eq!(memory.clouds["bergen"].flavors["medium"].backoff.is_none(), ends, "{row}");
    }
}
