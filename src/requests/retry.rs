//! Resumes a run, or releases a commit that a rollback holds back.

use super::CheckedRequest;
use super::error::{Refusal, RequestError};
use super::wanted::wanted;
use crate::domain::{CommitSha, Head, LinkId, PhaseName, PhaseState, PhaseStatus, RequestKind};
use crate::estate::Estate;
use crate::inventory;
use crate::plan::{Problem, Taint};

/// A release if the wanted commit was rolled back or contains a commit that was; otherwise a retry of the last run.
pub(super) async fn check(
    estate: &Estate,
    link: &LinkId,
    head: &Head,
    phase: Option<&PhaseName>,
) -> Result<CheckedRequest, RequestError> {
    let want = wanted(estate, link, head).await?;
    if head.quarantine(&want).is_some() {
        return release_quarantined(link, head, want, phase);
    }
    if let Some(taint) = taint(estate, link, head, &want).await? {
        return release_tainted(link, &taint, want, phase);
    }
    if let Some(run) = head.run.as_ref().filter(|run| run.sha != want) {
        return Err(moved_on(link, &run.sha, &want));
    }
    let workflow = estate.manifest().workflow_of(link);
    let is_added = |name: &PhaseName| workflow.is_some_and(|workflow| workflow.phase(name).is_some());
    let (sha, phase) = resumed(link, head, phase, is_added)?;
    let confirmation = format!("recorded: retry {} from `{phase}`.", sha.short());
    Ok(CheckedRequest { kind: RequestKind::Retry { sha, phase }, confirmation })
}

/// Releases a quarantined commit. Its run resumes from the deployment, so only that phase may be named.
fn release_quarantined(
    link: &LinkId,
    head: &Head,
    want: CommitSha,
    named: Option<&PhaseName>,
) -> Result<CheckedRequest, RequestError> {
    let first = head.run.iter().flat_map(|run| &run.phases).find(|phase| phase.deployment);
    if let (Some(named), Some(first)) = (named, first)
        && *named != first.name
    {
        return Err(RequestError::refused(
            format!("{} is quarantined, and resumes from `{}` once released", want.short(), first.name),
            without_phase(link),
        ));
    }
    let confirmation = format!("recorded: {} may be deployed again.", want.short());
    Ok(CheckedRequest { kind: RequestKind::Release { sha: want }, confirmation })
}

/// Releases a commit that contains a rolled-back one.
fn release_tainted(
    link: &LinkId,
    taint: &Taint,
    want: CommitSha,
    named: Option<&PhaseName>,
) -> Result<CheckedRequest, RequestError> {
    let (sha, suspect) = (want.short(), taint.suspect.short());
    if named.is_some() {
        let what = format!("{sha} contains {suspect}, which was rolled back");
        return Err(RequestError::refused(what, without_phase(link)));
    }
    let confirmation = format!("recorded: {sha} may be deployed, even though {suspect} was rolled back.");
    Ok(CheckedRequest { kind: RequestKind::Release { sha: want }, confirmation })
}

fn without_phase(link: &LinkId) -> String {
    format!("leave out `--phase`: katkit retry {link}")
}

/// A commit that was rolled back here, is contained in the wanted commit, and so holds it.
async fn taint(
    estate: &Estate,
    id: &LinkId,
    head: &Head,
    want: &CommitSha,
) -> Result<Option<Taint>, RequestError> {
    let repo = estate.manifest().link(id).and_then(|(_, link)| estate.manifest().repos.get(&link.repo));
    let Some(repo) = repo else { return Ok(None) };
    let taints = inventory::taints(&*estate.git, &repo.url, head, want).await;
    let taints = taints.map_err(|Problem { what, hint }| Refusal { what, hint })?;
    Ok(taints.into_iter().next())
}

/// The sha and the phase to resume from. Refused if there is nothing to retry.
///
/// A named phase that the run lacks must have been added to the workflow since.
fn resumed(
    link: &LinkId,
    head: &Head,
    named: Option<&PhaseName>,
    is_added: impl Fn(&PhaseName) -> bool,
) -> Result<(CommitSha, PhaseName), RequestError> {
    let Some(run) = &head.run else {
        let what = format!("`{link}` has no run to retry");
        return Err(RequestError::refused(what, "`katkit apply` starts one".to_owned()));
    };
    let phase = if let Some(name) = named {
        match run.phase(name) {
            Some(phase) => phase,
            None if run.ended.is_some() && is_added(name) => return Ok((run.sha.clone(), name.clone())),
            None if is_added(name) => {
                return Err(RequestError::refused(
                    format!("the run in progress of `{link}` has no phase `{name}`"),
                    format!("`katkit apply {link}` restarts it with the edited workflow"),
                ));
            }
            None => return Err(no_phase(link, name, &run.phases)),
        }
    } else {
        let stopped =
            |phase: &&PhaseState| matches!(phase.status, PhaseStatus::Failed | PhaseStatus::Cancelled);
        // A phase waiting for a running one has not failed.
        let is_running = run.phases.iter().any(|phase| phase.status == PhaseStatus::Running);
        let unfinished = |phase: &&PhaseState| phase.status == PhaseStatus::Pending && !is_running;
        // The deployment that later phases would test was rolled back.
        let gone = |phase: &&PhaseState| phase.deployment && phase.status == PhaseStatus::Succeeded;
        let gone = run.phases.iter().find(gone).filter(|_| !head.runs(&run.sha));
        let found =
            gone.or_else(|| run.phases.iter().find(stopped)).or_else(|| run.phases.iter().find(unfinished));
        found.ok_or_else(|| {
            let what = format!("no phase of `{link}` failed for {}", run.sha.short());
            RequestError::refused(what, "name the phase to restart from: --phase NAME".to_owned())
        })?
    };
    Ok((run.sha.clone(), phase.name.clone()))
}

/// The error for a request about the last run if another commit is wanted by now.
pub(super) fn moved_on(link: &LinkId, ran: &CommitSha, want: &CommitSha) -> RequestError {
    RequestError::refused(
        format!("the last run of `{link}` is for {}, and {} is wanted now", ran.short(), want.short()),
        format!(
            "`katkit apply` runs {}; `katkit set {link} {ran}` wants {} again",
            want.short(),
            ran.short()
        ),
    )
}

/// The error for a phase that the run lacks.
pub(super) fn no_phase(link: &LinkId, name: &PhaseName, phases: &[PhaseState]) -> RequestError {
    let names: Vec<_> = phases.iter().map(|phase| phase.name.as_str()).collect();
    RequestError::refused(
        format!("`{link}` has no phase `{name}`"),
        format!("its phases are: {}", names.join(", ")),
    )
}
