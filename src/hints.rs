//! Finds the hint for a backend's error anywhere in a chain of causes.

use std::error::Error;

/// The hint of the first cause that has one.
pub fn of(error: &(dyn Error + 'static)) -> Option<String> {
    let mut at = Some(error);
    while let Some(error) = at {
        if let Some(hint) = aws(error).or_else(|| docker(error)) {
            return Some(hint);
        }
        at = error.source();
    }
    None
}

/// The hint of an AWS error, which is in an `Arc` if several callers share one response.
#[cfg(feature = "aws")]
fn aws(error: &(dyn Error + 'static)) -> Option<String> {
    use crate::aws::AwsError;
    let shared = || error.downcast_ref::<std::sync::Arc<AwsError>>().map(|error| &**error);
    error.downcast_ref().or_else(shared)?.hint()
}

#[cfg(not(feature = "aws"))]
fn aws(_: &(dyn Error + 'static)) -> Option<String> {
    None
}

#[cfg(feature = "docker")]
fn docker(error: &(dyn Error + 'static)) -> Option<String> {
    error.downcast_ref::<crate::docker::EngineError>()?.hint()
}

#[cfg(not(feature = "docker"))]
fn docker(_: &(dyn Error + 'static)) -> Option<String> {
    None
}
