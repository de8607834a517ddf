//! All links of a plan, a few at a time: the queue of the command line.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::task::{JoinError, JoinSet};

use super::link::apply_link;
use super::queue::Queue;
use super::{Session, limit, sweep};
use crate::plan::{LinkPlan, Plan};
use crate::report::{LinkReport, LinkResult, Summary};

/// Carries out `plan`, at most `parallelism` links at a time, until it is done or the session is interrupted.
///
/// Never fails as a whole: the summary has the result of each link.
pub async fn apply(session: &Arc<Session>, plan: Plan, parallelism: usize) -> Summary {
    // In parallel with the links: removing an orphan must not delay a deployment.
    let (swept, links) =
        tokio::join!(sweep::sweep(session, &plan.sweeps), apply_links(session, plan.links, parallelism));
    // Needs the leases of the links, which are released only now.
    sweep::record(session, &swept).await;
    let mut summary = Summary { swept: swept.len(), interrupted: session.interrupt.is_cancelled(), ..links };
    summary.links.sort_by(|a, b| a.link.cmp(&b.link));
    summary
}

async fn apply_links(session: &Arc<Session>, links: Vec<LinkPlan>, parallelism: usize) -> Summary {
    let mut summary = Summary::default();
    let links = links.into_iter().filter(|link| !link.steps.is_empty());
    let mut queue = Queue::new(links, session.estate().manifest());
    let (mut running, mut tenants) = (JoinSet::new(), HashMap::new());
    loop {
        while running.len() < parallelism.max(1) && !session.interrupt.is_cancelled() {
            let Some(link) = queue.next() else { break };
            let tenant = link.link.tenant.clone();
            let after = session.failure_limit.keeps_back(&link.link);
            if limit::only_begins(&link.steps) && !after.is_empty() {
                let result = LinkResult::KeptBack { after };
                summary.add(Ok(session.report_end(LinkReport { link: link.link, result })));
                queue.ended(&tenant);
                continue;
            }
            let session = Arc::clone(session);
            let task = running.spawn(async move { apply_link(&session, &link).await });
            tenants.insert(task.id(), tenant);
        }
        let Some(done) = running.join_next_with_id().await else { break };
        let task = done.as_ref().map_or_else(JoinError::id, |(task, _)| *task);
        if let Some(tenant) = tenants.remove(&task) {
            queue.ended(&tenant);
        }
        summary.add(done.map(|(_, report)| report).map_err(|error| error.to_string()));
    }
    summary
}
