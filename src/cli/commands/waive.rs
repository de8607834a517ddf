//! `katkit waive`

use clap::Args;

use super::request::{Options, RequestCommand};
use super::skip;
use crate::domain::{CommitSha, PhaseName};
use crate::requests::Action;

/// Let a commit count as verified without a phase that was skipped
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit waive beta/shop verify --why \"tested by hand\" --apply

A commit with a phase that was skipped on request goes no further in its
pipeline, and is no rollback target, until that is waived. The last argument is
the phase.")]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    options: Options,
    /// The skipped phase
    #[arg(value_name = "PHASE", value_parser = skip::phase)]
    phase: PhaseName,
    /// The commit, in full [default: that of the last run]
    #[arg(long)]
    sha: Option<CommitSha>,
}

impl RequestCommand for Arguments {
    const VERB: &'static str = "waive";

    fn options(&self) -> &Options {
        &self.options
    }

    fn action(&self) -> Action {
        Action::Waive { phase: self.phase.clone(), sha: self.sha.clone() }
    }
}
