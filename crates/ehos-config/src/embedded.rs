//! Builds the settings of the embedded world: what its clouds sell, how they behave, which jobs it starts with.
//!
//! Deliberately runs nothing; the world itself is in `ehos-sim`.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ehos_model::{Mebibytes, Resources};

use crate::document::{self, Document, View};
use crate::keys::Section;
use crate::load::Environment;
use crate::report::{Finding, Report};
use crate::value::{Row, Value};
use crate::{EmbeddedFlavor, EmbeddedSettings, LoadItem};

/// Name, cores, GiB of memory, GiB of disk of the flavors that are sold unless others are set.
const FLAVORS: [(&str, u32, u64, u64); 4] =
    [("m1.small", 1, 2, 20), ("m1.medium", 2, 4, 40), ("m1.large", 4, 8, 80), ("m1.xlarge", 8, 16, 160)];

/// Gives the folder that state and socket of the embedded world are in unless set.
pub(crate) fn state_dir(environment: &Environment) -> PathBuf {
    let runtime =
        environment.variables.get("XDG_RUNTIME_DIR").filter(|folder| Path::new(folder).is_absolute());
    match runtime {
        Some(folder) => Path::new(folder).join("ehos-demo"),
        None => environment.temp_dir.join(format!("ehos-{}", environment.uid)),
    }
}

/// Builds the settings of one embedded cloud.
pub(crate) fn cloud(document: &Document, name: &str, report: &mut Report) -> EmbeddedSettings {
    let view = document.view(Section::CloudEmbedded, Some(name));
    let quota = |key| view.count(key).map(u64::from);
    EmbeddedSettings {
        flavors: flavors(view, report),
        boot_time: time(view, "boot_time"),
        join_time: time(view, "join_time"),
        quota_instances: quota("quota_instances"),
        quota_cores: quota("quota_cores"),
        quota_memory: quota("quota_memory"),
        failure_rate: view.number("failure_rate").unwrap_or_default(),
    }
}

fn flavors(view: View<'_>, report: &mut Report) -> Vec<EmbeddedFlavor> {
    let Some(rows) = view.rows("flavors").filter(|rows| !rows.is_empty()) else {
        let size = |(name, cores, memory, disk): (&str, u32, u64, u64)| EmbeddedFlavor {
            name: name.to_owned(),
            size: Resources {
                cores,
                memory: Mebibytes::from_gibibytes(memory),
                disk: Mebibytes::from_gibibytes(disk),
                gpus: 0,
            },
        };
        return FLAVORS.map(size).to_vec();
    };
    let mut flavors: Vec<EmbeddedFlavor> = Vec::new();
    for row in rows {
        let Some(Value::Text(name)) = row.get("name") else {
            report
                .push(Finding::error(view.at("flavors"), "a flavor has no name").label("each needs `name`"));
            continue;
        };
        if flavors.iter().any(|flavor| flavor.name == *name) {
            report.push(Finding::error(view.at("flavors"), format!("the flavor `{name}` is there twice")));
        }
        flavors.push(EmbeddedFlavor { name: name.clone(), size: resources(Section::Flavor, row) });
    }
    flavors
}

fn time(view: View<'_>, key: &'static str) -> RangeInclusive<Duration> {
    match view.get(key) {
        Some(Value::Durations(min, max)) => *min..=*max,
        _ => Duration::ZERO..=Duration::ZERO,
    }
}

fn get<'a>(section: Section, row: &'a Row, key: &'static str) -> Option<&'a Value> {
    row.get(key).or_else(|| document::default(section, key))
}

fn resources(section: Section, row: &Row) -> Resources {
    let count = |key| match get(section, row, key) {
        Some(Value::Whole(number)) => u32::try_from(*number).unwrap_or(u32::MAX),
        _ => 0,
    };
    let size = |key| match get(section, row, key) {
        Some(Value::Size(size)) => *size,
        _ => Mebibytes(0),
    };
    Resources { cores: count("cores"), memory: size("memory"), disk: size("disk"), gpus: count("gpus") }
}

/// Builds the jobs that the daemon submits itself.
pub(crate) fn load(document: &Document, is_embedded: bool, report: &mut Report) -> Vec<LoadItem> {
    let view = document.view(Section::Embedded, None);
    let rows = view.rows("load").unwrap_or_default();
    if !rows.is_empty() && !is_embedded {
        let finding = Finding::warning(view.at("load"), "`embedded.load` has no effect on a real pool")
            .label("only for `backend: embedded`");
        report.push(finding);
        return Vec::new();
    }
    rows.iter().map(item).collect()
}

fn item(row: &Row) -> LoadItem {
    let get = |key| get(Section::Load, row, key);
    LoadItem {
        jobs: match get("jobs") {
            Some(Value::Whole(jobs)) => u32::try_from(*jobs).unwrap_or(u32::MAX),
            _ => 1,
        },
        seconds: match get("seconds") {
            Some(Value::Seconds(min, max)) => *min..=*max,
            _ => 60..=60,
        },
        request: resources(Section::Load, row),
        at: match get("at") {
            Some(Value::Duration(at)) => *at,
            _ => Duration::ZERO,
        },
    }
}
