//! `katkit retry`

use clap::Args;

use super::request::{Options, RequestCommand};
use crate::domain::PhaseName;
use crate::requests::Action;

/// Retry a failed or cancelled run
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit retry dev/shop --apply          Resume from the failed phase, now
  katkit retry dev/shop --phase build    Restart from build, at the next apply
  katkit retry dev                       Every failed link of a tenant
  katkit retry prod/shop --why \"fixed\"   Deploy a commit even though it, or an
                                         ancestor of it, was rolled back")]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    options: Options,
    /// Restart from this phase, which may be new in the workflow [default: the failed phase]
    #[arg(short, long)]
    phase: Option<PhaseName>,
}

impl RequestCommand for Arguments {
    const VERB: &'static str = "retry";

    fn options(&self) -> &Options {
        &self.options
    }

    fn action(&self) -> Action {
        Action::Retry { phase: self.phase.clone() }
    }
}
