//! Deploys a commit that was verified before, and quarantines the live one.

use std::iter;

use super::CheckedRequest;
use super::commit_prefix::find_commit;
use super::error::RequestError;
use super::pin;
use crate::domain::{CommitSha, Deployment, Head, LinkId, RequestKind};
use crate::estate::Estate;
use crate::plan::{self, Rejection};

/// `to` is the sha of a rollback target, or a prefix of it; by default it is the last verified commit. Rejected commits
/// are no targets.
pub(super) async fn check(
    estate: &Estate,
    link: &LinkId,
    head: &Head,
    to: Option<&str>,
) -> Result<CheckedRequest, RequestError> {
    let consents = estate.state.consents().await?.standing;
    let rejections = plan::rejections(estate.manifest(), &consents, link);
    let rejection = |sha: &CommitSha| rejections.iter().find(|rejection| rejection.sha == sha);
    let Some(live) = &head.deployed else {
        return Err(nothing(link, format!("nothing is deployed to `{link}`")));
    };
    let to = match to {
        Some(text) => named(link, head, live, text)?,
        None => {
            if let (None, Some(barrier)) = (head.rollback_target(), head.barriers().next()) {
                return Err(pin::refused(link, barrier));
            }
            let none =
                || nothing(link, format!("no commit was verified in `{link}` before {}", live.sha.short()));
            let targets: Vec<_> = head.rollback_targets().map(|(evidence, _)| &evidence.sha).collect();
            let not_rejected = targets.iter().find(|sha| rejection(sha).is_none());
            CommitSha::clone(not_rejected.or(targets.first()).ok_or_else(none)?)
        }
    };
    if let Some(Rejection { at, consent, .. }) = rejection(&to) {
        let what = format!("{} was rejected by {}", to.short(), consent.by.name);
        return Err(RequestError::refused(what, format!("`katkit release {at} {}` releases it", to.short())));
    }
    let confirmation = format!(
        "recorded: roll back from {live} to {}, and quarantine {live}.",
        to.short(),
        live = live.sha.short()
    );
    Ok(CheckedRequest { kind: RequestKind::Rollback { from: live.sha.clone(), to }, confirmation })
}

fn nothing(link: &LinkId, what: String) -> RequestError {
    RequestError::refused(what, format!("`katkit set {link} SHA` selects another commit"))
}

/// The commit that `text` names, if it is a rollback target.
fn named(link: &LinkId, head: &Head, live: &Deployment, text: &str) -> Result<CommitSha, RequestError> {
    let found = find_commit(text, head, iter::empty())?;
    if let Some(sha) = found.as_ref().filter(|sha| head.rollback_targets().any(|(back, _)| back.sha == **sha))
    {
        return Ok(sha.clone());
    }
    if let Some(barrier) = found.as_ref().and_then(|sha| head.barrier_before(sha)) {
        return Err(pin::refused(link, barrier));
    }
    let what = match &found {
        None => format!("no commit that begins with `{text}` was verified in `{link}`"),
        Some(sha) if *sha == live.sha => format!("{} is already live in `{link}`", sha.short()),
        Some(sha) => match (head.quarantine(sha), head.evidence(sha)) {
            (Some(quarantine), _) => {
                format!("{} is quarantined in `{link}`: {}", sha.short(), quarantine.why)
            }
            (None, Some(evidence)) if evidence.deployment.is_none() => {
                format!("the run that verified {} in `{link}` deployed nothing", sha.short())
            }
            (None, Some(_)) => {
                format!("{} was verified in `{link}` after {}, which is live", sha.short(), live.sha.short())
            }
            (None, None) => format!("{} was not verified in `{link}`", sha.short()),
        },
    };
    Err(RequestError::refused(what, format!("`katkit rollback {link} --list` lists the rollback targets")))
}
