//! Which logs to show: links, phase, attempt, replicas and time.

use jiff::Timestamp;

use super::attempt::{self, ChosenRun, Which};
use super::error::CommandError;
use super::log_sink::LogOptions;
use crate::app::App;
use crate::domain::PhaseName;
use crate::journal::PastAttempt;
use crate::views::LogHeading;

/// The requested logs.
#[derive(Clone, Copy, Debug)]
pub(super) struct LogSelection<'a> {
    pub(super) links: &'a [String],
    pub(super) which: &'a Which,
    /// Only output stored at or after this time.
    pub(super) since: Option<Timestamp>,
}

/// The replicas whose logs are shown.
pub(super) fn replicas(
    which: &Which,
    attempt: &PastAttempt,
    options: LogOptions,
) -> Result<Vec<u32>, CommandError> {
    let replicas = attempt::replicas(which, attempt)?;
    if options == LogOptions::Raw && replicas.len() > 1 {
        let what = format!("`--raw` needs a single replica, not {}", replicas.len());
        return Err(CommandError::refused(what, "choose one: --replica N".to_owned()));
    }
    Ok(replicas)
}

/// The heading of an attempt's log.
pub(super) fn heading<'a>(
    app: &App,
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
        now: app.clock.now(),
    }
}
