//! Looks at what tasks depend on outside of ECS, and says what was found: networks, roles, secrets, images.
//!
//! Nothing is read that could be a secret: of a secret only that it is there. Whoever may not look learns nothing about what
//! is there, so a refusal is never taken for something being wrong. The same question is asked once by a process, however
//! many fleets, links and phases depend on the answer.

pub mod image;
pub mod network;
pub mod role;
pub mod secret;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use super::{AwsError, Place};
use crate::domain::Found;

/// What was found already, by where it was looked at and what it is.
#[derive(Debug, Default)]
pub(super) struct Memo(Mutex<BTreeMap<(Place, String), Seen>>);

/// Empty while somebody looks.
type Seen = Arc<OnceCell<Found>>;

impl Memo {
    /// What was found of `what`; looks if nobody did so before. Who asks meanwhile waits for the same answer.
    async fn found(&self, place: &Place, what: &str, look: impl Future<Output = Found>) -> Found {
        let cell = {
            let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(seen.entry((place.clone(), what.to_owned())).or_default())
        };
        cell.get_or_init(|| look).await.clone()
    }
}

/// Nothing was found out, and why. What to do about it is said where katkit itself cannot do without, but for what is
/// asked for here alone.
fn unseen(error: &AwsError) -> Found {
    let hint = error.hint().filter(|_| matches!(error, AwsError::Denied { .. }));
    Found::Unknown(match hint {
        Some(hint) => format!("it could not be looked at: {error}; {hint}"),
        None => format!("it could not be looked at: {error}"),
    })
}

fn good(how: impl Into<String>) -> Found {
    Found::Good(how.into())
}

fn bad(problem: impl Into<String>, fix: impl Into<String>) -> Found {
    Found::Bad { problem: problem.into(), fix: Some(fix.into()) }
}

/// Names in a sentence.
fn quoted<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The place in the region that an ARN or an image names, spoken to as `place` is.
fn in_region(place: &Place, region: &str) -> Place {
    Place { region: Some(region.to_owned()), ..place.clone() }
}
