//! Cancels the run in progress.

use super::CheckedRequest;
use super::error::RequestError;
use crate::domain::{Head, LinkId, RequestKind};

pub(super) fn check(link: &LinkId, head: &Head) -> Result<CheckedRequest, RequestError> {
    let Some(run) = head.open_run() else {
        let what = format!("no run of `{link}` is in progress");
        return Err(RequestError::refused(what, format!("`katkit status {link}` shows where it stands")));
    };
    if let Some(deploying) = &head.deploying {
        let sha = deploying.sha.short();
        return Err(RequestError::refused(
            format!("{sha} is being deployed to `{link}`, which cannot be cancelled half-way"),
            format!("`katkit rollback {link}` undoes it once it has ended"),
        ));
    }
    let confirmation = format!("recorded: cancel the run for {}.", run.sha.short());
    Ok(CheckedRequest { kind: RequestKind::Cancel { sha: run.sha.clone() }, confirmation })
}
