//! Freezes by hand.

use jiff::Timestamp;

use super::expired;
use crate::domain::{Actor, Consent, ConsentId, ConsentKind, LinkPatterns};
use crate::estate::Estate;
use crate::policy::Zone;
use crate::state::{NewConsent, StateError};

/// A freeze that an actor wants.
#[derive(Clone, Debug)]
pub struct Frozen {
    /// The links.
    pub links: LinkPatterns,
    /// When it ends: in the future.
    pub until: Timestamp,
    /// The zone in which people see that time.
    pub zone: Zone,
    /// Whether requested rollbacks must wait as well.
    pub holds_rollbacks: bool,
}

/// A freeze that cannot be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotFrozen {
    /// No freeze has this number.
    #[error("there is no freeze {0}")]
    Unknown(ConsentId),
}

/// Records a freeze.
pub async fn freeze(
    estate: &Estate,
    by: &Actor,
    why: Option<String>,
    frozen: Frozen,
) -> Result<Consent, StateError> {
    let (standing, now) = (estate.state.consents().await?.standing, estate.clock.now());
    let Frozen { links, until, zone, holds_rollbacks } = frozen;
    let what = ConsentKind::Freeze { links, until, zone: zone.to_string(), holds_rollbacks };
    let ends = expired(&standing, now).collect();
    estate.state.consent(NewConsent { at: now, by: by.clone(), why, what, ends }).await
}

/// The freezes that are in force, in the order they were given.
pub async fn freezes(estate: &Estate) -> Result<Vec<Consent>, StateError> {
    let (standing, now) = (estate.state.consents().await?.standing, estate.clock.now());
    Ok(standing.into_iter().filter(|consent| is_in_force(consent, now)).collect())
}

/// Ends freezes, all of them or none. Returns those that it ended.
pub async fn thaw(
    estate: &Estate,
    by: &Actor,
    why: Option<String>,
    ids: &[ConsentId],
) -> Result<Result<Vec<Consent>, NotFrozen>, StateError> {
    let (standing, now) = (estate.state.consents().await?.standing, estate.clock.now());
    let mut thawed: Vec<Consent> = Vec::new();
    for id in ids {
        let found = standing.iter().find(|consent| consent.id == *id && is_in_force(consent, now));
        match found {
            None => return Ok(Err(NotFrozen::Unknown(*id))),
            Some(_) if thawed.iter().any(|consent| consent.id == *id) => {}
            Some(consent) => thawed.push(consent.clone()),
        }
    }
    let mut ends: Vec<_> = thawed.iter().map(|consent| consent.id).chain(expired(&standing, now)).collect();
    ends.sort_unstable();
    ends.dedup();
    estate.state.consent(NewConsent { at: now, by: by.clone(), why, what: ConsentKind::Thaw, ends }).await?;
    Ok(Ok(thawed))
}

fn is_in_force(consent: &Consent, now: Timestamp) -> bool {
    matches!(consent.what, ConsentKind::Freeze { until, .. } if until > now)
}
