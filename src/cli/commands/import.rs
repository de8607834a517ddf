//! `katkit import`

use clap::Args;

use super::carry_out::{ApplyOptions, carry_out};
use super::plan::{self, Selection};
use crate::app::Host;
use crate::cli::ExitStatus;
use crate::cli::arguments::{Global, link};
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::cli::output::confirm::Consent;

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
    host: &Host,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let opened = global.open(host).await?;
    let estate = &*opened.estate;
    let (id, _) = link::find(estate, &arguments.link).await?;
    let selection = Selection { refresh_only: true, ..Selection::one(&id) };
    let plan = plan::make(&opened, &selection, true).await?;
    carry_out(&opened, plan, ApplyOptions::request(Consent { yes: true }), output).await
}
