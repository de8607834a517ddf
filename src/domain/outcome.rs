//! How attempts, deployments and runs end.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{exit_code_meaning, seconds};

/// How one attempt at a phase ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Outcome {
    /// Every replica exited with 0.
    Succeeded,
    /// The code of a replica failed.
    Failed {
        /// The exit code; absent if a signal killed it or it could not be started.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        exit_code: Option<i32>,
        /// One sentence for users.
        reason: String,
    },
    /// It ran longer than the phase's timeout.
    TimedOut {
        /// The timeout that passed.
        #[serde(with = "seconds")]
        after: Duration,
    },
    /// An actor cancelled it.
    Cancelled,
    /// The service vanished or never started. Not the code's fault, so it is retried.
    Lost {
        /// What is known of the cause.
        cause: LostCause,
        /// The evidence, in one sentence.
        evidence: String,
    },
}

/// Why a service vanished without a final status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LostCause {
    /// It was never seen running.
    NeverStarted,
    /// The image could not be pulled.
    ImagePull,
    /// The fleet had no room for it.
    NoCapacity,
    /// It exceeded its memory limit.
    OutOfMemory,
    /// The fleet stopped it (spot, node drain).
    Evicted,
    /// It is gone for an unknown reason.
    Vanished,
}

/// The start of a reason that names one of several replicas.
const IN_REPLICA: &str = "in replica";

impl Outcome {
    /// The same outcome, naming the replica it belongs to.
    #[must_use]
    pub fn of_replica(self, replica: u32) -> Self {
        match self {
            Self::Failed { exit_code, reason } => {
                let colon = if reason.is_empty() { "" } else { ": " };
                Self::Failed { exit_code, reason: format!("{IN_REPLICA} {replica}{colon}{reason}") }
            }
            Self::Lost { cause, evidence } => {
                Self::Lost { cause, evidence: format!("replica {replica}: {evidence}") }
            }
            Self::Succeeded | Self::TimedOut { .. } | Self::Cancelled => self,
        }
    }

    /// The same outcome, with its text cut to `longest` bytes.
    #[must_use]
    pub fn shortened(self, longest: usize) -> Self {
        let cut = |text: String| match text.len() > longest {
            true => format!("{}…", &text[..text.floor_char_boundary(longest)]),
            false => text,
        };
        match self {
            Self::Failed { exit_code, reason } => Self::Failed { exit_code, reason: cut(reason) },
            Self::Lost { cause, evidence } => Self::Lost { cause, evidence: cut(evidence) },
            Self::Succeeded | Self::TimedOut { .. } | Self::Cancelled => self,
        }
    }

    /// Whether the attempt succeeded.
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Succeeded)
    }

    /// One lowercase sentence without a full stop, for display.
    pub fn describe(&self) -> String {
        match self {
            Self::Succeeded => "succeeded".to_owned(),
            Self::Failed { exit_code: Some(code), reason } => failed(*code, reason),
            Self::Failed { exit_code: None, reason } => reason.clone(),
            Self::TimedOut { after } => format!("timed out after {}", Seconds(after.as_secs())),
            Self::Cancelled => "cancelled".to_owned(),
            Self::Lost { cause, evidence } => format!("lost ({}): {evidence}", cause.describe()),
        }
    }
}

fn failed(code: i32, reason: &str) -> String {
    // The replica continues the sentence; the reason follows a colon.
    let (replica, why) = match reason.strip_prefix(IN_REPLICA) {
        Some(_) => reason.split_once(": ").unwrap_or((reason, "")),
        None => ("", reason),
    };
    let blank = if replica.is_empty() { "" } else { " " };
    let why = if why.is_empty() { exit_code_meaning(code) } else { Some(why.to_owned()) };
    let why = why.map_or_else(String::new, |why| format!(": {why}"));
    format!("exit code {code}{blank}{replica}{why}")
}

impl LostCause {
    /// The cause as text.
    pub fn describe(self) -> &'static str {
        match self {
            Self::NeverStarted => "never started",
            Self::ImagePull => "image not pulled",
            Self::NoCapacity => "no capacity",
            Self::OutOfMemory => "out of memory",
            Self::Evicted => "evicted",
            Self::Vanished => "vanished",
        }
    }
}

/// How one deployment ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum DeployOutcome {
    /// Every role runs the wanted image and is healthy.
    Deployed,
    /// The platform went back to what ran before (a circuit breaker).
    RolledBack {
        /// What the platform said.
        reason: String,
    },
    /// Another deployment replaced it.
    Superseded {
        /// Who or what replaced it, as far as known.
        by: String,
    },
    /// It neither succeeded nor failed in time.
    Stuck {
        /// What it was waiting for.
        waiting_for: String,
    },
    /// The platform refused it.
    Failed {
        /// What the platform said.
        reason: String,
    },
    /// Its process died before it took effect. Nothing failed, so it is deployed again without a request.
    Lost {
        /// The evidence for that.
        evidence: String,
    },
}

impl DeployOutcome {
    /// One lowercase sentence without a full stop, for display.
    pub fn describe(&self) -> String {
        match self {
            Self::Deployed => "deployed".to_owned(),
            Self::RolledBack { reason } => format!("rolled back by the platform: {reason}"),
            Self::Superseded { by } => format!("superseded by {by}"),
            Self::Stuck { waiting_for } => format!("stuck: still waiting for {waiting_for}"),
            Self::Failed { reason } => reason.clone(),
            Self::Lost { evidence } => format!("lost: {evidence}"),
        }
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunOutcome {
    /// Every phase succeeded or was skipped.
    Succeeded,
    /// A phase failed.
    Failed,
    /// An actor cancelled it.
    Cancelled,
    /// The manifest now asks for another sha.
    Superseded,
}

/// Seconds in human form: `45s`, `20m`, `1h 30m`.
#[derive(Clone, Copy, Debug)]
struct Seconds(u64);

impl std::fmt::Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(total) = *self;
        let (hours, minutes, seconds) = (total / 3600, total / 60 % 60, total % 60);
        let parts = [(hours, "h"), (minutes, "m"), (seconds, "s")];
        let mut written = false;
        for (count, unit) in parts.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, "{}{count}{unit}", if written { " " } else { "" })?;
            written = true;
        }
        if written { Ok(()) } else { f.write_str("0s") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_its_replica() {
        let described = |exit_code, reason: &str| {
            Outcome::Failed { exit_code, reason: reason.to_owned() }.of_replica(1).describe()
        };
        assert_eq!(described(Some(3), ""), "exit code 3 in replica 1");
        assert_eq!(described(Some(3), "no room"), "exit code 3 in replica 1: no room");
        assert_eq!(
            described(Some(137), ""),
            "exit code 137 in replica 1: killed by SIGKILL (often out of memory)"
        );
        assert_eq!(described(Some(137), "no room"), "exit code 137 in replica 1: no room");
        assert_eq!(described(None, "killed by signal 9"), "in replica 1: killed by signal 9");
        assert_eq!(Outcome::Cancelled.of_replica(1), Outcome::Cancelled);
        assert_eq!(
            Outcome::Failed { exit_code: Some(3), reason: "no room".to_owned() }.describe(),
            "exit code 3: no room"
        );
    }

    #[test]
    fn exit_codes_that_are_not_the_programs_own_are_explained() {
        let described = |code| Outcome::Failed { exit_code: Some(code), reason: String::new() }.describe();
        assert_eq!(described(3), "exit code 3");
        assert_eq!(described(127), "exit code 127: a command was not found");
        assert_eq!(described(137), "exit code 137: killed by SIGKILL (often out of memory)");
    }

    #[test]
    fn a_timeout_is_shown_in_hours_minutes_and_seconds() {
        let described = |seconds| Outcome::TimedOut { after: Duration::from_secs(seconds) }.describe();
        assert_eq!(described(90 * 60), "timed out after 1h 30m");
        assert_eq!(described(7), "timed out after 7s");
    }
}
