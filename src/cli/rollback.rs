//! `katkit rollback`

use clap::Args;

use super::error::CommandError;
use super::request::{Asks, Of};
use crate::app::App;
use crate::domain::{Ask, Head, LinkId};

/// Deploy the last verified commit, and quarantine what runs now
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  katkit rollback prod/shop --why \"customers complain\" --apply

The quarantined commit is not deployed there again until `katkit retry` lets it
be.")]
pub(super) struct Arguments {
    #[command(flatten)]
    of: Of,
}

impl Asks for Arguments {
    fn of(&self) -> &Of {
        &self.of
    }

    async fn ask(&self, _: &App, id: &LinkId, head: &Head) -> Result<(Ask, String), CommandError> {
        let (Some(deployed), Some(back)) = (&head.deployed, head.way_back()) else {
            let what = match &head.deployed {
                Some(deployed) => {
                    format!("no commit was verified at `{id}` before {}", deployed.sha.short())
                }
                None => format!("nothing is deployed to `{id}`"),
            };
            return Err(CommandError::refused(
                what,
                format!("`katkit set {id} SHA` asks for another commit"),
            ));
        };
        let said = format!(
            "recorded that it goes back from {} to {}, and that the former is quarantined.",
            deployed.sha.short(),
            back.sha.short()
        );
        Ok((Ask::Rollback { from: deployed.sha.clone(), to: back.sha.clone() }, said))
    }
}
