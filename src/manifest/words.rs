//! The values that are one of a few words.

use serde_json::{Value as Json, json};

use crate::domain::{OnFailure, Placement, Strategy};

use super::model::FleetKind;
use super::reader::{Definitions, Raw, Reader, Value};
use super::suggest::{did_you_mean, listed, nearest, quoted};

/// What `kind` of a phase says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum PhaseType {
    #[default]
    Execution,
    Deployment,
}

/// What `checkout` of a phase says.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum CheckoutKind {
    #[default]
    Pack,
    Clone,
}

/// What `backend` of the state says.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Backend {
    #[default]
    Sqlite,
    Dynamodb,
}

/// What `kind` of a platform says.
#[derive(Clone, Copy, Debug)]
pub(super) enum PlatformKind {
    File,
    Docker,
    Ecs,
}

/// What `launch-type` of a fleet says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum LaunchType {
    #[default]
    Fargate,
    Ec2,
}

/// What `changes` of a link says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Changes {
    #[default]
    Watched,
    Any,
}

macro_rules! words {
    ($($type:ident, $called:literal: $($word:literal => $variant:ident),+;)+) => {$(
        impl<'i> Value<'i> for $type {
            fn read(raw: &'i Raw<'i>, reader: &Reader<'_>) -> Option<Self> {
                match one_of(raw, reader, $called, &[$($word),+])? {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }

            fn schema(_: &mut Definitions) -> Json {
                json!({ "enum": [$($word),+] })
            }
        }
    )+};
}

words! {
    PhaseType, "kind of phase": "execution" => Execution, "deployment" => Deployment;
    CheckoutKind, "choice": "pack" => Pack, "clone" => Clone;
    Backend, "backend": "sqlite" => Sqlite, "dynamodb" => Dynamodb;
    PlatformKind, "kind of platform": "file" => File, "docker" => Docker, "ecs" => Ecs;
    LaunchType, "launch type": "fargate" => Fargate, "ec2" => Ec2;
    Changes, "choice": "watched" => Watched, "any" => Any;
    FleetKind, "kind of fleet": "process" => Process, "docker" => Docker, "ecs" => Ecs;
    Placement, "choice": "tenant" => Tenant, "build" => Build;
    Strategy, "strategy": "ordered" => Ordered, "together" => Together;
    OnFailure, "choice": "hold" => Hold, "rollback" => Rollback;
}

/// The text of `raw`, if it is one of `words`.
fn one_of<'i>(raw: &'i Raw<'i>, reader: &Reader<'_>, called: &str, words: &[&str]) -> Option<&'i str> {
    let word = <&str>::read(raw, reader)?;
    if words.contains(&word) {
        return Some(word);
    }
    let guess = nearest(word, words.iter().copied());
    let message = format!("unknown {called} {}{}", quoted(word), did_you_mean(guess));
    let label = format!("expected {}", listed(words.iter().copied()).replace(" and ", " or "));
    reader.error(reader.span_of(raw), message, label);
    None
}
