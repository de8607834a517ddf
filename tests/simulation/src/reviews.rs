//! Reviews of the commits for the second stage of a pipeline (invariant 23).

use katkit::clock::Clock as _;
use katkit::domain::{
    CheckOutcome, CommitReview, CommitSha, Consent, ConsentKind, DeployPurpose, Event, GateName, Head,
    LinkId, RecordedEvent,
};
use katkit::pipeline;
use katkit::state::{Consents as _, NewConsent};

use crate::decisions;
use crate::dice;
use crate::world::World;

/// What the manifest says in every fourth pipeline.
pub const CONDITION: &str = "review = { approvals = 1, checks = [\"test\"] }\n";

/// What the evidence says of a commit.
#[derive(Clone, Copy, Debug, Default)]
pub struct Review {
    is_approved: bool,
    passed: bool,
}

/// Whether the second stage of this seed's pipeline, if it has one, requires reviews. With dice of its own.
pub fn required(seed: u64) -> bool {
    fastrand::Rng::with_seed(seed ^ 0x0000_4e51).u32(0..4) == 0
}

/// A user hands in evidence for most commits that were pushed, or withdraws that for one of them.
pub async fn hand_in(world: &World) {
    let Some((first, _)) = &world.pipeline else { return };
    let now = u64::try_from(world.elapsed().as_millis()).unwrap_or_default();
    let mut dice = fastrand::Rng::with_seed(dice::of(&[world.seed, now, 3]));
    let pushed = world.facts().pushed.get(first).cloned().unwrap_or_default();
    let is_withdrawal = dice.u32(0..4) == 0;
    for sha in pushed.iter().rev() {
        match (is_withdrawal, dice.u32(0..6)) {
            (true, 0..2) => {
                return give(world, sha, ConsentKind::EvidenceWithdrawal { sha: sha.clone() }).await;
            }
            (true, _) | (false, 0) => {}
            (false, roll) => {
                let mut review = CommitReview::default();
                review.approved_by.extend("reviewer".parse().ok().filter(|_| roll != 1));
                let outcome = if roll == 2 { CheckOutcome::Failure } else { CheckOutcome::Success };
                review.checks.extend("test".parse().ok().map(|name| (name, outcome)));
                let what = ConsentKind::Evidence { sha: sha.clone(), review: Box::new(review) };
                give(world, sha, what).await;
            }
        }
    }
}

async fn give(world: &World, sha: &CommitSha, what: ConsentKind) {
    let new =
        NewConsent { at: world.now(), by: "job".into(), why: None, what: what.clone(), ends: Vec::new() };
    let given = world.state.consent(new).await;
    world.tell(|| format!("   {given:?}"));
    let mut facts = world.facts();
    let known = facts.reviews.entry(sha.clone()).or_default();
    match what {
        ConsentKind::Evidence { review, .. } => {
            known.is_approved |= !review.approved_by.is_empty();
            known.passed = review.checks.values().all(|outcome| *outcome == CheckOutcome::Success);
        }
        _ => *known = Review::default(),
    }
}

/// Whether a commit lacks its review now.
pub fn lacks(world: &World, sha: &CommitSha) -> bool {
    let known = world.facts().reviews.get(sha).copied().unwrap_or_default();
    required(world.seed) && !(known.is_approved && known.passed)
}

/// Those of the commits after what is live, up to another, that lack their review.
pub fn lacking(world: &World, head: &Head, to: &CommitSha) -> Vec<CommitSha> {
    let pushed =
        world.facts().pushed.values().find(|pushed| pushed.contains(to)).cloned().unwrap_or_default();
    let at = |sha: &CommitSha| pushed.iter().position(|other| other == sha);
    let added = match (pipeline::base(head).map(at), at(to)) {
        (Some(Some(live)), Some(to)) => pushed.get(live + 1..=to).unwrap_or_default().to_vec(),
        // Nothing is live.
        (None, Some(_)) => vec![to.clone()],
        _ => Vec::new(),
    };
    added.into_iter().filter(|sha| lacks(world, sha)).collect()
}

/// What a write deploys, or begins to run, adds no commit that lacks its review (23). `head` is what it is based on.
pub fn within(world: &World, link: &LinkId, head: &Head, written: &[RecordedEvent], standing: &[Consent]) {
    let is_here = world.pipeline.as_ref().is_some_and(|(_, second)| second == link);
    for RecordedEvent { at, event, .. } in written.iter().filter(|_| is_here) {
        let (sha, what) = match event {
            Event::RunStarted { sha, .. } => (sha, "run"),
            Event::DeployIntended { purpose: DeployPurpose::Upgrade, sha, .. } => (sha, "deployment"),
            _ => continue,
        };
        if decisions::waives(standing, link, sha, *at, GateName::Review) {
            continue;
        }
        if let Some(lacks) = lacking(world, head, sha).first() {
            let (sha, lacks) = (sha.short(), lacks.short());
            world.violated(23, format!("{link}: the {what} of {sha} adds {lacks}, which lacks its review"));
        }
    }
}
