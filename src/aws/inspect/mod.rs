//! Checks what tasks depend on outside of ECS: networks, roles, secrets, images.
//!
//! Never reads a secret's value, only whether it exists. A denied call says nothing about the resource, so it makes a
//! check unknown and never bad. Each process asks each question once, however many fleets, links and phases depend on
//! the answer.

pub mod image;
pub mod network;
pub mod role;
pub mod secret;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use super::{AwsError, AwsLocation};
use crate::domain::CheckResult;

/// Check results by location and resource.
#[derive(Debug, Default)]
pub(super) struct InspectionCache(Mutex<BTreeMap<(AwsLocation, String), CachedFinding>>);

/// Empty while the first check is running.
type CachedFinding = Arc<OnceCell<CheckResult>>;

impl InspectionCache {
    /// The cached result for `what`, or else the result of `inspect`. Concurrent callers wait for the same result.
    async fn found(
        &self,
        place: &AwsLocation,
        what: &str,
        inspect: impl Future<Output = CheckResult>,
    ) -> CheckResult {
        let cell = {
            let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(seen.entry((place.clone(), what.to_owned())).or_default())
        };
        cell.get_or_init(|| inspect).await.clone()
    }
}

/// The result of a check that failed to run. Only a missing permission gets its hint here: other problems, such as
/// missing credentials, also fail calls that katkit cannot do without, and are reported with a hint there.
fn unseen(error: &AwsError) -> CheckResult {
    let hint = error.hint().filter(|_| matches!(error, AwsError::Denied { .. }));
    CheckResult::Unknown(match hint {
        Some(hint) => format!("it could not be checked: {error}; {hint}"),
        None => format!("it could not be checked: {error}"),
    })
}

fn good(how: impl Into<String>) -> CheckResult {
    CheckResult::Good(how.into())
}

fn bad(problem: impl Into<String>, fix: impl Into<String>) -> CheckResult {
    CheckResult::Bad { problem: problem.into(), fix: Some(fix.into()) }
}

/// A comma-separated list of names in backticks.
fn quoted<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// `place` with the region from an ARN or image name.
fn in_region(place: &AwsLocation, region: &str) -> AwsLocation {
    AwsLocation { region: Some(region.to_owned()), ..place.clone() }
}
