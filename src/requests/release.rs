//! Releases a commit that was rolled back, or that contains a commit that was.

use super::CheckedRequest;
use super::commit_prefix::find_commit;
use super::error::{Refusal, RequestError};
use crate::domain::{Head, LinkId, RequestKind};
use crate::estate::Estate;
use crate::inventory;
use crate::plan::Problem;

/// `commit` is the sha of a commit that was rolled back here, a prefix of it, or whatever git knows by that name.
pub(super) async fn check(
    estate: &Estate,
    link: &LinkId,
    head: &Head,
    commit: &str,
) -> Result<CheckedRequest, RequestError> {
    let known = head.quarantined.iter().map(|quarantine| &quarantine.sha);
    let own = find_commit(commit, &Head::default(), known).ok().flatten();
    let (sha, is_held) = match own.filter(|sha| head.quarantine(sha).is_some()) {
        Some(sha) => (sha, true),
        None => {
            let repo =
                estate.manifest().link(link).and_then(|(_, link)| estate.manifest().repos.get(&link.repo));
            let url = repo.map(|repo| repo.url.as_str()).unwrap_or_default();
            let sha = estate.git.resolve(url, commit).await?;
            let taints = inventory::taints(&*estate.git, url, head, &sha).await;
            let taints = taints.map_err(|Problem { what, hint }| Refusal { what, hint })?;
            let is_held = taints.iter().any(|taint| {
                head.quarantine(&taint.sha).is_some_and(|quarantine| !quarantine.cleared.contains(&sha))
            });
            (sha, is_held)
        }
    };
    if !is_held {
        let what = format!("nothing holds {} in `{link}`: no rejection and no rollback", sha.short());
        return Err(RequestError::refused(what, format!("`katkit why {link}` shows where it stands")));
    }
    let confirmation = format!("recorded: {} may be deployed again.", sha.short());
    Ok(CheckedRequest { kind: RequestKind::Release { sha }, confirmation })
}
