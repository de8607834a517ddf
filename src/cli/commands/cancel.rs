//! `katkit cancel`

use clap::Args;

use super::request::{Options, RequestCommand};
use crate::requests::Action;

/// Cancel the run in progress; what is deployed stays
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit cancel dev/shop  One link
  katkit cancel \"prod/*\"  Every link of a tenant with a run in progress

Running phases are stopped. Nothing more starts until `katkit retry` or another
commit.")]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    options: Options,
}

impl RequestCommand for Arguments {
    const VERB: &'static str = "cancel";

    fn options(&self) -> &Options {
        &self.options
    }

    fn action(&self) -> Action {
        Action::Cancel
    }

    fn next(&self, apply: &str) -> Option<String> {
        Some(format!("A process working on it notices within seconds; without one, {apply} does it."))
    }
}
