//! What is said about a log: above it, and between its pieces for programs.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::{AttemptNumber, CommitSha, LinkId, Outcome, PhaseName, RunId, RunOutcome, RunState};
use crate::views::moment::{ago, lasted};
use crate::views::words::ended;
use crate::views::{OutcomeJson, RunOutcomeJson, visible};

/// Which log it is, in one line.
#[derive(Clone, Copy, Debug)]
pub struct LogHeading<'a> {
    /// Of which link.
    pub link: &'a LinkId,
    /// Of which phase.
    pub phase: &'a PhaseName,
    /// For which commit.
    pub sha: &'a CommitSha,
    /// Which attempt.
    pub attempt: AttemptNumber,
    /// When it began.
    pub started: Timestamp,
    /// When and how it ended.
    pub ended: Option<&'a (Timestamp, Outcome)>,
    /// What is counted as the present.
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

/// How a run that was followed ended, in one line.
#[derive(Clone, Copy, Debug)]
pub struct RunEnding<'a> {
    /// Of which link.
    pub link: &'a LinkId,
    /// The run.
    pub run: &'a RunId,
    /// For which commit.
    pub sha: &'a CommitSha,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub at: Timestamp,
    /// How it ended.
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

/// That the next run is waited for, in one line.
#[derive(Clone, Copy, Debug)]
pub struct AwaitedRun<'a> {
    /// Of these links.
    pub links: &'a [LinkId],
    /// The last run, of a single link.
    pub last: Option<&'a RunState>,
    /// What is counted as the present.
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
                write!(
                    f,
                    "no run is in progress at any of these {} links; waiting for the next …",
                    links.len()
                )
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

/// One line of `logs --format json`: first the attempt, then the pieces of its log, then its end; of several logs at once, by
/// turns. Times are in RFC 3339, commits in forty digits.
///
/// The first number of `format_version` rises when something is removed or changes its meaning, the second when something
/// is added: a reader ignores the keys and events that it does not know. What has no value is null, never left out.
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

/// What a line of `logs --format json` tells.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum LogEvent<'a> {
    /// What follows is the log of this attempt, perhaps between those of others.
    Attempt {
        /// `tenant/link`.
        link: String,
        /// The commit that the attempt is for.
        sha: &'a str,
        /// The phase that was attempted.
        phase: &'a str,
        /// The number of the attempt, from 1.
        attempt: u32,
        /// How many replicas run.
        replicas: u32,
        /// When the attempt began.
        started: String,
    },
    /// A piece of a log. The pieces of a replica, one after the other, are its log; bytes that are no UTF-8 are replaced.
    Text {
        /// `tenant/link`.
        link: &'a str,
        /// The phase that printed it.
        phase: &'a str,
        /// The number of the attempt that printed it, from 1.
        attempt: u32,
        /// The number of the replica that printed it, from 0.
        replica: u32,
        /// When it was stored, which is a little after it was printed. Null without `--timestamps`, and where the store does not
        /// tell.
        stored: Option<String>,
        /// The text that was printed.
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
        /// How the attempt ended; null where that is not known, or it has not.
        outcome: Option<OutcomeJson>,
    },
    /// The run that was followed to its end is over.
    RunEnded {
        /// `tenant/link`.
        link: String,
        /// The id of the run.
        run: &'a str,
        /// The commit that the run is for.
        sha: &'a str,
        /// How the run ended.
        outcome: RunOutcomeJson,
    },
    /// A phase that runs; only where no link was named.
    Running {
        /// `tenant/link`.
        link: String,
        /// The commit that the phase runs for.
        sha: &'a str,
        /// The phase that runs.
        phase: &'a str,
        /// The number of the attempt, from 1; null for a deployment, which has no log.
        attempt: Option<u32>,
        /// When the attempt or the deployment began.
        started: String,
        /// Whether a process works on the link.
        held: bool,
    },
    /// A phase that failed; only where no link was named and nothing runs.
    Failed {
        /// `tenant/link`.
        link: String,
        /// The commit that the phase failed for.
        sha: &'a str,
        /// The phase that failed.
        phase: &'a str,
        /// The number of the attempt, from 1.
        attempt: u32,
        /// When the attempt ended.
        ended: String,
    },
    /// No run is in progress, and the next one is waited for; only with `--follow`.
    Waiting {
        /// What is waited for, in words: a lowercase fragment.
        message: &'a str,
    },
    /// There is no log.
    Nothing {
        /// Why there is no log, in words: a lowercase fragment.
        message: &'a str,
    },
}

impl LogLine<'_> {
    /// The version of the format that this build writes.
    pub const FORMAT_VERSION: &'static str = "1.1";
}

impl<'a> From<LogEvent<'a>> for LogLine<'a> {
    fn from(event: LogEvent<'a>) -> Self {
        Self { format_version: Self::FORMAT_VERSION, event }
    }
}
