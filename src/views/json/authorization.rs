//! The consents that let something through, in JSON.

use schemars::JsonSchema;
use serde::Serialize;

use super::ActorJson;
use crate::domain::{Authorization, GivenConsent};

/// Who let a run or a deployment through.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct AuthorizationJson<'a> {
    /// The approvals that counted by the policy of the link.
    pub approvals: Vec<GivenConsentJson<'a>>,
    /// The overrides of the commit that were in force, whether or not they were needed.
    pub overrides: Vec<GivenConsentJson<'a>>,
}

/// A consent, and who gave it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct GivenConsentJson<'a> {
    /// Its number in the journal of consents.
    pub number: u64,
    /// Who gave it.
    pub by: ActorJson<'a>,
}

impl<'a> From<&'a Authorization> for AuthorizationJson<'a> {
    fn from(Authorization { approvals, overrides }: &'a Authorization) -> Self {
        let all = |consents: &'a [GivenConsent]| consents.iter().map(GivenConsentJson::from).collect();
        Self { approvals: all(approvals), overrides: all(overrides) }
    }
}

impl<'a> From<&'a GivenConsent> for GivenConsentJson<'a> {
    fn from(GivenConsent { id, by }: &'a GivenConsent) -> Self {
        Self { number: id.0, by: by.into() }
    }
}
