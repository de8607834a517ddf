//! Actors: users, CI jobs and katkit itself.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// Who did something or requested it, and how katkit knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Actor {
    /// A display name: the user name, or `KATKIT_ACTOR`. Not verified.
    pub name: String,
    /// User, CI job, API token or katkit itself.
    pub kind: ActorKind,
    /// The interface that the actor used.
    pub door: Door,
    /// The verified identity: an AWS ARN, or the subject of an OIDC token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// How the identity was verified.
    pub assurance: Assurance,
}

/// The kind of an actor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActorKind {
    /// A human user.
    #[default]
    Person,
    /// A CI job.
    Job,
    /// The holder of an API token.
    Token,
    /// katkit itself.
    System,
}

/// The interface that an actor used.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Door {
    /// The command line.
    #[default]
    Cli,
    /// The server's API.
    Api,
    /// The server's pages.
    Web,
    /// A webhook, with the delivery's id.
    Webhook(String),
    /// A schedule.
    Schedule,
}

/// How an actor's identity was verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Assurance {
    /// Not verified: the process claims it.
    #[default]
    Asserted,
    /// Verified by AWS, from a call's signature.
    Aws,
    /// Verified by the issuer of an OIDC token.
    Oidc,
}

/// The current format.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    name: String,
    #[serde(default)]
    kind: ActorKind,
    #[serde(default)]
    door: Door,
    #[serde(default)]
    subject: Option<String>,
    #[serde(default)]
    assurance: Assurance,
}

/// Older records hold only a name. Not an untagged enum: its errors would not name an unknown field.
impl<'de> Deserialize<'de> for Actor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NameOrWhole)
    }
}

struct NameOrWhole;

impl<'de> Visitor<'de> for NameOrWhole {
    type Value = Actor;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an actor or its name")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Actor, E> {
        Ok(name.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Actor, A::Error> {
        let Whole { name, kind, door, subject, assurance } =
            Whole::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Actor { name, kind, door, subject, assurance })
    }
}

impl Actor {
    /// Whether this is a human user, and no job, token or schedule.
    pub fn is_person(&self) -> bool {
        self.kind == ActorKind::Person
    }

    /// A placeholder for events that planning only simulates.
    pub fn nobody() -> Self {
        Self::default()
    }
}

/// An unverified user at the command line.
impl From<&str> for Actor {
    fn from(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actors_survive_a_round_trip_and_older_records_hold_only_a_name() {
        let whole = Actor {
            name: "ci".to_owned(),
            kind: ActorKind::Job,
            door: Door::Webhook("72d3162e".to_owned()),
            subject: Some("arn:aws:sts::123456789012:assumed-role/ci/1".to_owned()),
            assurance: Assurance::Aws,
        };
        for actor in [whole, Actor::from("ana")] {
            let text = serde_json::to_string(&actor).unwrap();
            assert_eq!(serde_json::from_str::<Actor>(&text).unwrap(), actor, "{text}");
        }
        assert_eq!(serde_json::from_str::<Actor>(r#""ana""#).unwrap(), "ana".into());
        assert_eq!(serde_json::from_str::<Actor>(r#"{"name":"ana"}"#).unwrap(), "ana".into());
    }

    #[test]
    fn errors_name_the_unknown_fields_and_variants_of_an_actor() {
        for (text, error) in [
            (r#"{"name":"ana","team":"shop"}"#, "unknown field `team`"),
            (r#"{"name":"ana","kind":"robot"}"#, "unknown variant `robot`"),
            (r#"{"name":"ana","door":"chat"}"#, "unknown variant `chat`"),
        ] {
            let message = serde_json::from_str::<Actor>(text).unwrap_err().to_string();
            assert!(message.starts_with(error), "{message}");
        }
    }
}
