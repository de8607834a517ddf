//! Which logs to show: links, phase, attempt, replicas and time.

use jiff::Timestamp;

use super::sink::LogForm;
use crate::cli::arguments::attempt::{self, ChosenRun, Which};
use crate::cli::error::CommandError;
use crate::domain::PhaseName;
use crate::estate::Estate;
use crate::journal::PastAttempt;
use crate::views::LogHeading;

/// The requested logs.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct LogSelection<'a> {
    pub(in crate::cli) links: &'a [String],
    pub(in crate::cli) which: &'a Which,
    /// Only output stored at or after this time.
    pub(in crate::cli) since: Option<Timestamp>,
}

/// The replicas whose logs are shown.
pub(in crate::cli) fn replicas(
    which: &Which,
    attempt: &PastAttempt,
    options: LogForm,
) -> Result<Vec<u32>, CommandError> {
    let replicas = attempt::replicas(which, attempt)?;
    if options == LogForm::Raw && replicas.len() > 1 {
        let what = format!("`--raw` needs a single replica, not {}", replicas.len());
        return Err(CommandError::refused(what, "choose one: --replica N".to_owned()));
    }
    Ok(replicas)
}

/// The heading of an attempt's log.
pub(in crate::cli) fn heading<'a>(
    estate: &Estate,
    chosen: &'a ChosenRun,
    phase: &'a PhaseName,
    attempt: &'a PastAttempt,
) -> LogHeading<'a> {
    LogHeading {
        link: &chosen.id,
        phase,
        sha: &chosen.run.sha,
        attempt: attempt.number,
        started: attempt.started,
        ended: attempt.ended.as_ref(),
        now: estate.clock.now(),
    }
}
