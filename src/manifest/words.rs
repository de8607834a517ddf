//! Values that are one of a few words.

use serde_json::{Value as Json, json};

use crate::access::Right;
use crate::domain::{Assurance, OnFailure, Placement, Strategy};
use crate::pipeline::{StageSource, Take};
use crate::policy::{Gated, Part};

use super::model::FleetKind;
use super::reader::{Definitions, Raw, Reader, Value};
use super::suggest::{did_you_mean, listed, nearest, quoted};

/// The `kind` of a phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum PhaseType {
    #[default]
    Execution,
    Deployment,
}

/// The `checkout` of a phase.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum CheckoutKind {
    #[default]
    Pack,
    Clone,
}

/// The `backend` of the state.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Backend {
    #[default]
    Sqlite,
    Dynamodb,
}

/// The `kind` of a platform.
#[derive(Clone, Copy, Debug)]
pub(super) enum PlatformKind {
    File,
    Docker,
    Ecs,
}

/// The `launch-type` of a fleet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum LaunchType {
    #[default]
    Fargate,
    Ec2,
}

/// The `changes` of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Changes {
    #[default]
    Watched,
    Any,
}

/// The `digest` of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DigestRule {
    Pinned,
}

/// The `ancestry` of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ancestry {
    Branch,
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
    Ancestry, "choice": "branch" => Branch;
    DigestRule, "choice": "pinned" => Pinned;
    Take, "choice": "newest" => Newest, "each" => Each;
    StageSource, "source": "branch" => Branch, "pull-requests" => PullRequests;
    Part, "part": "author" => Author, "committer" => Committer, "merger" => Merger, "initiator" => Initiator;
    Gated, "choice": "run" => Run, "deployment" => Deployment;
    Assurance, "assurance": "asserted" => Asserted, "aws" => Aws, "oidc" => Oidc;
    Right, "right": "request" => Request, "promote" => Promote, "approve" => Approve, "rollback" => Rollback,
        "freeze" => Freeze, "break-glass" => BreakGlass, "evidence" => Evidence;
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
