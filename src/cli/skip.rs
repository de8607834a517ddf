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
    /// For which commit [default: the one whose run is not done]
    #[arg(long)]
    sha: Option<CommitSha>,
}

impl Asks for Arguments {
    fn of(&self) -> &Of {
        &self.of
    }

    async fn ask(&self, app: &App, id: &LinkId, head: &Head) -> Result<(Ask, String), CommandError> {
        let want = link::wanted(app, id).await?;
        // Without a commit, the person means the one that they saw fail.
        let unfinished = head.run.as_ref().filter(|run| !run.succeeded()).map(|run| &run.sha);
        if let Some(other) = self.sha.as_ref().or(unfinished).filter(|other| **other != want) {
            return Err(retry::moved_on(id, other, &want));
        }
        let sha = want;
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
