//! `katkit cancel`

use clap::Args;

use super::error::CommandError;
use super::request::{Asked, Options, RequestCommand};
use crate::app::App;
use crate::domain::{Ask, Head, LinkId};

/// End the run in progress; what is deployed stays
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit cancel dev/shop  One link
  katkit cancel \"prod/*\"  Every link of a tenant with a run in progress

What runs is stopped. Nothing more is started until `katkit retry` or another
commit.")]
pub(super) struct Arguments {
    #[command(flatten)]
    options: Options,
}

impl RequestCommand for Arguments {
    const VERB: &'static str = "cancel";

    fn options(&self) -> &Options {
        &self.options
    }

    async fn requests(&self, _: &App, id: &LinkId, head: &Head) -> Result<Vec<Asked>, CommandError> {
        let Some(run) = head.open_run() else {
            let what = format!("no run of `{id}` is in progress");
            return Err(CommandError::refused(what, format!("`katkit status {id}` shows where it stands")));
        };
        if let Some(deploying) = &head.deploying {
            return Err(CommandError::refused(
                format!(
                    "{} is being deployed to `{id}`, which is not cancelled half-way",
                    deploying.sha.short()
                ),
                format!("`katkit rollback {id}` goes back once it ended"),
            ));
        }
        let said = format!("recorded: cancel the run for {}.", run.sha.short());
        Ok(vec![(Ask::Cancel { sha: run.sha.clone() }, said)])
    }

    fn next(&self, apply: &str) -> Option<String> {
        Some(format!("A process that works on it sees this within seconds; without one, {apply} does it."))
    }
}
