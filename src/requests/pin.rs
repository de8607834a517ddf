//! Blocks rollbacks past a commit, or unblocks them.

use super::CheckedRequest;
use super::commit_prefix::find_commit;
use super::error::RequestError;
use crate::domain::{Barrier, CommitSha, Head, LinkId, RequestKind};

/// `text` is the sha of what is live or of a rollback target, or a prefix of it.
pub(super) fn pin(link: &LinkId, head: &Head, text: &str) -> Result<CheckedRequest, RequestError> {
    let sha = named(link, head, text)?;
    let is_target = head.rollback_targets().any(|(evidence, _)| evidence.sha == sha);
    if !head.runs(&sha) && !is_target {
        let what = format!("{} is neither live in `{link}` nor a rollback target there", sha.short());
        return Err(RequestError::refused(what, targets(link)));
    }
    if let Some(barrier) = head.barrier_at(&sha) {
        return Err(RequestError::refused(format!("in `{link}`, {}", barrier.describe()), None));
    }
    let confirmation = format!("recorded: from the next apply on, no rollback goes past {}.", sha.short());
    Ok(CheckedRequest { kind: RequestKind::Pin { sha }, confirmation })
}

/// `text` is the sha of a commit that no rollback goes past, or a prefix of it.
pub(super) fn unpin(link: &LinkId, head: &Head, text: &str) -> Result<CheckedRequest, RequestError> {
    let sha = named(link, head, text)?;
    if !head.barriers().any(|barrier| barrier.sha == sha) {
        let what = format!("nothing keeps a rollback of `{link}` from going past {}", sha.short());
        return Err(RequestError::refused(what, targets(link)));
    }
    let confirmation = format!("recorded: from the next apply on, rollbacks may go past {}.", sha.short());
    Ok(CheckedRequest { kind: RequestKind::Unpin { sha }, confirmation })
}

/// Why a rollback must not go past a commit, and how to lift that.
pub(super) fn refused(link: &LinkId, barrier: &Barrier) -> RequestError {
    let what = format!("in `{link}`, {}", barrier.describe());
    let hint =
        format!("`katkit pin {link} --no-rollback-past {} --withdraw` lifts that", barrier.sha.short());
    RequestError::refused(what, hint)
}

fn named(link: &LinkId, head: &Head, text: &str) -> Result<CommitSha, RequestError> {
    let barriers = head.barriers().map(|barrier| &barrier.sha);
    let unknown = || {
        let what = format!("no commit that begins with `{text}` was live or verified in `{link}`");
        RequestError::refused(what, targets(link))
    };
    find_commit(text, head, barriers)?.ok_or_else(unknown)
}

fn targets(link: &LinkId) -> String {
    format!("`katkit rollback {link} --list` lists the rollback targets")
}
