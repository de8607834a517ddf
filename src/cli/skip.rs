//! `katkit skip`

use clap::Args;

use super::error::CommandError;
use super::request::{Asks, Of};
use super::{link, retry};
use crate::app::App;
use crate::domain::{Ask, CommitSha, Head, LinkId, PhaseName};

/// Count a phase as done, for one commit
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  katkit skip dev/shop verify --why \"no test data\"  At the next apply")]
pub(super) struct Arguments {
    #[command(flatten)]
    of: Of,
    /// The phase to leave out
    #[arg(value_name = "PHASE")]
    phase: PhaseName,
    /// For which commit [default: the one that the manifest asks for]
    #[arg(long)]
    sha: Option<CommitSha>,
}

impl Asks for Arguments {
    fn of(&self) -> &Of {
        &self.of
    }

    async fn ask(&self, app: &App, id: &LinkId, head: &Head) -> Result<(Ask, String), CommandError> {
        let sha = match &self.sha {
            Some(sha) => sha.clone(),
            None => link::wanted(app, id).await?,
        };
        let phase = self.phase.clone();
        if let Some(run) = head.run.as_ref().filter(|run| run.sha == sha)
            && run.phase(&phase).is_none()
        {
            return Err(retry::no_phase(id, &phase, &run.phases));
        }
        let said = format!("recorded that `{phase}` is skipped for {}.", sha.short());
        Ok((Ask::Skip { sha, phase }, said))
    }
}
