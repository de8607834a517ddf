//! `katkit skip`

use clap::Args;

use super::request::{ConfirmedRequest, Options, RequestCommand};
use super::retry;
use crate::app::App;
use crate::cli::arguments::link;
use crate::cli::error::CommandError;
use crate::domain::{CommitSha, Head, LinkId, PhaseName, RequestKind};

/// Skip a phase for one commit
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit skip dev/shop verify --why \"no test data\"  At the next apply
  katkit skip dev/shop \"prod/*\" verify              For several links

The last argument is the phase; all before it are links.")]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    options: Options,
    /// The phase to skip
    #[arg(value_name = "PHASE", value_parser = phase)]
    phase: PhaseName,
    /// The commit to skip it for [default: the one whose run is unfinished]
    #[arg(long)]
    sha: Option<CommitSha>,
}

/// Says so if a link takes the place of the phase, instead of complaining about the characters in its name.
fn phase(text: &str) -> Result<PhaseName, String> {
    if text.contains('/') {
        return Err("the last argument is the phase to skip, after the links".to_owned());
    }
    PhaseName::new(text).map_err(|error| error.to_string())
}

impl RequestCommand for Arguments {
    const VERB: &'static str = "skip";

    fn options(&self) -> &Options {
        &self.options
    }

    async fn requests(
        &self,
        app: &App,
        id: &LinkId,
        head: &Head,
    ) -> Result<Vec<ConfirmedRequest>, CommandError> {
        let want = link::wanted(app, id).await?;
        // Without `--sha`, the user means the commit they saw fail.
        let unfinished = head.run.as_ref().filter(|run| !run.succeeded()).map(|run| &run.sha);
        if let Some(other) = self.sha.as_ref().or(unfinished).filter(|other| **other != want) {
            return Err(retry::moved_on(id, other, &want));
        }
        let sha = want;
        let phase = self.phase.clone();
        if let Some(run) = head.run.as_ref().filter(|run| run.sha == sha) {
            match run.phase(&phase) {
                None => return Err(retry::no_phase(id, &phase, &run.phases)),
                Some(state) if state.status.is_done() => {
                    let what = format!("`{phase}` of `{id}` is already done for {}", sha.short());
                    return Err(CommandError::refused(what, None));
                }
                Some(_) => {}
            }
        }
        let said = format!("recorded: skip `{phase}` for {}.", sha.short());
        Ok(vec![(RequestKind::Skip { sha, phase }, said)])
    }
}
