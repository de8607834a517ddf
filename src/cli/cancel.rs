//! `katkit cancel`

use clap::Args;

use super::arguments::Global;
use super::error::CommandError;
use super::output::Output;
use super::{ExitStatus, link, request};
use crate::config::Config;
use crate::domain::Ask;

/// End the run in progress: what runs is stopped, nothing more is started, what is deployed stays
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// `tenant/link`
    #[arg(value_name = "LINK")]
    link: String,
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
    let Some(run) = head.open_run() else {
        let what = format!("no run of `{id}` is in progress");
        return Err(CommandError::refused(what, format!("`katkit status {id}` shows where it stands")));
    };
    let sha = run.sha.clone();
    let said = format!(
        "{id}: recorded that the run for {} is to end. A process that works on it sees this within seconds; without one,",
        sha.short()
    );
    request::ask(&app, &id, vec![Ask::Cancel { sha }], &arguments.how, &said, output).await
}
