//! `apply --wait`: waits for other processes that work on the same links.

use std::collections::BTreeMap;
use std::time::Duration;

use super::plan::Selection;
use crate::cli::arguments::link;
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::domain::{LinkId, Owner};
use crate::estate::Estate;
use crate::plan::Holder;

/// How often to read the leases.
const EVERY: Duration = Duration::from_millis(500);

/// Waits until no other process works on a selected link, and notes who holds it. A process on another machine counts
/// as alive as long as it renews its lease.
pub(in crate::cli) async fn wait(
    estate: &Estate,
    selection: &Selection,
    output: &mut Output,
) -> Result<(), CommandError> {
    let targets = link::in_manifest_or_left(estate, &selection.patterns()).await?;
    let mut told = None;
    loop {
        let held = estate.held_leases(None).await?;
        let busy = held.into_iter().filter_map(|(id, held)| match held.holder {
            Holder::Other(owner) if targets.contain(&id) => Some((id, owner)),
            _ => None,
        });
        let busy: BTreeMap<LinkId, Box<Owner>> = busy.collect();
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
