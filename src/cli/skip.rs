//! `katkit skip`

use clap::Args;

use super::arguments::Global;
use super::error::CommandError;
use super::output::Output;
use super::{ExitStatus, link, request, retry};
use crate::config::Config;
use crate::domain::{Ask, CommitSha, PhaseName};

/// Count a phase as done, for one commit
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// `tenant/link`
    #[arg(value_name = "LINK")]
    link: String,
    /// The phase to leave out
    #[arg(value_name = "PHASE")]
    phase: PhaseName,
    /// For which commit [default: the one that the manifest asks for]
    #[arg(long)]
    sha: Option<CommitSha>,
    #[command(flatten)]
    how: request::How,
}

pub(super) async fn run(
    arguments: &Arguments,
    global: &Global,
    config: &Config,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let app = global.open(config)?;
    let (id, head) = link::find(&app, &arguments.link).await?;
    let sha = match &arguments.sha {
        Some(sha) => sha.clone(),
        None => link::wanted(&app, &id).await?,
    };
    let phase = arguments.phase.clone();
    if let Some(run) = head.run.as_ref().filter(|run| run.sha == sha)
        && run.phase(&phase).is_none()
    {
        return Err(retry::no_phase(&id, &phase, &run.phases));
    }
    let said = format!("{id}: recorded that `{phase}` is skipped for {}.", sha.short());
    request::ask(&app, &id, vec![Ask::Skip { sha, phase }], &arguments.how, &said, output).await
}
