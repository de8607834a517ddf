//! The start of a run.

use super::ApplyError;
use super::link_executor::LinkExecutor;
use crate::domain::{Event, Generation, RunId};
use crate::plan::Step;
use crate::report::{LinkResult, Progress};

impl LinkExecutor<'_> {
    /// Stages the start of a run. Returns the link's result if its commit must no longer run.
    pub(super) async fn start_run(self, step: &Step) -> Result<Option<LinkResult>, ApplyError> {
        let Step::StartRun { sha, reason, phases, workflow } = step else { return Ok(None) };
        if let Some(held) = self.withdrawn(sha).await? {
            return Ok(Some(held));
        }
        let mut record = self.record.lock().await;
        let next = Generation(record.head().generation.0 + 1);
        let run = RunId::begun(next, &self.session.executor.owner);
        record.stage(Event::RunStarted {
            run,
            sha: sha.clone(),
            reason: *reason,
            phases: phases.clone(),
            workflow: workflow.clone(),
            saved_plan: self.session.saved_plan.clone(),
        })?;
        let link = self.plan.link.clone();
        self.session.listener.hear(&Progress::RunStarted { link, sha: sha.clone() });
        Ok(None)
    }
}
