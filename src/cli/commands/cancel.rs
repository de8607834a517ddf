//! `katkit cancel`

use clap::Args;

use super::request::{ConfirmedRequest, Options, RequestCommand};
use crate::app::App;
use crate::cli::error::CommandError;
use crate::domain::{Head, LinkId, RequestKind};

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

    async fn requests(
        &self,
        _: &App,
        id: &LinkId,
        head: &Head,
    ) -> Result<Vec<ConfirmedRequest>, CommandError> {
        let Some(run) = head.open_run() else {
            let what = format!("no run of `{id}` is in progress");
            return Err(CommandError::refused(what, format!("`katkit status {id}` shows where it stands")));
        };
        if let Some(deploying) = &head.deploying {
            return Err(CommandError::refused(
                format!(
                    "{} is being deployed to `{id}`, which cannot be cancelled half-way",
                    deploying.sha.short()
                ),
                format!("`katkit rollback {id}` undoes it once it has ended"),
            ));
        }
        let said = format!("recorded: cancel the run for {}.", run.sha.short());
        Ok(vec![(RequestKind::Cancel { sha: run.sha.clone() }, said)])
    }

    fn next(&self, apply: &str) -> Option<String> {
        Some(format!("A process working on it notices within seconds; without one, {apply} does it."))
    }
}
