//! `katkit import`

use clap::Args;

use super::apply::{ApplyOptions, carry_out};
use super::plan::{self, Selection};
use crate::cli::ExitStatus;
use crate::cli::arguments::{Global, link};
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::cli::output::confirm::Consent;
use crate::config::Config;

/// Adopt what is already running, and record it as deployed
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// `tenant/link`
    #[arg(value_name = "LINK")]
    link: String,
}

pub(in crate::cli) async fn run(
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
