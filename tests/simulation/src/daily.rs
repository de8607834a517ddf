//! Daily limits (invariants 6 and 19).

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use katkit::clock::Clock as _;
use katkit::domain::{Consent, DeployPurpose, Event, GateName, Head, LinkId, RecordedEvent, Token};

use crate::decisions;
use crate::world::World;

/// The zone whose days count. Every simulation begins there an hour before midnight.
pub const ZONE: &str = "America/Anchorage";

/// How many deployments of each link may begin on one day, in every third scenario. With dice of its own, like the
/// freeze.
pub fn limit(seed: u64) -> Option<usize> {
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x0000_da11);
    (rng.u32(0..3) == 0).then(|| rng.usize(1..3))
}

/// When the next day begins, if the limit for today is reached.
pub fn ends(world: &World, head: &Head) -> Option<Timestamp> {
    let today = date(world.now());
    let began = head.settled_upgrades().iter().filter(|at| date(**at) == today).count();
    let midnight = || today.tomorrow().ok()?.in_tz(ZONE).ok().map(|next| next.timestamp());
    limit(world.seed).filter(|limit| began >= *limit).and_then(|_| midnight())
}

/// No more deployments of commits are intended on one day than the policy allows (19). The journal is asked, not what
/// the head remembers of it.
pub fn counts(world: &World, link: &LinkId, journal: &[RecordedEvent], consents: &[Consent]) {
    let Some(limit) = limit(world.seed) else { return };
    let ended: BTreeSet<_> = journal.iter().filter_map(|recorded| ended(&recorded.event)).collect();
    let issued: BTreeSet<_> = journal.iter().filter_map(|recorded| issued(&recorded.event)).collect();
    let mut today = (Date::default(), 0);
    for RecordedEvent { at, event, .. } in journal {
        let Event::DeployIntended { token, purpose: DeployPurpose::Upgrade, sha, .. } = event else {
            continue;
        };
        let before = if today.0 == date(*at) { today.1 } else { 0 };
        today = (date(*at), before + usize::from(issued.contains(token) || !ended.contains(token)));
        if before >= limit && !decisions::waives(consents, link, sha, *at, GateName::MaxPerDay) {
            let (sha, number) = (sha.short(), before + 1);
            world.violated(
                19,
                format!("{link}: {sha} was deployment {number} of a day, and {limit} are allowed"),
            );
        }
    }
}

fn ended(event: &Event) -> Option<&Token> {
    match event {
        Event::DeployEnded { token, .. } => Some(token),
        _ => None,
    }
}

fn issued(event: &Event) -> Option<&Token> {
    match event {
        Event::DeployIssued { token, .. } => Some(token),
        _ => None,
    }
}

fn date(at: Timestamp) -> Date {
    at.in_tz(ZONE).map(|zoned| zoned.date()).unwrap_or_default()
}
