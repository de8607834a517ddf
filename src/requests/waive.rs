//! Lets a commit count as verified although a phase of its run was skipped on request.

use super::CheckedRequest;
use super::error::RequestError;
use super::retry::no_phase;
use crate::domain::{CommitSha, Head, LinkId, PhaseName, PhaseStatus, RequestKind};

pub(super) fn check(
    link: &LinkId,
    head: &Head,
    name: &PhaseName,
    named: Option<&CommitSha>,
) -> Result<CheckedRequest, RequestError> {
    let Some(run) = &head.run else {
        return Err(RequestError::refused(format!("`{link}` has no run, so nothing was skipped"), None));
    };
    let sha = &run.sha;
    if let Some(named) = named.filter(|named| *named != sha) {
        let what = format!("the last run of `{link}` is for {}, not for {}", sha.short(), named.short());
        return Err(RequestError::refused(what, None));
    }
    match run.phase(name) {
        None => return Err(no_phase(link, name, &run.phases)),
        Some(phase) if phase.status != PhaseStatus::Skipped => {
            let what = format!("`{name}` of `{link}` was not skipped for {}", sha.short());
            let hint = format!("`katkit skip {link} {name}` skips it");
            return Err(RequestError::refused(what, hint));
        }
        Some(phase) if phase.is_well() => {
            let what = format!("`{name}` of `{link}` counts already for {}", sha.short());
            return Err(RequestError::refused(what, None));
        }
        Some(_) => {}
    }
    if run.succeeded() && run.phases.iter().any(|phase| phase.deployment) && !head.runs(sha) {
        let what = format!("{} is no longer live in `{link}`", sha.short());
        return Err(RequestError::refused(what, None));
    }
    let confirmation = format!("recorded: {} counts as verified without `{name}`.", sha.short());
    Ok(CheckedRequest { kind: RequestKind::Waive { sha: sha.clone(), phase: name.clone() }, confirmation })
}
