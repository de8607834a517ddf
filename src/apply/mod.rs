//! Does what a plan says, and decides nothing.
//!
//! Per link: take the lease, check that the record is still where the plan was made from, and walk through the steps.
//! Every effect outside of the process is recorded before it is caused, under a token that makes causing it twice
//! harmless, so that a process killed at any point is recovered by running the same command again. Links run
//! concurrently and know nothing of each other; the phases of one link run in their order.
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
mod interrupt;
mod launch;
mod lease;
mod limit;
mod link;
mod listener;
mod mandate;
mod moved;
mod note;
mod preflight;
mod pulse;
mod queue;
mod record;
mod removal;
mod spec;
mod steps;
mod stop;
mod supply;
mod sweep;
#[cfg(test)]
mod tests;
mod watch;
mod wishes;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::task::JoinSet;

pub use error::ApplyError;
pub use interrupt::{Interrupt, Interrupter};
pub use lease::{Held, LEASE_SECONDS};
pub use limit::FailureLimit;
pub use listener::Listener;
pub use note::note;
pub use record::Record;
pub use supply::{Supply, abandoned_scratch, remove_abandoned_scratch};

use self::queue::Queue;
use self::wishes::Wishes;

use crate::blobs::Blobs;
use crate::clock::Clock;
use crate::domain::{Actor, LinkId, Owner, PlanDigest, TenantName};
use crate::fleet::{Fleet, SecretError, Secrets};
use crate::manifest::{Loaded, Tenant};
use crate::plan::{LinkPlan, Plan};
use crate::platform::Platform;
use crate::report::{LinkReport, LinkResult, Progress, Summary};
use crate::state::State;

/// Reads the values of a tenant's secrets that are on this machine; the error is about the first that it cannot read.
pub type SecretReader = fn(&Tenant) -> BoxFuture<'static, Result<Secrets, SecretError>>;

/// The adapters and facts that carrying out a plan needs. Each function takes the pieces that it uses.
#[derive(Debug)]
pub struct Executor {
    /// The record.
    pub state: Arc<dyn State>,
    /// Logs, status and artifacts.
    pub blobs: Arc<dyn Blobs>,
    /// By their name in the manifest.
    pub fleets: BTreeMap<String, Arc<dyn Fleet>>,
    /// One per tenant.
    pub platforms: BTreeMap<TenantName, Arc<dyn Platform>>,
    /// Reads the values of a tenant's secrets.
    pub secrets: SecretReader,
    /// The ARNs of those of a tenant's secrets that katkit itself does not read.
    pub secret_arns: fn(&Tenant) -> BTreeMap<String, String>,
    /// What should be.
    pub loaded: Arc<Loaded>,
    /// Brings commits into the blob store.
    pub supply: Supply,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// This process.
    pub owner: Owner,
    /// On whose behalf it works.
    pub actor: Actor,
    /// Who is told how it goes.
    pub listener: Arc<dyn Listener>,
    /// The saved plan that is carried out, for the record.
    pub saved_plan: Option<PlanDigest>,
    /// After how many failed deployments no further one begins.
    pub failure_limit: FailureLimit,
}

impl Executor {
    /// Carries out `plan`, at most `parallelism` links at a time, until it is done or `interrupt` says stop.
    ///
    /// Never fails as a whole: what happened to each link is in the summary.
    pub async fn apply(self: &Arc<Self>, plan: Plan, parallelism: usize, interrupt: &Interrupt) -> Summary {
        // In parallel with the links: removing an orphan must not delay a deployment.
        let (swept, links) = tokio::join!(
            sweep::sweep(self, &plan.sweeps, interrupt),
            self.apply_links(plan.links, parallelism, interrupt)
        );
        // Only now are the leases of the links given back.
        sweep::record(self, &swept).await;
        let mut summary = Summary { swept: swept.len(), interrupted: interrupt.is_set(), ..links };
        summary.links.sort_by(|a, b| a.link.cmp(&b.link));
        summary
    }

    async fn apply_links(
        self: &Arc<Self>,
        links: Vec<LinkPlan>,
        parallelism: usize,
        interrupt: &Interrupt,
    ) -> Summary {
        let mut summary = Summary::default();
        let worked_on = links.iter().filter(|link| !link.steps.is_empty());
        let worked_on = worked_on.map(|link| link.link.clone()).collect();
        let (reading, wishes) = Wishes::read(Arc::clone(&self.state), worked_on);
        let links = links.into_iter().filter(|link| !link.steps.is_empty());
        let mut queue = Queue::new(links, &self.loaded.manifest);
        let (mut running, mut tenants) = (JoinSet::new(), HashMap::new());
        loop {
            while running.len() < parallelism.max(1) && !interrupt.is_set() {
                let Some(link) = queue.next() else { break };
                let tenant = link.link.tenant.clone();
                let after = self.failure_limit.keeps_back(&link.link);
                if limit::only_begins(&link.steps) && !after.is_empty() {
                    let result = LinkResult::KeptBack { after };
                    summary.add(Ok(self.reported(LinkReport { link: link.link, result })));
                    queue.ended(&tenant);
                    continue;
                }
                let (executor, interrupt, wishes) = (Arc::clone(self), interrupt.clone(), wishes.clone());
                let task = running.spawn(async move {
                    let report = link::run(&executor, &link, &interrupt, &wishes).await;
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

    /// Tells the listener that the work on a link is over.
    fn reported(&self, report: LinkReport) -> LinkReport {
        let failed = report.result.is_failure();
        self.listener.hear(&Progress::LinkEnded { link: report.link.clone(), failed });
        report
    }

    fn place<'a>(&'a self, id: &'a LinkId) -> Result<spec::Place<'a>, ApplyError> {
        let missing = || ApplyError::Missing(format!("`{id}` is not in the manifest"));
        let (tenant, link) = self.loaded.manifest.link(id).ok_or_else(missing)?;
        let repo = self.loaded.manifest.repos.get(&link.repo).ok_or_else(missing)?;
        Ok(spec::Place { id, tenant, link, repo })
    }

    fn fleet(&self, name: &str) -> Result<Arc<dyn Fleet>, ApplyError> {
        let missing = || ApplyError::Missing(format!("there is no fleet `{name}` in the manifest"));
        self.fleets.get(name).cloned().ok_or_else(missing)
    }

    fn platform(&self, id: &LinkId) -> Result<Arc<dyn Platform>, ApplyError> {
        let missing = || ApplyError::Missing(format!("tenant `{}` is not in the manifest", id.tenant));
        self.platforms.get(&id.tenant).cloned().ok_or_else(missing)
    }

    /// The values of the secrets of a link's tenant, read anew: nobody has those of others, and nobody has them for long.
    async fn secrets_of(&self, id: &LinkId) -> Result<Secrets, ApplyError> {
        Ok((self.secrets)(self.place(id)?.tenant).await?)
    }
}
