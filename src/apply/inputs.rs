//! Finds the artifacts that a phase takes from earlier phases of its run, and lists them for its agent.
//!
//! The agent may not be allowed to list blobs, and could not tell a missing artifact from one that was never stored.

use futures::{StreamExt, TryStreamExt, stream};

use super::ApplyError;
use super::phase_run::PhaseRun;
use crate::blobs::{self, BlobKey, StatusFile};
use crate::domain::{
    AttemptNumber, FormerName, InputList, Outcome, PhaseInput, PhaseName, PhaseState, RunId, Token,
};
use crate::plan;
use crate::queries;

/// How many replicas are asked for at the same time.
const AT_ONCE: usize = 16;

/// The attempt that stored the artifacts.
struct Origin {
    run: RunId,
    number: AttemptNumber,
    token: Token,
    replicas: u32,
}

/// What is left of a replica's artifacts.
struct Stored {
    paths: Vec<String>,
    /// How many it stored; `None` if its status is gone.
    all: Option<usize>,
}

impl PhaseRun {
    /// Stores the list of inputs under an attempt's key, if the phase has any. Fails with [`ApplyError::Impossible`]
    /// unless all of them are there.
    pub(super) async fn store_inputs(&self, key: &BlobKey) -> Result<(), ApplyError> {
        if self.execution.inputs.is_empty() {
            return Ok(());
        }
        let mut inputs = Vec::with_capacity(self.execution.inputs.len());
        for phase in &self.execution.inputs {
            inputs.push(self.input(phase).await?);
        }
        let text = serde_json::to_vec(&InputList { inputs }).unwrap_or_default();
        if text.len() > InputList::LARGEST {
            let most = InputList::LARGEST >> 20;
            let problem = format!("the names of its inputs take more than {most} MiB");
            return Err(self.impossible(problem, Some("put the files into archives".to_owned())));
        }
        Ok(self.session.estate().blobs.put(&key.inputs_json(), &text).await?)
    }

    async fn input(&self, phase: &PhaseName) -> Result<PhaseInput, ApplyError> {
        let (state, formerly) = {
            let record = self.record.lock().await;
            let state = record.head().open_run().and_then(|run| run.phase(phase)).cloned();
            (state, record.head().formerly.clone())
        };
        let state = state.ok_or_else(|| {
            ApplyError::Missing(format!("the run of `{}` has no phase `{phase}`", self.link))
        })?;
        if let Some(problem) = plan::without_artifacts(&self.link, &state, &self.phase.name) {
            return Err(self.impossible(problem.what, problem.hint));
        }
        let origin = match in_run(&self.run, &state) {
            Some(origin) => Some(origin),
            None => self.kept_from(phase).await?,
        };
        let store = self.session.estate().blobs.url();
        let missing = |what: &str| {
            let again = format!("`katkit retry {} --phase {phase} --apply` makes them again", self.link);
            self.impossible(format!("{what} artifacts of `{phase}`"), Some(again))
        };
        let Origin { run, number, token, replicas } =
            origin.ok_or_else(|| missing("the record no longer names the run that stored the"))?;
        let link = FormerName::of_attempt(&formerly, &self.link, (&run, phase), (number, &token));
        let attempt = BlobKey::attempt(link, &self.sha, phase, &run, number);
        let found = stream::iter(0..replicas).map(|replica| self.stored(attempt.replica(replica)));
        let found: Vec<Stored> = found.buffered(AT_ONCE).try_collect().await?;
        let all: Option<usize> = found.iter().map(|stored| stored.all).sum();
        let all = all.ok_or_else(|| missing(&format!("{store} no longer has all of the")))?;
        let there: usize = found.iter().map(|stored| stored.paths.len()).sum();
        if found.iter().any(|stored| Some(stored.paths.len()) < stored.all) {
            return Err(missing(&format!("{store} has only {there} of the {all}")));
        }
        let replicas = found.into_iter().map(|stored| stored.paths).collect();
        Ok(PhaseInput { phase: phase.clone(), attempt: attempt.to_string(), replicas })
    }

    fn impossible(&self, problem: String, fix: Option<String>) -> ApplyError {
        ApplyError::Impossible { phase: self.phase.name.to_string(), problem, fix }
    }

    async fn stored(&self, replica: BlobKey) -> Result<Stored, ApplyError> {
        let blobs = &*self.session.estate().blobs;
        let all = StatusFile::read(blobs, &replica).await?.status().map(|status| status.artifacts as usize);
        let paths = blobs::artifacts(blobs, &replica).await?.into_iter().map(|(path, _)| path).collect();
        Ok(Stored { paths, all })
    }

    /// The attempt of an earlier run for the same commit, whose success this run kept.
    async fn kept_from(&self, phase: &PhaseName) -> Result<Option<Origin>, ApplyError> {
        let runs = queries::past_runs(self.session.estate(), &self.link).await?;
        let others = runs.into_iter().rev().filter(|run| run.sha == self.sha && run.id != self.run);
        let mut successes = others.filter_map(|mut run| {
            let phase = run.phases.iter_mut().find(|past| past.name == *phase)?;
            let is_success = |ended: &Option<_>| matches!(ended, Some((_, Outcome::Succeeded)));
            let attempt =
                std::mem::take(&mut phase.attempts).into_iter().rev().find(|it| is_success(&it.ended))?;
            Some(Origin {
                run: run.id,
                number: attempt.number,
                token: attempt.token,
                replicas: attempt.replicas,
            })
        });
        Ok(successes.next())
    }
}

/// The attempt of this run at a phase that succeeded; `None` if the run kept the phase.
fn in_run(run: &RunId, state: &PhaseState) -> Option<Origin> {
    let attempt = state.attempt.as_deref()?;
    Some(Origin {
        run: run.clone(),
        number: attempt.number,
        token: attempt.token.clone(),
        replicas: attempt.replicas,
    })
}
