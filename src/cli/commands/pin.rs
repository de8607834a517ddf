//! `katkit pin`

use clap::Args;

use super::request::{Options, RequestCommand};
use crate::requests::Action;

/// Block rollbacks past a commit, such as one that migrates data
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit pin prod/shop --no-rollback-past 3f2a9c1 --why \"new schema\" --apply
  katkit pin prod/shop --no-rollback-past 3f2a9c1 --withdraw --apply

A commit whose message has a line `Katkit-Rollback: no` is pinned when it is
deployed.")]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    options: Options,
    /// The commit: its sha, or a prefix of it; live, or a rollback target
    #[arg(long, value_name = "SHA", required = true)]
    no_rollback_past: String,
    /// Unblock them again
    #[arg(long)]
    withdraw: bool,
}

impl RequestCommand for Arguments {
    const VERB: &'static str = "pin";

    fn options(&self) -> &Options {
        &self.options
    }

    fn action(&self) -> Action {
        let sha = self.no_rollback_past.clone();
        if self.withdraw { Action::Unpin { sha } } else { Action::Pin { sha } }
    }
}
