//! The twenty-three invariants. Some are checked at the event that could break them, the rest once everything is idle.
//!
//! 1. A deployment is issued once per run, for a wanted sha, by an owner that holds the lease.
//! 2. No attempt runs twice under one token.
//! 3. Once everything is idle, nothing is left behind.
//! 4. The head is the fold of its journal; the journal has no gap and no illegal transition.
//! 5. Everything recorded as succeeded did succeed, and has its log and artifacts.
//! 6. Once faults stop, `apply` ends, and the next plan is empty or held for a true reason.
//! 7. Secrets exist only in the agent.
//! 8. Every change has an event that records who and when.
//! 9. A request is granted for the commit it names, or its refusal or withdrawal is on record.
//! 10. Every event names the actor who really made the change or the request.
//! 11. No commit that contains a rolled-back one is deployed, unless that one was fixed or an actor released it.
//! 12. No deployment of a commit is intended in a freeze.
//! 13. In a pipeline, no run starts and no deployment is intended for a commit that the stage before has not verified, or
//!     that contains a commit rolled back there.
//! 14. Where a commit must soak, no such run starts before it has been live and verified in the stage before for that long.
//! 15. Where a commit must be approved, no run starts and no deployment is intended beyond what was approved.
//! 16. Every journal is an unbroken chain, and no checkpoint contradicts it.
//! 17. Nothing begins for a commit that contains a rejected one, unless that one was fixed.
//! 18. While the live commit owes what an override waived, nothing begins for another.
//! 19. No more deployments of commits begin on one day than the policy allows.
//! 20. Where a policy demands it, every deployment is by digest: that of a commit by the digest that its tag stands for,
//!     and that the first stage verified.
//! 21. Where the first stage tests pull requests, they are tested in the order of the requests, each once. What lands
//!     counts as verified there only with content that was tested, or after a run of its own.
//! 22. No rollback goes past a commit that says that it must not be undone.
//! 23. Where commits must be reviewed, no run starts and no deployment is intended that adds one without a review.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use katkit::audit::Finding;
use katkit::auditing;
use katkit::blobs::{BlobKey, Blobs};
use katkit::clock::Clock;
use katkit::domain::{
    CommitSha, Consent, DeployPurpose, Event, GateName, Head, LinkId, PhaseStatus, RecordedEvent,
    ReplicaStatus, RequestKind, RunId, Token,
};
use katkit::journal;
use katkit::pipeline;
use katkit::plan::{HoldReason, Plan};
use katkit::platform::Upgrade;
use katkit::state::{Consents, Leases, Links, Requests, State};
use tokio::time::Instant;

use crate::approvals;
use crate::daily;
use crate::decisions;
use crate::freezes;
use crate::order;
use crate::pinning;
use crate::pull_requests;
use crate::repositories;
use crate::requests;
use crate::reviews;
use crate::working_hours;
use crate::world::{SECRET, World};

/// A broken invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Number from the list above.
    pub invariant: u8,
    /// The evidence.
    pub what: String,
}

/// A deployment is about to take effect (1).
pub async fn deployment_begins(world: &World, process: u32, upgrade: &Upgrade) {
    let link = &upgrade.link;
    let (fold, held, wanted, dead) = {
        let facts = world.facts();
        let of = (process, link.clone());
        (
            facts.folds.get(link).cloned().unwrap_or_default(),
            facts.held.get(&of).copied(),
            facts.wanted.get(&of).cloned(),
            facts.dead.contains(&process),
        )
    };
    // The last request of a dead process: while it is in flight on record, the next lease holder waits for it.
    let awaited = dead && fold.deploying.as_ref().is_some_and(|deploying| deploying.token == upgrade.token);
    let leases = world.state.leases(Some(std::slice::from_ref(link))).await;
    let lease = leases.unwrap_or_default().pop().map(|(_, lease)| lease);
    if !awaited && lease.as_ref().map(|lease| lease.epoch) != held {
        let holder = lease.and_then(|lease| lease.owner).map(|owner| owner.id);
        world.violated(1, format!("p{process} deploys to {link}, whose lease is now held by {holder:?}"));
    }
    let Some(deploying) = fold.deploying.filter(|deploying| deploying.token == upgrade.token) else {
        return world.violated(1, format!("p{process} deploys to {link} without an intent on record"));
    };
    if deploying.purpose == DeployPurpose::Upgrade && wanted.as_ref() != Some(&deploying.sha) {
        let sha = deploying.sha.short();
        world.violated(1, format!("p{process} deploys {sha} to {link}, which it found no longer wanted"));
    }
}

/// The record has whole seconds.
const SECOND: Duration = Duration::from_secs(1);

/// How old the evidence may be that the intent of a deployment rests on.
const FRESH: Duration = Duration::from_secs(10);

/// The record of a link has changed: counts on what is soaking in the first stage.
pub fn soaks(world: &World, link: &LinkId) {
    if world.pipeline.as_ref().is_none_or(|(first, _)| first != link) {
        return;
    }
    let mut facts = world.facts();
    let head = facts.folds.get(link).cloned().unwrap_or_default();
    let now = Instant::now();
    if let Some((since, true)) = facts.soaking {
        let counted = working_hours::counted(world, since);
        facts.soaked.values_mut().for_each(|soaked| *soaked += counted);
    }
    // A commit that is verified again starts over.
    let verified: BTreeSet<_> = head.verified.iter().map(|evidence| evidence.sha.clone()).collect();
    facts.soaked.retain(|sha, _| verified.contains(sha));
    for sha in verified {
        facts.soaked.entry(sha).or_default();
    }
    let is_verified = head.deployed.as_ref().is_some_and(|live| head.evidence(&live.sha).is_some());
    facts.soaking = Some((now, is_verified));
}

/// A process writes an event of the second link of a pipeline, by what it last read of the first (13).
pub fn evidence(
    world: &World,
    process: u32,
    link: &LinkId,
    RecordedEvent { at: recorded, event, .. }: &RecordedEvent,
    standing: &[Consent],
) {
    let Some((first, second)) = &world.pipeline else { return };
    let (sha, is_deployment) = match event {
        Event::RunStarted { sha, .. } => (sha, false),
        Event::DeployIntended { purpose: DeployPurpose::Upgrade, sha, .. } => (sha, true),
        _ => return,
    };
    let facts = world.facts();
    // What is live may run again.
    let is_live = facts.folds.get(link).is_some_and(|head| head.runs(sha));
    if link != second || is_live || !facts.staged.contains(&process) {
        return;
    }
    let seen = facts.seen.get(&(process, first.clone())).cloned();
    let since = facts.soaking.filter(|(_, runs)| *runs);
    let since = since.map_or(Duration::ZERO, |(since, _)| working_hours::counted(world, since));
    let soaked = facts.soaked.get(sha).map(|soaked| *soaked + since);
    drop(facts);
    let (at, head) = seen.unwrap_or_else(|| (Instant::now(), Head::default()));
    let what = if is_deployment { "deploys" } else { "runs" };
    let waives = |gate| decisions::waives(standing, link, sha, *recorded, gate);
    let is_verified = pull_requests::has_verified(world, &head, sha);
    if !is_verified && !waives(GateName::Verified) && pull_requests::is_required(world.seed) {
        let sha = sha.short();
        world
            .violated(21, format!("p{process} {what} {sha} in {link}, whose content {first} has not tested"));
    } else if !is_verified && !waives(GateName::Verified) {
        world.violated(
            13,
            format!("p{process} {what} {} in {link}, which is not verified in {first}", sha.short()),
        );
    } else if let Some(bad) = repositories::tainted(world, &head, sha) {
        let what = format!(
            "p{process} {what} {} in {link}, but {} was rolled back in {first}",
            sha.short(),
            bad.short()
        );
        world.violated(13, what);
    } else if let (Some(need), Some(soaked)) = (world.soak, soaked)
        && soaked + SECOND < need
        && !waives(GateName::Soak)
        && !waives(GateName::Verified)
    {
        let (sha, soaked) = (sha.short(), soaked.as_secs());
        world.violated(14, format!("p{process} {what} {sha} in {link}, which has soaked for {soaked} s"));
    } else if is_deployment && at.elapsed() > FRESH {
        let old = at.elapsed().as_secs();
        world.violated(
            13,
            format!("p{process} deploys {} in {link} by what it read {old} s ago", sha.short()),
        );
    }
}

/// A service is about to be removed. Only the lease holder may remove a service that an attempt in flight needs (3).
pub async fn service_goes(world: &World, process: u32, link: &LinkId, token: &Token) {
    let in_flight = world.facts().folds.get(link).is_some_and(|head| {
        head.unremoved().any(|(_, attempt)| {
            let replicas = (0..attempt.replicas).map(|replica| attempt.token.replica(replica));
            attempt.outcome.is_none() && replicas.into_iter().any(|replica| replica == *token)
        })
    });
    let leases = world.state.leases(Some(std::slice::from_ref(link))).await.unwrap_or_default();
    let epoch = leases.into_iter().next().map(|(_, lease)| lease.epoch);
    if in_flight && epoch != world.facts().held.get(&(process, link.clone())).copied() {
        world
            .violated(3, format!("p{process} removes {token} of {link}, which is in use, without its lease"));
    }
}

/// Everything is idle, and the plan has no steps.
pub async fn at_rest(world: &World, ids: &[LinkId], plan: &Plan) {
    let heads: BTreeMap<_, _> = world.state.heads(None).await.unwrap_or_default().into_iter().collect();
    let consents = world.state.consent_journal(None, usize::MAX).await.unwrap_or_default();
    for link in ids {
        let journal = world.state.journal(link, None, usize::MAX).await.unwrap_or_default();
        let head = heads.get(link).cloned().unwrap_or_default();
        record(world, link, &journal, &head);
        deployments(world, link, &journal);
        requests::decided(world, link, &journal);
        tainted(world, link, &journal);
        pull_requests::in_order(world, link, &journal);
        freezes::by_policy(world, link, &journal, &consents);
        daily::counts(world, link, &journal, &consents);
        successes(world, link, &journal).await;
    }
    remains(world, plan, &heads).await;
    holds(world, plan, &heads).await;
    secrets(world, plan).await;
    chains(world).await;
}

/// Nobody changed the record, so a verification finds nothing (16).
async fn chains(world: &World) {
    match auditing::verify(&world.state, &[], Vec::new()).await {
        Ok(report) => {
            for Finding { journal, flaw } in report.findings {
                let journal = journal.unwrap_or_else(|| "log of checkpoints".to_owned());
                world.violated(16, format!("{journal}: {flaw}"));
            }
        }
        Err(error) => world.violated(16, format!("the record cannot be verified: {error}")),
    }
}

/// Everything is idle, and the plan only waits for the end of a freeze (6).
pub async fn waits(world: &World, plan: &Plan) {
    let heads: BTreeMap<_, _> = world.state.heads(None).await.unwrap_or_default().into_iter().collect();
    holds(world, plan, &heads).await;
    freezes::waits(world, plan).await;
}

/// The journal has no gap and no illegal transition, and folds into the head (4); every event records who and when (8).
fn record(world: &World, link: &LinkId, journal: &[RecordedEvent], head: &Head) {
    match journal::fold(journal) {
        Err(illegal) => world.violated(4, format!("{link}: {illegal}")),
        Ok(folded) if folded != *head => world.violated(4, format!("{link}: the head is not the fold")),
        Ok(_) => {}
    }
    if let Some(wrong) = order::illegal(journal) {
        world.violated(4, format!("{link}: {wrong}"));
    }
    for recorded in journal {
        let from = match &recorded.event {
            Event::Requested { from, .. } | Event::Refused { from, .. } => from.name.as_str(),
            _ => "someone",
        };
        if recorded.by.name.is_empty() || from.is_empty() || recorded.at.as_second() == 0 {
            world.violated(8, format!("{link}: event {} lacks an actor or a time", recorded.generation));
        }
    }
}

/// A run's deployment took effect once, unless an actor requested it again (1).
fn deployments(world: &World, link: &LinkId, journal: &[RecordedEvent]) {
    let effective: Vec<Token> = world.facts().rollouts.iter().map(|rollout| rollout.token.clone()).collect();
    let mut run = RunId("0".to_owned());
    let mut issued: BTreeMap<(RunId, CommitSha), u32> = BTreeMap::new();
    for recorded in journal {
        match &recorded.event {
            Event::RunStarted { run: started, .. } => run = started.clone(),
            Event::Requested {
                ask: RequestKind::Retry { .. } | RequestKind::Release { .. } | RequestKind::Skip { .. },
                ..
            } => {
                issued.retain(|(of, _), _| *of != run);
            }
            Event::DeployIntended { token, purpose: DeployPurpose::Upgrade, sha, .. }
                if effective.contains(token) =>
            {
                let times = issued.entry((run.clone(), sha.clone())).or_default();
                *times += 1;
                if *times > 1 {
                    let sha = sha.short();
                    world.violated(1, format!("{link}: {sha} was deployed {times} times by run {run}"));
                }
            }
            _ => {}
        }
    }
}

/// No commit that contains a rolled-back one is deployed, unless that one was fixed or released (11).
fn tainted(world: &World, link: &LinkId, journal: &[RecordedEvent]) {
    let mut head = Head::default();
    for recorded in journal {
        if let Event::DeployIntended { purpose: DeployPurpose::Upgrade, sha, .. } = &recorded.event
            && let Some(bad) = repositories::tainted(world, &head, sha)
        {
            let (sha, bad) = (sha.short(), bad.short());
            world.violated(
                11,
                format!("{link}: {sha} was deployed, but contains {bad}, which was rolled back"),
            );
        }
        // The journal's legality is checked elsewhere.
        head = journal::step(&head, recorded).unwrap_or(head);
    }
}

/// Everything recorded as succeeded did succeed, with its log and artifacts (5).
async fn successes(world: &World, link: &LinkId, journal: &[RecordedEvent]) {
    let mut run = None;
    let mut intended = BTreeMap::new();
    for recorded in journal {
        match &recorded.event {
            Event::RunStarted { run: started, sha, .. } => run = Some((started.clone(), sha.clone())),
            Event::AttemptIntended { phase, attempt, token, replicas, .. } => {
                intended.insert((phase.clone(), *attempt), (token.clone(), *replicas));
            }
            Event::AttemptEnded { phase, attempt, outcome } if outcome.is_success() => {
                let Some((run, sha)) = &run else { continue };
                let Some((token, replicas)) = intended.get(&(phase.clone(), *attempt)) else { continue };
                let key = BlobKey::attempt(link, sha, phase, run, *attempt);
                for replica in 0..*replicas {
                    let lacks = lacking(world, &key.replica(replica), &token.replica(replica)).await;
                    if let Some(lacks) = lacks {
                        world.violated(
                            5,
                            format!("{key}, replica {replica}, succeeded on record, but {lacks}"),
                        );
                    }
                }
            }
            _ => {}
        }
    }
}

/// What a replica that is recorded as succeeded lacks.
async fn lacking(world: &World, replica: &BlobKey, token: &Token) -> Option<String> {
    if !world.facts().succeeded.contains(token) {
        return Some("its code did not".to_owned());
    }
    let text = world.blobs.get(&replica.status_json()).await.ok().flatten()?;
    let Ok(status) = serde_json::from_slice::<ReplicaStatus>(&text) else {
        return Some("its status cannot be read".to_owned());
    };
    if !status.outcome.is_some_and(|outcome| outcome.is_success()) {
        return Some("its status is not a success".to_owned());
    }
    for chunk in 1..=status.chunks {
        if world.blobs.get(&replica.log_chunk(chunk)).await.ok().flatten().is_none() {
            return Some(format!("chunk {chunk} of its log is missing"));
        }
    }
    let kept = world.blobs.list(&replica.artifacts(), None).await.unwrap_or_default();
    (kept.len() != status.artifacts as usize).then(|| "an artifact is missing".to_owned())
}

/// Nothing is left behind (3).
async fn remains(world: &World, plan: &Plan, heads: &BTreeMap<LinkId, Head>) {
    let services: Vec<_> = world.facts().services.keys().cloned().collect();
    if !services.is_empty() {
        world.violated(3, format!("services are left: {services:?}"));
    }
    for (link, lease) in world.state.leases(None).await.unwrap_or_default() {
        if let Some(owner) = lease.owner {
            world.violated(3, format!("the lease of {link} is still held by {}", owner.id));
        }
    }
    let held: Vec<_> = plan.links.iter().map(|link| &link.link).collect();
    for (link, head) in heads {
        if head.unremoved().next().is_some() || head.deploying.is_some() {
            world.violated(3, format!("something of {link} is still in flight on record"));
        }
        let live = world.facts().deployed.get(link).cloned().unwrap_or_default();
        let differs = |(role, image): (&String, &String)| live.images.get(role) != Some(image);
        let drifted = head.deployed.as_ref().is_some_and(|deployed| deployed.images.iter().any(differs));
        if drifted && !head.forgotten && !held.contains(&link) {
            world.violated(6, format!("{link} runs {:?}, which is not what is on record", live.images));
        }
    }
    for request in world.state.requests(None).await.unwrap_or_default() {
        if !heads.get(&request.link).is_some_and(|head| head.forgotten) {
            world.violated(3, format!("the {} of {} was never taken in", request.ask.word(), request.link));
        }
    }
}

/// Every hold has a true reason (6).
async fn holds(world: &World, plan: &Plan, heads: &BTreeMap<LinkId, Head>) {
    let consents = world.state.consents().await.unwrap_or_default().standing;
    for link in &plan.links {
        let head = heads.get(&link.link).cloned().unwrap_or_default();
        for hold in &link.holds {
            let is_true = match &hold.reason {
                HoldReason::PhaseFailed { phase, sha, .. } => head.run.as_ref().is_some_and(|run| {
                    let failed = run.phase(phase).is_some_and(|phase| phase.status == PhaseStatus::Failed);
                    run.sha == *sha && failed
                }),
                HoldReason::Cancelled { sha, .. } => head.run.as_ref().is_some_and(|run| run.sha == *sha),
                HoldReason::Quarantined { sha, .. } => head.quarantine(sha).is_some(),
                HoldReason::Tainted { sha, by, at: None, .. } => {
                    repositories::tainted(world, &head, sha) == Some(by)
                }
                HoldReason::Tainted { sha, by, at: Some(at), .. } => {
                    let head = heads.get(&**at).cloned().unwrap_or_default();
                    repositories::tainted(world, &head, sha) == Some(by)
                }
                HoldReason::NotVerified { sha, .. } => {
                    let first = world.pipeline.as_ref().and_then(|(first, _)| heads.get(first));
                    let tip =
                        world.pipeline.as_ref().and_then(|(first, _)| world.facts().tips.get(first).cloned());
                    let sha = sha.as_ref().or(tip.as_ref());
                    let is_verified = sha.is_some_and(|sha| {
                        first.is_some_and(|it| pull_requests::has_verified(world, it, sha))
                    });
                    !is_verified || world.soak.is_some()
                }
                HoldReason::Soaking { sha, .. } | HoldReason::Train { sha, .. } => {
                    let first = world.pipeline.as_ref().and_then(|(first, _)| heads.get(first));
                    world.soak.is_some() && first.is_some_and(|head| head.evidence(sha).is_some())
                }
                HoldReason::FirstPromotion { sha } => {
                    let first = world.pipeline.as_ref().and_then(|(first, _)| heads.get(first));
                    let is_verified = first.is_some_and(|it| pull_requests::has_verified(world, it, sha));
                    head.deployed.is_none() && is_verified
                }
                HoldReason::Frozen { .. } => world.freeze.is_some_and(|freeze| freeze.holds(world.now())),
                HoldReason::DailyLimit { .. } => daily::ends(world, &head).is_some(),
                HoldReason::Unapproved { sha, .. } => {
                    approvals::lacking(world, &link.link, &head, sha, &consents)
                }
                HoldReason::Unreviewed { missing, .. } => {
                    missing.iter().all(|missing| reviews::lacks(world, &missing.sha))
                }
                HoldReason::FrozenByHand { freeze, .. } => consents
                    .iter()
                    .any(|it| it.id == *freeze && it.what.expires().is_some_and(|end| end > world.now())),
                HoldReason::Rejected { sha, rejected, .. } => {
                    let of_it = |it: &Consent| decisions::rejects(it, rejected);
                    let standing: Vec<_> = consents.iter().filter(|it| of_it(it)).cloned().collect();
                    decisions::rejected(world, (&link.link, true), sha, &standing).is_some()
                }
                HoldReason::Owed { live, consent, .. } => {
                    head.runs(live) && consents.iter().any(|it| it.id == *consent)
                }
                HoldReason::ImageMoved { image, recorded, .. } => pinning::has_moved(world, image, recorded),
                HoldReason::ImageMissing { image, .. } => pinning::is_missing(world, image),
                HoldReason::TipStopped { sha, .. } => pipeline::has_stopped(&head, sha),
                HoldReason::LeaseHeld { .. }
                | HoldReason::MoveWaits { .. }
                | HoldReason::OutsideWindows { .. }
                | HoldReason::LeftBranch { .. }
                | HoldReason::NotOnBranch { .. }
                | HoldReason::Ancestry { .. }
                | HoldReason::OlderThanLive { .. }
                | HoldReason::Unavailable(_) => false,
            };
            if !is_true {
                world.violated(
                    6,
                    format!("{} is held for an untrue reason: {}", link.link, hold.reason.describe()),
                );
            }
        }
    }
}

/// The secret leaks nowhere (7).
async fn secrets(world: &World, plan: &Plan) {
    let mut texts = vec![("a plan".to_owned(), serde_json::to_string(plan).unwrap_or_default())];
    if let Ok(survey) = world.state.survey().await {
        texts.push(("the record".to_owned(), format!("{survey:?}")));
        for (link, _) in &survey.heads {
            let journal = world.state.journal(link, None, usize::MAX).await;
            texts.push((format!("the journal of {link}"), format!("{journal:?}")));
        }
    }
    for top in ["dev", "prod", "commits"] {
        let Ok(top) = BlobKey::new(top) else { continue };
        for listed in world.blobs.list(&top, None).await.unwrap_or_default() {
            let bytes = world.blobs.get(&listed.key).await.ok().flatten().unwrap_or_default();
            texts.push((listed.key.to_string(), String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    for (place, text) in texts {
        if text.contains(SECRET) {
            world.violated(7, format!("the secret is in {place}"));
        }
    }
}
