//! `katkit simulate`

use clap::Args;

use super::history;
use super::plan::Selection;
use crate::app::Host;
use crate::cli::ExitStatus;
use crate::cli::arguments::instant::{self, Instant};
use crate::cli::arguments::moment::{self, Moment};
use crate::cli::arguments::{Format, Global};
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::estate::Estate;
use crate::inventory::Scope;
use crate::plan;
use crate::policy::Zone;
use crate::queries::{self, CalendarFacts};
use crate::views::{Calendar, ReplayText, SimulationJson, SimulationText};

/// Show the plan at another time, or judge past deployments
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit simulate --at \"fri 17:00\" --zone Europe/Berlin
                                Which deployments wait on Friday evening
  katkit simulate --at 2h prod  What may be deployed in two hours
  katkit simulate --past 30d --manifest new.toml
                                What other policies would have held")]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// The time: `fri 17:00`, `2026-12-20 09:00`, a duration from now such as `2h`, or RFC 3339
    #[arg(long, value_name = "TIME", value_parser = instant::parse, required_unless_present = "past")]
    at: Option<Instant>,
    /// Judge the deployments since this time instead: `2h` or `30d` ago, `2026-01-02`, or RFC 3339
    #[arg(long, value_name = "TIME", value_parser = moment::parse, conflicts_with_all = ["at", "zone", "against", "refresh_only"])]
    past: Option<Moment>,
    /// The time zone of TIME, if it has none
    #[arg(long, value_name = "ZONE", default_value = "UTC", value_parser = instant::zone)]
    zone: Zone,
    /// Output format: text, or json (schema: `katkit schema simulate`)
    #[arg(long, default_value = "text", hide_possible_values = true)]
    format: Format,
}

pub(in crate::cli) async fn run(
    arguments: &Arguments,
    global: &Global,
    host: &Host,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let opened = arguments.selection.look(global, host, output).await?;
    let estate = &*opened.estate;
    if let Some(past) = arguments.past {
        return replayed(arguments, past, estate, output).await;
    }
    let at = arguments.at.as_ref().and_then(|at| at.resolve(estate.clock.now(), &arguments.zone));
    let at = at.ok_or_else(instant::too_far)?;
    let scope = Scope { at: Some(at), ..arguments.selection.scope(&opened, false).await? };
    let input = estate.inventory(&scope).await?;
    let plan = plan::plan(&input);
    let manifest = estate.manifest();
    let links = input.links.iter().map(|link| link.id.clone());
    let CalendarFacts { policies, by_hand, ungoverned } =
        queries::calendar(manifest, &input.consents, links, (at, at));
    let calendar =
        Calendar { policies: &policies, by_hand: &by_hand, ungoverned: &ungoverned, from: at, until: at };
    match arguments.format {
        Format::Text => output.show(SimulationText {
            calendar,
            at: &arguments.zone.at(at),
            plan: &plan,
            style: output.style(),
        })?,
        Format::Json => output.json(&SimulationJson::of(calendar, &plan))?,
    }
    Ok(if plan.has_errors() { ExitStatus::Failure } else { ExitStatus::Success })
}

/// Judges past deployments.
async fn replayed(
    arguments: &Arguments,
    past: Moment,
    estate: &Estate,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let (links, status) = history::matching(estate, &arguments.selection.patterns(), output).await?;
    let replay = queries::replay(estate, &links, past.resolve(estate.clock.now())).await?;
    match arguments.format {
        Format::Text => output.show(ReplayText { replay: &replay, style: output.style() })?,
        Format::Json => output.json(&SimulationJson::of_past(&replay))?,
    }
    Ok(status)
}
