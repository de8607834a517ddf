//! The consents that let a run or a deployment through.

use serde::{Deserialize, Serialize};

use super::{Actor, Consent, ConsentId};

/// Who let something begin that would have had to wait otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authorization {
    /// The approvals that counted by the policy of the link, in the order in which they were given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<GivenConsent>,
    /// The overrides of the commit that were in force, whether or not they were needed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<GivenConsent>,
}

/// A consent, and who gave it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GivenConsent {
    /// Its place in the journal of consents.
    pub id: ConsentId,
    /// The actor who gave it.
    pub by: Actor,
}

impl Authorization {
    /// Whether it names nobody.
    pub fn is_empty(&self) -> bool {
        self.approvals.is_empty() && self.overrides.is_empty()
    }
}

impl From<&Consent> for GivenConsent {
    fn from(consent: &Consent) -> Self {
        Self { id: consent.id, by: consent.by.clone() }
    }
}
