//! `katkit rollback`

use clap::Args;

use super::arguments::Global;
use super::error::CommandError;
use super::output::Output;
use super::{ExitStatus, link, request};
use crate::config::Config;
use crate::domain::Ask;

/// Deploy what was good before, and quarantine what runs now
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
    let (Some(deployed), Some(previous)) = (&head.deployed, &head.previous) else {
        let what = match &head.deployed {
            Some(deployed) => format!("nothing was deployed to `{id}` before {}", deployed.sha.short()),
            None => format!("nothing is deployed to `{id}`"),
        };
        return Err(CommandError::refused(what, format!("`katkit set {id} SHA` asks for another commit")));
    };
    let ask = Ask::Rollback { from: deployed.sha.clone(), to: previous.sha.clone() };
    let said = format!(
        "{id}: recorded that it goes back from {} to {}, and that the former is quarantined.",
        deployed.sha.short(),
        previous.sha.short()
    );
    request::ask(&app, &id, vec![ask], &arguments.how, &said, output).await
}
