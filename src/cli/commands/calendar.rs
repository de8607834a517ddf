//! `katkit calendar`

use clap::{Args, ValueEnum};
use jiff::SignedDuration;

use crate::app::Host;
use crate::cli::ExitStatus;
use crate::cli::arguments::instant::{self, Instant};
use crate::cli::arguments::{Global, link};
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::policy::Zone;
use crate::queries::{self, CalendarFacts};
use crate::views::{Calendar, CalendarIcal, CalendarJson, CalendarText};

/// Show when deployments are frozen and allowed
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit calendar prod                        The next two weeks of one tenant
  katkit calendar --days 90 --format ical > deployments.ics
                                              For the calendar of a team")]
pub(in crate::cli) struct Arguments {
    /// Limit to `tenant/link`, `tenant`, or a pattern such as `*/shop`
    #[arg(value_name = "LINK")]
    links: Vec<String>,
    /// When to start: `fri 17:00`, `2026-12-20 09:00`, a duration from now such as `2h`, or RFC 3339 [default: now]
    #[arg(long, value_name = "TIME", value_parser = instant::parse)]
    from: Option<Instant>,
    /// The time zone of TIME, if it has none
    #[arg(long, value_name = "ZONE", default_value = "UTC", value_parser = instant::zone, requires = "from")]
    zone: Zone,
    /// How many days to show
    #[arg(long, value_name = "N", default_value_t = 14, value_parser = clap::value_parser!(u16).range(1..=400))]
    days: u16,
    /// Output format: text, json (schema: `katkit schema calendar`), or ical for a calendar application
    #[arg(long, default_value = "text", hide_possible_values = true)]
    format: Format,
}

/// Output format of `calendar`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For humans
    Text,
    /// For programs; `katkit schema calendar` describes it
    Json,
    /// For calendar applications
    Ical,
}

pub(in crate::cli) async fn run(
    arguments: &Arguments,
    global: &Global,
    host: &Host,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let opened = global.look(host, output).await?;
    let estate = &*opened.estate;
    output.warnings(&estate.loaded.warnings);
    let targets = link::in_manifest(estate, &arguments.links)?;
    let now = estate.clock.now();
    let from = match &arguments.from {
        Some(from) => from.resolve(now, &arguments.zone).ok_or_else(instant::too_far)?,
        None => now,
    };
    let days = SignedDuration::from_hours(24 * i64::from(arguments.days));
    let until = from.saturating_add(days).unwrap_or(from);
    let manifest = estate.manifest();
    let links = manifest.links().map(|(id, _, _)| id).filter(|id| targets.contain(id));
    let consents = estate.state.consents().await?.standing;
    let CalendarFacts { policies, by_hand, ungoverned } =
        queries::calendar(manifest, &consents, links, (from, until));
    let calendar = Calendar { policies: &policies, by_hand: &by_hand, ungoverned: &ungoverned, from, until };
    match arguments.format {
        Format::Text => output.show(CalendarText { calendar, style: output.style() })?,
        Format::Json => output.json(&CalendarJson::of(calendar))?,
        Format::Ical => output.show(CalendarIcal { calendar, now })?,
    }
    Ok(ExitStatus::Success)
}
