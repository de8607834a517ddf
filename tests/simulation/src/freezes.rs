//! Freezes: of policies and by hand (invariants 6 and 12).

use std::collections::BTreeMap;

use jiff::Timestamp;
use katkit::clock::Clock as _;
use katkit::domain::{Consent, ConsentKind, DeployPurpose, Event, GateName, LinkId, RecordedEvent};
use katkit::plan::{Hold, HoldReason, Plan};
use katkit::policy::Moment;
use katkit::state::{Consents as _, Links as _};

use crate::daily;
use crate::decisions;
use crate::world::World;

/// What waits for the end of freezes says when that is (6).
pub async fn waits(world: &World, plan: &Plan) {
    let consents = world.state.consents().await.unwrap_or_default().standing;
    let heads: BTreeMap<_, _> = world.state.heads(None).await.unwrap_or_default().into_iter().collect();
    let is_frozen = |hold: &&Hold| {
        matches!(
            hold.reason,
            HoldReason::Frozen { .. } | HoldReason::FrozenByHand { .. } | HoldReason::DailyLimit { .. }
        )
    };
    for link in &plan.links {
        let Some(hold) = link.holds.iter().filter(|hold| hold.is_at_gate()).find(is_frozen) else { continue };
        let until = hold.until.as_ref().map(Moment::timestamp);
        let limit = heads.get(&link.link).and_then(|head| daily::ends(world, head));
        let ends = thaws(world, &link.link, &consents, limit);
        if until != Some(ends) {
            world.violated(6, format!("a deployment waits until {until:?}, the freezes end at {ends}"));
        }
    }
}

/// When the last freeze ends: each may begin before another has ended.
fn thaws(world: &World, link: &LinkId, consents: &[Consent], limit: Option<Timestamp>) -> Timestamp {
    let by_hand = consents.iter().filter(|consent| holds(consent, link));
    let by_hand = by_hand.filter_map(|consent| Some((consent.at, consent.what.expires()?)));
    let by_policy = world.freeze.iter().map(|freeze| (freeze.start, freeze.end));
    let today = limit.map(|midnight| (world.now(), midnight));
    let spans: Vec<_> = by_policy.chain(by_hand).chain(today).collect();
    let mut at = world.now();
    while let Some((_, end)) = spans.iter().find(|(start, end)| *start <= at && at < *end) {
        at = *end;
    }
    at
}

fn holds(consent: &Consent, link: &LinkId) -> bool {
    matches!(&consent.what, ConsentKind::Freeze { links, .. } if links.match_link(link))
}

/// No deployment of a commit is intended in a freeze of the policy (12).
pub fn by_policy(world: &World, link: &LinkId, journal: &[RecordedEvent], consents: &[Consent]) {
    let frozen = |at| world.freeze.is_some_and(|freeze| freeze.holds(at)).then(|| "a freeze".to_owned());
    intended(world, link, journal, (consents, &frozen));
}

/// No deployment of a commit is intended in a freeze by hand that was given before (12).
pub fn by_hand(world: &World, link: &LinkId, written: &[RecordedEvent], standing: &[Consent]) {
    let frozen = |at| {
        let lasts = |consent: &&Consent| consent.what.expires().is_some_and(|end| end > at);
        let freeze = standing.iter().filter(lasts).find(|consent| holds(consent, link))?;
        Some(format!("freeze {}", freeze.id))
    };
    intended(world, link, written, (standing, &frozen));
}

fn intended(
    world: &World,
    link: &LinkId,
    events: &[RecordedEvent],
    (consents, frozen): (&[Consent], &dyn Fn(Timestamp) -> Option<String>),
) {
    for RecordedEvent { at, event, .. } in events {
        if let Event::DeployIntended { purpose: DeployPurpose::Upgrade, sha, .. } = event
            && let Some(freeze) = frozen(*at)
            && !decisions::waives(consents, link, sha, *at, GateName::Freeze)
        {
            let sha = sha.short();
            world.violated(12, format!("{link}: the deployment of {sha} was intended in {freeze}"));
        }
    }
}
