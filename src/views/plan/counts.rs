//! The counts of a plan, as numbers and as one sentence.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use crate::plan::{Plan, Step};

/// The counts of a plan. A link that is partly changed and partly held counts as both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Counts {
    /// Links with at least one step.
    pub to_change: usize,
    /// Links that are held for a reason other than an error.
    pub held: usize,
    /// Links that could not be planned because something could not be determined.
    pub errors: usize,
    /// Links that need nothing.
    pub up_to_date: usize,
    /// Phases to run.
    pub phases: usize,
    /// Deployments to make, including repairs and rollbacks.
    pub deployments: usize,
    /// Links whose running service, not deployed by katkit, is recorded as deployed.
    pub to_adopt: usize,
    /// Links recorded as having left the manifest.
    pub to_forget: usize,
    /// Links on which work left by a dead process is finished or cleaned up.
    pub to_recover: usize,
    /// Links for which only the record changes: a request, the end of a run, or a rename.
    pub to_record: usize,
    /// Orphaned services to remove.
    pub sweeps: usize,
}

/// What a step counts as.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Phase,
    Deployment,
    Adopt,
    Forget,
    Recover,
    Record,
}

impl Kind {
    fn of(step: &Step) -> Self {
        match step {
            Step::Run { .. } => Self::Phase,
            Step::Deploy(_) => Self::Deployment,
            Step::Adopt { .. } => Self::Adopt,
            Step::Forget => Self::Forget,
            Step::Recover { .. } | Step::Finalize { .. } | Step::ReleaseLease { .. } => Self::Recover,
            Step::Accept { .. }
            | Step::Refuse { .. }
            | Step::Withdraw { .. }
            | Step::Restore { .. }
            | Step::EndRun { .. }
            | Step::StartRun { .. }
            | Step::Skip { .. }
            | Step::Quarantine { .. }
            | Step::Move { .. } => Self::Record,
        }
    }
}

impl Counts {
    /// The counts of `plan`.
    pub fn of(plan: &Plan) -> Self {
        let Plan { version: _, manifest: _, refresh_only: _, links, sweeps, up_to_date } = plan;
        let mut counts = Self { up_to_date: *up_to_date, sweeps: sweeps.len(), ..Self::default() };
        for link in links {
            counts.to_change += usize::from(!link.steps.is_empty());
            counts.held += usize::from(link.holds.iter().any(|hold| !hold.reason.is_error()));
            counts.errors += usize::from(link.holds.iter().any(|hold| hold.reason.is_error()));
            counts.up_to_date += usize::from(link.steps.is_empty() && link.holds.is_empty());
            let kinds: Vec<_> = link.steps.iter().map(Kind::of).collect();
            counts.phases += kinds.iter().filter(|&&kind| kind == Kind::Phase).count();
            counts.deployments += kinds.iter().filter(|&&kind| kind == Kind::Deployment).count();
            counts.to_adopt += usize::from(kinds.contains(&Kind::Adopt));
            counts.to_forget += usize::from(kinds.contains(&Kind::Forget));
            counts.to_recover += usize::from(kinds.contains(&Kind::Recover));
            counts.to_record +=
                usize::from(!kinds.is_empty() && kinds.iter().all(|&kind| kind == Kind::Record));
        }
        counts
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            to_change,
            held,
            errors,
            up_to_date,
            phases,
            deployments,
            to_adopt,
            to_forget,
            to_recover,
            to_record,
            sweeps,
        } = *self;
        if to_change + held + errors + sweeps == 0 {
            return match up_to_date {
                0 => write!(f, "Nothing to do: no links affected."),
                1 => write!(f, "Nothing to do: 1 link is up to date."),
                _ => write!(f, "Nothing to do: {up_to_date} links are up to date."),
            };
        }
        match to_change {
            0 => write!(f, "Plan: nothing to change")?,
            _ => write!(f, "Plan: {} to change", number(to_change, "link"))?,
        }
        let things = [(phases, "phase"), (deployments, "deployment")];
        let kinds = [
            (to_adopt, "to adopt"),
            (to_forget, "to forget"),
            (to_recover, "to recover"),
            (to_record, "to record"),
        ];
        let things =
            things.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| number(count, what));
        let kinds =
            kinds.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
        let work: Vec<_> = things.chain(kinds).collect();
        if !work.is_empty() {
            write!(f, " ({})", work.join(", "))?;
        }
        if sweeps > 0 {
            write!(f, ", {} to remove", number(sweeps, "orphaned service"))?;
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
