//! One link: acquires its lease, checks its record, executes its steps, releases the lease.

use std::sync::Arc;

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::lease::HeldLease;
use super::link_executor::LinkExecutor;
use super::open_requests::OpenRequests;
use super::record::Record;
use super::stop::Watch;
use super::{ApplyError, Executor, preflight};
use crate::causes;
use crate::domain::Event;
use crate::plan::LinkPlan;
use crate::report::{LinkReport, LinkResult};
use crate::state::StateError;

/// Carries out the steps of one link. The report has the result or the error.
pub(super) async fn run(
    executor: &Arc<Executor>,
    plan: &LinkPlan,
    interrupt: &CancellationToken,
    open_requests: &OpenRequests,
) -> LinkReport {
    let result = match carry_out(executor, plan, interrupt, open_requests).await {
        Ok(result) => result,
        // Another process holds the link, or finished with it, since the plan was made: not a failure.
        Err(error @ (ApplyError::State(StateError::LeaseHeld { .. }) | ApplyError::Stale { .. })) => {
            LinkResult::Overtaken { by: error.to_string() }
        }
        Err(error) => LinkResult::Refused { error: causes::in_one_line(&error), hint: error.hint() },
    };
    LinkReport { link: plan.link.clone(), result }
}

async fn carry_out(
    executor: &Arc<Executor>,
    plan: &LinkPlan,
    interrupt: &CancellationToken,
    open_requests: &OpenRequests,
) -> Result<LinkResult, ApplyError> {
    preflight::check(executor, plan).await?;
    let held = Arc::new(
        HeldLease::acquire(&executor.state, &plan.link, &executor.owner, plan.takes_over.as_ref()).await?,
    );
    let result = under_lease(executor, plan, &held, (interrupt, open_requests)).await;
    if let Some(held) = Arc::into_inner(held) {
        held.release().await;
    }
    result
}

async fn under_lease(
    executor: &Arc<Executor>,
    plan: &LinkPlan,
    held: &Arc<HeldLease>,
    (interrupt, open_requests): (&CancellationToken, &OpenRequests),
) -> Result<LinkResult, ApplyError> {
    let heads = executor.state.heads(Some(std::slice::from_ref(&plan.link))).await?;
    let head = heads.into_iter().next().map(|(_, head)| head).unwrap_or_default();
    if head.generation != plan.base {
        return Err(ApplyError::Stale {
            link: plan.link.clone(),
            planned: plan.base,
            found: head.generation,
        });
    }
    let mut record = Record::new(
        Arc::clone(&executor.state),
        Arc::clone(&executor.clock),
        plan.link.clone(),
        held.epoch,
        executor.actor.clone(),
        head,
    );
    if let Some(from) = &held.from {
        record.stage(Event::TakenOver { from: from.to_string() })?;
    }
    let record = Arc::new(Mutex::new(record));
    let (watch, stop) =
        Watch::over(held, interrupt.clone(), open_requests.clone(), plan.link.clone(), plan.want.clone());
    let executed =
        LinkExecutor { executor, plan, record: &record, stop: &stop, epoch: held.epoch }.execute().await;
    watch.end().await;
    // Events staged before an error are still true.
    let flushed = record.lock().await.flush().await;
    let result = executed?;
    flushed?;
    Ok(result)
}
