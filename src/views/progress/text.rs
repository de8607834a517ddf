//! The progress of an `apply` as text, one line per event.

use std::time::Duration;

use crate::domain::{DeployPurpose, Outcome};
use crate::report::Progress;

use crate::views::{Style, TextStyle, visible};

/// One event as text.
#[derive(Clone, Copy, Debug)]
pub struct ProgressText<'a> {
    /// The event.
    pub progress: &'a Progress,
    /// Width and colour.
    pub style: Style,
}

impl ProgressText<'_> {
    /// The line; `None` for events that only the live screen shows.
    pub fn line(&self) -> Option<String> {
        let Self { progress, style } = *self;
        Some(match progress {
            Progress::RunStarted { link, sha } => {
                format!(
                    "{}  starting run for {}",
                    style.paint(TextStyle::Bold, &link.to_string()),
                    sha.short()
                )
            }
            Progress::PhaseStarted { link, phase, attempt, replicas, taken_over } => {
                let replicas = if *replicas > 1 { format!(" in {replicas} replicas") } else { String::new() };
                let attempt = if attempt.0 > 1 { format!(" (attempt {attempt})") } else { String::new() };
                let verb = if *taken_over { "taken over" } else { "started" };
                format!("{link}  {}  {verb}{replicas}{attempt}", visible(phase.as_str()))
            }
            Progress::PhaseLog { .. } | Progress::LinkEnded { .. } => return None,
            Progress::PhaseEnded { link, phase, attempt: _, outcome, elapsed, again } => {
                let ink = match outcome {
                    Outcome::Succeeded => TextStyle::Green,
                    Outcome::Cancelled => TextStyle::Yellow,
                    Outcome::Failed { .. } | Outcome::TimedOut { .. } | Outcome::Lost { .. } => {
                        TextStyle::Red
                    }
                };
                let described = outcome.describe();
                let outcome = style.paint(ink, &visible(&described));
                let again = if *again { "; retrying" } else { "" };
                format!("{link}  {}  {outcome}{again}  {}", visible(phase.as_str()), time(*elapsed))
            }
            Progress::DeployStarted { link, purpose, sha } => {
                format!("{link}  {} {}", doing(*purpose), sha.short())
            }
            Progress::DeployEnded { link, purpose: _, sha, outcome, elapsed } => {
                let described = outcome.describe();
                format!("{link}  {} {}  {}", sha.short(), visible(&described), time(*elapsed))
            }
            Progress::Done { link, what } => format!("{link}  {}", visible(what)),
            Progress::Swept { service, removed: true } => format!("removed orphaned service {service}"),
            Progress::Swept { service, removed: false } => {
                format!("could not remove orphaned service {service}")
            }
        })
    }
}

fn doing(purpose: DeployPurpose) -> &'static str {
    match purpose {
        DeployPurpose::Upgrade => "deploying",
        DeployPurpose::Repair => "redeploying",
        DeployPurpose::Rollback => "rolling back to",
    }
}

/// A duration as text: `0.4s`, `12.3s`, `3m 07s`, `1h 02m`.
pub fn time(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    match seconds {
        0..60 => format!("{:.1}s", elapsed.as_secs_f64()),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short_and_exact_enough() {
        let shown = [0.04, 9.96, 187.0, 3720.0].map(|seconds| time(Duration::from_secs_f64(seconds)));
        assert_eq!(shown, ["0.0s", "10.0s", "3m 07s", "1h 02m"]);
    }
}
