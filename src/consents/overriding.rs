//! Overrides, and the debts that they leave.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::{expired, took_part};
use crate::access::Right;
use crate::domain::{
    Actor, Changes, CommitSha, Consent, ConsentId, ConsentKind, GateName, Head, LinkId, RequestKind,
};
use crate::estate::Estate;
use crate::git::GitError;
use crate::inventory::{self, Scope, Targets, branch_history, obstacle};
use crate::manifest::{Manifest, Repo};
use crate::pipeline;
use crate::plan::{self, Debt, LinkInput, Problem};
use crate::requests::{Refusal, RequestError, permitted};
use crate::state::NewConsent;

/// The longest that an override may last.
pub const LONGEST: Duration = Duration::from_hours(7 * 24);

/// The most commits whose review one override may owe: it lists them.
const MOST_UNREVIEWED: usize = 1_000;

/// An override that an actor wants.
#[derive(Clone, Debug)]
pub struct Waiver {
    /// The commit: a sha, a prefix of it, a branch or a tag.
    pub commit: String,
    /// The conditions to waive. Not empty.
    pub gates: BTreeSet<GateName>,
    /// When it ends: in the future.
    pub until: Timestamp,
    /// The reason.
    pub why: String,
}

/// A recorded override.
#[derive(Clone, Debug)]
pub struct Overridden {
    /// The consent.
    pub id: ConsentId,
    /// The commit.
    pub sha: CommitSha,
    /// What else the debt of this override includes: what earlier overrides still owe.
    pub owes: Vec<GateName>,
}

/// Records an override. It may name only conditions that the link has, and a commit that may become live there.
pub async fn override_gates(
    estate: &Estate,
    by: &Actor,
    (link, head): (&LinkId, &Head),
    waiver: Waiver,
) -> Result<Overridden, RequestError> {
    permitted(estate, by, Right::BreakGlass, ("override", link))?;
    let manifest = estate.manifest();
    let Some(repo) = manifest.link(link).and_then(|(_, it)| manifest.repos.get(&it.repo)) else {
        return Err(RequestError::refused(format!("`{link}` is not in the manifest"), None));
    };
    let Waiver { commit, gates, until, why } = waiver;
    for gate in &gates {
        check(manifest, link, *gate)?;
    }
    let sha = estate.git.resolve(&repo.url, &commit).await?;
    if pipeline::base(head) == Some(&sha) {
        return Err(RequestError::refused(format!("{} is already live in `{link}`", sha.short()), None));
    }
    let now = estate.clock.now();
    let (input, standing) = gathered(estate, link).await?;
    may_become_live(estate, repo, (&input, &standing), &sha).await?;
    let debt = plan::debt(manifest, &standing, &input, now);
    let owes: Vec<_> = debt.iter().flat_map(|debt| &debt.owes).copied().collect();
    let takes_over: Vec<_> = debt.iter().flat_map(|debt| &debt.overrides).copied().collect();
    let needs_approvals = gates.iter().chain(&owes).any(|gate| *gate == GateName::Approvals);
    let mut unreviewed: Vec<_> = debt.iter().flat_map(|debt| debt.reviews.clone()).collect();
    if gates.contains(&GateName::Review) {
        let lacking = inventory::unreviewed(estate.sources(), &input, &sha).await?;
        let lacking = lacking.map_err(|Problem { what, hint }| Refusal { what, hint })?;
        unreviewed.extend(lacking);
    }
    if unreviewed.len() > MOST_UNREVIEWED {
        let what = format!("{} commits lack their review", unreviewed.len());
        let hint = format!("override it for an older commit first: at most {MOST_UNREVIEWED} may be owed");
        return Err(RequestError::refused(what, hint));
    }
    let changes = match needs_approvals {
        true => {
            let mut new = changes(estate, &repo.url, (pipeline::base(head).cloned(), &sha), &input).await?;
            // The approvals that are owed are for everything since the last commit that owed nothing.
            if let Some(owed) = debt.and_then(|debt| debt.approval).map(|(basis, _)| basis.changes) {
                new.from = owed.from;
                new.contributors.extend(owed.contributors);
            }
            Some(Box::new(new))
        }
        false => None,
    };
    let gates: Vec<_> = gates.into_iter().collect();
    let what = ConsentKind::Override {
        link: link.clone(),
        sha: sha.clone(),
        gates,
        owes: owes.clone(),
        takes_over,
        changes,
        unreviewed: unreviewed.into_iter().map(|review| review.sha).collect(),
        until,
    };
    let mut ends: BTreeSet<ConsentId> = expired(&standing, now).collect();
    ends.extend(spent(&standing, link, head, now));
    let new = NewConsent { at: now, by: by.clone(), why: Some(why), what, ends: ends.into_iter().collect() };
    let id = estate.state.consent(new).await?.id;
    Ok(Overridden { id, sha, owes })
}

/// Ends the overrides for a link that are not used: their commit is not live or running there, and cannot come back by a
/// rollback. Returns those that it ended. Those of others take the right to override.
pub async fn withdraw_override(
    estate: &Estate,
    by: &Actor,
    (link, head): (&LinkId, &Head),
    why: Option<String>,
) -> Result<Vec<Consent>, RequestError> {
    let (standing, now) = (gathered(estate, link).await?.1, estate.clock.now());
    let of_link = |consent: &&Consent| match &consent.what {
        ConsentKind::Override { link: of, until, .. } => of == link && *until > now,
        _ => false,
    };
    let Some(last) = standing.iter().rfind(of_link) else {
        return Err(RequestError::refused(format!("no override for `{link}` is in force"), None));
    };
    if !estate.manifest().access.is_same(&last.by, by) {
        permitted(estate, by, Right::BreakGlass, ("override", link))?;
    }
    // It may have begun since.
    let now_recorded = estate.state.heads(Some(std::slice::from_ref(link))).await?.into_iter().next();
    let head = now_recorded.as_ref().map_or(head, |(_, head)| head);
    let unused = standing.iter().filter(of_link).filter(|consent| !is_used(consent, head));
    let unused: Vec<Consent> = unused.cloned().collect();
    if unused.is_empty() {
        let what = format!("the commit that the override for `{link}` is for has run there");
        let hint =
            format!("`katkit rollback {link}` takes it back; `katkit forgive {link}` ends what it owes");
        return Err(RequestError::refused(what, hint));
    }
    let ends = unused.iter().map(|consent| consent.id).collect();
    let what = ConsentKind::Withdrawal;
    estate.state.consent(NewConsent { at: now, by: by.clone(), why, what, ends }).await?;
    Ok(unused)
}

/// Whether the commit of an override is live or running, or was and can come back by a rollback.
fn is_used(consent: &Consent, head: &Head) -> bool {
    let ConsentKind::Override { sha, .. } = &consent.what else { return false };
    let runs = head.open_run().is_some_and(|run| run.sha == *sha);
    let deploys = head.deploying.as_ref().is_some_and(|deploying| deploying.sha == *sha);
    pipeline::base(head) == Some(sha) || head.evidence(sha).is_some() || runs || deploys
}

/// Forgives the debt of a link: its live commit may owe what was overridden. Returns the debt.
pub async fn forgive(estate: &Estate, by: &Actor, link: &LinkId, why: String) -> Result<Debt, RequestError> {
    permitted(estate, by, Right::Approve, ("forgive", link))?;
    let (manifest, now) = (estate.manifest(), estate.clock.now());
    let (input, standing) = gathered(estate, link).await?;
    let Some(debt) = plan::debt(manifest, &standing, &input, now) else {
        let what = format!("what is live in `{link}` owes nothing");
        return Err(RequestError::refused(what, None));
    };
    let overrides = standing.iter().filter(|consent| debt.overrides.contains(&consent.id));
    if let Some(own) = overrides.into_iter().find(|consent| manifest.access.is_same(&consent.by, by)) {
        let what = format!("override {} is by {by}, and another has to forgive it", own.id);
        return Err(RequestError::refused(what, format!("`katkit who-can forgive {link}` shows who can")));
    }
    if let Some((basis, _)) = &debt.approval
        && let Some((why, policy)) = took_part(manifest, by, link, &basis.changes)
    {
        let what = format!("{why}, and the policy `{policy}` wants others to decide");
        return Err(RequestError::refused(what, format!("`katkit who-can approve {link}` shows who can")));
    }
    let (ends, what) = (debt.overrides.clone(), ConsentKind::Forgiveness);
    estate.state.consent(NewConsent { at: now, by: by.clone(), why: Some(why), what, ends }).await?;
    Ok(debt)
}

/// Refuses a condition that the link does not have.
fn check(manifest: &Manifest, link: &LinkId, gate: GateName) -> Result<(), RequestError> {
    let policy = manifest.policy_of(link).map(|(_, policy)| policy);
    let pipeline = manifest.pipeline_of(link).map(|(_, pipeline, _)| pipeline);
    let has = match gate {
        GateName::Verified => pipeline.is_some_and(|it| !it.requirements(link, None).is_empty()),
        GateName::Soak => policy.is_some_and(|policy| policy.soak.is_some()),
        GateName::Approvals => policy.is_some_and(|policy| !policy.approvals.is_empty()),
        GateName::Review => policy.is_some_and(|policy| policy.review.is_some()),
        GateName::Windows => policy.is_some_and(|policy| !policy.allow.is_empty()),
        GateName::MaxPerDay => policy.is_some_and(|policy| policy.per_day.is_some()),
        // One may be given by hand.
        GateName::Freeze => true,
    };
    if has {
        return Ok(());
    }
    let what = match gate {
        GateName::Verified => "no stage comes before it",
        GateName::Soak => "its policy lets nothing soak",
        GateName::Approvals => "its policy requires no approvals",
        GateName::Review => "its policy requires no review",
        GateName::Windows => "its policy has no windows for deployments",
        GateName::MaxPerDay => "its policy has no daily limit",
        GateName::Freeze => return Ok(()),
    };
    Err(RequestError::refused(format!("`{link}` has no condition `{gate}`: {what}"), None))
}

/// Refuses a commit that the link would not run even so.
async fn may_become_live(
    estate: &Estate,
    repo: &Repo,
    (input, standing): (&LinkInput, &[Consent]),
    sha: &CommitSha,
) -> Result<(), RequestError> {
    let (link, short) = (&input.id, sha.short());
    let pin = estate.manifest().pipeline_of(link).and_then(|(_, _, pin)| pin);
    if let Some(pin) = pin.filter(|pin| pin.sha != *sha) {
        let what = format!("`{link}` is pinned to {}: {}", pin.sha.short(), pin.why);
        return Err(RequestError::refused(what, "take the `pin` out of the manifest first".to_owned()));
    }
    if let Some(found) = input.pipeline.as_deref() {
        let known = match (found.branch.knows(sha), found.branch.tip()) {
            (false, Some(tip)) => {
                Some(branch_history(&*estate.git, repo, tip, std::slice::from_ref(sha)).await?)
            }
            _ => None,
        };
        let branch = known.as_ref().unwrap_or(&found.branch);
        let name = &branch.name;
        if branch.number(sha).is_none() {
            let what = format!("{short} is not in the first-parent history of `{name}`");
            return Err(RequestError::refused(
                what,
                format!("name a commit of `git log --first-parent {name}`"),
            ));
        }
        let live = pipeline::base(&input.head).filter(|live| found.branch.knows(live));
        if let Some(live) = live
            && !found.branch.newer_than(live).unwrap_or_else(|| found.branch.not_in(live)).contains(sha)
        {
            let what = format!("{short} is older than {}, which is live in `{link}`", live.short());
            let hint = format!("`katkit rollback {link} --list` shows what it can go back to");
            return Err(RequestError::refused(what, hint));
        }
    } else if let Some(Ok(want)) = &input.want
        && want != sha
    {
        let what = format!("`{link}` should run {}, not {short}", want.short());
        return Err(RequestError::refused(what, format!("`katkit set {link} {short}` selects it")));
    }
    let obstacle = obstacle(estate.sources(), input, standing, sha).await;
    match obstacle.map_err(|Problem { what, hint }| Refusal { what, hint })? {
        None => Ok(()),
        Some(reason) => {
            let release = reason.release(link);
            let hint = release.map(|release| format!("an override does not lift that; `{release}` does"));
            Err(RequestError::refused(reason.describe(), hint))
        }
    }
}

/// What is recorded of a link and where it stands in its pipeline, and the consents that stand.
async fn gathered(estate: &Estate, link: &LinkId) -> Result<(LinkInput, Vec<Consent>), RequestError> {
    let targets = Targets::default().and_only(BTreeSet::from([link.clone()]));
    let input = estate.inventory(&Scope { targets, ..Scope::default() }).await?;
    let unknown = || RequestError::refused(format!("`{link}` is not in the manifest"), None);
    let found = input.links.into_iter().find(|input| input.id == *link).ok_or_else(unknown)?;
    Ok((found, input.consents))
}

async fn changes(
    estate: &Estate,
    url: &str,
    (from, to): (Option<CommitSha>, &CommitSha),
    input: &LinkInput,
) -> Result<Changes, GitError> {
    for sha in from.iter().chain([to]) {
        estate.git.ensure(url, sha).await?;
    }
    let (tree, contributors) = estate.git.contributors(url, from.as_ref(), to).await?;
    let is_it = |ask: &RequestKind| matches!(ask, RequestKind::Promote { sha } if sha == to);
    let promoted = input.requests.iter().rev().find(|request| is_it(&request.ask));
    let initiator = promoted.map(|request| request.by.clone());
    Ok(Changes { from, to: to.clone(), tree, contributors, initiator })
}

/// The overrides for the link that have ended, and whose commit is not live: they waive nothing, and owe nothing.
fn spent<'c>(
    standing: &'c [Consent],
    link: &'c LinkId,
    head: &'c Head,
    now: Timestamp,
) -> impl Iterator<Item = ConsentId> + 'c {
    let is_spent = move |consent: &&Consent| match &consent.what {
        ConsentKind::Override { link: of, until, .. } => {
            of == link && *until <= now && !is_used(consent, head)
        }
        _ => false,
    };
    standing.iter().filter(is_spent).map(|consent| consent.id)
}
