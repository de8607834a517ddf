//! Which commit a link runs next: examples, and laws over random histories.

mod laws;
mod pull_requests;
mod reviews;
mod soak;
mod working_hours;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::*;
use crate::domain::{
    CommitSha, Deployment, Evidence, Head, Images, LinkId, Quarantine, RunId, RunOutcome, RunState, StageName,
};
use crate::policy::SoakTime;

/// The commit with this number; the branch has them in ascending order.
fn commit(number: usize) -> CommitSha {
    CommitSha::new(format!("{number:040x}")).unwrap()
}

fn link(text: &str) -> LinkId {
    text.parse().unwrap()
}

fn stage(name: &str, after: &[&str], waves: &[&[&str]]) -> Stage {
    Stage {
        name: StageName::new(name).unwrap(),
        waves: waves.iter().map(|wave| wave.iter().map(|it| link(it)).collect()).collect(),
        after: after.iter().map(|name| StageName::new(*name).unwrap()).collect(),
        need: None,
        take: Take::Newest,
        source: StageSource::Branch,
    }
}

/// `beta/a` and `beta/b`, then `prod/a`, and `prod/b` a wave later.
fn pipeline() -> Pipeline {
    let stages = vec![
        stage("beta", &[], &[&["beta/a", "beta/b"]]),
        stage("prod", &["beta"], &[&["prod/a"], &["prod/b"]]),
    ];
    Pipeline { repo: "shop".parse().unwrap(), stages }
}

fn deployment(sha: CommitSha) -> Deployment {
    Deployment {
        sha,
        at: Timestamp::UNIX_EPOCH,
        images: Images::default(),
        revision: String::new(),
        token: None,
        barrier: None,
    }
}

/// A head that has this commit live, and has verified these.
fn head(live: Option<usize>, verified: &[usize]) -> Head {
    let evidence = |&number: &usize| Evidence {
        sha: commit(number),
        at: Timestamp::UNIX_EPOCH,
        run: Some(RunId(number.to_string())),
        deployment: Some(deployment(commit(number))),
        clock: 0,
        built_by: Vec::new(),
    };
    Head {
        deployed: live.map(|live| deployment(commit(live))),
        verified: verified.iter().map(evidence).collect(),
        ..Head::default()
    }
}

/// A head whose last run was for `sha` and ended like this.
fn ran(head: Head, sha: usize, outcome: RunOutcome) -> Head {
    let run = RunState {
        id: RunId("1".to_owned()),
        sha: commit(sha),
        started: Timestamp::UNIX_EPOCH,
        ended: Some((Timestamp::UNIX_EPOCH, outcome)),
        workflow: String::new(),
        phases: Vec::new(),
        goes_on_with: None,
        cancelled: None,
        test: None,
    };
    Head { run: Some(run), ..head }
}

fn quarantined(head: Head, sha: usize) -> Head {
    let quarantine = Quarantine {
        sha: commit(sha),
        since: Timestamp::UNIX_EPOCH,
        why: String::new(),
        good: None,
        alone: false,
        cleared: Vec::new(),
    };
    Head { quarantined: vec![quarantine], ..head }
}

/// The branch whose newest commit has this number, back to commit 0.
fn branch(tip: usize) -> BranchHistory {
    BranchHistory::new("main".to_owned(), (0..=tip).rev().map(commit).collect(), BTreeMap::new())
}

/// A soak in which every hour counts.
fn soak_of(time: std::time::Duration) -> SoakTime {
    SoakTime { time, hours: None, train: false }
}

/// A pipeline with the heads of its links.
#[derive(Clone, Debug)]
struct World {
    pipeline: Pipeline,
    heads: BTreeMap<LinkId, Head>,
    branch: BranchHistory,
    pin: Option<CommitSha>,
    promoted: Option<CommitSha>,
    promoted_at: Option<Timestamp>,
    /// The rule, and the time of the judgement.
    soak: Option<(SoakTime, Timestamp)>,
    /// The commits that lack a review.
    unreviewed: BTreeSet<CommitSha>,
}

impl World {
    fn new(tip: usize, heads: &[(&str, Head)]) -> Self {
        let heads = heads.iter().map(|(id, head)| (link(id), head.clone())).collect();
        Self {
            pipeline: pipeline(),
            heads,
            branch: branch(tip),
            pin: None,
            promoted: None,
            promoted_at: None,
            soak: None,
            unreviewed: BTreeSet::new(),
        }
    }

    fn choose(&self, id: &str) -> Choice {
        self.ask(id, choose)
    }

    fn standing(&self, id: &str) -> Standing {
        self.ask(id, Standing::of)
    }

    fn ask<T>(&self, id: &str, answer: impl FnOnce(&Question<'_>) -> T) -> T {
        let records: Records =
            self.heads.iter().map(|(id, head)| (id.clone(), LinkRecord::of(head, &[]))).collect();
        let (id, none) = (link(id), Head::default());
        answer(&Question {
            overridden: None,
            latched: None,
            link: &id,
            pipeline: &self.pipeline,
            head: self.heads.get(&id).unwrap_or(&none),
            pin: self.pin.as_ref(),
            promoted: self.promoted.as_ref(),
            promoted_at: self.promoted_at,
            unreviewed: &self.unreviewed,
            soak: self.soak.as_ref().map(|(rule, now)| Soak { rule, now: *now }),
            records: &records,
            branch: &self.branch,
        })
    }
}

fn candidates(numbers: &[usize]) -> Choice {
    Choice::Candidates(numbers.iter().map(|&number| commit(number)).collect())
}

fn beta(tip: usize, verified: &[usize]) -> World {
    let beta = head(verified.last().copied(), verified);
    let prod = head(Some(0), &[0]);
    World::new(tip, &[("beta/a", beta.clone()), ("beta/b", beta), ("prod/a", prod.clone()), ("prod/b", prod)])
}

#[test]
fn the_first_stage_runs_the_tip_of_the_branch() {
    let world = beta(5, &[1, 2]);
    assert_eq!(world.choose("beta/a"), candidates(&[5]));
    let nothing_live = World::new(5, &[]);
    assert_eq!(nothing_live.choose("beta/a"), candidates(&[5]), "it begins by itself");
}

#[test]
fn a_stage_runs_the_newest_commit_that_every_link_before_it_verified() {
    let mut world = beta(5, &[1, 2]);
    assert_eq!(world.choose("prod/a"), candidates(&[2, 1]));
    world.heads.insert(link("beta/b"), head(Some(1), &[1]));
    assert_eq!(world.choose("prod/a"), candidates(&[1]));
    world.pipeline.stages[1].need = Some(1);
    assert_eq!(world.choose("prod/a"), candidates(&[2, 1]), "one of the two is enough");
}

#[test]
fn a_wave_runs_what_the_wave_before_it_verified() {
    let mut world = beta(5, &[1, 2]);
    assert_eq!(world.choose("prod/b"), Choice::Commit(commit(0)), "it stays at what is live");
    world.heads.insert(link("prod/a"), head(Some(2), &[0, 2]));
    assert_eq!(world.choose("prod/b"), candidates(&[2]));
}

#[test]
fn what_katkit_found_running_is_no_evidence() {
    let mut found = head(Some(2), &[2]);
    found.verified[0].run = None;
    let world =
        World::new(5, &[("beta/a", found.clone()), ("beta/b", found), ("prod/a", head(Some(0), &[0]))]);
    assert_eq!(world.choose("prod/a"), Choice::Commit(commit(0)));
}

#[test]
fn a_pipeline_never_goes_back_to_an_older_commit() {
    let mut world = beta(5, &[1, 2]);
    world.heads.insert(link("prod/a"), head(Some(3), &[3]));
    assert_eq!(world.choose("prod/a"), Choice::Commit(commit(3)));
}

#[test]
fn each_takes_the_oldest_commit_first_and_passes_over_one_that_failed() {
    let mut world = beta(5, &[1, 2, 3]);
    for stage in &mut world.pipeline.stages {
        stage.take = Take::Each;
    }
    assert_eq!(world.choose("beta/a"), candidates(&[4, 5]));
    assert_eq!(world.choose("prod/a"), candidates(&[1, 2, 3]));
    let failed = |sha| ran(head(Some(0), &[0]), sha, RunOutcome::Failed);
    world.heads.insert(link("prod/a"), failed(1));
    assert_eq!(world.choose("prod/a"), candidates(&[2, 3]));
    world.heads.insert(link("prod/a"), failed(3));
    assert_eq!(world.choose("prod/a"), candidates(&[3]), "there is no newer one, and 2 had its turn");
}

#[test]
fn what_was_rolled_back_here_is_the_last_resort() {
    let mut world = beta(5, &[1, 2]);
    world.heads.insert(link("prod/a"), quarantined(head(Some(0), &[0]), 2));
    assert_eq!(world.choose("prod/a"), candidates(&[1, 2]));
}

#[test]
fn the_first_commit_of_a_later_stage_is_promoted_by_an_actor() {
    let mut world = beta(5, &[1, 2]);
    world.heads.remove(&link("prod/a"));
    assert_eq!(world.choose("prod/a"), Choice::Nothing(Refusal::FirstPromotion(commit(2))));
    world.promoted = Some(commit(1));
    assert_eq!(world.choose("prod/a"), Choice::Commit(commit(1)));
    world.promoted = Some(commit(3));
    assert!(
        matches!(world.choose("prod/a"), Choice::Nothing(Refusal::NotVerified { sha, .. }) if sha == commit(3))
    );
}

#[test]
fn a_rewritten_branch_holds_until_an_actor_promotes() {
    let mut world = beta(5, &[1, 2]);
    world.heads.insert(link("prod/a"), head(Some(77), &[77]));
    let left = Refusal::LeftBranch { live: commit(77), next: Some(commit(2)) };
    assert_eq!(world.choose("prod/a"), Choice::Nothing(left));
    world.promoted = Some(commit(2));
    assert_eq!(world.choose("prod/a"), Choice::Commit(commit(2)));
    world.promoted = Some(commit(78));
    assert_eq!(world.choose("prod/a"), Choice::Nothing(Refusal::NotOnBranch(commit(78))));
}

#[test]
fn a_live_commit_that_a_merge_brought_in_is_older_than_that_merge() {
    let mut world = beta(5, &[1, 2]);
    world.heads.insert(link("prod/a"), head(Some(77), &[77]));
    // Commit 2 is the oldest that contains it, and it contains 0.
    let beside = Position::Beside { merged_by: Some(3), forked_from: Some(5) };
    let commits: Vec<_> = (0..=5).rev().map(commit).collect();
    world.branch = BranchHistory::new("main".to_owned(), commits, BTreeMap::from([(commit(77), beside)]));
    assert_eq!(world.choose("prod/a"), candidates(&[2]));
    let state = |sha| CommitState::of(&world.heads[&link("prod/a")], None, &world.branch, None, &commit(sha));
    assert_eq!(state(0), CommitState::Past);
    assert_eq!(state(1), CommitState::Superseded, "what is live does not contain it");
}

#[test]
fn after_a_rewrite_no_commit_that_is_in_the_live_one_replaces_it() {
    let mut world = beta(5, &[1, 2]);
    world.heads.insert(link("prod/a"), head(Some(77), &[77]));
    let commits: Vec<_> = (0..=5).rev().map(commit).collect();
    // It was pushed after commit 2, and replaced by 3.
    let beside = Position::Beside { merged_by: None, forked_from: Some(3) };
    world.branch = BranchHistory::new("main".to_owned(), commits, BTreeMap::from([(commit(77), beside)]));
    let left = |next| Choice::Nothing(Refusal::LeftBranch { live: commit(77), next });
    assert_eq!(world.choose("prod/a"), left(None));
    world.promoted = Some(commit(2));
    assert_eq!(world.choose("prod/a"), left(None), "it would go back");
    let verified = head(Some(4), &[1, 2, 4]);
    for id in ["beta/a", "beta/b"] {
        world.heads.insert(link(id), verified.clone());
    }
    assert_eq!(world.choose("prod/a"), left(Some(commit(4))));
    world.promoted = Some(commit(4));
    assert_eq!(world.choose("prod/a"), Choice::Commit(commit(4)));
}

#[test]
fn a_pin_outweighs_everything_except_the_stages_before() {
    let mut world = beta(5, &[1, 2]);
    (world.pin, world.promoted) = (Some(commit(1)), Some(commit(2)));
    assert_eq!(world.choose("prod/a"), Choice::Commit(commit(1)));
    world.pin = Some(commit(4));
    assert!(matches!(world.choose("prod/a"), Choice::Nothing(Refusal::NotVerified { .. })));
    world.heads.insert(link("prod/a"), head(Some(2), &[2]));
    world.pin = Some(commit(1));
    let older = Refusal::Older { sha: commit(1), live: commit(2) };
    assert_eq!(world.choose("prod/a"), Choice::Nothing(older));
    world.pin = Some(commit(2));
    assert_eq!(world.choose("prod/a"), Choice::Commit(commit(2)), "it stays");
}

#[test]
fn a_promotion_is_over_once_something_newer_is_live_or_its_run_failed_and_a_newer_commit_may_run() {
    let mut world = beta(5, &[1, 2]);
    world.promoted = Some(commit(1));
    assert_eq!(world.choose("prod/a"), Choice::Commit(commit(1)));
    world.heads.insert(link("prod/a"), ran(head(Some(0), &[0]), 1, RunOutcome::Failed));
    assert_eq!(world.choose("prod/a"), candidates(&[2, 1]));
    world.promoted_at = Some(Timestamp::from_second(1).unwrap());
    assert_eq!(world.choose("prod/a"), Choice::Commit(commit(1)), "it was promoted again after that");
    world.promoted_at = None;
    world.promoted = Some(commit(2));
    world.heads.insert(link("prod/a"), ran(head(Some(0), &[0]), 2, RunOutcome::Failed));
    assert_eq!(world.choose("prod/a"), Choice::Commit(commit(2)), "it is held until an actor acts");
    world.heads.insert(link("prod/a"), head(Some(2), &[2]));
    world.promoted = Some(commit(1));
    assert_eq!(world.choose("prod/a"), Choice::Commit(commit(2)));
}

#[test]
fn a_workflow_without_a_deployment_goes_on_from_what_it_verified() {
    let mut world = beta(5, &[1, 2, 3]);
    world.heads.insert(link("prod/a"), head(None, &[2]));
    assert_eq!(world.choose("prod/a"), candidates(&[3]));
}

#[test]
fn rollbacks_in_the_stage_and_before_it_concern_a_link() {
    let pipeline = pipeline();
    let upstream = |id| pipeline.upstream(&link(id)).into_iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(upstream("beta/a"), ["beta/b"]);
    assert_eq!(upstream("prod/b"), ["beta/a", "beta/b", "prod/a"]);
}

#[test]
fn every_commit_has_a_state() {
    let state = |head: &Head, want: Option<usize>, sha: usize| {
        let want = want.map(commit);
        CommitState::of(head, None, &branch(5), want.as_ref(), &commit(sha))
    };
    let live = head(Some(2), &[1, 2]);
    let all: Vec<_> = [0, 2, 3, 4, 5, 9].map(|sha| state(&live, Some(4), sha)).into();
    assert_eq!(
        all,
        [
            CommitState::Past,
            CommitState::Live,
            CommitState::Superseded,
            CommitState::Candidate,
            CommitState::Held,
            CommitState::OffBranch
        ]
    );
    assert_eq!(state(&quarantined(live.clone(), 3), Some(2), 3), CommitState::RolledBack);
    assert_eq!(state(&ran(live.clone(), 3, RunOutcome::Failed), Some(3), 3), CommitState::Failed);
    let mut running = ran(live, 4, RunOutcome::Failed);
    running.run.as_mut().unwrap().ended = None;
    assert_eq!(state(&running, Some(4), 4), CommitState::Running);
}

#[test]
fn the_links_before_a_link_are_those_of_earlier_stages() {
    let pipeline = pipeline();
    let before = |text: &str| pipeline.before(&link(text)).map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(before("prod/b"), ["beta/a", "beta/b"]);
    assert_eq!(before("beta/b"), [""; 0]);
}
