//! `katkit thaw`

use clap::Args;

use crate::app::Host;
use crate::cli::ExitStatus;
use crate::cli::arguments::Global;
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::consents;
use crate::domain::{Consent, ConsentId, ConsentKind};
use crate::views::hang;

/// End freezes that were made by hand
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit thaw 12 --why \"the incident is over\"

`katkit calendar` lists the freezes with their numbers. A freeze in a policy ends
when the manifest says so.")]
pub(in crate::cli) struct Arguments {
    /// The number of the freeze; repeatable
    #[arg(value_name = "FREEZE", required = true)]
    freezes: Vec<u64>,
    /// Reason, for the record
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
}

pub(in crate::cli) async fn run(
    arguments: &Arguments,
    global: &Global,
    host: &Host,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let opened = global.open(host).await?;
    let estate = &*opened.estate;
    let ids: Vec<_> = arguments.freezes.iter().map(|number| ConsentId(*number)).collect();
    let thawed = consents::thaw(estate, &opened.actor, arguments.why.clone(), &ids).await?;
    for Consent { id, what, .. } in thawed {
        let ConsentKind::Freeze { links, .. } = what else { continue };
        let text = format!("Ended freeze {id} of {links}. `katkit apply` deploys what it held.");
        output.show(hang("", 0, &text, output.style()))?;
    }
    Ok(ExitStatus::Success)
}
