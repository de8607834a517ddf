//! Who acts.

use schemars::JsonSchema;
use serde::Serialize;

use super::{ActorKindJson, AssuranceJson, DoorJson};
use crate::domain::{Actor, Door};

/// Who did something or asked for it, and how that is known.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ActorJson<'a> {
    /// What people call them. Unless somebody vouches for them, it is what their process said.
    pub name: &'a str,
    /// What they are.
    pub kind: ActorKindJson,
    /// How they came in.
    pub door: DoorJson,
    /// For a webhook, the name of its delivery.
    pub delivery: Option<&'a str>,
    /// Who they are for whoever vouches for them: an ARN of AWS, the subject of an OIDC token.
    pub subject: Option<&'a str>,
    /// Who vouches for them.
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
