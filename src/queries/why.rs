//! Why a commit is live on a link, or why it is not: the plan for the link, its last run, and the logs of what failed.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use super::journal_pages::{past_run, past_runs};
use crate::blobs::{BlobError, BlobKey, FailedReplica};
use crate::domain::{CommitSha, Consent, FormerName, Head, LinkId, PhaseState, PhaseStatus, RunState};
use crate::estate::Estate;
use crate::inventory::{self, Scope, Targets};
use crate::journal::PastRun;
use crate::manifest::Loaded;
use crate::pipeline::{CommitState, Soak};
use crate::plan::{self, Contained, Hold, HoldReason, Holder, LinkInput, LinkPlan, WatchComparison};
use crate::requests::{CommitPrefixError, find_commit};
use crate::state::StateError;
use crate::views::{CommitPlace, CommitStory, Tail, Why, WhyPipeline};

/// How many lines of a failed attempt's log to read.
const LINES: usize = 20;

/// Everything known about one link.
#[derive(Debug)]
pub struct WhyFacts {
    loaded: Arc<Loaded>,
    link: LinkId,
    /// The time of the plan.
    at: Timestamp,
    /// The recorded head, for links that are not gathered.
    head: Head,
    /// `None` if the link is forgotten. Nobody works on such a link.
    found: Option<LinkInput>,
    plan: Option<LinkPlan>,
    consents: Vec<Consent>,
    run: Option<PastRun>,
    tails: Vec<Tail>,
    story: Option<CommitStory>,
}

/// Why a link could not be explained.
#[derive(Debug, thiserror::Error)]
pub enum WhyError {
    /// The record could not be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// A log or a status could not be read.
    #[error(transparent)]
    Blobs(#[from] BlobError),
    /// The text given for a commit does not identify one.
    #[error(transparent)]
    Commit(#[from] CommitPrefixError),
}

/// What to explain.
#[derive(Clone, Copy, Debug, Default)]
pub struct WhyQuestion<'q> {
    /// The sha of a commit, or a prefix of it; `None` for the wanted commit.
    pub commit: Option<&'q str>,
    /// Whether a job or a schedule asks, and no user.
    pub unattended: bool,
}

/// Gathers everything about a link whose recorded head is `head`.
pub async fn why(
    estate: &Estate,
    link: &LinkId,
    head: Head,
    WhyQuestion { commit, unattended }: WhyQuestion<'_>,
) -> Result<WhyFacts, WhyError> {
    let targets = Targets::default().and_only(BTreeSet::from([link.clone()]));
    let input = estate.inventory(&Scope { targets, unattended, ..Scope::default() }).await?;
    let (at, plan) = (input.now, plan::plan(&input).links.into_iter().next());
    let found = input.links.into_iter().next();
    let (loaded, link) = (Arc::clone(&estate.loaded), link.clone());
    let consents = input.consents;
    let mut facts =
        WhyFacts { loaded, link, at, head, found, plan, consents, run: None, tails: Vec::new(), story: None };
    facts.run = match &facts.head().run {
        Some(run) => past_run(estate, facts.recorded(), &run.id).await?,
        None => None,
    };
    if let Some(text) = commit {
        facts.story = Some(facts.story_of(estate, text).await?);
    }
    facts.tails = tails(estate, &facts.link, facts.head()).await?;
    Ok(facts)
}

impl WhyFacts {
    /// The facts as a view takes them.
    pub fn why(&self, now: Timestamp) -> Why<'_> {
        let (found, recorded) = (self.found.as_ref(), self.recorded());
        Why {
            link: &self.link,
            recorded_as: Some(recorded).filter(|recorded| **recorded != self.link),
            asks: self.loaded.manifest.link(&self.link).map(|(_, link)| &link.want),
            want: self.want(),
            contained: self.contained(),
            pipeline: self.pipeline(),
            head: self.head(),
            holder: found.map_or(&Holder::Nobody, |found| &found.holder),
            requests: found.map_or(&[], |found| found.requests.as_slice()),
            plan: self.plan.as_ref(),
            run: self.run.as_ref(),
            tails: &self.tails,
            story: self.story.as_ref(),
            now,
        }
    }

    /// The head that the plan was made from.
    fn head(&self) -> &Head {
        self.found.as_ref().map_or(&self.head, |found| &found.head)
    }

    fn want(&self) -> Option<&Result<CommitSha, Box<Hold>>> {
        self.found.as_ref().and_then(|found| found.want.as_ref())
    }

    /// What happened to the commit that `text` identifies.
    async fn story_of(&self, estate: &Estate, text: &str) -> Result<CommitStory, WhyError> {
        let mut runs = past_runs(estate, self.recorded()).await?;
        let tip = self.contained().map(|contained| &contained.tip);
        let tip = tip.or(self.want().and_then(|want| want.as_ref().ok()));
        let place = self.pipeline();
        let branch = place.and_then(|place| place.found).map_or(&[][..], |found| found.branch.commits());
        let tested = |run: &PastRun| run.test.as_ref().map(|test| test.merge.head.clone());
        let tested: Vec<_> = runs.iter().filter_map(tested).chain(self.waiting().cloned()).collect();
        let known = runs.iter().map(|run| &run.sha).chain(&tested).chain(tip).chain(branch);
        let sha = find_commit(text, self.head(), known)?;
        let is_of = |run: &PastRun, sha: &CommitSha| {
            run.sha == *sha || run.test.as_ref().is_some_and(|it| it.merge.head == *sha)
        };
        runs.retain(|run| sha.as_ref().is_some_and(|sha| is_of(run, sha)));
        let tests_before = sha.as_ref().and_then(|sha| self.waiting().position(|waiting| waiting == sha));
        let place = match place.zip(sha.as_ref()) {
            Some((place, sha)) => self.place(estate, place, sha).await,
            None => None,
        };
        let named = sha.map_or_else(|| text.to_owned(), |sha| sha.to_string());
        Ok(CommitStory { named, runs, place, tests_before })
    }

    /// The commits whose tests are requested, the first to run first.
    fn waiting(&self) -> impl Iterator<Item = &CommitSha> {
        let requests = self.found.iter().flat_map(|found| found.requested_tests());
        requests.map(|(_, sha)| sha)
    }

    /// The pipeline that the link follows, and where it stands there.
    fn pipeline(&self) -> Option<WhyPipeline<'_>> {
        let manifest = &self.loaded.manifest;
        let (name, pipeline, pin) = manifest.pipeline_of(&self.link)?;
        let stage = &pipeline.stage_of(&self.link)?.name;
        let found = self.found.as_ref().and_then(|found| found.pipeline.as_deref());
        Some(WhyPipeline { name, stage, pin, found })
    }

    /// What became of a commit here, and what it lacks.
    async fn place(
        &self,
        estate: &Estate,
        WhyPipeline { found, .. }: WhyPipeline<'_>,
        sha: &CommitSha,
    ) -> Option<CommitPlace> {
        let (found, (_, pipeline, _)) = (found?, self.loaded.manifest.pipeline_of(&self.link)?);
        let is_held =
            self.plan.as_ref().is_some_and(|plan| plan.holds.iter().any(|hold| hold.scope.is_link()));
        let want = self.want().and_then(|want| want.as_ref().ok()).filter(|_| !is_held);
        let soak = self.loaded.manifest.soak_of(&self.link).map(|rule| Soak { rule, now: self.at });
        let requirements = pipeline.requirements(&self.link, soak);
        let missing = requirements.iter().filter_map(|it| it.missing(sha, &found.records)).collect();
        // The plan needed the history no further back than what is live.
        let repo = self.loaded.manifest.repos.get(&pipeline.repo)?;
        let further = match found.branch.knows(sha) {
            true => None,
            false => {
                inventory::branch_history(&*estate.git, repo, found.branch.tip()?, std::slice::from_ref(sha))
                    .await
                    .ok()
            }
        };
        let branch = further.as_ref().unwrap_or(&found.branch);
        let record = found.records.get(&self.link).filter(|_| found.is_testing);
        let state = CommitState::of(self.head(), record, branch, want, sha);
        let may_be_tainted =
            matches!(state, CommitState::Held | CommitState::Candidate | CommitState::Superseded);
        let taint = match self.found.as_ref().filter(|_| may_be_tainted) {
            Some(input) => {
                inventory::obstacle(estate.sources(), input, &self.consents, sha).await.unwrap_or_default()
            }
            None => None,
        };
        let state = if taint.is_some() { CommitState::Tainted } else { state };
        let unreviewed = match (state, &self.found) {
            (CommitState::Held, Some(input)) => self.unreviewed(estate, input, sha).await,
            _ => None,
        };
        Some(CommitPlace { state, missing, taint, unreviewed })
    }

    /// Why a commit would wait for reviews, if it would.
    async fn unreviewed(&self, estate: &Estate, input: &LinkInput, sha: &CommitSha) -> Option<HoldReason> {
        let (policy, _) = self.loaded.manifest.policy_of(&self.link)?;
        let missing = inventory::unreviewed(estate.sources(), input, sha).await.ok()?.ok()?;
        let (policy, sha) = (policy.clone(), sha.clone());
        (!missing.is_empty()).then_some(HoldReason::Unreviewed { policy, sha, missing })
    }

    /// The name that the link is recorded under: until the next apply, a renamed link keeps its old one.
    fn recorded(&self) -> &LinkId {
        self.found.as_ref().map_or(&self.link, LinkInput::recorded_as)
    }

    fn contained(&self) -> Option<&Contained> {
        self.found.as_ref().and_then(|found| found.watched.as_deref()).and_then(WatchComparison::contained)
    }
}

/// The last log lines of the failed phases.
async fn tails(estate: &Estate, id: &LinkId, head: &Head) -> Result<Vec<Tail>, BlobError> {
    let mut tails = Vec::new();
    let Some(run) = &head.run else { return Ok(tails) };
    for phase in run.phases.iter().filter(|phase| phase.status == PhaseStatus::Failed) {
        tails.extend(tail(estate, (id, &head.formerly), run, phase).await?);
    }
    Ok(tails)
}

/// The last log lines of the first replica that did not succeed.
async fn tail(
    estate: &Estate,
    (id, formerly): (&LinkId, &[FormerName]),
    run: &RunState,
    phase: &PhaseState,
) -> Result<Option<Tail>, BlobError> {
    let Some(attempt) = &phase.attempt else { return Ok(None) };
    let made = (attempt.number, &attempt.token);
    let link = FormerName::of_attempt(formerly, id, (&run.id, &phase.name), made);
    let key = BlobKey::attempt(link, &run.sha, &phase.name, &run.id, attempt.number);
    let failed = FailedReplica::first(&*estate.blobs, &key, attempt.replicas, LINES).await?;
    Ok(failed.map(|FailedReplica { replica, lines, has_status }| Tail {
        phase: phase.name.clone(),
        attempt: attempt.number,
        replica: (attempt.replicas > 1).then_some(replica),
        lines,
        pruned: attempt.pruned.filter(|_| !has_status),
    }))
}
