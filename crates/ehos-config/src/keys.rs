//! The table of all keys: name, kind, default, meaning. Checks, suggestions, the reference and the example come from it.
//!
//! Deliberately knows nothing of files; what stands in them is held against it elsewhere.

mod table;

pub(crate) use self::table::{GONE, KEYS};

/// A part of the configuration with keys of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Section {
    Top,
    Cloud,
    CloudEmbedded,
    Flavor,
    Ehos,
    Daemon,
    Condor,
    Embedded,
    Load,
}

impl Section {
    /// Gives the name by which messages call it; `cloud` is the cloud it belongs to.
    pub(crate) fn path(self, cloud: Option<&str>) -> String {
        let own = match self {
            Self::Top => "",
            Self::Cloud => return format!("clouds.{}", cloud.unwrap_or("NAME")),
            Self::CloudEmbedded => return format!("{}.embedded", Self::Cloud.path(cloud)),
            Self::Embedded => "embedded",
            Self::Flavor => return format!("{}.flavors", Self::CloudEmbedded.path(cloud)),
            Self::Ehos => "ehos",
            Self::Daemon => "ehos_daemon",
            Self::Condor => "condor",
            Self::Load => "embedded.load",
        };
        match cloud {
            Some(cloud) => format!("clouds.{cloud}.{own}"),
            None => own.to_owned(),
        }
    }

    /// Gives what it is for, in a sentence.
    pub(crate) const fn doc(self) -> &'static str {
        match self {
            Self::Top => "The file.",
            Self::Cloud => "A cloud: one project in one region. Any name; as many as you like.",
            Self::CloudEmbedded => "How an embedded cloud behaves.",
            Self::Flavor => "A flavor that an embedded cloud sells.",
            Self::Ehos => "How servers are made. A cloud's own `ehos` overrides it for that cloud alone.",
            Self::Daemon => "How many nodes there are, and when.",
            Self::Condor => "The HTCondor pool.",
            Self::Embedded => "The pool inside ehosd, for a configuration whose clouds are embedded.",
            Self::Load => "Equal jobs that ehosd submits to its embedded pool by itself.",
        }
    }
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// One line of text.
    Text,
    /// One text, or a list of them.
    Texts,
    /// One path or a list of paths.
    Paths,
    /// A file or folder; relative to the file it is named in.
    Path,
    /// An address of a web service.
    Url,
    /// Text that is never shown.
    Secret,
    /// A whole number from `min` to `max`.
    Whole { min: u64, max: u64 },
    /// A whole number that may be negative.
    Signed,
    /// A number from 0 to `max`.
    Number { max: f64 },
    /// Yes or no.
    YesNo,
    /// A time; `zero` and `none` where these are values.
    Duration { zero: bool, none: bool },
    /// A time or two, between which one is drawn.
    DurationRange,
    /// Whole seconds or two of them, between which one is drawn.
    SecondsRange,
    /// An amount of memory or disk; bare numbers are in `unit`. `none` where that is a value.
    Size { unit: Unit, none: bool },
    /// One of a few words.
    Word(&'static [&'static str]),
    /// None, auto or the name of a pool.
    FloatingIp,
    /// An address to listen at, or none.
    Listen,
    /// A mapping with keys of its own.
    Part(Section),
    /// A list of such mappings.
    Rows(Section),
    /// Clouds by their names.
    Clouds,
}

/// What a bare number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Mebibytes,
    Gibibytes,
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    pub(crate) section: Section,
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// As one would write it; empty where there is none.
    pub(crate) default: &'static str,
    /// What it does, in a sentence; ends with who sets it where that is a program.
    pub(crate) doc: &'static str,
    /// Other names that are as good.
    pub(crate) aliases: &'static [&'static str],
    /// Names it had before; `section.name` where it stood elsewhere.
    pub(crate) old: &'static [&'static str],
    /// What stands in the example; behind `# ` where it is left switched off. Without one the default is, switched off.
    pub(crate) example: &'static str,
}

impl Key {
    const fn also(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    const fn old(self, old: &'static [&'static str]) -> Self {
        Self { old, ..self }
    }

    const fn example(self, example: &'static str) -> Self {
        Self { example, ..self }
    }

    /// Gives how a value is written in the example, and whether it is switched on there.
    pub(crate) fn sample(&self) -> (&'static str, bool) {
        match self.example.strip_prefix("# ") {
            Some(sample) => (sample, false),
            None if self.example.is_empty() => (self.default, false),
            None => (self.example, true),
        }
    }

    /// Tells whether a name means this key today.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }
}

/// A key of the Python EHOS that has no meaning any more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gone {
    pub(crate) section: Section,
    pub(crate) name: &'static str,
    /// What is there instead.
    pub(crate) instead: &'static str,
}

/// Finds a key by its name of today.
pub(crate) fn find(section: Section, name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.section == section && key.is(name))
}

/// Finds a key by a name it had before in this section, and tells where it is now.
pub(crate) fn find_old(section: Section, name: &str) -> Option<&'static Key> {
    let moved = format!("{}.{name}", section.path(None));
    let is_old =
        |key: &&Key| (key.section == section && key.old.contains(&name)) || key.old.contains(&&*moved);
    KEYS.iter().find(is_old)
}

/// Gives the keys of a section in the order of the table.
pub(crate) fn of(section: Section) -> impl Iterator<Item = &'static Key> {
    KEYS.iter().filter(move |key| key.section == section)
}

/// Tells whether a word is the name of a key.
pub(crate) fn is_key(word: &str) -> bool {
    KEYS.iter().any(|key| key.is(word))
}

/// Tells whether a word is the name of a key whose value may be shown.
pub(crate) fn is_harmless(word: &str) -> bool {
    KEYS.iter().any(|key| key.is(word) && key.kind != Kind::Secret)
        && !KEYS.iter().any(|key| key.is(word) && key.kind == Kind::Secret)
}
