//! The commits that pipelines choose. Reads the first-parent history of each repository once, from the tip back to the
//! oldest commit that is live in its pipelines, and not at all if that is the tip.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::Sources;
use super::approvals;
use super::candidates::Search;
use super::problem::{problem, tip};
use crate::domain::{
    CommitSha, Consent, ConsentKind, Head, LinkId, Quarantine, RepoName, Request, RequestKind,
};
use crate::git::{BesideBranch, GitError, Repositories, Tips};
use crate::manifest::{Manifest, Repo};
use crate::pipeline::{
    self, BranchHistory, Choice, LinkRecord, Missing, Position, Question, Records, Refusal, Soak, Standing,
    Train,
};
use crate::plan::{self, ForeignRollback, Hold, HoldReason, HoldScope, InPipeline, LinkInput, Problem};
use crate::policy;

/// What decides about the commits of pipelines, besides the branches.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a> {
    /// What the record says of all links of pipelines.
    pub(super) records: &'a Arc<Records>,
    /// The consents that stand.
    pub(super) consents: &'a [Consent],
    /// The time of the plan.
    pub(super) now: Timestamp,
}

/// What a pipeline decides for a link.
struct Decision {
    want: Result<CommitSha, Box<Hold>>,
    /// Where the link stands, if that is known.
    pipeline: Option<InPipeline>,
    /// What the next commit waits for while what is live is wanted.
    waits: Option<Hold>,
}

impl Decision {
    fn unknown(problem: Problem) -> Self {
        Self { want: Err(Box::new(problem.into())), pipeline: None, waits: None }
    }
}

/// The records of all links of pipelines, whatever the scope: those of other stages decide on a link.
pub(super) fn records(manifest: &Manifest, links: &[LinkInput]) -> Records {
    if manifest.pipelines.is_empty() {
        return Records::default();
    }
    let members: BTreeSet<&LinkId> =
        manifest.pipelines.values().flat_map(|pipeline| pipeline.links()).collect();
    let members = links.iter().filter(|input| members.contains(&input.id));
    members.map(|input| (input.id.clone(), LinkRecord::of(&input.head, &input.requests))).collect()
}

/// Fills in `want` and `pipeline` of every link that follows a pipeline. `tips` has the home branches.
pub(super) async fn resolve(
    sources: Sources<'_>,
    links: &mut [LinkInput],
    known: Known<'_>,
    tips: &BTreeMap<&RepoName, Result<Tips, GitError>>,
) {
    let mut members: BTreeMap<&RepoName, Vec<usize>> = BTreeMap::new();
    for (at, input) in links.iter().enumerate() {
        if let Some((_, pipeline, _)) = sources.manifest.pipeline_of(&input.id) {
            members.entry(&pipeline.repo).or_default().push(at);
        }
    }
    for (repo, members) in members {
        let Some(repository) = sources.manifest.repos.get(repo) else { continue };
        let history = match tip(tips, repo, &repository.branch) {
            Ok(tip) => {
                let until = until(sources.manifest, links, &members, known);
                read(sources, repository, tip, until).await.map(Arc::new).map_err(|error| problem(&error))
            }
            Err(problem) => Err(problem),
        };
        for at in members {
            let input = &mut links[at];
            let Decision { want, pipeline, waits } = match &history {
                Ok(branch) => decide(sources, input, repository, known, branch).await,
                Err(problem) => Decision::unknown(problem.clone()),
            };
            input.want = Some(want);
            (input.pipeline, input.waits) = (pipeline.map(Box::new), waits.map(Box::new));
        }
    }
}

/// The commits whose place on the branch matters: what is live, and what the manifest or actors name.
fn until(manifest: &Manifest, links: &[LinkInput], members: &[usize], known: Known<'_>) -> Vec<CommitSha> {
    let Known { records, consents, now } = known;
    let mut until = BTreeSet::new();
    for input in members.iter().map(|&at| &links[at]) {
        let Some((_, pipeline, pin)) = manifest.pipeline_of(&input.id) else { continue };
        let promoted = promoted(&input.head, &input.requests);
        until.extend(pin.map(|pin| pin.sha.clone()));
        until.extend(promoted.cloned());
        let overridden = policy::override_in_force(&manifest.access, consents, &input.id, now);
        until.extend(overridden.map(|it| it.sha.clone()));
        // Whether an approval covers what would be deployed depends on the order of both ends.
        until.extend(approved(consents, input, now).cloned());
        // Trains depend on what the links behind it have.
        let others = pipeline.links().filter_map(|link| records.get(link));
        until.extend(others.filter_map(|record| record.live.clone()));
        match pipeline::base(&input.head) {
            Some(base) => until.extend([base.clone()]),
            None => {
                let before = pipeline.requirements(&input.id, None).into_iter().flat_map(|it| it.links());
                let before = before.filter_map(|link| records.get(link));
                until.extend(before.flat_map(|record| &record.verified).map(|verified| verified.sha.clone()));
            }
        }
    }
    until.into_iter().collect()
}

/// Both ends of what was approved for a link and is still to be deployed there.
fn approved<'c>(
    consents: &'c [Consent],
    input: &LinkInput,
    now: Timestamp,
) -> impl Iterator<Item = &'c CommitSha> {
    let live = pipeline::base(&input.head);
    let ends = move |consent: &'c Consent| match &consent.what {
        ConsentKind::Approval { link, changes, until, .. }
            if *link == input.id && *until > now && Some(&changes.to) != live =>
        {
            Some(changes.from.iter().chain([&changes.to]))
        }
        _ => None,
    };
    consents.iter().filter_map(ends).flatten()
}

async fn read(
    sources: Sources<'_>,
    repo: &Repo,
    tip: &CommitSha,
    until: Vec<CommitSha>,
) -> Result<BranchHistory, GitError> {
    if until.iter().all(|sha| sha == tip) {
        return Ok(BranchHistory::new(repo.branch.clone(), vec![tip.clone()], BTreeMap::new()));
    }
    sources.git.ensure(&repo.url, tip).await?;
    branch_history(sources.git, repo, tip, &until).await
}

/// The first-parent history from a tip back to the oldest of some commits.
pub async fn branch_history(
    git: &dyn Repositories,
    Repo { url, branch }: &Repo,
    tip: &CommitSha,
    until: &[CommitSha],
) -> Result<BranchHistory, GitError> {
    let found = git.first_parents(url, tip, until).await?;
    let beside =
        |(sha, BesideBranch { merged_by, forked_from })| (sha, Position::Beside { merged_by, forked_from });
    Ok(BranchHistory::new(branch.clone(), found.commits, found.others.into_iter().map(beside).collect()))
}

/// The commit that an actor promoted last, whether or not the request is granted yet.
pub(super) fn promoted<'a>(head: &'a Head, requests: &'a [Request]) -> Option<&'a CommitSha> {
    let is_withdrawn = |id| requests.iter().any(|other| other.withdraws(id));
    let pending = requests.iter().rev().filter(|request| !is_withdrawn(&request.id));
    let pending = pending.filter_map(|request| match &request.ask {
        RequestKind::Promote { sha } => Some(sha),
        _ => None,
    });
    pending.chain(head.promoted.as_ref().map(|promoted| &promoted.sha)).next()
}

/// When that was; a request counts as made now.
fn promoted_at(head: &Head, requests: &[Request], now: Timestamp) -> Timestamp {
    let granted = head.promoted.as_ref().filter(|granted| promoted(head, requests) == Some(&granted.sha));
    granted.map_or(now, |granted| granted.at)
}

async fn decide(
    sources: Sources<'_>,
    input: &LinkInput,
    repo: &Repo,
    known: Known<'_>,
    branch: &Arc<BranchHistory>,
) -> Decision {
    let Known { records, now, .. } = known;
    let Some((_, pipeline, pin)) = sources.manifest.pipeline_of(&input.id) else {
        let problem = Problem { what: "its pipeline is not in the manifest".to_owned(), hint: None };
        return Decision::unknown(problem);
    };
    let access = &sources.manifest.access;
    let overridden = policy::override_in_force(access, known.consents, &input.id, now).map(|it| it.sha);
    let waived = overridden
        .map(|sha| policy::waived(access, known.consents, (&input.id, sha), now))
        .unwrap_or_default();
    let mut question = Question {
        overridden: overridden.map(|sha| (sha, waived.as_slice())),
        link: &input.id,
        pipeline,
        head: &input.head,
        pin: pin.map(|pin| &pin.sha),
        promoted: promoted(&input.head, &input.requests),
        promoted_at: Some(promoted_at(&input.head, &input.requests, now)),
        latched: approvals::latched(sources.manifest, known.consents, &input.id, now),
        soak: sources.manifest.soak_of(&input.id).map(|rule| Soak { rule, now }),
        records,
        branch,
    };
    let upstream = pipeline.upstream(&input.id).into_iter();
    let rolled_back = upstream.filter_map(|link| Some((link, records.get(link)?)));
    let rolled_back = rolled_back.flat_map(|(link, record)| {
        let at = |quarantine: &Quarantine| ForeignRollback {
            at: link.clone(),
            quarantine: quarantine.clone(),
            is_requested: record.requested.contains(&quarantine.sha),
        };
        record.rolled_back.iter().map(at)
    });
    let found = InPipeline {
        standing: Standing::of(&question),
        branch: Arc::clone(branch),
        records: Arc::clone(records),
        rolled_back: rolled_back.collect(),
    };
    let rejections = plan::rejections(sources.manifest, known.consents, &input.id);
    if let Some((sha, _)) = question.overridden.filter(|(sha, _)| pipeline::base(&input.head) != Some(sha)) {
        let search = Search { sources, url: &repo.url, input, found: &found, rejections: &rejections };
        // An override lifts neither a rollback nor a rejection: it must not keep a fix from running.
        if search.obstacle(sha).await.is_ok_and(|obstacle| obstacle.is_some()) {
            question.overridden = None;
        }
    }
    let choice = pipeline::choose(&question);
    if let Some((base, hold)) = held_by_train(sources, &question, &choice, now) {
        return Decision { want: Ok(base), pipeline: Some(found), waits: Some(hold) };
    }
    let search = Search { sources, url: &repo.url, input, found: &found, rejections: &rejections };
    let want = match choice {
        Choice::Commit(sha)
            if question.promoted == Some(&sha)
                && pin.is_none()
                && question.overridden.is_none_or(|(of, _)| *of != sha) =>
        {
            search.promoted(&question, sha).await
        }
        Choice::Commit(sha) => Ok(sha),
        Choice::Nothing(refusal) => Err(Box::new(hold(input, refusal, branch))),
        Choice::Candidates(candidates) => search.first(candidates).await,
    };
    let is_idle = || want.as_ref().ok().is_some_and(|want| pipeline::base(&input.head) == Some(want));
    let mut waits = None;
    if let Some((name, policy)) = sources.manifest.policy_of(&input.id)
        && let Some((sha, missing)) = &found.standing.soaking
        && is_idle()
    {
        let until = pipeline::soaked_at(missing).map(|at| policy.zone().at(minute_after(at)));
        let (policy, sha, missing) = (name.clone(), sha.clone(), missing.clone());
        let reason = HoldReason::Soaking { policy, sha, missing };
        waits = Some(Hold { scope: HoldScope::Link, reason, hint: None, until });
    }
    Decision { want, pipeline: Some(found), waits }
}

/// The next whole minute: times are shown without seconds.
fn minute_after(at: Timestamp) -> Timestamp {
    let minutes = (at.as_second() + 59).div_euclid(60);
    Timestamp::from_second(60 * minutes).unwrap_or(at)
}

/// What is live, and the hold, if the link takes nothing new while a commit is soaking there. A run in progress goes on.
fn held_by_train(
    sources: Sources<'_>,
    question: &Question<'_>,
    choice: &Choice,
    now: Timestamp,
) -> Option<(CommitSha, Hold)> {
    let Question { link, pipeline, head, records, branch, .. } = *question;
    if !matches!(choice, Choice::Candidates(_)) || head.open_run().is_some() {
        return None;
    }
    let base = pipeline::base(head)?.clone();
    let soak = |link: &LinkId| sources.manifest.train_of(link).map(|rule| Soak { rule, now });
    let Train { sha, waits, until } = pipeline::train(pipeline, link, branch, records, soak)?;
    let (name, policy) = sources.manifest.policy_of(&waits)?;
    let until = Some(policy.zone().at(minute_after(until)));
    let reason = HoldReason::Train { policy: name.clone(), sha, waits: Box::new(waits) };
    Some((base, Hold { scope: HoldScope::Link, reason, hint: None, until }))
}

fn hold(input: &LinkInput, refusal: Refusal, branch: &BranchHistory) -> Hold {
    let (link, name) = (&input.id, branch.name.clone());
    let promote = || format!("`katkit promote {link} --apply` runs it here");
    let (reason, hint) = match refusal {
        Refusal::FirstPromotion(sha) => (HoldReason::FirstPromotion { sha }, Some(promote())),
        Refusal::NothingVerified(missing) => {
            let hint = skipped(&missing);
            (HoldReason::NotVerified { sha: None, missing }, hint)
        }
        Refusal::LeftBranch { live, next } => {
            let hint = match next {
                Some(_) => promote(),
                // The branch was moved back.
                None if branch.not_in(&live).is_empty() => {
                    format!("push a commit, or go back as well: `katkit rollback {link}`")
                }
                None => "wait until the stages before have verified a commit of the branch".to_owned(),
            };
            (HoldReason::LeftBranch { live, next, branch: name }, Some(hint))
        }
        Refusal::NotOnBranch(sha) => {
            let hint = format!("name a commit of `git log --first-parent {name}`");
            (HoldReason::NotOnBranch { sha, branch: name }, Some(hint))
        }
        Refusal::Older { sha, live } => {
            let is_target = input.head.rollback_targets().any(|(evidence, _)| evidence.sha == sha);
            let hint = match is_target {
                true => format!(
                    "`katkit rollback {link} --to {}` goes back to it, and quarantines {}",
                    sha.short(),
                    live.short()
                ),
                false => "it was not verified there, so the link cannot go back to it; take the `pin` out"
                    .to_owned(),
            };
            (HoldReason::OlderThanLive { sha, live }, Some(hint))
        }
        Refusal::NotVerified { sha, missing } => {
            let hint = skipped(&missing);
            (HoldReason::NotVerified { sha: Some(sha), missing }, hint)
        }
    };
    Hold { scope: HoldScope::Link, reason, hint, until: None }
}

/// How to verify a commit whose run skipped a phase.
fn skipped(missing: &[Missing]) -> Option<String> {
    let (link, phase) = missing.iter().flat_map(|missing| &missing.skipped).next()?;
    Some(format!(
        "`katkit retry {link} --phase {phase}` runs the skipped phase; `katkit waive {link} {phase}` lets it count"
    ))
}
