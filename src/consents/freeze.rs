//! Freezes by hand.

use jiff::Timestamp;

use super::expired;
use crate::access::Right;
use crate::domain::{Actor, Consent, ConsentId, ConsentKind, LinkPatterns};
use crate::estate::Estate;
use crate::policy::Zone;
use crate::requests::{RequestError, permitted};
use crate::state::NewConsent;

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

/// Records a freeze.
pub async fn freeze(
    estate: &Estate,
    by: &Actor,
    why: Option<String>,
    frozen: Frozen,
) -> Result<Consent, RequestError> {
    permitted_on(estate, by, &frozen.links)?;
    let (standing, now) = (estate.state.consents().await?.standing, estate.clock.now());
    let Frozen { links, until, zone, holds_rollbacks } = frozen;
    let what = ConsentKind::Freeze { links, until, zone: zone.to_string(), holds_rollbacks };
    let ends = expired(&standing, now).collect();
    Ok(estate.state.consent(NewConsent { at: now, by: by.clone(), why, what, ends }).await?)
}

/// Refuses a freeze, or its end, by an actor who does not have the right on all of its links.
fn permitted_on(estate: &Estate, by: &Actor, links: &LinkPatterns) -> Result<(), RequestError> {
    let mut frozen = estate.manifest().links().map(|(id, _, _)| id).filter(|id| links.match_link(id));
    frozen.try_for_each(|id| permitted(estate, by, Right::Freeze, ("freeze", &id)))
}

/// Ends freezes, all of them or none. Returns those that it ended.
pub async fn thaw(
    estate: &Estate,
    by: &Actor,
    why: Option<String>,
    ids: &[ConsentId],
) -> Result<Vec<Consent>, RequestError> {
    let (standing, now) = (estate.state.consents().await?.standing, estate.clock.now());
    let mut thawed: Vec<Consent> = Vec::new();
    for id in ids {
        let in_force = standing.iter().filter(|consent| is_in_force(consent, now));
        match in_force.clone().find(|consent| consent.id == *id) {
            None => {
                let known: Vec<_> = in_force.map(|consent| consent.id.to_string()).collect();
                let hint = match known.as_slice() {
                    [] => "no freeze by hand is in force".to_owned(),
                    known => format!("in force: {}; `katkit calendar` shows them", known.join(", ")),
                };
                return Err(RequestError::refused(format!("there is no freeze {id}"), hint));
            }
            Some(_) if thawed.iter().any(|consent| consent.id == *id) => {}
            Some(consent) => {
                if let ConsentKind::Freeze { links, .. } = &consent.what {
                    permitted_on(estate, by, links)?;
                }
                thawed.push(consent.clone());
            }
        }
    }
    let mut ends: Vec<_> = thawed.iter().map(|consent| consent.id).chain(expired(&standing, now)).collect();
    ends.sort_unstable();
    ends.dedup();
    estate.state.consent(NewConsent { at: now, by: by.clone(), why, what: ConsentKind::Thaw, ends }).await?;
    Ok(thawed)
}

fn is_in_force(consent: &Consent, now: Timestamp) -> bool {
    matches!(consent.what, ConsentKind::Freeze { until, .. } if until > now)
}
