//! The queue's side: what waits, test jobs in, and how far they are.
//!
//! Deliberately never lists jobs: the schedd groups them, so that an answer grows with the shapes and not the jobs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ehos_model::{Autocluster, Demand, Failure, FailureKind, Mebibytes, Resources};

use crate::cell::{Cell, rows};
use crate::tools::{Call, ToolError, Tools};
use crate::{Cluster, JobCounts, SleepJobs};

/// The one query for all demand. The schedd wants every attribute of the constraint among the grouped ones.
///
/// `-af` evaluates the requests within each group, and `unparse` keeps the requirements as text: printed
/// themselves they would be evaluated, to `undefined`.
const DEMAND: [&str; 13] = [
    "-allusers",
    "-group-by",
    "-constraint",
    "JobStatus==1&&JobUniverse==5",
    "-af:tV",
    "JobCount",
    "JobStatus",
    "JobUniverse",
    "RequestCpus",
    "RequestMemory",
    "RequestDisk",
    "RequestGPUs",
    "unparse(Requirements)",
];
/// The values in a row of its answer.
const DEMAND_VALUES: usize = 8;

/// Asks for what waits.
pub(crate) async fn demand(tools: &Tools) -> Result<Vec<Demand>, Failure> {
    parse_demand(&tools.run(Call::new("condor_q", &DEMAND)).await?)
}

/// Merges the groups of an answer into shapes; the schedd splits further, by `DiskUsage` for example.
fn parse_demand(answer: &str) -> Result<Vec<Demand>, Failure> {
    let mut shapes: BTreeMap<Autocluster, Demand> = BTreeMap::new();
    for row in rows::<DEMAND_VALUES>(answer) {
        let [jobs, _, _, cpus, memory, disk, gpus, requirements] =
            row.map_err(|error| Failure::rejected(format!("condor_q was not understood: {error}")))?;
        let jobs = jobs
            .count()
            .ok_or_else(|| Failure::rejected(format!("condor_q was not understood: JobCount is {jobs}")))?;
        let request = request(cpus, memory, disk, gpus);
        let requirements = requirements.text();
        let autocluster = Autocluster::of(&request, requirements.as_deref());
        let shape = shapes.entry(autocluster).or_insert_with(|| Demand {
            autocluster,
            request,
            requirements: requirements.map(Into::into),
            idle: 0,
            oldest_idle: None,
        });
        shape.idle = shape.idle.saturating_add(jobs);
    }
    Ok(shapes.into_values().collect())
}

/// Reads what a job asks for. What HTCondor cannot evaluate without a machine (`RequestMemory = TARGET.Memory / 2`)
/// counts as one core, and as no memory, disk or GPU: such a job fits any node, and the match shows the rest.
fn request(cpus: Cell, memory: Cell, disk: Cell, gpus: Cell) -> Resources {
    for (name, cell) in [("RequestMemory", memory), ("RequestDisk", disk)] {
        if cell.count().is_none() {
            log::info!("{name} of some waiting jobs is {cell}: counted as nothing");
        }
    }
    Resources {
        cores: cpus.count32().unwrap_or(1),
        memory: memory.mebibytes().unwrap_or_default(),
        disk: Mebibytes::from_kibibytes_up(disk.count().unwrap_or_default()),
        gpus: gpus.count32().unwrap_or_default(),
    }
}

/// Submits test jobs.
pub(crate) async fn submit(
    tools: &Tools,
    jobs: &SleepJobs,
    user: Option<(u32, u32)>,
) -> Result<Cluster, Failure> {
    if jobs.seconds.is_empty() {
        return Err(Failure::rejected("no jobs to submit"));
    }
    let call = Call::new("condor_submit", &["-terse", "-"]).user(user);
    let answer = tools.run(call.input(&description(jobs))).await.map_err(refused)?;
    parse_submitted(&answer)
        .ok_or_else(|| Failure::rejected(format!("condor_submit was not understood: {:.80}", answer.trim())))
}

/// Writes the submit description; `seconds` is the name of the item that differs from job to job.
fn description(jobs: &SleepJobs) -> String {
    let mut text = String::from(
        "universe = vanilla\n\
         executable = /bin/sleep\n\
         transfer_executable = false\n\
         arguments = $(seconds)\n\
         initialdir = /\n\
         batch_name = ehos_sleep_jobs\n",
    );
    let Resources { cores, memory, disk, gpus } = jobs.request;
    let requests = [
        ("request_cpus", u64::from(cores), ""),
        ("request_memory", memory.0, "M"),
        ("request_disk", disk.0, "M"),
        ("request_gpus", u64::from(gpus), ""),
    ];
    for (key, amount, unit) in requests.into_iter().filter(|(_, amount, _)| *amount > 0) {
        let _ = writeln!(text, "{key} = {amount}{unit}");
    }
    if let Some(node) = &jobs.probe {
        let _ = writeln!(text, "+EhosProbe = \"{node}\"");
        let _ = writeln!(text, "requirements = TARGET.EhosNode =?= \"{node}\"");
        // A job that fails stays to be seen.
        text.push_str("on_exit_hold = ExitBySignal || ExitCode != 0\n");
    }
    text.push_str("queue seconds from (\n");
    for seconds in &jobs.seconds {
        let _ = writeln!(text, "{seconds}");
    }
    text.push_str(")\n");
    text
}

/// Reads `8.0 - 8.2`.
fn parse_submitted(answer: &str) -> Option<Cluster> {
    let (cluster, _) = answer.trim().split_once('.')?;
    cluster.parse().ok().map(Cluster)
}

/// Sorts a refused submission: only what has to do with the connection may pass by itself.
fn refused(error: ToolError) -> Failure {
    let complaint = error.complaint();
    let kind = if complaint.is_empty() {
        return error.into();
    } else if complaint.contains("Cannot allocate a cluster id")
        || complaint.contains("not allowed to own jobs")
    {
        // 23 keeps its reason to itself, 25 tells. Root is the usual one: no schedd takes jobs from root.
        let hint = "the schedd does not take jobs from this user; submit as an ordinary user, not as root";
        return Failure::new(FailureKind::Auth, format!("{error} ({hint})"));
    } else if ["Can't find address of", "Failed to connect", "communication error"]
        .iter()
        .any(|words| complaint.contains(words))
    {
        FailureKind::Transient { retry_after: None }
    } else {
        FailureKind::Rejected
    };
    let failure = Failure::from(error);
    if failure.kind == FailureKind::Auth { failure } else { Failure::new(kind, failure.message) }
}

/// Asks how many jobs of a cluster are left.
pub(crate) async fn jobs(tools: &Tools, cluster: Cluster) -> Result<JobCounts, Failure> {
    let constraint = format!("ClusterId=={}", cluster.0);
    let args = [
        "-allusers",
        "-group-by",
        "-constraint",
        &constraint,
        "-af:tV",
        "JobStatus",
        "JobCount",
        "ClusterId",
    ];
    parse_jobs(&tools.run(Call::new("condor_q", &args)).await?)
}

/// Counts a cluster's jobs that ended well (*history `JobStatus` 4, `ExitCode` 0*).
pub(crate) async fn finished(tools: &Tools, cluster: Cluster) -> Result<u64, Failure> {
    let constraint = format!("ClusterId=={}&&JobStatus==4&&ExitCode==0", cluster.0);
    // Backwards from the newest: what has just ended is found at once. Nobody's older jobs are looked through.
    let args = ["-constraint", &constraint, "-scanlimit", "20000", "-af", "ProcId"];
    let answer = tools.run(Call::new("condor_history", &args)).await?;
    Ok(answer.lines().filter(|line| line.trim().parse::<u32>().is_ok()).count() as u64)
}

/// Removes a cluster's jobs.
pub(crate) async fn remove(tools: &Tools, cluster: Cluster) -> Result<(), Failure> {
    let id = cluster.0.to_string();
    let Err(error) = tools.run(Call::new("condor_rm", &[&id])).await else { return Ok(()) };
    // The same words for jobs that have left the queue and for those of somebody else.
    if error.complaint().contains("Couldn't find/remove") {
        if jobs(tools, cluster).await? == JobCounts::default() {
            return Ok(());
        }
        return Err(Failure::new(FailureKind::Auth, error.to_string()));
    }
    Err(error.into())
}

fn parse_jobs(answer: &str) -> Result<JobCounts, Failure> {
    let mut counts = JobCounts::default();
    for row in rows::<3>(answer) {
        let [status, jobs, _] =
            row.map_err(|error| Failure::rejected(format!("condor_q was not understood: {error}")))?;
        let jobs = jobs.count().unwrap_or_default();
        let count = match status.count() {
            Some(1) => &mut counts.idle,
            Some(2 | 6) => &mut counts.running,
            Some(5 | 7) => &mut counts.held,
            // Completed or removed, on their way out.
            _ => continue,
        };
        *count = count.saturating_add(jobs);
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use proptest::prelude::*;

    use super::*;

    const fn size(cores: u32, memory: u64, disk: u64, gpus: u32) -> Resources {
        Resources { cores, memory: Mebibytes(memory), disk: Mebibytes(disk), gpus }
    }

    /// The same three shapes, asked of two versions that differ in what a job asks for by default.
    #[test]
    fn demand_of_real_pools() {
        for (version, answer, memory, disk) in [
            ("23.9", include_str!("../tests/samples/23/demand.txt"), 1, 1),
            ("25.14", include_str!("../tests/samples/25/demand.txt"), 128, 1024),
        ] {
            let demand = parse_demand(answer).unwrap();
            let shapes: Vec<_> = demand.iter().map(|shape| (shape.request, shape.idle)).collect();
            for (row, shape) in [
                ("all four asked for", (size(16, 65536, 1954, 1), 5)),
                ("the pool's defaults", (size(1, memory, disk, 0), 3)),
                ("cores rounded up, memory that cannot be evaluated", (size(2, 0, disk, 0), 2)),
            ] {
                assert!(shapes.contains(&shape), "{version}: {row}: {shapes:?}");
            }
            assert_eq!(shapes.len(), 3, "{version}: held and running jobs are no demand");
            let own =
                demand.iter().find(|shape| shape.idle == 3).and_then(|shape| shape.requirements.clone());
            assert!(
                own.is_some_and(|text| text.starts_with(r#"(Foo == "x\"y") && (TARGET.Arch == "X86_64")"#))
            );
        }
    }

    #[test]
    fn groups_that_ask_for_the_same_are_one_shape() {
        let row = |jobs: u32, disk: &str| format!("{jobs}\t1\t5\t1\t512\t{disk}\t0\t\"A\"\n");
        let demand = parse_demand(&[row(2, "1023"), row(3, "1024"), row(4, "1025")].concat()).unwrap();
        let mut idle: Vec<_> = demand.iter().map(|shape| (shape.request.disk.0, shape.idle)).collect();
        idle.sort_unstable();
        assert_eq!(idle, [(1, 5), (2, 4)]);
        assert!(demand.iter().all(|shape| shape.autocluster == Autocluster::of(&shape.request, Some("A"))));
    }

    #[test]
    fn no_answer_is_taken_for_an_empty_queue_unless_it_is_empty() {
        assert_eq!(parse_demand(""), Ok(vec![]));
        for (row, answer) in [
            ("words", "Error: something\n"),
            ("cut off", "2\t1\t5\t1\t512\t1\t0\t\"A"),
            ("no number of jobs", "undefined\t1\t5\t1\t512\t1\t0\t\"A\"\n"),
        ] {
            assert_eq!(
                parse_demand(answer).map_err(|failure| failure.kind),
                Err(FailureKind::Rejected),
                "{row}"
            );
        }
    }

    #[test]
    fn jobs_of_real_clusters() {
        for answer in
            [include_str!("../tests/samples/23/jobs.txt"), include_str!("../tests/samples/25/jobs.txt")]
        {
            assert_eq!(parse_jobs(answer), Ok(JobCounts { idle: 10, running: 1, held: 1 }));
        }
        assert_eq!(parse_jobs(""), Ok(JobCounts::default()), "none left");
        assert_eq!(parse_jobs("3\t4\t1\n4\t4\t1\n"), Ok(JobCounts::default()), "removed and completed ones");
    }

    #[test]
    fn a_submit_description_says_what_was_asked_for() {
        let jobs = SleepJobs::new(vec![5, 7], size(2, 512, 0, 0));
        let text = description(&jobs);
        assert!(
            text.contains("request_cpus = 2\nrequest_memory = 512M\nqueue seconds from (\n5\n7\n)\n"),
            "{text}"
        );
        assert!(
            !text.contains("request_disk") && !text.contains("request_gpus"),
            "zero is the pool's default: {text}"
        );
    }

    #[test]
    fn refusals_of_the_schedd() {
        for (row, complaint, kind) in [
            ("root, 23", include_str!("../tests/samples/23/submit-as-root.txt"), FailureKind::Auth),
            ("root, 25", include_str!("../tests/samples/25/submit-as-root.txt"), FailureKind::Auth),
            (
                "no schedd",
                "\nERROR: Can't find address of local schedd\n",
                FailureKind::Transient { retry_after: None },
            ),
            ("a bad description", "\nERROR: on Line 3 of submit file: \n", FailureKind::Rejected),
        ] {
            let status = std::process::ExitStatus::from_raw(256);
            let failure =
                refused(ToolError::Failed { tool: "condor_submit", status, complaint: complaint.to_owned() });
            assert_eq!(failure.kind, kind, "{row}: {failure}");
        }
    }

    #[test]
    fn cluster_ids_are_read() {
        assert_eq!(parse_submitted("8.0 - 8.2\n"), Some(Cluster(8)));
        assert_eq!(parse_submitted(""), None);
        assert_eq!(parse_submitted("Submitting job(s)."), None);
    }

    proptest! {
        #[test]
        fn nothing_printed_is_a_panic(answer in "([a-z0-9.\"\\\\\t-]{0,9}\t?){0,20}\n?", any in any::<String>()) {
            for text in [&answer, &any] {
                let _ = (parse_demand(text), parse_jobs(text), parse_submitted(text));
            }
        }

        #[test]
        fn any_numbers_are_taken(jobs: u64, cpus: f64, memory: i64, disk: f64, gpus: i128) {
            let row = format!("{jobs}\t1\t5\t{cpus}\t{memory}\t{disk}\t{gpus}\tundefined\n");
            prop_assert!(parse_demand(&row).is_ok_and(|demand| demand.len() == 1));
        }
    }
}
