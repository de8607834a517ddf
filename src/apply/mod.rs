//! Carries out a plan, and decides nothing.
//!
//! Per link: acquire the lease, check that the record has not changed since the plan was made, and execute the steps.
//! Every external effect is recorded before it happens, under a token that makes repeating it harmless, so that after a
//! kill at any point, running the same command again recovers. Links run concurrently and independently; the phases of
//! one link run in order.
//!
//! ```text
//! lease ── record ─┬─ attempt: intend → launch → wait → end, remove
//!                  └─ deploy:  intend → issue  → watch → end
//! ```

mod attempt;
mod deploy;
mod environment;
mod error;
mod failure;
mod heartbeat;
mod launch;
mod lease;
mod lease_guard;
mod limit;
mod link;
mod link_executor;
mod listener;
mod moved;
mod note;
mod open_requests;
mod pack_publisher;
mod phase_run;
mod preflight;
mod queue;
mod record;
mod removal;
mod spec;
mod steps;
mod stop;
mod sweep;
#[cfg(test)]
mod tests;
mod watch;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use error::ApplyError;
pub use lease::{HeldLease, LEASE_SECONDS};
pub use limit::FailureLimit;
pub use listener::Listener;
pub use note::note;
pub use pack_publisher::{PackPublisher, abandoned_scratch, remove_abandoned_scratch};
pub use record::Record;

use self::open_requests::OpenRequests;
use self::queue::Queue;

use crate::blobs::Blobs;
use crate::clock::Clock;
use crate::domain::{Actor, LinkId, Owner, PlanDigest, TenantName};
use crate::fleet::{Fleet, SecretError, Secrets};
use crate::manifest::{Loaded, Tenant};
use crate::plan::{LinkPlan, Plan};
use crate::platform::Platform;
use crate::report::{LinkReport, LinkResult, Progress, Summary};
use crate::state::State;

/// Reads the values of a tenant's secrets that are on this machine. The error names the first unreadable one.
pub type SecretReader = fn(&Tenant) -> BoxFuture<'static, Result<Secrets, SecretError>>;

/// The adapters and facts needed to carry out a plan. Each function takes the pieces it uses.
#[derive(Debug)]
pub struct Executor {
    /// Where the record is kept.
    pub state: Arc<dyn State>,
    /// Logs, status and artifacts.
    pub blobs: Arc<dyn Blobs>,
    /// By name in the manifest.
    pub fleets: BTreeMap<String, Arc<dyn Fleet>>,
    /// One per tenant.
    pub platforms: BTreeMap<TenantName, Arc<dyn Platform>>,
    /// Reads the values of a tenant's secrets.
    pub secrets: SecretReader,
    /// The ARNs of a tenant's secrets that katkit does not read itself.
    pub secret_arns: fn(&Tenant) -> BTreeMap<String, String>,
    /// The manifest.
    pub loaded: Arc<Loaded>,
    /// Stores commit packs in the blob store.
    pub pack_publisher: PackPublisher,
    /// The source of time.
    pub clock: Arc<dyn Clock>,
    /// This process, as the owner of leases.
    pub owner: Owner,
    /// The actor it works for.
    pub actor: Actor,
    /// Receives progress events.
    pub listener: Arc<dyn Listener>,
    /// The digest of the saved plan, for the record; `None` if the plan was not saved.
    pub saved_plan: Option<PlanDigest>,
    /// Stops new deployments after too many failures.
    pub failure_limit: FailureLimit,
}

impl Executor {
    /// Carries out `plan`, at most `parallelism` links at a time, until it is done or interrupted.
    ///
    /// Never fails as a whole: the summary has the result of each link.
    pub async fn apply(
        self: &Arc<Self>,
        plan: Plan,
        parallelism: usize,
        interrupt: &CancellationToken,
    ) -> Summary {
        // In parallel with the links: removing an orphan must not delay a deployment.
        let (swept, links) = tokio::join!(
            sweep::sweep(self, &plan.sweeps, interrupt),
            self.apply_links(plan.links, parallelism, interrupt)
        );
        // Needs the leases of the links, which are released only now.
        sweep::record(self, &swept).await;
        let mut summary = Summary { swept: swept.len(), interrupted: interrupt.is_cancelled(), ..links };
        summary.links.sort_by(|a, b| a.link.cmp(&b.link));
        summary
    }

    async fn apply_links(
        self: &Arc<Self>,
        links: Vec<LinkPlan>,
        parallelism: usize,
        interrupt: &CancellationToken,
    ) -> Summary {
        let mut summary = Summary::default();
        let worked_on = links.iter().filter(|link| !link.steps.is_empty());
        let worked_on = worked_on.map(|link| link.link.clone()).collect();
        let (reading, open_requests) = OpenRequests::read(Arc::clone(&self.state), worked_on);
        let links = links.into_iter().filter(|link| !link.steps.is_empty());
        let mut queue = Queue::new(links, &self.loaded.manifest);
        let (mut running, mut tenants) = (JoinSet::new(), HashMap::new());
        loop {
            while running.len() < parallelism.max(1) && !interrupt.is_cancelled() {
                let Some(link) = queue.next() else { break };
                let tenant = link.link.tenant.clone();
                let after = self.failure_limit.keeps_back(&link.link);
                if limit::only_begins(&link.steps) && !after.is_empty() {
                    let result = LinkResult::KeptBack { after };
                    summary.add(Ok(self.reported(LinkReport { link: link.link, result })));
                    queue.ended(&tenant);
                    continue;
                }
                let (executor, interrupt, open_requests) =
                    (Arc::clone(self), interrupt.clone(), open_requests.clone());
                let task = running.spawn(async move {
                    let report = link::run(&executor, &link, &interrupt, &open_requests).await;
                    executor.failure_limit.note(&link, &report.result);
                    executor.reported(report)
                });
                tenants.insert(task.id(), tenant);
            }
            let Some(done) = running.join_next_with_id().await else { break };
            let task = done.as_ref().map_or_else(tokio::task::JoinError::id, |(task, _)| *task);
            if let Some(tenant) = tenants.remove(&task) {
                queue.ended(&tenant);
            }
            summary.add(done.map(|(_, report)| report).map_err(|error| error.to_string()));
        }
        drop(reading);
        summary
    }

    /// Tells the listener that a link is finished.
    fn reported(&self, report: LinkReport) -> LinkReport {
        let failed = report.result.is_failure();
        self.listener.hear(&Progress::LinkEnded { link: report.link.clone(), failed });
        report
    }

    fn place<'a>(&'a self, id: &'a LinkId) -> Result<spec::PhaseContext<'a>, ApplyError> {
        let missing = || ApplyError::Missing(format!("`{id}` is not in the manifest"));
        let (tenant, link) = self.loaded.manifest.link(id).ok_or_else(missing)?;
        let repo = self.loaded.manifest.repos.get(&link.repo).ok_or_else(missing)?;
        Ok(spec::PhaseContext { id, tenant, link, repo })
    }

    fn fleet(&self, name: &str) -> Result<Arc<dyn Fleet>, ApplyError> {
        let missing = || ApplyError::Missing(format!("there is no fleet `{name}` in the manifest"));
        self.fleets.get(name).cloned().ok_or_else(missing)
    }

    fn platform(&self, id: &LinkId) -> Result<Arc<dyn Platform>, ApplyError> {
        let missing = || ApplyError::Missing(format!("tenant `{}` is not in the manifest", id.tenant));
        self.platforms.get(&id.tenant).cloned().ok_or_else(missing)
    }

    /// Reads the secrets of a link's tenant. Read each time, so that values are short-lived and per tenant.
    async fn secrets_of(&self, id: &LinkId) -> Result<Secrets, ApplyError> {
        Ok((self.secrets)(self.place(id)?.tenant).await?)
    }
}
