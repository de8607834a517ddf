//! What is said about a log: above it, and between its pieces for programs.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::{AttemptNumber, CommitSha, LinkId, Outcome, PhaseName};
use crate::views::moment::{ago, lasted};
use crate::views::visible;

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

/// One line of `logs --format json`.
///
/// A reader ignores the keys and events that it does not know.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum LogEvent<'a> {
    /// What follows is the log of this attempt.
    Attempt {
        /// The version of this format.
        version: u32,
        /// `tenant/link`.
        link: String,
        /// For which commit.
        sha: &'a str,
        /// Which phase.
        phase: &'a str,
        /// Which attempt, from 1.
        attempt: u32,
        /// In how many replicas.
        replicas: u32,
        /// When it began, in RFC 3339.
        started: String,
    },
    /// A piece of a log. The pieces of a replica, one after the other, are its log; bytes that are no UTF-8 are replaced.
    Text {
        /// The version of this format.
        version: u32,
        /// Of which replica, from 0.
        replica: u32,
        /// What it printed.
        text: &'a str,
    },
    /// The log of the attempt ends here.
    End {
        /// The version of this format.
        version: u32,
        /// How the attempt ended; null where that is not known, or it has not.
        outcome: Option<OutcomeJson>,
    },
    /// There is no log.
    Nothing {
        /// The version of this format.
        version: u32,
        /// Why.
        message: &'a str,
    },
}

impl LogEvent<'_> {
    /// The version of the format that this build writes.
    pub const VERSION: u32 = 1;
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OutcomeJson {
    /// `succeeded`, `failed`, `timed_out`, `cancelled` or `lost`.
    pub kind: &'static str,
    /// The same in words: a lowercase fragment.
    pub message: String,
    /// The exit code of the code that failed, if it had one.
    pub exit_code: Option<i32>,
}

impl From<&Outcome> for OutcomeJson {
    fn from(outcome: &Outcome) -> Self {
        let (kind, exit_code) = match outcome {
            Outcome::Succeeded => ("succeeded", Some(0)),
            Outcome::Failed { exit_code, reason: _ } => ("failed", *exit_code),
            Outcome::TimedOut { after: _ } => ("timed_out", None),
            Outcome::Cancelled => ("cancelled", None),
            Outcome::Lost { cause: _, evidence: _ } => ("lost", None),
        };
        Self { kind, message: outcome.describe(), exit_code }
    }
}
