//! `katkit cancel`

use clap::Args;

use super::error::CommandError;
use super::request::{Asks, Of};
use crate::app::App;
use crate::domain::{Ask, Head, LinkId};

/// End the run in progress; what is deployed stays
#[derive(Debug, Args)]
#[command(after_help = "\
What runs is stopped. Nothing more is started until `katkit retry` or another
commit.")]
pub(super) struct Arguments {
    #[command(flatten)]
    of: Of,
}

impl Asks for Arguments {
    fn of(&self) -> &Of {
        &self.of
    }

    async fn ask(&self, _: &App, id: &LinkId, head: &Head) -> Result<(Ask, String), CommandError> {
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
        let said = format!(
            "recorded that the run for {} is to end. A process that works on it sees this within seconds; without one,",
            run.sha.short()
        );
        Ok((Ask::Cancel { sha: run.sha.clone() }, said))
    }
}
