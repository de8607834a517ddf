//! `katkit who-can`

use clap::{Args, ValueEnum};

use crate::app::Host;
use crate::cli::ExitStatus;
use crate::cli::arguments::{Format, Global, link};
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::consents;
use crate::views::{WhoCan, WhoCanJson, WhoCanText};

/// Show who can approve the commit that waits
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit who-can approve prod-eu/shop   And why the others cannot")]
pub(in crate::cli) struct Arguments {
    /// What they do: `approve`
    #[arg(value_name = "ACTION", hide_possible_values = true)]
    action: Action,
    /// `tenant/link`
    #[arg(value_name = "LINK")]
    link: String,
    /// Output format: text, or json (schema: `katkit schema who-can`)
    #[arg(long, default_value = "text", hide_possible_values = true)]
    format: Format,
}

/// What an actor can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Action {
    /// Approve the commit that waits for approvals
    Approve,
}

pub(in crate::cli) async fn run(
    arguments: &Arguments,
    global: &Global,
    host: &Host,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let Action::Approve = arguments.action;
    let opened = global.look(host, output).await?;
    let estate = &*opened.estate;
    let (id, _) = link::requested(estate, &arguments.link).await?;
    let candidate = consents::candidate(estate, &id).await?;
    let rules = estate.manifest().policy_of(&id).map(|(_, policy)| policy.approvals.as_slice());
    let rules: Vec<_> = rules
        .unwrap_or_default()
        .iter()
        .map(|rule| {
            let (people, unknown) = candidate.standings(estate, rule);
            (rule, people, unknown)
        })
        .collect();
    let changes = &candidate.basis.changes;
    let who_can = WhoCan { link: &id, live: changes.from.as_ref(), sha: &changes.to, rules: &rules };
    match arguments.format {
        Format::Text => output.show(WhoCanText { who_can, style: output.style() })?,
        Format::Json => output.json(&WhoCanJson::of(who_can))?,
    }
    Ok(ExitStatus::Success)
}
