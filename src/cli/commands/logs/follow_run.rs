//! `katkit logs -f` of a whole run: one phase after another, until the run has ended.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::follow::{self, Followed};
use super::selection::LogSelection;
use super::sink::Sink;
use crate::cli::arguments::attempt::{self, ChosenRun};
use crate::cli::error::CommandError;
use crate::domain::{AttemptNumber, PhaseName, Token};
use crate::estate::Estate;
use crate::journal::{PastAttempt, PastDeployment, PastRun};
use crate::views::RunEnding;

/// The attempts and deployments already shown.
#[derive(Debug)]
struct ShownRun {
    attempts: BTreeSet<(PhaseName, AttemptNumber)>,
    begun: Vec<Token>,
    ended: Vec<Token>,
}

/// Shows every phase that is running or starts later; with `after`, every phase that had not ended by then. Concurrent
/// phases are shown one after another, each from start to end.
pub(in crate::cli) async fn follow(
    estate: &Estate,
    mut chosen: ChosenRun,
    after: Option<Timestamp>,
    asked: LogSelection<'_>,
    sink: &Sink<'_>,
) -> Result<(), CommandError> {
    let mut shown = ShownRun::before(&chosen.run, after);
    let mut waits = false;
    loop {
        // Read before the run: a process that released the lease may have ended it.
        let is_held = estate.is_held(&chosen.id).await?;
        follow::refresh(estate, &mut chosen).await?;
        let next = shown.next(&chosen.run);
        let before = next.as_ref().map(|(_, attempt)| attempt.started);
        shown.deployments(&chosen, before, sink);
        if let Some((phase, attempt)) = next {
            chosen.phase = Some(phase.clone());
            Followed { estate, chosen: &chosen, phase: &phase, attempt: &attempt }.whole(asked, sink).await?;
            continue;
        }
        let PastRun { id: run, sha, started, ended, .. } = &chosen.run;
        if let Some((at, outcome)) = *ended {
            if shown.attempts.is_empty() {
                sink.nothing(&chosen.nothing())?;
            }
            let (link, started) = (&chosen.id, *started);
            return sink.run_ended(&RunEnding { link, run, sha, started, at, outcome });
        }
        let has_begun = !shown.attempts.is_empty() || !shown.begun.is_empty();
        match (is_held, has_begun) {
            (false, true) => {
                let (run, sha) = (run.number(), sha.short());
                sink.note(&format!(
                    "{}  no process is working on run {run} for {sha}; `katkit apply` resumes it",
                    chosen.id
                ));
                return Ok(());
            }
            (_, false) if !std::mem::replace(&mut waits, true) => {
                let idle = if is_held { "" } else { ", but no process is working on it" };
                sink.note(&format!("{}: waiting for a phase to begin{idle} …", chosen.id));
            }
            _ => {}
        }
        tokio::time::sleep(follow::EVERY).await;
    }
}

impl ShownRun {
    /// Marks as shown what had ended by `after`; without `after`, everything that has ended except the attempt that
    /// `katkit logs` would show.
    fn before(run: &PastRun, after: Option<Timestamp>) -> Self {
        let last = attempt::telling(run).and_then(|phase| Some((&phase.name, phase.attempts.last()?.number)));
        let is_over = |ended: Timestamp| after.is_none_or(|after| ended <= after);
        let attempts = attempts(run)
            .filter(|(_, attempt)| attempt.ended.as_ref().is_some_and(|(ended, _)| is_over(*ended)));
        let attempts = attempts.map(|(phase, attempt)| (phase, attempt.number));
        let attempts = attempts.filter(|attempt| after.is_some() || Some(*attempt) != last);
        let ended = run.deployments.iter();
        let ended =
            ended.filter(|deployment| deployment.ended.as_ref().is_some_and(|(ended, _)| is_over(*ended)));
        let ended: Vec<_> = ended.map(|deployment| deployment.token.clone()).collect();
        Self {
            attempts: attempts.map(|(phase, number)| (phase.clone(), number)).collect(),
            begun: ended.clone(),
            ended,
        }
    }

    /// The earliest attempt not shown yet. Marks it as shown.
    fn next(&mut self, run: &PastRun) -> Option<(PhaseName, PastAttempt)> {
        let is_new = |(phase, attempt): &(&PhaseName, &PastAttempt)| {
            !self.attempts.contains(&((*phase).clone(), attempt.number))
        };
        let (phase, attempt) = attempts(run).filter(is_new).min_by_key(|(_, attempt)| attempt.started)?;
        self.attempts.insert((phase.clone(), attempt.number));
        Some((phase.clone(), attempt.clone()))
    }

    /// Notes the start and end of deployments that began before `before`. Deployments have no log.
    fn deployments(&mut self, chosen: &ChosenRun, before: Option<Timestamp>, sink: &Sink<'_>) {
        let (link, deployments) = (&chosen.id, &chosen.run.deployments);
        let is_told = |deployment: &&PastDeployment| before.is_none_or(|before| deployment.started < before);
        for PastDeployment { token, purpose: _, sha, started: _, ended } in deployments.iter().filter(is_told)
        {
            let sha = sha.short();
            if !self.begun.contains(token) {
                self.begun.push(token.clone());
                sink.note(&format!("{link}  deployment of {sha}"));
            }
            if let Some((_, outcome)) = ended.as_ref().filter(|_| !self.ended.contains(token)) {
                self.ended.push(token.clone());
                sink.note(&format!("{link} deployment: {}", outcome.describe()));
            }
        }
    }
}

fn attempts(run: &PastRun) -> impl Iterator<Item = (&PhaseName, &PastAttempt)> {
    run.phases.iter().flat_map(|phase| phase.attempts.iter().map(move |attempt| (&phase.name, attempt)))
}
