//! `katkit retry`

use clap::Args;

use super::arguments::Global;
use super::error::CommandError;
use super::output::Output;
use super::{ExitStatus, link, request};
use crate::config::Config;
use crate::domain::{Ask, Head, LinkId, PhaseName, PhaseState, PhaseStatus};

/// Try a failed or cancelled run again, from the phase that failed or from another
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// `tenant/link`
    #[arg(value_name = "LINK")]
    link: String,
    /// The first phase to run again, with all that follow it [default: the one that failed]
    #[arg(short, long)]
    phase: Option<PhaseName>,
    #[command(flatten)]
    how: request::How,
}

pub(super) async fn run(
    arguments: &Arguments,
    global: &Global,
    config: &Config,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let app = global.open(config)?;
    let (id, head) = link::find(&app, &arguments.link).await?;
    let want = link::wanted(&app, &id).await?;
    if head.quarantine(&want).is_some() {
        let said = format!("{id}: {} is let out of its quarantine.", want.short());
        let asks = vec![Ask::Release { sha: want }];
        return request::ask(&app, &id, asks, &arguments.how, &said, output).await;
    }
    let (sha, phase) = what(&id, &head, arguments.phase.as_ref())?;
    let said = format!("{id}: recorded that {} is to be tried again from `{phase}`.", sha.short());
    request::ask(&app, &id, vec![Ask::Retry { sha, phase }], &arguments.how, &said, output).await
}

/// The sha and the phase to go on from, or why there is nothing to try again.
fn what(
    id: &LinkId,
    head: &Head,
    named: Option<&PhaseName>,
) -> Result<(crate::domain::CommitSha, PhaseName), CommandError> {
    let nothing = || {
        CommandError::refused(
            format!("`{id}` has no run to try again"),
            "`katkit apply` starts one".to_owned(),
        )
    };
    let run = head.run.as_ref().ok_or_else(nothing)?;
    let phase = if let Some(name) = named {
        run.phase(name).ok_or_else(|| no_phase(id, name, &run.phases))?
    } else {
        let stopped =
            |phase: &&PhaseState| matches!(phase.status, PhaseStatus::Failed | PhaseStatus::Cancelled);
        let unfinished = |phase: &&PhaseState| phase.status == PhaseStatus::Pending;
        let found = run.phases.iter().find(stopped).or_else(|| run.phases.iter().find(unfinished));
        found.ok_or_else(|| {
            let what = format!("no phase of `{id}` failed for {}", run.sha.short());
            CommandError::refused(what, "name the first phase to run again: --phase NAME".to_owned())
        })?
    };
    Ok((run.sha.clone(), phase.name.clone()))
}

/// The error for a phase that the run does not have.
pub(super) fn no_phase(id: &LinkId, name: &PhaseName, phases: &[PhaseState]) -> CommandError {
    let names: Vec<_> = phases.iter().map(|phase| phase.name.as_str()).collect();
    CommandError::refused(
        format!("`{id}` has no phase `{name}`"),
        format!("its phases are: {}", names.join(", ")),
    )
}
