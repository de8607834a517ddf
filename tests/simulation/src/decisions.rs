//! Rejections and overrides: what users decide about single commits (invariants 17 and 18).

use jiff::{SignedDuration, Timestamp};
use katkit::clock::Clock as _;
use katkit::domain::{
    Changes, CommitSha, Consent, ConsentKind, Contributors, DeployPurpose, Event, GateName, Head, LinkId,
    RecordedEvent,
};
use katkit::git::Rollback;
use katkit::pipeline;
use katkit::state::{Consents as _, Links as _, NewConsent};

use crate::approvals;
use crate::dice;
use crate::pull_requests;
use crate::repositories;
use crate::reviews;
use crate::world::World;

/// The conditions that users override.
const ALL: [GateName; 6] = [
    GateName::Verified,
    GateName::Soak,
    GateName::Approvals,
    GateName::Freeze,
    GateName::MaxPerDay,
    GateName::Review,
];

/// How long an override lasts: some end before they are used.
const LASTS: SignedDuration = SignedDuration::from_mins(3);

/// A user rejects the last pull request that is open, or the newest commit of a link's branch, unless it is live there.
pub async fn reject(world: &World, link: &LinkId) {
    let is_first = world.pipeline.as_ref().is_some_and(|(first, _)| first == link);
    let pull = world.facts().pulls.last().filter(|_| is_first).cloned();
    if let Some(sha) = pull {
        return give(world, ConsentKind::Rejection { link: link.clone(), sha }, Vec::new()).await;
    }
    let Some(sha) = newest(world, link) else { return };
    let head = head(world, link).await;
    if pipeline::base(&head).is_some_and(|live| repositories::contains(world, live, &sha)) {
        return;
    }
    give(world, ConsentKind::Rejection { link: link.clone(), sha }, Vec::new()).await;
}

/// A user ends the oldest rejection.
pub async fn release(world: &World) {
    let standing = world.state.consents().await.unwrap_or_default().standing;
    let rejections = standing.iter().filter(|it| matches!(it.what, ConsentKind::Rejection { .. }));
    if let Some(oldest) = rejections.map(|it| it.id).next() {
        give(world, ConsentKind::Release, vec![oldest]).await;
    }
}

/// A user overrides some conditions of the second stage for the newest commit of the branch.
pub async fn override_gates(world: &World) {
    let Some((_, second)) = &world.pipeline else { return };
    let Some(sha) = newest(world, second) else { return };
    let head = head(world, second).await;
    let live = pipeline::base(&head).cloned();
    if live.as_ref() == Some(&sha) {
        return;
    }
    let now = u64::try_from(world.elapsed().as_millis()).unwrap_or_default();
    let mut dice = fastrand::Rng::with_seed(dice::of(&[world.seed, now, 2]));
    let gates: Vec<_> = ALL.into_iter().filter(|_| dice.u32(0..3) > 0).collect();
    let standing = world.state.consents().await.unwrap_or_default().standing;
    let (owes, from) = match of_live(&standing, second, &head).last() {
        Some((gates, changes)) => (gates, changes.and_then(|changes| changes.from.clone())),
        None => (Vec::new(), live),
    };
    let (tree, contributors) = (sha.to_string(), Contributors::default());
    let changes = Some(Box::new(Changes { from, to: sha.clone(), tree, contributors, initiator: None }));
    let before = of_live_unreviewed(&standing, second, &head).filter(|sha| reviews::lacks(world, sha));
    let unreviewed = before.cloned().chain(reviews::lacking(world, &head, &sha)).collect();
    let (link, until, takes_over) = (second.clone(), world.now() + LASTS, Vec::new());
    let what = ConsentKind::Override { link, sha, gates, owes, takes_over, changes, unreviewed, until };
    give(world, what, Vec::new()).await;
}

async fn give(world: &World, what: ConsentKind, ends: Vec<katkit::domain::ConsentId>) {
    let new = NewConsent { at: world.now(), by: "someone".into(), why: None, what, ends };
    let given = world.state.consent(new).await;
    world.tell(|| format!("   {given:?}"));
}

async fn head(world: &World, link: &LinkId) -> Head {
    let heads = world.state.heads(Some(std::slice::from_ref(link))).await.unwrap_or_default();
    heads.into_iter().next().map(|(_, head)| head).unwrap_or_default()
}

/// The newest commit of the branch that a link follows.
fn newest(world: &World, link: &LinkId) -> Option<CommitSha> {
    let branch = match &world.pipeline {
        Some((first, second)) if second == link => first,
        _ => link,
    };
    world.facts().tips.get(branch).cloned()
}

/// What the overrides of the live commit waived, and for which changes.
fn of_live<'c>(
    standing: &'c [Consent],
    link: &'c LinkId,
    head: &'c Head,
) -> impl Iterator<Item = (Vec<GateName>, Option<&'c Changes>)> + 'c {
    standing.iter().filter_map(move |consent| match &consent.what {
        ConsentKind::Override { link: of, sha, gates, owes, changes, .. }
            if of == link && pipeline::base(head) == Some(sha) =>
        {
            Some((gates.iter().chain(owes).copied().collect(), changes.as_deref()))
        }
        _ => None,
    })
}

/// The commits whose review the overrides of the live commit waived.
fn of_live_unreviewed<'c>(
    standing: &'c [Consent],
    link: &'c LinkId,
    head: &'c Head,
) -> impl Iterator<Item = &'c CommitSha> {
    let unreviewed = move |consent: &'c Consent| match &consent.what {
        ConsentKind::Override { link: of, sha, unreviewed, .. }
            if of == link && pipeline::base(head) == Some(sha) =>
        {
            unreviewed.as_slice()
        }
        _ => &[],
    };
    standing.iter().flat_map(unreviewed)
}

/// Whether an override that was in force at that time waived a condition for a commit.
pub fn waives(consents: &[Consent], link: &LinkId, sha: &CommitSha, at: Timestamp, gate: GateName) -> bool {
    consents.iter().any(|consent| match &consent.what {
        ConsentKind::Override { link: of, sha: commit, gates, until, .. } => {
            of == link && commit == sha && consent.at <= at && *until > at && gates.contains(&gate)
        }
        _ => false,
    })
}

/// A write begins nothing that was rejected before (17), and nothing else while the live commit owes something (18). `head`
/// is what it is based on.
pub fn respected(
    world: &World,
    (process, link): (u32, &LinkId),
    head: &Head,
    written: &[RecordedEvent],
    standing: &[Consent],
) {
    // A link that left the manifest is in no pipeline, and takes the pipeline with it.
    let is_staged = world.facts().staged.contains(&process);
    let is_second = is_staged && world.pipeline.as_ref().is_some_and(|(_, second)| second == link);
    for RecordedEvent { at, event, .. } in written {
        let (sha, what) = match event {
            // The start of a run is conditional only in a pipeline.
            Event::RunStarted { sha, .. } if is_staged => (sha, "run"),
            Event::DeployIntended { purpose: DeployPurpose::Upgrade, sha, .. } => (sha, "deployment"),
            _ => continue,
        };
        let tested = match event {
            Event::RunStarted { test, .. } => test.as_deref(),
            _ => head.run.as_ref().filter(|run| run.sha == *sha).and_then(|run| run.test.as_deref()),
        };
        let commits = [Some(sha), tested.map(|test| &test.merge.head)].into_iter().flatten();
        let mut rejected = commits.filter_map(|sha| rejected(world, (link, is_staged), sha, standing));
        if let Some(rejected) = rejected.next() {
            let (sha, rejected) = (sha.short(), rejected.short());
            world.violated(17, format!("{link}: the {what} of {sha}, although {rejected} was rejected"));
        }
        if is_second && let Some(owed) = owes(world, link, head, sha, *at, standing) {
            world.violated(18, format!("{link}: the {what} of {} while {owed} is owed", sha.short()));
        }
    }
}

/// Whether a consent rejects this commit.
pub fn rejects(consent: &Consent, sha: &CommitSha) -> bool {
    matches!(&consent.what, ConsentKind::Rejection { sha: rejected, .. } if rejected == sha)
}

/// The rejected commit that `sha` contains, if that holds the link, which may be in a pipeline.
pub fn rejected<'c>(
    world: &World,
    (link, is_staged): (&LinkId, bool),
    sha: &CommitSha,
    standing: &'c [Consent],
) -> Option<&'c CommitSha> {
    let is_for = |at: &LinkId| {
        let is_before =
            is_staged && world.pipeline.as_ref().is_some_and(|(first, second)| at == first && link == second);
        at == link || is_before
    };
    standing.iter().find_map(|consent| match &consent.what {
        ConsentKind::Rejection { link: at, sha: bad } if is_for(at) => {
            let rejection = Rollback { sha: bad.clone(), good: None, cleared: Vec::new() };
            repositories::has(world, sha, &rejection).then_some(bad)
        }
        _ => None,
    })
}

/// What the live commit owes when another begins. Soak is judged by what runs in the first stage, not here.
pub fn owes(
    world: &World,
    link: &LinkId,
    head: &Head,
    sha: &CommitSha,
    at: Timestamp,
    standing: &[Consent],
) -> Option<GateName> {
    let live = pipeline::base(head)?;
    let overridden = |gate| waives(standing, link, sha, at, gate);
    if live == sha || ALL.into_iter().any(overridden) {
        return None;
    }
    let (first, _) = world.pipeline.as_ref()?;
    let before = world.facts().folds.get(first).cloned().unwrap_or_default();
    let verified = &before.verified;
    let mut owed = of_live(standing, link, head).flat_map(|(gates, changes)| {
        let from = changes.and_then(|changes| changes.from.clone());
        gates.into_iter().map(move |gate| (gate, from.clone()))
    });
    let is_met = |gate: GateName, from: Option<&CommitSha>| match gate {
        GateName::Verified => {
            verified
                .iter()
                .any(|evidence| evidence.run.is_some() && repositories::contains(world, &evidence.sha, live))
                || pull_requests::newest_verified(world, first, &before)
                    .is_some_and(|sha| repositories::contains(world, &sha, live))
        }
        GateName::Approvals => {
            !approvals::required(world.seed) || approvals::paid(world, link, (from, live), standing)
        }
        GateName::Review => !of_live_unreviewed(standing, link, head).any(|sha| reviews::lacks(world, sha)),
        GateName::Soak | GateName::Freeze | GateName::Windows | GateName::MaxPerDay => true,
    };
    owed.find(|(gate, from)| !is_met(*gate, from.as_ref())).map(|(gate, _)| gate)
}
