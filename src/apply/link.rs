//! One link: acquires its lease, checks its record, executes its steps, releases the lease.

use std::sync::Arc;

use tokio::sync::Mutex;

use super::lease::HeldLease;
use super::link_executor::LinkExecutor;
use super::record::Record;
use super::stop::Watch;
use super::{ApplyError, Session, preflight};
use crate::causes;
use crate::domain::Event;
use crate::plan::LinkPlan;
use crate::report::{LinkReport, LinkResult};
use crate::state::StateError;

/// Carries out the plan of one link. The report has the result or the error.
///
/// Several links may be applied at once, in sessions of different actors; two calls for one link exclude each other by
/// its lease.
pub async fn apply_link(session: &Arc<Session>, plan: &LinkPlan) -> LinkReport {
    let result = match carry_out(session, plan).await {
        Ok(result) => result,
        // Another process holds the link, or finished with it, since the plan was made: not a failure.
        Err(error @ (ApplyError::State(StateError::LeaseHeld { .. }) | ApplyError::Stale { .. })) => {
            LinkResult::Overtaken { by: error.to_string() }
        }
        Err(error) => LinkResult::Refused { error: causes::in_one_line(&error), hint: error.hint() },
    };
    session.failure_limit.note(plan, &result);
    session.report_end(LinkReport { link: plan.link.clone(), result })
}

async fn carry_out(session: &Arc<Session>, plan: &LinkPlan) -> Result<LinkResult, ApplyError> {
    preflight::check(session, plan).await?;
    let (state, owner) = (&session.estate().state, &session.executor.owner);
    let held = Arc::new(HeldLease::acquire(state, &plan.link, owner, plan.takes_over.as_ref()).await?);
    let result = under_lease(session, plan, &held).await;
    if let Some(held) = Arc::into_inner(held) {
        held.release().await;
    }
    result
}

async fn under_lease(
    session: &Arc<Session>,
    plan: &LinkPlan,
    held: &Arc<HeldLease>,
) -> Result<LinkResult, ApplyError> {
    let estate = session.estate();
    let heads = estate.state.heads(Some(std::slice::from_ref(&plan.link))).await?;
    let head = heads.into_iter().next().map(|(_, head)| head).unwrap_or_default();
    if head.generation != plan.base {
        return Err(ApplyError::Stale {
            link: plan.link.clone(),
            planned: plan.base,
            found: head.generation,
        });
    }
    let mut record = Record::open(
        Arc::clone(&estate.state),
        Arc::clone(&estate.clock),
        plan.link.clone(),
        held.epoch,
        session.actor.clone(),
        head,
    )
    .await?;
    if let Some(from) = &held.from {
        record.stage(Event::TakenOver { from: from.to_string() })?;
    }
    let record = Arc::new(Mutex::new(record));
    let requests = session.executor.requests.watch(plan);
    let (watch, stop) = Watch::over(held, session.interrupt.clone(), requests, plan.want.clone());
    let executed =
        LinkExecutor { session, plan, record: &record, stop: &stop, epoch: held.epoch }.execute().await;
    watch.end().await;
    // Events staged before an error are still true.
    let flushed = record.lock().await.flush().await;
    let result = executed?;
    flushed?;
    Ok(result)
}
