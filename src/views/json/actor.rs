//! Actors.

use schemars::JsonSchema;
use serde::Serialize;

use super::{ActorKindJson, AssuranceJson, DoorJson};
use crate::domain::{Actor, Door};

/// Who did something or requested it, and how katkit knows.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ActorJson<'a> {
    /// A display name. Not verified.
    pub name: &'a str,
    /// The kind of actor.
    pub kind: ActorKindJson,
    /// The interface that was used.
    pub door: DoorJson,
    /// For a webhook, the name of its delivery.
    pub delivery: Option<&'a str>,
    /// The verified identity: an AWS ARN, or the subject of an OIDC token.
    pub subject: Option<&'a str>,
    /// How the identity was verified.
    pub assurance: AssuranceJson,
}

impl<'a> From<&'a Actor> for ActorJson<'a> {
    fn from(Actor { name, kind, door, subject, assurance }: &'a Actor) -> Self {
        let delivery = match door {
            Door::Webhook(delivery) => Some(delivery.as_str()),
            Door::Cli | Door::Api | Door::Web | Door::Schedule => None,
        };
        let (kind, door, assurance) = (kind.into(), door.into(), assurance.into());
        Self { name, kind, door, delivery, subject: subject.as_deref(), assurance }
    }
}
