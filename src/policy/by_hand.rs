//! Freezes by hand.

use super::verdict::{ByHand, Freeze, FreezeCause, Policy};
use super::window::Window;
use super::zone::Zone;
use crate::domain::{Consent, ConsentKind, LinkId};

impl Freeze {
    /// The freeze in a consent, if it is one.
    pub fn by_hand(consent: &Consent) -> Option<Self> {
        let Consent { id, at, by, why, what, ends: _, previous: _ } = consent;
        let ConsentKind::Freeze { links: _, until, zone, holds_rollbacks } = what else { return None };
        // A newer katkit may have checked the name with a newer database of zones.
        let zone = Zone::new(zone).unwrap_or(Zone::UTC);
        Some(Self {
            window: Window::between(*at, *until, zone),
            why: why.clone(),
            holds_rollbacks: *holds_rollbacks,
            cause: FreezeCause::ByHand(ByHand { id: *id, by: by.clone() }),
        })
    }
}

impl Policy {
    /// This policy, and the freezes by hand that apply to the link; `None` if there are none.
    pub fn with_freezes(&self, consents: &[Consent], link: &LinkId) -> Option<Self> {
        let freezes: Vec<_> = freezes_of(consents, link).filter_map(Freeze::by_hand).collect();
        (!freezes.is_empty()).then(|| {
            let freezes = self.freezes.iter().cloned().chain(freezes).collect();
            Self { freezes, ..self.clone() }
        })
    }
}

/// The freezes among `consents` that apply to the link.
pub fn freezes_of<'c>(consents: &'c [Consent], link: &LinkId) -> impl Iterator<Item = &'c Consent> {
    let applies = move |consent: &&Consent| match &consent.what {
        ConsentKind::Freeze { links, .. } => links.match_link(link),
        _ => false,
    };
    consents.iter().filter(applies)
}
