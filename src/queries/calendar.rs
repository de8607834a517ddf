//! When policies and freezes by hand allow deployments to links, and when they do not.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::domain::{Consent, ConsentKind, LinkId, PolicyName, TenantName};
use crate::manifest::Manifest;
use crate::policy::{self, Zone};
use crate::views::{FreezeByHand, PolicyCalendar};

/// The calendars of the policies that these links must meet, ordered by name, and the tenants without a policy.
#[derive(Debug)]
pub struct CalendarFacts<'m> {
    /// One calendar for each policy.
    pub policies: Vec<PolicyCalendar<'m>>,
    /// The freezes by hand, in the order they were made.
    pub by_hand: Vec<FreezeByHand<'m>>,
    /// The tenants of the links that have no policy.
    pub ungoverned: BTreeSet<&'m TenantName>,
}

/// What the policies of `links` hold and allow between `from` and `until`, and their verdict at `from`.
pub fn calendar<'m>(
    manifest: &'m Manifest,
    consents: &'m [Consent],
    links: impl IntoIterator<Item = LinkId>,
    (from, until): (Timestamp, Timestamp),
) -> CalendarFacts<'m> {
    let mut tenants: BTreeMap<&PolicyName, BTreeSet<&TenantName>> = BTreeMap::new();
    let mut ungoverned = BTreeSet::new();
    let mut frozen = BTreeSet::new();
    for link in links {
        frozen.extend(policy::freezes_of(consents, &link).map(|consent| consent.id));
        let Some((name, tenant)) = manifest.tenants.get_key_value(&link.tenant) else { continue };
        match &tenant.policy {
            Some(policy) => drop(tenants.entry(policy).or_default().insert(name)),
            None => drop(ungoverned.insert(name)),
        }
    }
    let calendar = |(name, tenants): (&'m PolicyName, BTreeSet<&'m TenantName>)| {
        let policy = manifest.policies.get(name)?;
        Some(PolicyCalendar {
            name,
            tenants,
            closed: policy.deployment(from),
            closes: policy.closing(from),
            per_day: policy.per_day.as_ref(),
            entries: policy.agenda(from, until),
        })
    };
    let by_hand = consents.iter().filter(|consent| frozen.contains(&consent.id)).filter_map(by_hand);
    let by_hand = by_hand.filter(|it| it.start.timestamp() <= until && it.end.timestamp() > from);
    let by_hand = by_hand.collect();
    CalendarFacts { by_hand, policies: tenants.into_iter().filter_map(calendar).collect(), ungoverned }
}

fn by_hand(consent: &Consent) -> Option<FreezeByHand<'_>> {
    let Consent { id, at, by, why, what, ends: _, previous: _ } = consent;
    let ConsentKind::Freeze { links, until, zone, holds_rollbacks } = what else { return None };
    let zone = Zone::new(zone).unwrap_or(Zone::UTC);
    Some(FreezeByHand {
        id: *id,
        links,
        by: &by.name,
        why: why.as_deref(),
        start: zone.at(*at),
        end: zone.at(*until),
        holds_rollbacks: *holds_rollbacks,
    })
}
