//! `katkit retry`

use clap::Args;

use super::request::{ConfirmedRequest, Options, RequestCommand};
use crate::app::App;
use crate::cli::arguments::link;
use crate::cli::error::CommandError;
use crate::domain::{CommitSha, Head, LinkId, PhaseName, PhaseState, PhaseStatus, RequestKind, Workflow};
use crate::inventory;
use crate::plan::Taint;

/// Retry a failed or cancelled run
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit retry dev/shop --apply          Resume from the failed phase, now
  katkit retry dev/shop --phase build    Restart from build, at the next apply
  katkit retry dev                       Every failed link of a tenant
  katkit retry prod/shop --why \"fixed\"   Deploy a commit even though it, or an
                                         ancestor of it, was rolled back")]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    options: Options,
    /// Restart from this phase, which may be new in the workflow [default: the failed phase]
    #[arg(short, long)]
    phase: Option<PhaseName>,
}

impl RequestCommand for Arguments {
    const VERB: &'static str = "retry";

    fn options(&self) -> &Options {
        &self.options
    }

    async fn requests(
        &self,
        app: &App,
        id: &LinkId,
        head: &Head,
    ) -> Result<Vec<ConfirmedRequest>, CommandError> {
        let want = link::wanted(app, id).await?;
        if head.quarantine(&want).is_some() {
            let said = format!("recorded: {} may be deployed again.", want.short());
            let first = head.run.iter().flat_map(|run| &run.phases).find(|phase| phase.deployment);
            return match (&self.phase, first) {
                (Some(named), Some(first)) if *named != first.name => Err(CommandError::refused(
                    format!(
                        "{} is quarantined, and resumes from `{}` once released",
                        want.short(),
                        first.name
                    ),
                    format!("leave out `--phase`: katkit retry {id}"),
                )),
                _ => Ok(vec![(RequestKind::Release { sha: want }, said)]),
            };
        }
        if let Some(taint) = taint(app, id, head, &want).await? {
            if self.phase.is_some() {
                return Err(CommandError::refused(
                    format!("{} contains {}, which was rolled back", want.short(), taint.suspect.short()),
                    format!("leave out `--phase`: katkit retry {id}"),
                ));
            }
            let said = format!(
                "recorded: {} may be deployed, even though {} was rolled back.",
                want.short(),
                taint.suspect.short()
            );
            return Ok(vec![(RequestKind::Release { sha: want }, said)]);
        }
        if let Some(run) = head.run.as_ref().filter(|run| run.sha != want) {
            return Err(moved_on(id, &run.sha, &want));
        }
        let added =
            |name: &PhaseName| workflow(app, id).is_some_and(|workflow| workflow.phase(name).is_some());
        let (sha, phase) = what(id, head, self.phase.as_ref(), &added)?;
        let said = format!("recorded: retry {} from `{phase}`.", sha.short());
        Ok(vec![(RequestKind::Retry { sha, phase }, said)])
    }
}

/// The workflow that the manifest gives a link; `None` if the link's commits bring their own.
fn workflow<'a>(app: &'a App, id: &LinkId) -> Option<&'a Workflow> {
    let (_, link) = app.manifest().link(id)?;
    app.manifest().workflows.get(link.workflow.as_ref()?).map(AsRef::as_ref)
}

/// A commit that was rolled back here, is contained in the wanted commit, and so holds it.
async fn taint(app: &App, id: &LinkId, head: &Head, want: &CommitSha) -> Result<Option<Taint>, CommandError> {
    let repo = app.manifest().link(id).and_then(|(_, link)| app.manifest().repos.get(&link.repo));
    let Some(repo) = repo else { return Ok(None) };
    let taints = inventory::taints(&*app.git, &repo.url, head, want).await;
    let taints = taints.map_err(|problem| CommandError::refused(problem.what, problem.hint))?;
    Ok(taints.into_iter().next())
}

/// The sha and the phase to resume from, or why there is nothing to retry.
///
/// A named phase that the run lacks must have been added to the workflow since.
fn what(
    id: &LinkId,
    head: &Head,
    named: Option<&PhaseName>,
    is_added: &dyn Fn(&PhaseName) -> bool,
) -> Result<(CommitSha, PhaseName), CommandError> {
    let nothing = || {
        CommandError::refused(format!("`{id}` has no run to retry"), "`katkit apply` starts one".to_owned())
    };
    let run = head.run.as_ref().ok_or_else(nothing)?;
    let phase = if let Some(name) = named {
        match run.phase(name) {
            Some(phase) => phase,
            None if run.ended.is_some() && is_added(name) => return Ok((run.sha.clone(), name.clone())),
            None if is_added(name) => {
                return Err(CommandError::refused(
                    format!("the run in progress of `{id}` has no phase `{name}`"),
                    format!("`katkit apply {id}` restarts it with the edited workflow"),
                ));
            }
            None => return Err(no_phase(id, name, &run.phases)),
        }
    } else {
        let stopped =
            |phase: &&PhaseState| matches!(phase.status, PhaseStatus::Failed | PhaseStatus::Cancelled);
        // A phase waiting for a running one has not failed.
        let is_running = run.phases.iter().any(|phase| phase.status == PhaseStatus::Running);
        let unfinished = |phase: &&PhaseState| phase.status == PhaseStatus::Pending && !is_running;
        // The deployment that later phases would test was rolled back.
        let gone = |phase: &&PhaseState| phase.deployment && phase.status == PhaseStatus::Succeeded;
        let runs = head.deployed.as_ref().is_some_and(|deployed| deployed.sha == run.sha);
        let gone = run.phases.iter().find(gone).filter(|_| !runs);
        let found =
            gone.or_else(|| run.phases.iter().find(stopped)).or_else(|| run.phases.iter().find(unfinished));
        found.ok_or_else(|| {
            let what = format!("no phase of `{id}` failed for {}", run.sha.short());
            CommandError::refused(what, "name the phase to restart from: --phase NAME".to_owned())
        })?
    };
    Ok((run.sha.clone(), phase.name.clone()))
}

/// The error for a request about the last run if another commit is wanted by now.
pub(in crate::cli) fn moved_on(id: &LinkId, ran: &CommitSha, want: &CommitSha) -> CommandError {
    CommandError::refused(
        format!("the last run of `{id}` is for {}, and {} is wanted now", ran.short(), want.short()),
        format!("`katkit apply` runs {}; `katkit set {id} {ran}` wants {} again", want.short(), ran.short()),
    )
}

/// The error for a phase that the run lacks.
pub(in crate::cli) fn no_phase(id: &LinkId, name: &PhaseName, phases: &[PhaseState]) -> CommandError {
    let names: Vec<_> = phases.iter().map(|phase| phase.name.as_str()).collect();
    CommandError::refused(
        format!("`{id}` has no phase `{name}`"),
        format!("its phases are: {}", names.join(", ")),
    )
}
