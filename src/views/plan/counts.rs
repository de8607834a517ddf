//! How much a plan does, in numbers and in one sentence.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use crate::plan::{Plan, Step};

/// How much a plan does. A link of which one part is done and another held counts in both places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Counts {
    /// Links with at least one step.
    pub to_change: usize,
    /// Links that are held for a reason that is no error.
    pub held: usize,
    /// Links that could not be planned because something could not be found out.
    pub errors: usize,
    /// Links that need nothing.
    pub up_to_date: usize,
    /// Phases that are run.
    pub phases: usize,
    /// Deployments that are made, repairs and rollbacks included.
    pub deployments: usize,
    /// Services that nobody owns, to be removed.
    pub sweeps: usize,
}

impl Counts {
    /// Counts.
    pub fn of(plan: &Plan) -> Self {
        let Plan { version: _, manifest: _, links, sweeps, up_to_date } = plan;
        let mut counts = Self { up_to_date: *up_to_date, sweeps: sweeps.len(), ..Self::default() };
        for link in links {
            counts.to_change += usize::from(!link.steps.is_empty());
            counts.held += usize::from(link.holds.iter().any(|hold| !hold.reason.is_error()));
            counts.errors += usize::from(link.holds.iter().any(|hold| hold.reason.is_error()));
            counts.up_to_date += usize::from(link.steps.is_empty() && link.holds.is_empty());
            counts.phases += link.steps.iter().filter(|step| matches!(step, Step::Run { .. })).count();
            counts.deployments += link.steps.iter().filter(|step| matches!(step, Step::Deploy(_))).count();
        }
        counts
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { to_change, held, errors, up_to_date, phases, deployments, sweeps } = *self;
        if to_change + held + errors + sweeps == 0 {
            return match up_to_date {
                0 => write!(f, "Nothing to do: no link is concerned."),
                1 => write!(f, "Nothing to do: 1 link is up to date."),
                _ => write!(f, "Nothing to do: {up_to_date} links are up to date."),
            };
        }
        match to_change {
            0 => write!(f, "Plan: nothing to change")?,
            _ => write!(f, "Plan: {} to change", number(to_change, "link"))?,
        }
        let work: Vec<_> = [(phases, "phase"), (deployments, "deployment")]
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| number(count, what))
            .collect();
        if !work.is_empty() {
            write!(f, " ({})", work.join(", "))?;
        }
        if sweeps > 0 {
            write!(f, ", {} to remove", number(sweeps, "stray service"))?;
        }
        if held > 0 {
            write!(f, ", {held} held")?;
        }
        if errors > 0 {
            write!(f, ", {errors} could not be planned")?;
        }
        write!(f, ", {up_to_date} up to date.")
    }
}

/// `1 link`, `2 links`.
pub(super) fn number(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
