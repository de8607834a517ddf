//! One link: taken, checked, walked through, and given back.

use std::sync::Arc;

use tokio::sync::Mutex;

use super::lease::Held;
use super::record::Record;
use super::stop::Watch;
use super::wishes::Wishes;
use super::{ApplyError, Executor, Interrupt, preflight, steps};
use crate::causes;
use crate::domain::Event;
use crate::plan::LinkPlan;
use crate::report::{LinkReport, LinkResult};
use crate::state::StateError;

/// Carries out the steps of one link. Whatever happens, it is said in the report.
pub(super) async fn run(
    executor: &Arc<Executor>,
    plan: &LinkPlan,
    interrupt: &Interrupt,
    wishes: &Wishes,
) -> LinkReport {
    let result = match carry_out(executor, plan, interrupt, wishes).await {
        Ok(result) => result,
        // Between the plan and now someone else took the link, or was done with it: no failure of either.
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
    interrupt: &Interrupt,
    wishes: &Wishes,
) -> Result<LinkResult, ApplyError> {
    preflight::check(executor, plan).await?;
    let held = Arc::new(
        Held::acquire(&executor.state, &plan.link, &executor.owner, plan.takes_over.as_ref()).await?,
    );
    let result = under_lease(executor, plan, &held, (interrupt, wishes)).await;
    if let Some(held) = Arc::into_inner(held) {
        held.release().await;
    }
    result
}

async fn under_lease(
    executor: &Arc<Executor>,
    plan: &LinkPlan,
    held: &Arc<Held>,
    (interrupt, wishes): (&Interrupt, &Wishes),
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
        Watch::over(held, interrupt.clone(), wishes.clone(), plan.link.clone(), plan.want.clone());
    let walked = steps::Walk { executor, plan, record: &record, stop: &stop, epoch: held.epoch }.walk().await;
    watch.end().await;
    // What was staged before an error is true all the same.
    let flushed = record.lock().await.flush().await;
    let result = walked?;
    flushed?;
    Ok(result)
}
