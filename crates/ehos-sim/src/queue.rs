//! Jobs from their submission to their end, and the negotiator that gives them slots.
//!
//! Deliberately simple-minded as HTCondor is: the oldest shape first, the first machine with room.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use ehos_condor::{Cluster, JobCounts, SleepJobs};
use ehos_model::{Autocluster, Demand, Machine, Mebibytes, NodeId, Resources};

use crate::state::{Event, Moment, State};

/// A job's number (*`ClusterId`, `ProcId`*).
pub(crate) type JobId = (u64, u32);

/// What a job gets that asks for nothing (*`JOB_DEFAULT_REQUEST…`*).
const DEFAULT_REQUEST: Resources =
    Resources { cores: 1, memory: Mebibytes(128), disk: Mebibytes(1024), gpus: 0 };

/// The schedd's queue.
#[derive(Default)]
pub(crate) struct Queue {
    jobs: BTreeMap<JobId, Job>,
    waiting: BTreeMap<Autocluster, Shape>,
    clusters: u64,
    finished: BTreeMap<u64, u64>,
}

struct Job {
    request: Resources,
    /// The node that it probes.
    probe: Option<NodeId>,
    runtime: Duration,
    /// Where it runs; `None`: it waits.
    on: Option<Machine>,
    /// How often it was started; tells a run from the one before.
    run: u32,
}

/// Waiting jobs that ask for the same, in the order of their numbers, each with the moment since which it waits.
struct Shape {
    request: Resources,
    probe: Option<NodeId>,
    jobs: VecDeque<(JobId, Moment)>,
}

impl Queue {
    /// Counts waiting and running jobs.
    pub(crate) fn counts(&self) -> JobCounts {
        let idle: usize = self.waiting.values().map(|shape| shape.jobs.len()).sum();
        JobCounts { idle: idle as u64, running: (self.jobs.len() - idle) as u64, held: 0 }
    }

    /// Counts a cluster's jobs.
    pub(crate) fn cluster(&self, cluster: Cluster) -> JobCounts {
        let mut counts = JobCounts::default();
        for (_, job) in self.jobs.range((cluster.0, 0)..=(cluster.0, u32::MAX)) {
            *if job.on.is_none() { &mut counts.idle } else { &mut counts.running } += 1;
        }
        counts
    }

    /// Counts a cluster's jobs that have come to their end.
    pub(crate) fn finished(&self, cluster: Cluster) -> u64 {
        self.finished.get(&cluster.0).copied().unwrap_or_default()
    }

    /// Tells how often a job was started.
    pub(crate) fn run_of(&self, job: JobId) -> u32 {
        self.jobs.get(&job).map_or(0, |job| job.run)
    }

    fn wait(&mut self, id: JobId, now: Moment) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        job.on = None;
        let shape = self
            .waiting
            .entry(Autocluster::of(&job.request, job.probe.as_ref().map(NodeId::as_str)))
            .or_insert_with(|| Shape {
                request: job.request,
                probe: job.probe.clone(),
                jobs: VecDeque::new(),
            });
        let place = shape.jobs.partition_point(|(other, _)| *other < id);
        shape.jobs.insert(place, (id, now));
    }

    /// Takes the first waiting job of a shape.
    fn take(&mut self, shape: Autocluster) -> Option<JobId> {
        let waiting = self.waiting.get_mut(&shape)?;
        let job = waiting.jobs.pop_front().map(|(job, _)| job);
        if waiting.jobs.is_empty() {
            self.waiting.remove(&shape);
        }
        job
    }
}

impl State {
    pub(crate) fn submit(&mut self, jobs: &SleepJobs) -> Cluster {
        self.queue.clusters += 1;
        let cluster = self.queue.clusters;
        let or = |asked: u64, default: u64| if asked == 0 { default } else { asked };
        let request = Resources {
            cores: jobs.request.cores.max(DEFAULT_REQUEST.cores),
            memory: Mebibytes(or(jobs.request.memory.0, DEFAULT_REQUEST.memory.0)),
            disk: Mebibytes(or(jobs.request.disk.0, DEFAULT_REQUEST.disk.0)),
            gpus: jobs.request.gpus,
        };
        for (proc, seconds) in (0..).zip(&jobs.seconds) {
            let (id, runtime) = ((cluster, proc), Duration::from_secs(u64::from(*seconds)));
            let job = Job { request, probe: jobs.probe.clone(), runtime, on: None, run: 0 };
            self.queue.jobs.insert(id, job);
            self.queue.wait(id, self.now);
        }
        Cluster(cluster)
    }

    /// Counts the waiting jobs by shape.
    pub(crate) fn demand(&self) -> Vec<Demand> {
        let demand = |(autocluster, shape): (&Autocluster, &Shape)| Demand {
            autocluster: *autocluster,
            request: shape.request,
            requirements: None,
            idle: shape.jobs.len() as u64,
            oldest_idle: shape
                .jobs
                .iter()
                .map(|(_, since)| *since)
                .min()
                .map(|moment| self.timestamp(moment)),
        };
        self.queue.waiting.iter().map(demand).collect()
    }

    /// Gives waiting jobs to machines with room that the collector knows, the oldest shape first.
    pub(crate) fn negotiate(&mut self) {
        if self.collector_down {
            return;
        }
        let mut shapes: Vec<_> = self
            .queue
            .waiting
            .iter()
            .map(|(name, shape)| (shape.jobs.front().map(|(job, _)| *job), *name))
            .collect();
        shapes.sort_unstable();
        let machines: Vec<_> =
            self.startds.keys().filter(|machine| self.ads.contains_key(*machine)).cloned().collect();
        for (_, shape) in shapes {
            for machine in &machines {
                while self.start_next(shape, machine) {}
            }
        }
    }

    /// Starts the next job of a shape on a machine, if there is a job and room for it.
    fn start_next(&mut self, shape: Autocluster, machine: &Machine) -> bool {
        let Some(waiting) = self.queue.waiting.get(&shape) else { return false };
        let (request, probe) = (waiting.request, waiting.probe.clone());
        let Some(startd) = self.startds.get_mut(machine).filter(|startd| !startd.draining) else {
            return false;
        };
        // A probe takes the job that probes it and no other.
        if probe.as_ref() != startd.is_probe.then_some(&startd.node) {
            return false;
        }
        let Some(left) = startd.free.checked_sub(request) else { return false };
        let Some(id) = self.queue.take(shape) else { return false };
        startd.free = left;
        startd.jobs.insert(id);
        startd.job_starts += 1;
        if let Some(job) = self.queue.jobs.get_mut(&id) {
            job.run += 1;
            job.on = Some(machine.clone());
            let (runtime, run) = (job.runtime, job.run);
            self.after(runtime, Event::JobEnd { job: id, run });
        }
        self.changed(machine);
        true
    }

    pub(crate) fn job_ends(&mut self, id: JobId, run: u32) {
        let Some(job) = self.queue.jobs.get(&id).filter(|job| job.run == run) else { return };
        let request = job.request;
        let Some(machine) = job.on.clone() else { return };
        // Where its machine has vanished, so has the news of its end.
        let Some(startd) = self.startds.get_mut(&machine) else { return };
        startd.jobs.remove(&id);
        startd.free += request;
        self.queue.jobs.remove(&id);
        *self.queue.finished.entry(id.0).or_default() += 1;
        self.tally.finished += 1;
        self.changed(&machine);
        // The schedd holds the claim and gives it to the next job of the same shape at once.
        self.start_next(Autocluster::of(&request, None), &machine);
    }

    /// Takes a cluster's jobs out of the queue.
    pub(crate) fn remove_jobs(&mut self, cluster: Cluster) {
        let ids = (cluster.0, 0)..=(cluster.0, u32::MAX);
        let gone: Vec<_> = self.queue.jobs.range(ids).map(|(id, _)| *id).collect();
        for id in gone {
            let Some(job) = self.queue.jobs.remove(&id) else { continue };
            if let Some(machine) = job.on {
                if let Some(startd) = self.startds.get_mut(&machine)
                    && startd.jobs.remove(&id)
                {
                    startd.free += job.request;
                }
                self.changed(&machine);
            }
        }
        for shape in self.queue.waiting.values_mut() {
            shape.jobs.retain(|((of, _), _)| *of != cluster.0);
        }
        self.queue.waiting.retain(|_, shape| !shape.jobs.is_empty());
    }

    pub(crate) fn lease_ends(&mut self, id: JobId, run: u32) {
        if self.queue.run_of(id) == run {
            self.requeue(id);
        }
    }

    /// Has a job wait again whose machine is gone.
    pub(crate) fn requeue(&mut self, id: JobId) {
        let now = self.now;
        self.queue.wait(id, now);
    }
}
