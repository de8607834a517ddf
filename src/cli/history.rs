//! `katkit history`

use clap::Args;

use super::arguments::{Format, Global};
use super::error::CommandError;
use super::output::Output;
use super::{ExitStatus, link, past};
use crate::config::Config;
use crate::domain::Generation;
use crate::views::{HistoryJson, HistoryText};

/// Show what happened to a link, the newest event last
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit history prod/shop          The last fifty events
  katkit history prod/shop -n 1000  The last thousand")]
pub(super) struct Arguments {
    /// `tenant/link`
    #[arg(value_name = "LINK")]
    link: String,
    /// How many events
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Only events before this one, which the first line of the output names
    #[arg(long, value_name = "GENERATION", value_parser = clap::value_parser!(u64).range(2..))]
    before: Option<u64>,
    /// What to write: text for people, or json, of which `katkit schema history` tells
    #[arg(long, default_value = "text", hide_possible_values = true)]
    format: Format,
}

pub(super) async fn run(
    arguments: &Arguments,
    global: &Global,
    config: &Config,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let app = global.look(config, output).await?;
    let (id, _) = link::recorded(&app, &arguments.link).await?;
    let limit = usize::try_from(arguments.limit).unwrap_or(usize::MAX);
    let events = past::events(&app, &id, arguments.before.map(Generation), limit).await?;
    match arguments.format {
        Format::Text => output.show(HistoryText { link: &id, events: &events, style: output.style() })?,
        Format::Json => output.json(&HistoryJson::of(&id, &events))?,
    }
    Ok(ExitStatus::Success)
}
