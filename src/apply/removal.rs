//! Removes services: many at once, each within a time limit.

use std::time::Duration;

use futures::{StreamExt, stream};
use tokio::time::timeout;

use super::ApplyError;
use crate::domain::{Handle, Token};
use crate::fleet::{Fleet, FleetError};

/// How long removing one service may take. On ECS, tearing down a task's network takes half a minute after its end.
const LONGEST: Duration = Duration::from_mins(3);

/// How many services are removed at the same time.
pub(super) const AT_ONCE: usize = 100;

/// Removes one service. If it is not gone in time, the next apply tries again.
pub(super) async fn remove(fleet: &dyn Fleet, service: &Handle) -> Result<(), FleetError> {
    let removed = timeout(LONGEST, fleet.remove(service)).await;
    removed.unwrap_or_else(|_| Err(FleetError::Lingers { service: service.clone(), after: LONGEST }))
}

/// Removes as many as possible: continues after a failure, and returns the first error.
pub(super) async fn remove_all(fleet: &dyn Fleet, services: &[Handle]) -> Result<(), ApplyError> {
    let each: Vec<_> = services.iter().map(|service| remove(fleet, service)).collect();
    let removed: Vec<_> = stream::iter(each).buffer_unordered(AT_ONCE).collect().await;
    Ok(removed.into_iter().collect::<Result<_, _>>()?)
}

/// Finds the services of an attempt whose handles are not all known.
pub(super) async fn find_by_token(
    fleet: &dyn Fleet,
    token: &Token,
    replicas: u32,
) -> Result<Vec<Handle>, ApplyError> {
    let tokens: Vec<_> = (0..replicas).map(|replica| token.replica(replica)).collect();
    let found = fleet.list().await?.into_iter().filter(|found| tokens.contains(&found.token));
    Ok(found.map(|found| found.handle).collect())
}
