//! `katkit logs -f` of one phase: waits until it begins, and follows all its attempts.

use std::time::Duration;

use jiff::Timestamp;

use super::selection::{self, LogSelection};
use super::show::pass_on;
use super::sink::{Sink, Source};
use crate::blobs::{BlobKey, LogReader};
use crate::cli::arguments::attempt::{self, ChosenRun};
use crate::cli::error::CommandError;
use crate::domain::{LinkId, Outcome, PhaseKind, PhaseName, PhaseStatus, ReplicaStatus};
use crate::estate::Estate;
use crate::journal::{self, PastAttempt};
use crate::queries;
use crate::views::ago;

/// Poll interval. Output is stored at most 200 ms after it was printed, and must be visible within half a second.
pub(in crate::cli) const EVERY: Duration = Duration::from_millis(100);
/// After this many polls without a final status, check the record for whether the attempt has ended.
const POLLS: u32 = 10;
/// The agent writes a heartbeat every five seconds. After this many seconds without one, something is wrong.
const STALE: i64 = 30;

/// Shows the log of the chosen phase as it grows. Skips a last attempt that had ended by `after`.
pub(in crate::cli) async fn follow(
    estate: &Estate,
    mut chosen: ChosenRun,
    after: Option<Timestamp>,
    asked: LogSelection<'_>,
    sink: &Sink<'_>,
) -> Result<(), CommandError> {
    let mut number = asked.which.attempt;
    if let Some(last) = chosen.attempt(number)?.filter(|_| number.is_none())
        && last.ended.as_ref().is_some_and(|(ended, _)| Some(*ended) <= after)
    {
        number = Some(last.number.0.saturating_add(1));
    }
    while wait(estate, &mut chosen, number, sink).await? {
        let (Some(phase), Some(attempt)) = (&chosen.phase, chosen.attempt(number)?) else { break };
        let followed = Followed { estate, chosen: &chosen, phase, attempt };
        let outcome = followed.whole(asked, sink).await?;
        if asked.which.attempt.is_some() || !followed.is_tried_again(outcome.as_ref(), sink).await? {
            break;
        }
        number = Some(attempt.number.0.saturating_add(1));
        refresh(estate, &mut chosen).await?;
    }
    Ok(())
}

/// Waits for the attempt to begin. Returns false, after a note, if it never will.
async fn wait(
    estate: &Estate,
    chosen: &mut ChosenRun,
    number: Option<u32>,
    sink: &Sink<'_>,
) -> Result<bool, CommandError> {
    let mut said = false;
    loop {
        if chosen.phase.is_none() {
            chosen.phase = attempt::telling(&chosen.run).map(|phase| phase.name.clone());
        }
        let begun = chosen.attempt(None)?.map(|attempt| attempt.number.0);
        if begun.is_some() && number.is_none_or(|number| begun >= Some(number)) {
            // From here on, a missing attempt is an error.
            chosen.attempt(number)?;
            return Ok(true);
        }
        if chosen.run.ended.is_some() || is_left_out(estate, chosen).await? {
            sink.nothing(&chosen.nothing())?;
            return Ok(false);
        }
        if !std::mem::replace(&mut said, true) {
            let what = chosen.phase.as_ref().map_or_else(|| "a phase".to_owned(), |phase| format!("{phase}"));
            let idle =
                if estate.is_held(&chosen.id).await? { "" } else { ", but no process is working on it" };
            sink.note(&format!("{}: waiting for {what} to begin{idle} …", chosen.id));
        }
        tokio::time::sleep(EVERY).await;
        refresh(estate, chosen).await?;
    }
}

/// Reads the run again from the record.
pub(in crate::cli) async fn refresh(estate: &Estate, chosen: &mut ChosenRun) -> Result<(), CommandError> {
    if let Some(run) = queries::past_run(estate, &chosen.id, &chosen.run.id).await? {
        chosen.run = run;
    }
    Ok(())
}

/// Whether the phase is skipped, and so will never begin.
async fn is_left_out(estate: &Estate, chosen: &ChosenRun) -> Result<bool, CommandError> {
    let Some(name) = &chosen.phase else { return Ok(false) };
    let heads = estate.state.heads(Some(std::slice::from_ref(&chosen.id))).await?;
    let run = heads.first().and_then(|(_, head)| head.run.as_ref()).filter(|run| run.id == chosen.run.id);
    let phase = run.and_then(|run| run.phase(name));
    Ok(phase.is_none_or(|phase| phase.status == PhaseStatus::Skipped))
}

/// An attempt whose log is shown as it grows.
#[derive(Clone, Copy)]
pub(in crate::cli) struct Followed<'a> {
    pub(in crate::cli) estate: &'a Estate,
    pub(in crate::cli) chosen: &'a ChosenRun,
    pub(in crate::cli) phase: &'a PhaseName,
    pub(in crate::cli) attempt: &'a PastAttempt,
}

/// A replica whose log is being read.
struct Replica {
    number: u32,
    key: BlobKey,
    log: LogReader,
    outcome: Option<Outcome>,
}

impl Followed<'_> {
    /// Shows the heading, the log, and the outcome. Returns the outcome if it is known.
    pub(in crate::cli) async fn whole(
        self,
        asked: LogSelection<'_>,
        sink: &Sink<'_>,
    ) -> Result<Option<Outcome>, CommandError> {
        let Self { estate, chosen, phase, attempt } = self;
        let replicas = selection::replicas(asked.which, attempt, sink.layout().options)?;
        let source =
            sink.begin(&selection::heading(estate, chosen, phase, attempt), &replicas, attempt.replicas)?;
        let (outcome, found) = self.show(&replicas, asked.since, (source, sink)).await?;
        sink.end(source, outcome.as_ref())?;
        if let Some(outcome) = &outcome {
            sink.note(&format!("{} {phase}: {}", chosen.id, outcome.describe()));
        }
        let pruned =
            attempt::is_whole(estate, chosen, (phase, attempt), &found, |status| status.chunks).await?;
        pruned.map_or(Ok(()), |pruned| sink.nothing(&pruned))?;
        Ok(outcome)
    }

    /// Shows the log until it is complete. Returns the outcome if it is known, and each replica's number of chunks.
    async fn show(
        self,
        replicas: &[u32],
        since: Option<Timestamp>,
        (source, sink): (Source, &Sink<'_>),
    ) -> Result<(Option<Outcome>, Vec<(u32, u32)>), CommandError> {
        let mut open = Vec::new();
        for number in replicas.iter().copied() {
            let key = self.chosen.key(self.phase, self.attempt).replica(number);
            let log = match since {
                None => LogReader::new(key.clone()),
                since => LogReader::since(&*self.estate.blobs, key.clone(), since).await?,
            };
            open.push(Replica { number, key, log, outcome: None });
        }
        let mut ended: Option<Outcome> = None;
        let (mut looks, mut warned) = (0, false);
        loop {
            let mut final_ones = 0;
            let mut silence = None;
            for replica in &mut open {
                // Read before the log: once a final status is stored, all output before it is too.
                let status = attempt::status(self.estate, &replica.key).await?;
                while pass_on(self.estate, (source, replica.number), &mut replica.log, sink).await? {}
                match status {
                    Some(ReplicaStatus { chunks, outcome: Some(outcome), .. })
                        if replica.log.position() >= chunks =>
                    {
                        replica.outcome = Some(outcome);
                        final_ones += 1;
                    }
                    Some(status) => silence = silence.max(Some(status.heartbeat)),
                    None => {}
                }
            }
            let found = || open.iter().map(|replica| (replica.number, replica.log.position())).collect();
            if final_ones == open.len() {
                let found = found();
                let worst = open.into_iter().filter_map(|replica| replica.outcome).reduce(worse);
                return Ok((ended.or(worst), found));
            }
            if ended.is_some() {
                // It was removed without a final status, and everything it left has been read.
                return Ok((ended, found()));
            }
            looks += 1;
            if looks % POLLS == 0 {
                ended = self.recorded().await?;
                let now = self.estate.clock.now();
                if let Some(heard) = silence.filter(|heard| now.duration_since(*heard).as_secs() > STALE)
                    && !std::mem::replace(&mut warned, true)
                {
                    let id = &self.chosen.id;
                    sink.note(&format!(
                        "{id}: the last heartbeat of {} was {}; if no process works on it, `katkit apply` recovers it",
                        self.phase,
                        ago(heard, now)
                    ));
                }
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// The attempts of the phase on record now.
    async fn attempts(self) -> Result<Vec<PastAttempt>, CommandError> {
        let run = queries::past_run(self.estate, &self.chosen.id, &self.chosen.run.id).await?;
        Ok(run
            .as_ref()
            .and_then(|run| run.phase(self.phase))
            .map(|phase| phase.attempts.clone())
            .unwrap_or_default())
    }

    /// The attempt's outcome, if recorded.
    async fn recorded(self) -> Result<Option<Outcome>, CommandError> {
        let attempts = self.attempts().await?;
        let attempt = attempts.into_iter().find(|attempt| attempt.number == self.attempt.number);
        Ok(attempt.and_then(|attempt| attempt.ended).map(|(_, outcome)| outcome))
    }

    async fn has_next(self) -> Result<bool, CommandError> {
        Ok(self.attempts().await?.iter().any(|attempt| attempt.number > self.attempt.number))
    }

    /// Waits until it is known whether another attempt follows.
    async fn is_tried_again(self, outcome: Option<&Outcome>, sink: &Sink<'_>) -> Result<bool, CommandError> {
        if outcome.is_some_and(Outcome::is_success) {
            return Ok(false);
        }
        let ChosenRun { id, run, .. } = self.chosen;
        let retries = retries(self.estate, id, self.phase);
        let mut said = false;
        loop {
            let held = self.estate.is_held(id).await?;
            let heads = self.estate.state.heads(Some(std::slice::from_ref(id))).await?;
            // Check after reading the head: in the meantime the next attempt may have begun, and even the run ended.
            if self.has_next().await? {
                return Ok(true);
            }
            let open = heads.first().and_then(|(_, head)| head.open_run()).filter(|open| open.id == run.id);
            let Some(state) = open.and_then(|open| open.phase(self.phase)) else { return Ok(false) };
            let again = match state.status {
                // Its end is not recorded yet, or a retry was requested.
                PhaseStatus::Running | PhaseStatus::Pending => true,
                PhaseStatus::Failed => journal::tries_again(state, retries),
                PhaseStatus::Succeeded | PhaseStatus::Skipped | PhaseStatus::Cancelled => false,
            };
            if !again || !held {
                return Ok(false);
            }
            if state.status == PhaseStatus::Failed && !std::mem::replace(&mut said, true) {
                sink.note(&format!("{id}: retrying {} …", self.phase));
            }
            tokio::time::sleep(EVERY).await;
        }
    }
}

fn worse(one: Outcome, other: Outcome) -> Outcome {
    if one.is_success() { other } else { one }
}

/// The number of retries from the manifest. A `katkitconfig.js` cannot set retries.
fn retries(estate: &Estate, id: &LinkId, phase: &PhaseName) -> u32 {
    let workflow = estate.manifest().workflow_of(id);
    match workflow.and_then(|workflow| workflow.phase(phase)).map(|phase| &phase.kind) {
        Some(PhaseKind::Execution(execution)) => execution.retries,
        Some(PhaseKind::Deployment(_)) | None => 0,
    }
}
