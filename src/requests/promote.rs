//! Chooses the next commit of a link in a pipeline.

use super::CheckedRequest;
use super::error::RequestError;
use super::test;
use super::wanted::by_pipeline;
use crate::domain::{Actor, CommitSha, Head, LinkId, Request, RequestId, RequestKind};
use crate::estate::Estate;
use crate::inventory::{Scope, Targets};
use crate::manifest::{Pin, Wanted};
use crate::pipeline;
use crate::plan::{self, Hold, HoldReason};

/// `commit` is a sha, a prefix of one, a branch or a tag; by default it is the newest commit that may run here.
pub(super) async fn check(
    (estate, by): (&Estate, &Actor),
    link: &LinkId,
    head: &Head,
    commit: Option<&str>,
) -> Result<CheckedRequest, RequestError> {
    let manifest = estate.manifest();
    let Some((_, it)) = manifest.link(link) else {
        return Err(RequestError::refused(format!("`{link}` is not in the manifest"), None));
    };
    let Wanted::Pipeline { name, pin } = &it.want else {
        let hint = format!("`katkit set {link} SHA` selects another commit");
        return Err(RequestError::refused(format!("`{link}` follows no pipeline"), hint));
    };
    test::refuse_promotion(estate, link)?;
    if let Some(Pin { sha, why }) = pin {
        let hint = "take the `pin` out of the manifest first".to_owned();
        return Err(RequestError::refused(format!("`{link}` is pinned to {}: {why}", sha.short()), hint));
    }
    let url = manifest.repos.get(&it.repo).map(|repo| repo.url.as_str()).unwrap_or_default();
    let sha = match commit {
        Some(text) => estate.git.resolve(url, text).await?,
        None => newest(estate, link, head, name.as_str()).await?,
    };
    if let Some(quarantine) = head.quarantine(&sha) {
        let hint = format!("`katkit retry {link}` releases it");
        let what = format!("{} is quarantined in `{link}`: {}", sha.short(), quarantine.why);
        return Err(RequestError::refused(what, hint));
    }
    let live = pipeline::base(head).filter(|_| head.deployed.is_some());
    if live == Some(&sha) {
        return Err(RequestError::refused(format!("{} is already live in `{link}`", sha.short()), None));
    }
    let proposed = Request {
        id: RequestId("proposed".to_owned()),
        link: link.clone(),
        at: estate.clock.now(),
        by: by.clone(),
        why: None,
        ask: RequestKind::Promote { sha: sha.clone() },
    };
    match by_pipeline(estate, link, vec![proposed], true).await? {
        Ok(chosen) if chosen == sha => {
            let confirmation = format!("recorded: promote {}.", sha.short());
            Ok(CheckedRequest { kind: RequestKind::Promote { sha }, confirmation })
        }
        Ok(chosen) if Some(&chosen) == live => match debt(estate, link).await? {
            Some(Hold { reason, hint, .. }) => Err(RequestError::refused(reason.describe(), hint)),
            None => Err(older(link, head, &sha, live)),
        },
        Ok(chosen) => {
            let what = format!("{} runs next in `{link}`, by an override", chosen.short());
            let hint = format!("`katkit override {link} --withdraw` ends that");
            Err(RequestError::refused(what, hint))
        }
        Err(hold) => Err(refused(*hold)),
    }
}

/// What the live commit owes, so that no other may run.
async fn debt(estate: &Estate, link: &LinkId) -> Result<Option<Hold>, RequestError> {
    let targets = Targets::default().and_only([link.clone()].into());
    let input = estate.inventory(&Scope { targets, ..Scope::default() }).await?;
    let found = input.links.iter().find(|found| found.id == *link);
    let debt = found.and_then(|found| plan::debt(estate.manifest(), &input.consents, found, input.now));
    Ok(debt.map(|debt| debt.hold(link)))
}

/// The newest commit that may run, even if the pipeline does not start it by itself.
async fn newest(
    estate: &Estate,
    link: &LinkId,
    head: &Head,
    pipeline: &str,
) -> Result<CommitSha, RequestError> {
    match by_pipeline(estate, link, Vec::new(), false).await? {
        Ok(sha) if head.runs(&sha) => {
            let what = format!("{} is live in `{link}`, and no newer commit may run yet", sha.short());
            Err(RequestError::refused(
                what,
                format!("`katkit pipeline {pipeline}` shows where each commit is"),
            ))
        }
        Ok(sha) => Ok(sha),
        Err(hold) => match hold.reason {
            HoldReason::FirstPromotion { sha } | HoldReason::LeftBranch { next: Some(sha), .. } => Ok(sha),
            _ => Err(refused(*hold)),
        },
    }
}

fn older(link: &LinkId, head: &Head, sha: &CommitSha, live: Option<&CommitSha>) -> RequestError {
    let live = live.map_or("what is live", |live| live.short());
    let what = format!("{} is older than {live}, and a promotion never goes back", sha.short());
    let is_target = head.rollback_targets().any(|(evidence, _)| evidence.sha == *sha);
    let hint = is_target.then(|| format!("`katkit rollback {link} --to {}` goes back to it", sha.short()));
    RequestError::refused(what, hint)
}

fn refused(Hold { reason, hint, .. }: Hold) -> RequestError {
    RequestError::refused(reason.describe(), hint)
}
