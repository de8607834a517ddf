//! Actors in JSON.

use schemars::JsonSchema;
use serde::Serialize;

use super::{ActorKindJson, AssuranceJson, DoorJson};
use crate::domain::{Actor, Door};

/// Who did or requested something, and how katkit verified it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ActorJson<'a> {
    /// Display name; not verified.
    pub name: &'a str,
    /// The kind of actor.
    pub kind: ActorKindJson,
    /// The interface the actor used.
    pub door: DoorJson,
    /// The delivery id of a webhook; null for other interfaces.
    pub delivery: Option<&'a str>,
    /// The verified identity: an AWS ARN, or the subject of an OIDC token; null if not verified.
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
