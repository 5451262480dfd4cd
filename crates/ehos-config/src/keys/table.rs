//! The rows of the table of keys: longer than other files, since it is all of them and nothing else.
//!
//! Deliberately without logic.

use super::{Gone, Key, Kind, Section, Unit};

const COUNT: Kind = Kind::Whole { min: 0, max: u32::MAX as u64 };
const POSITIVE: Kind = Kind::Whole { min: 1, max: u32::MAX as u64 };
const TIME: Kind = Kind::Duration { zero: false, none: false };

const fn key(
    section: Section,
    name: &'static str,
    kind: Kind,
    default: &'static str,
    doc: &'static str,
) -> Key {
    Key { section, name, kind, default, doc, aliases: &[], old: &[], example: "" }
}

const fn gone(section: Section, name: &'static str, instead: &'static str) -> Gone {
    Gone { section, name, instead }
}

/// Keys that are read over with a warning.
pub(crate) static GONE: &[Gone] = &[
    gone(Section::Cloud, "no_cache", "nothing is cached that could be wrong"),
    gone(
        Section::Ehos,
        "purge_floating_ips",
        "`floating_ip` says whether nodes get one, and they go with the node",
    ),
    gone(Section::Ehos, "submission_nodes", "jobs are submitted on the master"),
    gone(Section::Ehos, "sleep_min", "a submitted job wakes ehosd at once; `sleep` is the longest it waits"),
    gone(
        Section::Daemon,
        "sleep_min",
        "a submitted job wakes ehosd at once; `sleep` is the longest it waits",
    ),
    gone(Section::Daemon, "node_log", "the history is kept under `state_dir`"),
    gone(Section::Daemon, "database", "the history is kept under `state_dir`"),
    gone(Section::Top, "influxdb", "metrics are served under `listen`"),
];

/// All keys.
pub(crate) static KEYS: &[Key] = &[
    // The file.
    key(Section::Top, "clouds", Kind::Clouds, "", "The clouds by their names."),
    key(Section::Top, "ehos", Kind::Part(Section::Ehos), "", Section::Ehos.doc()),
    key(Section::Top, "ehos_daemon", Kind::Part(Section::Daemon), "", Section::Daemon.doc())
        .also(&["daemon"]),
    key(Section::Top, "condor", Kind::Part(Section::Condor), "", Section::Condor.doc()),
    key(Section::Top, "embedded", Kind::Part(Section::Embedded), "", Section::Embedded.doc()),
    // A cloud.
    key(
        Section::Cloud,
        "backend",
        Kind::Word(&["openstack", "embedded"]),
        "openstack",
        "What it is: an OpenStack, or a cloud with a pool inside ehosd, to try things.",
    )
    .example("openstack"),
    key(Section::Cloud, "auth_url", Kind::Url, "", "Keystone's address, as in your keystone file.")
        .example("https://keystone.example.org:5000/v3"),
    key(Section::Cloud, "username", Kind::Text, "", "The user.").example("alice"),
    key(Section::Cloud, "password", Kind::Secret, "", "The user's password.").example("CHANGE-ME"),
    key(
        Section::Cloud,
        "password_file",
        Kind::Path,
        "",
        "A file that holds the password, in place of `password`.",
    )
    .example("# /etc/ehos/bergen.password"),
    key(Section::Cloud, "project_name", Kind::Text, "", "The project.").example("research"),
    key(Section::Cloud, "project_domain_name", Kind::Text, "Default", "The domain of the project.")
        .example("Default"),
    key(Section::Cloud, "project_domain_id", Kind::Text, "", "The same by its id.").example("# default"),
    key(Section::Cloud, "user_domain_name", Kind::Text, "Default", "The domain of the user.")
        .example("Default"),
    key(Section::Cloud, "user_domain_id", Kind::Text, "", "The same by its id.").example("# default"),
    key(Section::Cloud, "region_name", Kind::Text, "", "The region; not needed where there is only one.")
        .example("RegionOne"),
    key(
        Section::Cloud,
        "application_credential_id",
        Kind::Text,
        "",
        "An application credential in place of user, password, project and domains.",
    )
    .example("# 0123456789abcdef"),
    key(Section::Cloud, "application_credential_secret", Kind::Secret, "", "Its secret.")
        .example("# CHANGE-ME"),
    key(
        Section::Cloud,
        "cloud",
        Kind::Text,
        "",
        "Takes what is not set here from this cloud of `clouds.yaml` and `secure.yaml`, looked for in `.`, \
         `~/.config/openstack` and `/etc/openstack`.",
    )
    .example("# bergen"),
    key(
        Section::Cloud,
        "from_env",
        Kind::YesNo,
        "no",
        "Takes what is not set here from the environment: `$OS_AUTH_URL`, `$OS_USERNAME`, `$OS_PASSWORD` and so on.",
    ),
    key(
        Section::Cloud,
        "interface",
        Kind::Word(&["public", "internal", "admin"]),
        "public",
        "Which endpoints are used.",
    ),
    key(Section::Cloud, "cacert", Kind::Path, "", "A CA certificate to trust beside the system's, PEM.")
        .example("# /etc/ssl/certs/our-ca.pem"),
    key(Section::Cloud, "insecure", Kind::YesNo, "no", "Accepts any certificate. Only for test clouds."),
    key(Section::Cloud, "timeout", TIME, "30s", "The longest one call may take."),
    key(
        Section::Cloud,
        "image",
        Kind::Text,
        "",
        "The image of the nodes, id or name. Set by ehos_build_images.",
    )
    .example("None"),
    key(
        Section::Cloud,
        "nodes_max",
        COUNT,
        "",
        "The most nodes on this cloud; without it, only the pool's `nodes_max` counts.",
    )
    .example("# 40"),
    key(Section::Cloud, "priority", Kind::Signed, "0", "For `fill-first`: the lower comes first."),
    key(
        Section::Cloud,
        "price",
        Kind::Number { max: 1e9 },
        "",
        "For `cheapest`: price of a core-hour, in any currency. A cloud without one comes last.",
    )
    .example("# 0.02"),
    key(
        Section::Cloud,
        "ehos",
        Kind::Part(Section::Ehos),
        "",
        "Overrides of the section `ehos` for this cloud alone.",
    )
    .example("# {flavor: m1.xlarge}"),
    key(
        Section::Cloud,
        "embedded",
        Kind::Part(Section::CloudEmbedded),
        "",
        "How it behaves, for `backend: embedded`.",
    )
    .example("# {boot_time: 5s-12s, quota_cores: 40}"),
    // An embedded cloud.
    key(
        Section::CloudEmbedded,
        "flavors",
        Kind::Rows(Section::Flavor),
        "",
        "What it sells: m1.small to m1.xlarge unless set.",
    ),
    key(
        Section::CloudEmbedded,
        "boot_time",
        Kind::DurationRange,
        "8s",
        "From the create call to a server that is up; `5s-12s` draws between the two.",
    ),
    key(Section::CloudEmbedded, "join_time", Kind::DurationRange, "3s", "From there to a slot in the pool."),
    key(Section::CloudEmbedded, "quota_instances", COUNT, "", "The most servers it allows."),
    key(Section::CloudEmbedded, "quota_cores", COUNT, "", "The most cores it allows."),
    key(Section::CloudEmbedded, "quota_memory", COUNT, "", "The most memory it allows, in GiB."),
    key(
        Section::CloudEmbedded,
        "failure_rate",
        Kind::Number { max: 1.0 },
        "0",
        "The share of creates that end in ERROR, 0 to 1.",
    ),
    key(Section::Flavor, "name", Kind::Text, "", "Its name. Needed."),
    key(Section::Flavor, "cores", POSITIVE, "1", "Cores."),
    key(
        Section::Flavor,
        "memory",
        Kind::Size { unit: Unit::Mebibytes, none: false },
        "2GiB",
        "Memory; a bare number is in MiB.",
    ),
    key(
        Section::Flavor,
        "disk",
        Kind::Size { unit: Unit::Gibibytes, none: false },
        "20GiB",
        "Disk; a bare number is in GiB.",
    ),
    key(Section::Flavor, "gpus", COUNT, "0", "GPUs."),
    // How servers are made.
    key(
        Section::Ehos,
        "project_prefix",
        Kind::Text,
        "ehos",
        "First part of server names: `PREFIX-execute-TIME-RANDOM`. Lower case letters, digits and hyphens.",
    )
    .example("ehos"),
    key(
        Section::Ehos,
        "flavors",
        Kind::Texts,
        "",
        "One flavor or a list, by name; the planner picks what fits the jobs.",
    )
    .also(&["flavor"])
    .example("[m1.medium, m1.xlarge]"),
    key(Section::Ehos, "image", Kind::Text, "", "What ehos_build_images starts from, name or id.")
        .old(&["base_image_id", "image_id"])
        .example("debian-13"),
    key(
        Section::Ehos,
        "network",
        Kind::Texts,
        "",
        "One network or a list, name or id; not needed where there is only one.",
    )
    .also(&["networks"])
    .example("private"),
    key(Section::Ehos, "key", Kind::Text, "", "The keypair.").example("ehos_key"),
    key(Section::Ehos, "security_groups", Kind::Texts, "", "One security group or a list, name or id.")
        .also(&["security_group"])
        .example("ehos"),
    key(
        Section::Ehos,
        "scratch_size",
        Kind::Size { unit: Unit::Gibibytes, none: true },
        "none",
        "A scratch volume for each node; a bare number is in GiB. It is deleted with the node.",
    )
    .example("# 50GiB"),
    key(
        Section::Ehos,
        "floating_ip",
        Kind::FloatingIp,
        "none",
        "Whether nodes get a floating IP: none, auto, or the name of a pool.",
    )
    .example("none"),
    key(
        Section::Ehos,
        "userdata_file",
        Kind::Path,
        "",
        "Your own execute.yaml, in place of the one in share/.",
    )
    .example("None")
    .old(&["ehos_daemon.execute_config"]),
    key(
        Section::Ehos,
        "userdata_parts",
        Kind::Paths,
        "",
        "Your own pieces of user-data beside the template: a cloud-config or a script, one or a list.",
    )
    .example("# [site.yaml, mount-data.sh]"),
    // The daemon.
    key(
        Section::Daemon,
        "master_cloud",
        Kind::Text,
        "",
        "Where ehosd_deploy puts the master; the only cloud, if there is one.",
    )
    .example("None"),
    key(
        Section::Daemon,
        "nodes_min",
        COUNT,
        "2",
        "Nodes that are always there; unless set, at most `nodes_max`.",
    )
    .example("2")
    .old(&["ehos.nodes_min"]),
    key(Section::Daemon, "nodes_max", COUNT, "6", "The most nodes there are, over all clouds.")
        .example("6")
        .old(&["ehos.nodes_max"]),
    key(
        Section::Daemon,
        "nodes_spare",
        COUNT,
        "2",
        "Idle nodes kept in reserve, below `nodes_max`; unless set, at most `nodes_max`.",
    )
    .example("2")
    .old(&["ehos.nodes_spare"]),
    key(
        Section::Daemon,
        "sleep",
        TIME,
        "30s",
        "The longest time between two looks; a submitted job wakes ehosd at once.",
    )
    .old(&["sleep_max", "ehos.sleep_max", "ehos.sleep"])
    .example("30"),
    key(
        Section::Daemon,
        "node_allocation",
        Kind::Word(&["round-robin", "random", "fill-first", "cheapest", "least-waste"]),
        "round-robin",
        "Which cloud and flavor the next node gets.",
    )
    .example("round-robin"),
    key(
        Section::Daemon,
        "min_cores",
        COUNT,
        "4",
        "A cloud is left alone when its quota has no more cores than this left.",
    )
    .example("4"),
    key(
        Section::Daemon,
        "min_ram",
        Kind::Size { unit: Unit::Gibibytes, none: false },
        "8",
        "The same for memory; a bare number is in GiB.",
    )
    .example("8"),
    key(Section::Daemon, "min_instances", COUNT, "0", "The same for servers.").example("0"),
    key(
        Section::Daemon,
        "idle_grace",
        Kind::Duration { zero: true, none: false },
        "5m",
        "A node that has been idle for less is not drained.",
    )
    .example("5m"),
    key(
        Section::Daemon,
        "boot_timeout",
        TIME,
        "20m",
        "From the create call to a slot in the pool; then the node has failed and is replaced.",
    )
    .example("20m"),
    key(Section::Daemon, "lost_timeout", TIME, "10m", "A node that is not heard of for that long is lost.")
        .example("10m"),
    key(
        Section::Daemon,
        "drain_timeout",
        Kind::Duration { zero: false, none: true },
        "none",
        "How long the jobs of a draining node may go on; none: as long as they take.",
    )
    .example("none"),
    key(Section::Daemon, "max_creating", POSITIVE, "20", "Servers being built at one time, per cloud.")
        .example("20"),
    key(
        Section::Daemon,
        "listen",
        Kind::Listen,
        "127.0.0.1:9680",
        "Status page, API and metrics; none: off. Comes with a later version.",
    ),
    key(
        Section::Daemon,
        "state_dir",
        Kind::Path,
        "/var/lib/ehos",
        "History and recorded ticks; losing it loses no server. With embedded clouds it is \
         $XDG_RUNTIME_DIR/ehos-demo unless set, or ehos-UID in the folder for temporary files.",
    )
    .example("/var/lib/ehos"),
    // The pool.
    key(
        Section::Condor,
        "host_ip",
        Kind::Text,
        "",
        "The address at which the nodes reach the master. Set by ehosd_deploy.",
    )
    .example("192.0.2.10"),
    key(
        Section::Condor,
        "password",
        Kind::Secret,
        "",
        "Pool password or signing key. Set by ehos_build_images or ehosd_deploy.",
    )
    .example("None"),
    key(
        Section::Condor,
        "authentication",
        Kind::Word(&["idtokens", "password"]),
        "idtokens",
        "How nodes are let into the pool.",
    )
    .example("idtokens"),
    key(
        Section::Condor,
        "token_lifetime",
        TIME,
        "7d",
        "How long the token is good for with which a node joins.",
    )
    .example("7d"),
    key(
        Section::Condor,
        "pool_id",
        Kind::Text,
        "",
        "The pool's name in the metadata of everything EHOS makes; what does not carry it is never touched. \
         PREFIX@HOST_IP unless set; do not change it while there are nodes.",
    )
    .example("# ehos@bergen"),
    // The embedded pool.
    key(Section::Embedded, "load", Kind::Rows(Section::Load), "", "Jobs that ehosd submits to itself."),
    key(Section::Load, "jobs", POSITIVE, "1", "How many."),
    key(
        Section::Load,
        "seconds",
        Kind::SecondsRange,
        "60",
        "How long each runs; `20-60` draws between the two.",
    ),
    key(Section::Load, "cores", POSITIVE, "1", "Cores each asks for."),
    key(
        Section::Load,
        "memory",
        Kind::Size { unit: Unit::Mebibytes, none: false },
        "1GiB",
        "Memory each asks for; a bare number is in MiB.",
    ),
    key(
        Section::Load,
        "disk",
        Kind::Size { unit: Unit::Mebibytes, none: false },
        "0",
        "Disk each asks for; a bare number is in MiB.",
    ),
    key(Section::Load, "gpus", COUNT, "0", "GPUs each asks for."),
    key(
        Section::Load,
        "at",
        Kind::Duration { zero: true, none: false },
        "0s",
        "How long after the start they are submitted.",
    ),
];
