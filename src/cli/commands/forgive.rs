//! `katkit forgive`

use clap::Args;

use crate::app::Host;
use crate::cli::ExitStatus;
use crate::cli::arguments::{Global, link};
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::consents;
use crate::domain::GateName;
use crate::views::hang;

/// Forgive what the live commit owes by an override
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit forgive prod/shop --why \"reviewed with ben after the incident\"

Only someone else can: not the actor who overrode the conditions, nor anyone who
took part in what lacks approvals.")]
pub(in crate::cli) struct Arguments {
    /// `tenant/link`
    #[arg(value_name = "LINK")]
    link: String,
    /// Reason, for the record
    #[arg(long, value_name = "TEXT")]
    why: String,
}

pub(in crate::cli) async fn run(
    arguments: &Arguments,
    global: &Global,
    host: &Host,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let opened = global.open(host).await?;
    let estate = &*opened.estate;
    let (id, _) = link::requested(estate, &arguments.link).await?;
    let debt = consents::forgive(estate, &opened.actor, &id, arguments.why.clone()).await?;
    let text = format!(
        "Forgave {} what it owed in {id}: {} (override {} by {}).",
        debt.sha.short(),
        GateName::list(&debt.owes),
        debt.consent.id,
        debt.consent.by.name
    );
    output.show(hang("", 0, &text, output.style()))?;
    Ok(ExitStatus::Success)
}
