//! Counts a phase as done for one commit.

use super::CheckedRequest;
use super::error::RequestError;
use super::retry::{moved_on, no_phase};
use super::wanted::wanted;
use crate::domain::{CommitSha, Head, LinkId, PhaseName, RequestKind};
use crate::estate::Estate;

pub(super) async fn check(
    estate: &Estate,
    link: &LinkId,
    head: &Head,
    phase: &PhaseName,
    named: Option<&CommitSha>,
) -> Result<CheckedRequest, RequestError> {
    let sha = wanted(estate, link, head).await?;
    // If no commit is named, the actor means the one they saw fail.
    let unfinished = head.run.as_ref().filter(|run| !run.succeeded()).map(|run| &run.sha);
    if let Some(other) = named.or(unfinished).filter(|other| **other != sha) {
        return Err(moved_on(link, other, &sha));
    }
    if let Some(run) = head.run.as_ref().filter(|run| run.sha == sha) {
        match run.phase(phase) {
            None => return Err(no_phase(link, phase, &run.phases)),
            Some(state) if state.status.is_done() => {
                let what = format!("`{phase}` of `{link}` is already done for {}", sha.short());
                return Err(RequestError::refused(what, None));
            }
            Some(_) => {}
        }
    }
    let confirmation = format!("recorded: skip `{phase}` for {}.", sha.short());
    Ok(CheckedRequest { kind: RequestKind::Skip { sha, phase: phase.clone() }, confirmation })
}
