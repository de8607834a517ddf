//! Who cancelled a run, and why.

use serde::{Deserialize, Serialize};

use super::{Actor, ActorKind};

/// An actor's request to cancel a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cancellation {
    /// Who requested it.
    pub by: Actor,
    /// The reason they gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Cancellation {
    /// By katkit itself, for this reason.
    pub fn by_katkit(why: &str) -> Self {
        let by = Actor { name: "katkit".to_owned(), kind: ActorKind::System, ..Actor::default() };
        Self { by, why: Some(why.to_owned()) }
    }

    /// The text after "was cancelled".
    pub fn describe(&self) -> String {
        let Self { by, why } = self;
        match why {
            Some(why) => format!("by {by} ({why})"),
            None => format!("by {by}"),
        }
    }
}
