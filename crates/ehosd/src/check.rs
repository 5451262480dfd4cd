//! `--check`: is the configuration right, and with `--online`, does every cloud have what it names?
//!
//! Deliberately changes nothing, here or in a cloud.

use std::io::Write as _;
use std::process::ExitCode;

use ehos_config::Config;
use ehos_model::FailureKind;
use ehos_terminal::aligned;

use crate::cli::Cli;
use crate::connect::Connections;

/// Checks and prints what was found; a failure is exit status 1.
pub(crate) async fn check(cli: &Cli, config: &Config, connections: Connections) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    if !cli.quiet {
        writeln!(out, "{}", right(cli, config))?;
    }
    if !cli.online {
        return Ok(ExitCode::SUCCESS);
    }
    if connections.world.is_some() {
        if !cli.quiet {
            writeln!(out, "the clouds are embedded: there is nothing to log in to")?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut rows = vec![["cloud", "what", "configured", "found"].map(str::to_owned)];
    let mut failed = false;
    let mut asked = tokio::task::JoinSet::new();
    for (index, cloud) in connections.openstack.into_iter().enumerate() {
        asked.spawn(async move { (index, cloud.verify().await) });
    }
    let mut answers = asked.join_all().await;
    answers.sort_by_key(|(index, _)| *index);
    for (index, findings) in answers {
        let Some(settings) = config.clouds.get(index) else { continue };
        let cloud = settings.name.to_string();
        for finding in findings {
            let found = match finding.found {
                Ok(_) if cli.quiet => continue,
                Ok(id) => id,
                Err(failure) => {
                    failed = true;
                    let word = if failure.kind == FailureKind::NotFound { "NOT FOUND" } else { "FAILED" };
                    format!("{word}: {failure}")
                }
            };
            rows.push([cloud.clone(), finding.what.to_owned(), finding.configured, found]);
        }
        // Right before the images are built, and easily mixed up with the image that they are built from.
        if settings.servers.image.is_none() && !cli.quiet {
            let found = format!("no node can boot before clouds.{cloud}.image is set");
            rows.push([cloud, "image".to_owned(), "none".to_owned(), found]);
        }
    }
    for line in aligned(&rows).iter().filter(|_| !cli.quiet || failed) {
        writeln!(out, "{line}")?;
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Says in a line what the configuration amounts to.
fn right(cli: &Cli, config: &Config) -> String {
    let files: Vec<String> = cli.files.iter().map(|file| file.display().to_string()).collect();
    format!(
        "{}: right; pool {}, {} cloud{}, {} to {} nodes",
        files.join(" + "),
        config.policy.pool,
        config.clouds.len(),
        if config.clouds.len() == 1 { "" } else { "s" },
        config.policy.limits.min(),
        config.policy.limits.max(),
    )
}
