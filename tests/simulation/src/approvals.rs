//! Approvals of commits for the second stage of a pipeline (invariant 15).

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use katkit::clock::Clock as _;
use katkit::domain::{
    Assurance, Changes, CommitSha, Consent, ConsentKind, Contributors, DeployPurpose, Event, GateName, Head,
    LinkId, RecordedEvent,
};
use katkit::pipeline;
use katkit::policy::{ApprovalRule, Approver, Gated};
use katkit::state::{Consents as _, Links as _, NewConsent};

use crate::decisions;
use crate::pull_requests;
use crate::world::World;

/// How long an approval lasts: some expire before they are used.
const LASTS: SignedDuration = SignedDuration::from_mins(20);

/// What the manifest says in every third pipeline.
pub const PEOPLE: &str = "[people]\nsomeone = {}\n";
pub const CONDITION: &str = "approvals = [{ from = [\"someone\"] }]\n";

/// Whether the second stage of this seed's pipeline, if it has one, requires an approval. With dice of its own.
pub fn required(seed: u64) -> bool {
    fastrand::Rng::with_seed(seed ^ 0x0000_a992).u32(0..3) == 0
}

fn rule() -> ApprovalRule {
    ApprovalRule {
        from: "someone".parse().map(Approver::Person).into_iter().collect(),
        count: 1,
        independent_of: Vec::new(),
        expires: Duration::ZERO,
        gates: Gated::Run,
        assurance: Assurance::Asserted,
    }
}

/// A user approves the newest commit that the first stage has verified.
pub async fn approve(world: &World) {
    let Some((first, second)) = &world.pipeline else { return };
    let head = async |link: &LinkId| {
        let heads = world.state.heads(Some(std::slice::from_ref(link))).await.unwrap_or_default();
        heads.into_iter().next().map(|(_, head)| head).unwrap_or_default()
    };
    let (before, here): (Head, Head) = (head(first).await, head(second).await);
    let verified = before.verified.iter().rev().find(|evidence| evidence.run.is_some());
    let to = match pull_requests::is_required(world.seed) {
        true => pull_requests::newest_verified(world, first, &before),
        false => verified.map(|evidence| evidence.sha.clone()),
    };
    let (from, Some(to)) = (pipeline::base(&here).cloned(), to) else { return };
    let (tree, contributors) = (to.to_string(), Contributors::default());
    let changes = Box::new(Changes { from, to, tree, contributors, initiator: None });
    let (at, rules) = (world.now(), vec![rule().digest()]);
    let what = ConsentKind::Approval { link: second.clone(), changes, rules, until: at + LASTS };
    let given =
        world.state.consent(NewConsent { at, by: "someone".into(), why: None, what, ends: Vec::new() });
    let given = given.await;
    world.tell(|| format!("   {given:?}"));
}

/// What a write deploys, or begins to run, is within what was approved (15). `head` is what it is based on.
pub fn within(world: &World, link: &LinkId, head: &Head, written: &[RecordedEvent], standing: &[Consent]) {
    let is_here = world.pipeline.as_ref().is_some_and(|(_, second)| second == link);
    if !is_here || !required(world.seed) {
        return;
    }
    for RecordedEvent { at, event, .. } in written {
        let (sha, authorization, what) = match event {
            Event::RunStarted { sha, authorization, .. } => (sha, authorization, "run"),
            Event::DeployIntended { purpose: DeployPurpose::Upgrade, sha, authorization, .. } => {
                (sha, authorization, "deployment")
            }
            _ => continue,
        };
        // What is live may run again.
        if pipeline::base(head) == Some(sha) {
            continue;
        }
        let is_approved = |standing: &[Consent]| {
            covering(world, link, head, sha, *at, standing)
                || decisions::waives(standing, link, sha, *at, GateName::Approvals)
        };
        if !is_approved(standing) {
            world.violated(15, format!("{link}: the {what} of {} was not approved", sha.short()));
        }
        let named = authorization.iter().flat_map(|it| it.approvals.iter().chain(&it.overrides));
        let named: Vec<_> = named.map(|consent| consent.id).collect();
        let named: Vec<_> = standing.iter().filter(|it| named.contains(&it.id)).cloned().collect();
        if !is_approved(&named) {
            world
                .violated(15, format!("{link}: the {what} of {} does not name who approved it", sha.short()));
        }
    }
}

fn covering(
    world: &World,
    link: &LinkId,
    head: &Head,
    sha: &CommitSha,
    at: Timestamp,
    standing: &[Consent],
) -> bool {
    let facts = world.facts();
    let number = |sha: &CommitSha| {
        facts.pushed.values().find_map(|pushed| pushed.iter().position(|other| other == sha))
    };
    standing.iter().any(|consent| match &consent.what {
        ConsentKind::Approval { link: of, changes, until, .. } => {
            let starts = changes.from.as_ref().and_then(number);
            let live = pipeline::base(head).and_then(number);
            of == link && *until > at && number(sha) <= number(&changes.to) && starts <= live
        }
        _ => false,
    })
}

/// Whether someone approved the changes from one commit to another, even if that has expired.
pub fn paid(
    world: &World,
    link: &LinkId,
    (from, to): (Option<&CommitSha>, &CommitSha),
    standing: &[Consent],
) -> bool {
    let facts = world.facts();
    let number = |sha: &CommitSha| {
        facts.pushed.values().find_map(|pushed| pushed.iter().position(|other| other == sha))
    };
    standing.iter().any(|consent| match &consent.what {
        ConsentKind::Approval { link: of, changes, .. } => {
            let starts = changes.from.as_ref().and_then(number);
            of == link && number(to) <= number(&changes.to) && starts <= from.and_then(number)
        }
        _ => false,
    })
}

/// Whether a commit lacks an approval for the second stage.
pub fn lacking(world: &World, link: &LinkId, head: &Head, sha: &CommitSha, standing: &[Consent]) -> bool {
    required(world.seed) && !covering(world, link, head, sha, world.now(), standing)
}
