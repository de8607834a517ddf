//! The commits that pipelines choose. Reads the first-parent history of each repository once, from the tip back to the
//! oldest commit that is live in its pipelines, and not at all if that is the tip.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::Sources;
use super::approvals;
use super::candidates::Search;
use super::evidence::EvidenceReader;
use super::problem::{problem, tip};
use super::pull_requests::{self, Tested};
use super::refusal;
use crate::domain::{
    CommitSha, Consent, ConsentKind, Head, LinkId, Quarantine, RepoName, Request, RequestKind, TreeId,
};
use crate::git::{BesideBranch, GitError, Repositories, Tips};
use crate::manifest::{Manifest, Repo};
use crate::pipeline::{
    self, BranchHistory, Choice, LinkRecord, Position, Question, Records, Soak, Standing, Train,
};
use crate::plan::{
    self, ForeignRollback, Hold, HoldReason, HoldScope, InPipeline, LinkInput, PlannedTest, Problem,
};
use crate::policy::{self, MissingReview};
use crate::state::StateError;

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
    /// The test of a pull request that `want` is the merge of.
    test: Option<PlannedTest>,
    /// Why the test in progress cannot go on.
    stops: Option<String>,
    /// Requests for tests that are impossible, each with the reason.
    refused: Vec<(Request, String)>,
    /// How the commit differs from what was tested before it landed.
    landing: Option<String>,
}

impl Decision {
    fn new(want: Result<CommitSha, Box<Hold>>, pipeline: InPipeline, waits: Option<Hold>) -> Self {
        let (test, stops, refused, landing) = (None, None, Vec::new(), None);
        Self { want, pipeline: Some(pipeline), waits, test, stops, refused, landing }
    }

    fn unknown(problem: Problem) -> Self {
        Self { pipeline: None, ..Self::new(Err(Box::new(problem.into())), InPipeline::default(), None) }
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
    (tips, evidence): (&BTreeMap<&RepoName, Result<Tips, GitError>>, &mut EvidenceReader<'_>),
) -> Result<(), StateError> {
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
                let testing = testing(sources.manifest, repo);
                let has_tests =
                    testing.iter().any(|link| known.records.get(link).is_some_and(|it| !it.tests.is_empty()));
                let read = read(sources, repository, (tip, until), has_tests).await;
                read.map_err(|error| problem(&error)).map(|branch| {
                    let records = match has_tests {
                        true => Arc::new(
                            Records::clone(known.records).with_landings(testing.into_iter(), branch.trees()),
                        ),
                        false => Arc::clone(known.records),
                    };
                    (Arc::new(branch), records)
                })
            }
            Err(problem) => Err(problem),
        };
        for at in members {
            let input = &mut links[at];
            let Decision { want, pipeline, waits, test, stops, refused, landing } = match &history {
                Ok((branch, records)) => {
                    let unreviewed = evidence.unreviewed(sources.manifest, input, branch).await?;
                    let known = Known { records, ..known };
                    decide(sources, input, repository, known, (branch, &unreviewed)).await
                }
                Err(problem) => Decision::unknown(problem.clone()),
            };
            input.want = Some(want);
            (input.pipeline, input.waits) = (pipeline.map(Box::new), waits.map(Box::new));
            (input.test, input.stops, input.landing) = (test.map(Box::new), stops, landing);
            input.requests.retain(|request| !refused.iter().any(|(other, _)| other.id == request.id));
            input.refused.extend(refused);
        }
    }
    Ok(())
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
            // What lands next does not depend on what was tested last.
            _ if pipeline.tests_pull_requests(&input.id) => {}
            // A merge that was tested here before is on no branch.
            Some(base) => until.extend([input.head.on_branch(base).clone()]),
            None => {
                let before = pipeline.requirements(&input.id, None).into_iter().flat_map(|it| it.links());
                let before = before.filter_map(|link| records.get(link));
                for record in before {
                    until.extend(record.verified.iter().map(|verified| verified.sha.clone()));
                    until.extend(record.tests.iter().map(|test| test.merge.base.clone()));
                }
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

/// The links that test pull requests of a repository.
fn testing<'m>(manifest: &'m Manifest, repo: &RepoName) -> Vec<&'m LinkId> {
    let pipelines = manifest.pipelines.values().filter(|pipeline| pipeline.repo == *repo);
    pipelines.flat_map(|pipeline| pipeline.testing_links()).collect()
}

async fn read(
    sources: Sources<'_>,
    repo: &Repo,
    (tip, until): (&CommitSha, Vec<CommitSha>),
    with_trees: bool,
) -> Result<BranchHistory, GitError> {
    if until.iter().all(|sha| sha == tip) && !with_trees {
        return Ok(BranchHistory::new(repo.branch.clone(), vec![tip.clone()], BTreeMap::new()));
    }
    sources.git.ensure(&repo.url, tip).await?;
    // Without another end, nothing but the tip matters.
    let until = if until.is_empty() { vec![tip.clone()] } else { until };
    let (history, trees) = history(sources.git, repo, tip, &until).await?;
    Ok(if with_trees { history.with_trees(trees) } else { history })
}

/// The first-parent history from a tip back to the oldest of some commits.
pub async fn branch_history(
    git: &dyn Repositories,
    repo: &Repo,
    tip: &CommitSha,
    until: &[CommitSha],
) -> Result<BranchHistory, GitError> {
    Ok(history(git, repo, tip, until).await?.0)
}

/// The same, and what the commits contain.
async fn history(
    git: &dyn Repositories,
    Repo { url, branch }: &Repo,
    tip: &CommitSha,
    until: &[CommitSha],
) -> Result<(BranchHistory, BTreeMap<CommitSha, TreeId>), GitError> {
    let found = git.first_parents(url, tip, until).await?;
    let trees = found.commits.iter().cloned().zip(found.trees).collect();
    let beside =
        |(sha, BesideBranch { merged_by, forked_from })| (sha, Position::Beside { merged_by, forked_from });
    let others = found.others.into_iter().map(beside).collect();
    Ok((BranchHistory::new(branch.clone(), found.commits, others), trees))
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
    (branch, unreviewed): (&Arc<BranchHistory>, &[MissingReview]),
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
        unreviewed: &unreviewed.iter().map(|missing| missing.sha.clone()).collect(),
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
        is_testing: pipeline.tests_pull_requests(&input.id),
    };
    let rejections = plan::rejections(sources.manifest, known.consents, &input.id);
    if found.is_testing {
        let search = Search { sources, url: &repo.url, input, found: &found, rejections: &rejections };
        let Tested { want, test, stops, refused, waits, landing } =
            pull_requests::decide(search, records).await;
        return Decision { test, stops, refused, landing, ..Decision::new(want, found, waits) };
    }
    if let Some((sha, _)) = question.overridden.filter(|(sha, _)| pipeline::base(&input.head) != Some(sha)) {
        let search = Search { sources, url: &repo.url, input, found: &found, rejections: &rejections };
        // An override lifts neither a rollback nor a rejection: it must not keep a fix from running.
        if search.obstacle(sha).await.is_ok_and(|obstacle| obstacle.is_some()) {
            question.overridden = None;
        }
    }
    let choice = pipeline::choose(&question);
    if let Some((base, hold)) = held_by_train(sources, &question, &choice, now) {
        return Decision::new(Ok(base), found, Some(hold));
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
        Choice::Nothing(refusal) => Err(Box::new(refusal::hold(input, refusal, branch))),
        Choice::Candidates(candidates) => search.first(candidates).await,
    };
    let idle = want.as_ref().ok().filter(|want| pipeline::base(&input.head) == Some(want));
    let waits = idle.and_then(|_| waits_for(sources, input, (&found.standing, branch), unreviewed));
    Decision::new(want, found, waits)
}

/// What the next commit waits for while what is live is wanted: its review, or the end of its soak.
fn waits_for(
    sources: Sources<'_>,
    input: &LinkInput,
    (standing, branch): (&Standing, &BranchHistory),
    unreviewed: &[MissingReview],
) -> Option<Hold> {
    let (name, policy) = sources.manifest.policy_of(&input.id)?;
    let policy_name = name.clone();
    if let Some(sha) = &standing.unreviewed {
        let contained = |missing: &&MissingReview| branch.number(&missing.sha) >= branch.number(sha);
        let missing: Vec<_> = unreviewed.iter().filter(contained).cloned().collect();
        let hint = missing.first().map(MissingReview::hint);
        let reason = HoldReason::Unreviewed { policy: policy_name, sha: sha.clone(), missing };
        return Some(Hold { scope: HoldScope::Link, reason, hint, until: None });
    }
    let (sha, missing) = standing.soaking.as_ref()?;
    let until = pipeline::soaked_at(missing).map(|at| policy.zone().at(minute_after(at)));
    let reason = HoldReason::Soaking { policy: policy_name, sha: sha.clone(), missing: missing.clone() };
    Some(Hold { scope: HoldScope::Link, reason, hint: None, until })
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
