//! Answers questions about links: the facts that `status`, `why`, `wait` and `history` show. Changes nothing.
//!
//! A query takes an [`Estate`](crate::estate::Estate), or the part of it that it reads, and plain arguments, and
//! returns facts that it owns. It knows no command line, terminal or colour: its caller chooses the links, renders the
//! facts with a view, and decides what they mean for an exit code or a status code.

mod active_phase;
mod arrivals;
mod calendar;
mod history;
mod journal_pages;
mod outages;
mod pipelines;
mod replay;
mod status;
mod why;

#[cfg(test)]
mod tests;

pub use active_phase::ActivePhase;
pub use arrivals::{Activity, Arrivals, Fingerprint, activity, arrivals};
pub use calendar::{CalendarFacts, calendar};
pub use history::{KnownLinks, MergedEvents, deployments, history};
pub use journal_pages::{EventRange, past_run, past_runs, usual_durations};
pub use outages::{MAX_OUTAGE, OutageTimers, WaitState};
pub use pipelines::pipelines;
pub use replay::replay;
pub use status::{Checked, RecordedLinks, StatusDepth, StatusFacts, StatusQuestion};
pub use why::{WhyError, WhyFacts, WhyQuestion, why};
