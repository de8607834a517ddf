//! Carries out a plan: records the removal first, then removes, under the lease of the link.

use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};

use super::packs;
use super::plan::{Batch, LinkPlan, Plan};
use crate::apply::{ApplyError, HeldLease, Record};
use crate::blobs::Blobs;
use crate::causes;
use crate::clock::Clock;
use crate::domain::{Actor, CutMark, Event, LinkId, Owner};
use crate::report::PruneResult;
use crate::state::{Removal, State, StateError};

/// How many links are processed at once, and how many blobs of each are removed at once.
const LINKS: usize = 8;
const BLOBS: usize = 16;

/// Carries out prune plans.
#[derive(Debug)]
pub struct Pruner {
    /// The record.
    pub state: Arc<dyn State>,
    /// Packs, logs, status and artifacts.
    pub blobs: Arc<dyn Blobs>,
    /// The clock for recorded events.
    pub clock: Arc<dyn Clock>,
    /// This process, as lease owner.
    pub owner: Owner,
    /// The actor it works for.
    pub actor: Actor,
}

impl Pruner {
    /// Removes what the plan says. Never fails as a whole: returns the result of each link, in the order of the plan,
    /// and the result for the packs.
    pub async fn carry_out(&self, plan: &Plan) -> (Vec<PruneResult>, PruneResult) {
        let links = stream::iter(&plan.links).map(|link| self.of_link(link, plan));
        let links = links.buffered(LINKS).collect().await;
        let packs = match packs::remove(&*self.state, &*self.blobs, &plan.packs).await {
            Ok(()) => PruneResult::Done,
            Err(error) => failed(&error, error.hint()),
        };
        (links, packs)
    }

    async fn of_link(&self, link: &LinkPlan, plan: &Plan) -> PruneResult {
        let held = match HeldLease::acquire(&self.state, &link.link, &self.owner, None).await {
            Ok(held) => held,
            Err(error) => return result(&ApplyError::State(error)),
        };
        let overtaken = StateError::LeaseLost { link: link.link.clone(), epoch: held.epoch };
        let removed = tokio::select! {
            removed = self.under_lease(link, plan, &held) => removed,
            () = held.lost() => Err(overtaken.into()),
        };
        held.release().await;
        removed.map_or_else(|error| result(&error), |()| PruneResult::Done)
    }

    async fn under_lease(&self, link: &LinkPlan, plan: &Plan, held: &HeldLease) -> Result<(), ApplyError> {
        let LinkPlan { link: id, base, unfinished, uncut, batch, keeps, history } = link;
        let heads = self.state.heads(Some(std::slice::from_ref(id))).await?;
        let head = heads.into_iter().next().map(|(_, head)| head).unwrap_or_default();
        if head.generation != *base {
            let found = head.generation;
            return Err(ApplyError::Stale { link: id.clone(), planned: *base, found });
        }
        // Finish the recorded prune first: the record names only the last one.
        if let Some((mark, _)) = uncut {
            self.cut(id, *mark, held).await?;
        }
        self.remove(unfinished).await?;
        if !link.is_new() {
            return Ok(());
        }
        let (state, clock) = (Arc::clone(&self.state), Arc::clone(&self.clock));
        let mut record = Record::open(state, clock, id.clone(), held.epoch, self.actor.clone(), head).await?;
        if let Some(owner) = &held.from {
            record.stage(Event::TakenOver { from: owner.to_string() })?;
        }
        let history = history.as_ref().map(|(cut, _)| cut.clone());
        let cuts = history.is_some();
        record.record(Event::Pruned { blobs_before: plan.before, keeps: keeps.clone(), history }).await?;
        if let Some(mark) = record.head().cut().filter(|_| cuts) {
            self.cut(id, mark, held).await?;
        }
        self.remove(batch).await
    }

    async fn cut(&self, link: &LinkId, mark: CutMark, held: &HeldLease) -> Result<(), StateError> {
        let CutMark { through, event, at: _ } = mark;
        self.state.prune(Removal { link, event, through, epoch: held.epoch }).await
    }

    async fn remove(&self, batch: &Batch) -> Result<(), ApplyError> {
        let removing = stream::iter(&batch.blobs).map(|key| async move { self.blobs.remove(key).await });
        Ok(removing.buffer_unordered(BLOBS).try_collect::<()>().await?)
    }
}

/// The result for a link that was not fully pruned.
fn result(error: &ApplyError) -> PruneResult {
    match error {
        ApplyError::State(StateError::LeaseHeld { lease, .. }) => {
            let by = lease.owner.as_ref().map_or_else(|| "another process".to_owned(), ToString::to_string);
            PruneResult::Left { by }
        }
        ApplyError::State(StateError::LeaseLost { .. } | StateError::Conflict { .. }) => {
            PruneResult::Left { by: "another process".to_owned() }
        }
        ApplyError::Stale { .. } => PruneResult::Changed,
        error => failed(error, error.hint()),
    }
}

fn failed(error: &(dyn std::error::Error + 'static), hint: Option<String>) -> PruneResult {
    PruneResult::Failed { error: causes::in_one_line(error), hint }
}
