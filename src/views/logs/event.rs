//! Log metadata: the heading for people, and the events between chunks of a log for programs.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::{AttemptNumber, CommitSha, LinkId, Outcome, PhaseName, RunId, RunOutcome, RunState};
use crate::views::moment::{ago, lasted};
use crate::views::words::ended;
use crate::views::{OutcomeJson, RunOutcomeJson, visible};

/// The heading of a log, in one line.
#[derive(Clone, Copy, Debug)]
pub struct LogHeading<'a> {
    /// The link.
    pub link: &'a LinkId,
    /// The phase.
    pub phase: &'a PhaseName,
    /// The commit of the run.
    pub sha: &'a CommitSha,
    /// The attempt.
    pub attempt: AttemptNumber,
    /// When it began.
    pub started: Timestamp,
    /// When the attempt ended, and its outcome; `None` while it runs.
    pub ended: Option<&'a (Timestamp, Outcome)>,
    /// The current time.
    pub now: Timestamp,
}

impl fmt::Display for LogHeading<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { link, phase, sha, attempt, started, ended, now } = *self;
        write!(f, "{link}  {} of {}", visible(phase.as_str()), sha.short())?;
        if attempt.0 > 1 {
            write!(f, ", attempt {attempt}")?;
        }
        match ended {
            None => write!(f, ", running for {}", lasted(started, now)),
            Some((at, outcome)) => {
                let outcome = outcome.describe();
                write!(f, ", ended {} after {}: {}", ago(*at, now), lasted(started, *at), visible(&outcome))
            }
        }
    }
}

/// The outcome of a followed run, in one line.
#[derive(Clone, Copy, Debug)]
pub struct RunEnding<'a> {
    /// The link.
    pub link: &'a LinkId,
    /// The run.
    pub run: &'a RunId,
    /// The commit of the run.
    pub sha: &'a CommitSha,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub at: Timestamp,
    /// The outcome.
    pub outcome: RunOutcome,
}

impl fmt::Display for RunEnding<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { link, run, sha, started, at, outcome } = *self;
        let (run, sha) = (visible(run.number()), sha.short());
        write!(f, "{link}  run {run} for {sha} {} after {}", ended(outcome, None), lasted(started, at))?;
        match outcome {
            RunOutcome::Failed => write!(f, "; `katkit why {link}` says what to do"),
            RunOutcome::Succeeded | RunOutcome::Cancelled | RunOutcome::Superseded => Ok(()),
        }
    }
}

/// A line stating that katkit waits for the next run.
#[derive(Clone, Copy, Debug)]
pub struct AwaitedRun<'a> {
    /// The links whose runs are awaited.
    pub links: &'a [LinkId],
    /// The last run, if there is a single link.
    pub last: Option<&'a RunState>,
    /// The current time.
    pub now: Timestamp,
}

impl fmt::Display for AwaitedRun<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.links, self.last) {
            ([link], Some(RunState { id: run, sha, ended: Some((at, outcome)), cancelled, .. })) => {
                let (run, sha) = (visible(run.number()), sha.short());
                let ended = format!("{} {}", ended(*outcome, cancelled.as_deref()), ago(*at, self.now));
                write!(f, "{link}  run {run} for {sha} {ended}; waiting for the next run …")
            }
            ([link], _) => write!(f, "{link}  nothing ran yet; waiting for the first run …"),
            (links, _) => {
                write!(f, "no run is in progress for these {} links; waiting for the next …", links.len())
            }
        }
    }
}

impl<'a> From<&RunEnding<'a>> for LogEvent<'a> {
    fn from(ending: &RunEnding<'a>) -> Self {
        let RunEnding { link, run, sha, started: _, at: _, outcome } = *ending;
        let (link, outcome) = (link.to_string(), RunOutcomeJson::from(&outcome));
        Self::RunEnded { link, run: run.as_str(), sha: sha.as_str(), outcome }
    }
}

/// One line of `logs --format json`: first the attempt, then chunks of its log, then its end; several logs may
/// interleave. Times are RFC 3339, commits are full 40-digit ids.
///
/// The first number of `format_version` rises when something is removed or changes meaning, the second when something
/// is added; readers ignore keys and events they do not know. Absent values are null, never left out.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "katkit logs, a line")]
pub struct LogLine<'a> {
    /// The version of this format.
    #[schemars(regex(pattern = r"^1\.[0-9]+$"))]
    pub format_version: &'static str,
    /// The event.
    #[serde(flatten)]
    pub event: LogEvent<'a>,
}

/// The event in a line of `logs --format json`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum LogEvent<'a> {
    /// The log of this attempt follows, possibly interleaved with others.
    Attempt {
        /// `tenant/link`.
        link: String,
        /// The commit the attempt is for.
        sha: &'a str,
        /// The phase that was attempted.
        phase: &'a str,
        /// The number of the attempt, from 1.
        attempt: u32,
        /// The number of replicas.
        replicas: u32,
        /// When the attempt began.
        started: String,
    },
    /// A chunk of a log. The chunks of a replica in order are its log; bytes that are not UTF-8 are replaced.
    Text {
        /// `tenant/link`.
        link: &'a str,
        /// The phase that printed it.
        phase: &'a str,
        /// The number of the attempt that printed it, from 1.
        attempt: u32,
        /// The number of the replica that printed it, from 0.
        replica: u32,
        /// When it was stored, shortly after it was printed. Null without `--timestamps`, and if the store does not
        /// provide it.
        stored: Option<String>,
        /// The printed text.
        text: &'a str,
    },
    /// The log of the attempt ends here.
    End {
        /// `tenant/link`.
        link: &'a str,
        /// The phase that was attempted.
        phase: &'a str,
        /// The number of the attempt, from 1.
        attempt: u32,
        /// The outcome of the attempt; null if it is unknown or the attempt has not ended.
        outcome: Option<OutcomeJson>,
    },
    /// The followed run ended.
    RunEnded {
        /// `tenant/link`.
        link: String,
        /// The id of the run.
        run: &'a str,
        /// The commit the run is for.
        sha: &'a str,
        /// The outcome of the run.
        outcome: RunOutcomeJson,
    },
    /// A running phase; only if no link was named.
    Running {
        /// `tenant/link`.
        link: String,
        /// The commit the phase runs for.
        sha: &'a str,
        /// The running phase.
        phase: &'a str,
        /// The number of the attempt, from 1; null for a deployment, which has no log.
        attempt: Option<u32>,
        /// When the attempt or the deployment began.
        started: String,
        /// Whether a process is working on the link.
        held: bool,
    },
    /// A failed phase; only if no link was named and nothing is running.
    Failed {
        /// `tenant/link`.
        link: String,
        /// The commit the phase failed for.
        sha: &'a str,
        /// The phase that failed.
        phase: &'a str,
        /// The number of the attempt, from 1.
        attempt: u32,
        /// When the attempt ended.
        ended: String,
    },
    /// No run is in progress, and katkit waits for the next one; only with `--follow`.
    Waiting {
        /// What katkit waits for: a lowercase fragment.
        message: &'a str,
    },
    /// There is no log.
    Nothing {
        /// Why there is no log: a lowercase fragment.
        message: &'a str,
    },
}

impl LogLine<'_> {
    /// The format version this build writes.
    pub const FORMAT_VERSION: &'static str = "1.1";
}

impl<'a> From<LogEvent<'a>> for LogLine<'a> {
    fn from(event: LogEvent<'a>) -> Self {
        Self { format_version: Self::FORMAT_VERSION, event }
    }
}
