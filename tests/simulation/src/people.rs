//! What users do while processes work: submit requests as the commands do, push, and change things by hand.

use jiff::{SignedDuration, Timestamp};
use katkit::audit::SigningKey;
use katkit::auditing;
use katkit::clock::Clock;
use katkit::domain::{
    CommitSha, ConsentId, ConsentKind, Head, LinkId, LinkPatterns, PhaseStatus, RequestKind,
};
use katkit::state::{Consents, Leases, Links, NewConsent, NewRequest, Requests};

use crate::approvals;
use crate::decisions;
use crate::dice;
use crate::pinning;
use crate::pull_requests;
use crate::repositories;
use crate::reviews;
use crate::scenario::Event;
use crate::world::World;

/// How long a freeze by hand lasts.
const TEN_MINUTES: SignedDuration = SignedDuration::from_mins(10);

/// A new commit.
pub fn commit(seed: u64, link: &LinkId, number: u64) -> CommitSha {
    let part = |n: u64| format!("{:016x}", dice::named(seed, &format!("{link} {number} {n}")));
    let text = format!("{}{}{}", part(0), part(1), part(2));
    CommitSha::new(&text[..40]).unwrap_or_else(|_| unreachable!("forty hex digits are a sha"))
}

/// Pushes a commit to the branch of a link.
pub fn push(world: &World, link: &LinkId, number: u64) {
    let sha = commit(world.seed, link, number);
    let mut facts = world.facts();
    facts.pushed.entry(link.clone()).or_default().push(sha.clone());
    facts.tips.insert(link.clone(), sha);
}

/// Applies `event` to `link`.
pub async fn act(world: &World, link: &LinkId, event: Event) {
    world.tell(|| format!("someone: {event:?} {link}"));
    let stages = world.pipeline.clone();
    // Both links of a pipeline follow one branch.
    let link = match (&stages, event) {
        (Some((first, _)), Event::Push(_)) => first,
        _ => link,
    };
    match event {
        Event::Push(_) => {
            let now = u64::try_from(world.elapsed().as_millis()).unwrap_or_default();
            let number = dice::of(&[world.seed, now]);
            push(world, link, number);
        }
        Event::Repush(_) => {
            let branch = stages.as_ref().map_or(link.clone(), |(first, _)| first.clone());
            let newest = world.facts().tips.get(&branch).cloned();
            if let Some(sha) = newest {
                pinning::push(world, sha.as_str(), &format!("by hand {:?}", world.elapsed()));
            }
        }
        Event::Drift(_) => drift(world, link),
        Event::Promote(_) => {
            let Some((first, second)) = &stages else { return };
            let heads = world.state.heads(Some(std::slice::from_ref(first))).await.unwrap_or_default();
            let head = heads.into_iter().next().map(|(_, head)| head).unwrap_or_default();
            let verified = head.verified.iter().rev().find(|evidence| evidence.run.is_some());
            let sha = match pull_requests::is_required(world.seed) {
                true => pull_requests::newest_verified(world, first, &head),
                false => verified.map(|evidence| evidence.sha.clone()),
            };
            if let Some(sha) = sha {
                submit(world, second, RequestKind::Promote { sha }, world.now()).await;
            }
        }
        Event::Test(_) => {
            let Some((first, _)) = &stages else { return };
            pull_requests::test(world, first).await;
        }
        Event::Land(_) => {
            let Some((first, _)) = &stages else { return };
            pull_requests::land(world, first);
        }
        Event::Approve(_) => approvals::approve(world).await,
        Event::Evidence(_) => reviews::hand_in(world).await,
        Event::Reject(_) => decisions::reject(world, link).await,
        Event::Release(_) => decisions::release(world).await,
        Event::Override(_) => decisions::override_gates(world).await,
        Event::Freeze(_) => {
            let Ok(links) = LinkPatterns::try_from(vec![link.to_string()]) else { return };
            let (at, zone) = (world.now(), "UTC".to_owned());
            let until = at + TEN_MINUTES;
            let what = ConsentKind::Freeze { links, until, zone, holds_rollbacks: false };
            consent(world, at, what, Vec::new()).await;
        }
        Event::Thaw(_) => {
            let standing = world.state.consents().await.unwrap_or_default().standing;
            if let Some(first) = standing.first() {
                consent(world, world.now(), ConsentKind::Thaw, vec![first.id]).await;
            }
        }
        Event::Unlock(_) => {
            let leases = world.state.leases(Some(std::slice::from_ref(link))).await.unwrap_or_default();
            let owner = leases.into_iter().find_map(|(_, lease)| lease.owner);
            if owner.is_some_and(|owner| world.facts().dead.contains(&owner.pid)) {
                // The in-memory store breaks any lease.
                let _ = world.state.break_lease(link).await;
            }
        }
        Event::Withdraw(_) => {
            let pending = world.state.requests(Some(std::slice::from_ref(link))).await.unwrap_or_default();
            let first =
                pending.into_iter().find(|request| !matches!(request.ask, RequestKind::Withdraw { .. }));
            if let Some(first) = first {
                submit(world, link, RequestKind::Withdraw { id: first.id }, world.now()).await;
            }
        }
        _ => {
            let heads = world.state.heads(Some(std::slice::from_ref(link))).await.unwrap_or_default();
            let Some((_, head)) = heads.into_iter().next() else { return };
            let want = match &stages {
                // What the pipeline chose, as far as the user sees it.
                Some((_, second)) if second == link || pull_requests::is_required(world.seed) => {
                    head.run.as_ref().map(|run| run.sha.clone())
                }
                _ => world.facts().tips.get(link).cloned(),
            };
            let tainted =
                want.as_ref().is_some_and(|want| repositories::tainted(world, &head, want).is_some());
            if let Some(ask) = request_for(&head, want, tainted, event) {
                submit(world, link, ask, world.now()).await;
            }
        }
    }
}

async fn consent(world: &World, at: Timestamp, what: ConsentKind, ends: Vec<ConsentId>) {
    let new = NewConsent { at, by: "someone".into(), why: None, what, ends };
    let given = world.state.consent(new).await;
    world.tell(|| format!("   {given:?}"));
    // And signs the record as it is in the middle of everything.
    let key = SigningKey::from_pem("simulation", KEY).expect("an Ed25519 key");
    let made = auditing::checkpoint(&world.state, world, &"someone".into(), &key, &[]).await;
    world.tell(|| format!("   {made:?}"));
}

/// Signs checkpoints.
const KEY: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f
-----END PRIVATE KEY-----
";

/// The request a command would record for a link in this state.
fn request_for(head: &Head, want: Option<CommitSha>, tainted: bool, event: Event) -> Option<RequestKind> {
    match event {
        Event::Retry(_) => {
            let want = want?;
            if tainted || head.quarantine(&want).is_some() {
                return Some(RequestKind::Release { sha: want });
            }
            let run = head.run.as_ref()?;
            let stopped = run.phases.iter().find(|phase| {
                matches!(phase.status, PhaseStatus::Failed | PhaseStatus::Cancelled | PhaseStatus::Pending)
            })?;
            Some(RequestKind::Retry { sha: run.sha.clone(), phase: stopped.name.clone() })
        }
        Event::Cancel(_) => head.open_run().map(|run| RequestKind::Cancel { sha: run.sha.clone() }),
        Event::Skip(_) => {
            let (sha, phase) = (want?, "verify".parse().ok()?);
            let run = head.run.as_ref().filter(|run| run.sha == sha);
            // Skipped before: now someone waives it.
            let is_skipped = run
                .and_then(|run| run.phase(&phase))
                .is_some_and(|phase| phase.status == PhaseStatus::Skipped && !phase.is_well());
            Some(match is_skipped {
                true => RequestKind::Waive { sha, phase },
                false => RequestKind::Skip { sha, phase },
            })
        }
        Event::Rollback(_) => {
            let (from, to) = (head.deployed.as_ref()?, head.rollback_target()?);
            Some(RequestKind::Rollback { from: from.sha.clone(), to: to.sha.clone() })
        }
        _ => None,
    }
}

pub async fn submit(world: &World, link: &LinkId, ask: RequestKind, at: Timestamp) {
    // Several people use the same links.
    let now = u64::try_from(world.elapsed().as_millis()).unwrap_or_default();
    let by = ["ana", "ben"][usize::from(dice::of(&[world.seed, now, 1]).is_multiple_of(2))].into();
    let new = NewRequest { link: link.clone(), at, by, why: None, ask };
    // The store in memory takes every request.
    if let Ok(request) = world.state.submit(new).await {
        world.facts().asked.push(request);
    }
}

/// A user changes what runs, without katkit.
fn drift(world: &World, link: &LinkId) {
    let mut facts = world.facts();
    if let Some(live) = facts.deployed.get_mut(link) {
        live.revision += 1;
        if let Some(image) = live.images.get_mut("web") {
            "acme/web:by-hand".clone_into(image);
            live.description = live.description.replacen("acme/web:", "acme/web:by-hand-", 0);
        }
    }
}
