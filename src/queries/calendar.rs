//! When the policies of links allow deployments, and when they do not.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::domain::{LinkId, PolicyName, TenantName};
use crate::manifest::Manifest;
use crate::views::PolicyCalendar;

/// The calendars of the policies that these links must meet, ordered by name, and the tenants without a policy.
#[derive(Debug)]
pub struct CalendarFacts<'m> {
    /// One calendar for each policy.
    pub policies: Vec<PolicyCalendar<'m>>,
    /// The tenants of the links that have no policy.
    pub ungoverned: BTreeSet<&'m TenantName>,
}

/// What the policies of `links` hold and allow between `from` and `until`, and their verdict at `from`.
pub fn calendar<'m>(
    manifest: &'m Manifest,
    links: impl IntoIterator<Item = LinkId>,
    (from, until): (Timestamp, Timestamp),
) -> CalendarFacts<'m> {
    let mut tenants: BTreeMap<&PolicyName, BTreeSet<&TenantName>> = BTreeMap::new();
    let mut ungoverned = BTreeSet::new();
    for link in links {
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
            entries: policy.agenda(from, until),
        })
    };
    CalendarFacts { policies: tenants.into_iter().filter_map(calendar).collect(), ungoverned }
}
