//! Rejections, and their release.

use super::{expired, took_part};
use crate::access::Right;
use crate::domain::{Actor, Changes, CommitSha, Consent, ConsentId, ConsentKind, Head, LinkId};
use crate::estate::Estate;
use crate::git::{Rollback, Tainted};
use crate::inventory;
use crate::manifest::Manifest;
use crate::pipeline;
use crate::plan::{self, Rejection};
use crate::requests::{CommitPrefixError, RequestError, find_commit, permitted};
use crate::state::NewConsent;

/// A recorded rejection.
#[derive(Clone, Debug)]
pub struct Rejected {
    /// The consent, or the earlier one if the actor had rejected the same before.
    pub consent: Consent,
    /// The rejected commit.
    pub sha: CommitSha,
    /// Whether it was recorded before.
    pub is_old: bool,
    /// The other links that it holds as well.
    pub others: Vec<LinkId>,
}

/// Records the rejection of a commit of a link whose recorded head is `head`. `commit` is a sha, a prefix of one, a branch
/// or a tag.
pub async fn reject(
    estate: &Estate,
    (by, why): (&Actor, &str),
    (link, head): (&LinkId, &Head),
    commit: &str,
) -> Result<Rejected, RequestError> {
    permitted(estate, by, Right::Approve, ("reject", link))?;
    let manifest = estate.manifest();
    let url = url(manifest, link)?;
    let sha = estate.git.resolve(url, commit).await?;
    if let Some(live) = pipeline::base(head) {
        estate.git.ensure(url, live).await?;
        let same = Rollback { sha: sha.clone(), good: None, cleared: Vec::new() };
        if let Tainted::By { .. } = estate.git.tainted(url, live, &same).await? {
            let what = match *live == sha {
                true => format!("{} is live in `{link}`", sha.short()),
                false => format!("{} is part of {}, which is live in `{link}`", sha.short(), live.short()),
            };
            let hint = format!("`katkit rollback {link}` goes back to the commit that was verified before");
            return Err(RequestError::refused(what, hint));
        }
    }
    let (standing, now) = (estate.state.consents().await?.standing, estate.clock.now());
    let others = others(manifest, link);
    let what = ConsentKind::Rejection { link: link.clone(), sha: sha.clone() };
    let same = |it: &&Consent| it.what == what && manifest.access.is_same(&it.by, by);
    if let Some(consent) = standing.iter().find(same) {
        return Ok(Rejected { consent: consent.clone(), sha, is_old: true, others });
    }
    let (why, ends) = (Some(why.to_owned()), expired(&standing, now).collect());
    let consent = estate.state.consent(NewConsent { at: now, by: by.clone(), why, what, ends }).await?;
    Ok(Rejected { consent, sha, is_old: false, others })
}

/// Ends the rejections of a commit that were given for these links, all of them or none. Returns those that it ended, with
/// their links; none if there are none.
pub async fn release(
    estate: &Estate,
    (by, why): (&Actor, Option<&str>),
    links: &[LinkId],
    commit: &str,
) -> Result<Vec<(LinkId, Consent)>, RequestError> {
    let (standing, now) = (inventory::consents(estate.sources()).await?, estate.clock.now());
    let mut ended = Vec::new();
    for link in links {
        let rejections = releasable(estate, (by, why), (&standing, link), commit).await?;
        ended.extend(rejections.into_iter().map(|consent| (link.clone(), consent.clone())));
    }
    if !ended.is_empty() {
        let ends: Vec<ConsentId> = ended.iter().map(|(_, consent)| consent.id).collect();
        let (why, what) = (why.map(str::to_owned), ConsentKind::Release);
        estate.state.consent(NewConsent { at: now, by: by.clone(), why, what, ends }).await?;
    }
    Ok(ended)
}

/// The rejections of a commit for a link that an actor may end: their own or, if they have none, those of others.
async fn releasable<'c>(
    estate: &Estate,
    (by, why): (&Actor, Option<&str>),
    (standing, link): (&'c [Consent], &LinkId),
    commit: &str,
) -> Result<Vec<&'c Consent>, RequestError> {
    let rejections = plan::rejections(estate.manifest(), standing, link);
    let known = rejections.iter().map(|rejection| rejection.sha);
    let sha = match find_commit(commit, &Head::default(), known) {
        Ok(Some(sha)) => sha,
        // It may be another way to name a commit that was rolled back.
        Ok(None) | Err(CommitPrefixError::Invalid(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let named: Vec<_> = rejections.iter().filter(|rejection| *rejection.sha == sha).collect();
    let own: Vec<&Consent> = named.iter().filter(|it| it.at == link).map(|it| it.consent).collect();
    if let (Some(Rejection { at, .. }), []) = (named.first(), own.as_slice()) {
        let what = format!("{} was rejected for `{at}`, not for `{link}`", sha.short());
        let hint = format!("`katkit release {at} {}` releases it", sha.short());
        return Err(RequestError::refused(what, hint));
    }
    let access = &estate.manifest().access;
    let (mine, others): (Vec<&Consent>, Vec<&Consent>) =
        own.into_iter().partition(|it| access.is_same(&it.by, by));
    let Some(rejecter) = others.first().map(|consent| &consent.by.name).filter(|_| mine.is_empty()) else {
        return Ok(mine);
    };
    permitted(estate, by, Right::Approve, ("release", link))?;
    independent(estate, by, link, &sha, rejecter).await?;
    if why.is_none() {
        let what = format!("{rejecter} rejected it, so the release needs a reason");
        return Err(RequestError::refused(what, "add `--why TEXT`".to_owned()));
    }
    Ok(others)
}

/// Where approvals are needed, those who took part in a commit do not release it from the rejection of another.
async fn independent(
    estate: &Estate,
    by: &Actor,
    link: &LinkId,
    sha: &CommitSha,
    rejecter: &str,
) -> Result<(), RequestError> {
    let manifest = estate.manifest();
    if manifest.policy_of(link).is_none_or(|(_, policy)| policy.approvals.is_empty()) {
        return Ok(());
    }
    let url = url(manifest, link)?;
    estate.git.ensure(url, sha).await?;
    let (tree, contributors) = estate.git.contributors(url, None, sha).await?;
    let changes = Changes { from: None, to: sha.clone(), tree, contributors, initiator: None };
    match took_part(manifest, by, link, &changes) {
        None => Ok(()),
        Some((why, policy)) => {
            let what = format!("{why}, and the policy `{policy}` wants others to decide");
            Err(RequestError::refused(what, format!("ask {rejecter} to release {}", sha.short())))
        }
    }
}

fn url<'m>(manifest: &'m Manifest, link: &LinkId) -> Result<&'m str, RequestError> {
    let repo = manifest.link(link).and_then(|(_, it)| manifest.repos.get(&it.repo));
    let unknown = || RequestError::refused(format!("`{link}` is not in the manifest"), None);
    repo.map(|repo| repo.url.as_str()).ok_or_else(unknown)
}

/// The other links of its stage and of the stages after it.
fn others(manifest: &Manifest, link: &LinkId) -> Vec<LinkId> {
    let Some((_, pipeline, _)) = manifest.pipeline_of(link) else { return Vec::new() };
    let others = pipeline.links().filter(|other| pipeline.is_upstream(link, other));
    others.cloned().collect()
}
