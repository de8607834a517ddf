//! Other processes that work on the same links.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::app::App;
use crate::cli::arguments::link;
use crate::cli::commands::plan::Selection;
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::domain::{Lease, LinkId};
use crate::liveness;

/// How often to read the leases.
const EVERY: Duration = Duration::from_millis(500);

/// Waits until no other process works on a selected link, and notes who holds it. A process on another machine counts
/// as alive as long as it renews its lease.
pub(in crate::cli) async fn wait(
    app: &App,
    selection: &Selection,
    output: &mut Output,
) -> Result<(), CommandError> {
    let targets = link::in_manifest_or_left(app, &selection.patterns()).await?;
    // Each lease as last seen, and when it last changed.
    let mut seen: BTreeMap<LinkId, (Lease, Duration)> = BTreeMap::new();
    let mut told = None;
    loop {
        let now = app.clock.elapsed();
        let mut busy = BTreeMap::new();
        for (id, lease) in app.state.leases(None).await?.into_iter().filter(|(id, _)| targets.contain(id)) {
            let Some(owner) = lease.owner.clone() else { continue };
            let before = seen.get(&id).filter(|(before, _)| before.unchanged_in(&lease));
            let since = before.map_or(now, |(_, since)| *since);
            let is_silent = now.saturating_sub(since) > Duration::from_secs(lease.duration);
            let is_alive = if liveness::is_local(&owner) { !liveness::is_dead(&owner) } else { !is_silent };
            if is_alive {
                busy.insert(id.clone(), owner);
            }
            seen.insert(id, (lease, since));
        }
        let Some((id, owner)) = busy.first_key_value() else { return Ok(()) };
        let text = match busy.len() - 1 {
            0 => format!("waiting for {owner}, which is working on {id}"),
            more => format!("waiting for {owner}, which is working on {id}, and for {more} more"),
        };
        if told.as_ref() != Some(&text) {
            output.note(&text);
            told = Some(text);
        }
        tokio::time::sleep(EVERY).await;
    }
}
