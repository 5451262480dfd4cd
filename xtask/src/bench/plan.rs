//! The price of one decision on a very large pool.
//! The world it decides on is made up by the example `bench_plan` of ehos-scaler.

use anyhow::{Context as _, Result};

use super::{Figure, number};
use crate::workspace::{command, output};

const GOAL_MS: f64 = 50.0;

/// Runs the example and reads its last line.
///
/// # Errors
/// When it cannot be built or says something else.
pub(super) fn measure() -> Result<Figure> {
    let args = ["run", "--quiet", "--release", "-p", "ehos-scaler", "--example", "bench_plan"];
    let said = output(&mut command("cargo", args))?;
    print!("{said}");
    let last = said.lines().last().context("bench_plan printed nothing")?;
    let (plan, reconcile) = (number(last, "plan_ms")?, number(last, "reconcile_ms")?);
    println!("plan       {plan:8.1} ms\nreconcile  {reconcile:8.1} ms");
    Ok(Figure {
        measured: format!("{plan:.1} ms"),
        goal: format!("under {GOAL_MS} ms"),
        held: plan < GOAL_MS,
    })
}
