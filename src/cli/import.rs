//! `katkit import`

use clap::Args;

use super::apply::{ApplyOptions, carry_out};
use super::arguments::Global;
use super::confirm::Consent;
use super::error::CommandError;
use super::output::Output;
use super::plan::{self, Selection};
use super::{ExitStatus, link};
use crate::config::Config;

/// Adopt what is already running, and record it as deployed
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// `tenant/link`
    #[arg(value_name = "LINK")]
    link: String,
}

pub(super) async fn run(
    arguments: &Arguments,
    global: &Global,
    config: &Config,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let app = global.open(config).await?;
    let (id, _) = link::find(&app, &arguments.link).await?;
    let selection = Selection { refresh_only: true, ..Selection::one(&id) };
    let plan = plan::make(&app, &selection, true).await?;
    carry_out(&app, plan, ApplyOptions::request(Consent { yes: true }), output).await
}
