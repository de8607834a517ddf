//! `katkit skip`

use clap::Args;

use super::error::CommandError;
use super::request::{Asked, Options, RequestCommand};
use super::{link, retry};
use crate::app::App;
use crate::domain::{Ask, CommitSha, Head, LinkId, PhaseName, PhaseStatus};

/// Count a phase as done, for one commit
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit skip dev/shop verify --why \"no test data\"  At the next apply
  katkit skip dev/shop \"prod/*\" verify              In several links

The last word is the phase, all before it are links.")]
pub(super) struct Arguments {
    #[command(flatten)]
    options: Options,
    /// The phase to leave out
    #[arg(value_name = "PHASE", value_parser = phase)]
    phase: PhaseName,
    /// For which commit [default: the one whose run is not done]
    #[arg(long)]
    sha: Option<CommitSha>,
}

/// A link in the place of the phase is not told about the characters of its name.
fn phase(text: &str) -> Result<PhaseName, String> {
    if text.contains('/') {
        return Err("the last word is the phase to skip, after the links".to_owned());
    }
    PhaseName::new(text).map_err(|error| error.to_string())
}

impl RequestCommand for Arguments {
    const VERB: &'static str = "skip";

    fn options(&self) -> &Options {
        &self.options
    }

    async fn requests(&self, app: &App, id: &LinkId, head: &Head) -> Result<Vec<Asked>, CommandError> {
        let want = link::wanted(app, id).await?;
        // Without a commit, the person means the one that they saw fail.
        let unfinished = head.run.as_ref().filter(|run| !run.succeeded()).map(|run| &run.sha);
        if let Some(other) = self.sha.as_ref().or(unfinished).filter(|other| **other != want) {
            return Err(retry::moved_on(id, other, &want));
        }
        let sha = want;
        let phase = self.phase.clone();
        if let Some(run) = head.run.as_ref().filter(|run| run.sha == sha) {
            match run.phase(&phase) {
                None => return Err(retry::no_phase(id, &phase, &run.phases)),
                Some(state) if matches!(state.status, PhaseStatus::Succeeded | PhaseStatus::Skipped) => {
                    let what = format!("`{phase}` of `{id}` is done for {} already", sha.short());
                    return Err(CommandError::refused(what, None));
                }
                Some(_) => {}
            }
        }
        let said = format!("recorded: skip `{phase}` for {}.", sha.short());
        Ok(vec![(Ask::Skip { sha, phase }, said)])
    }
}
