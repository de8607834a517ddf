//! `katkit history`

use clap::Args;

use crate::app::Host;
use crate::cli::ExitStatus;
use crate::cli::arguments::moment::{self, Moment};
use crate::cli::arguments::{Format, Global, link};
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::domain::{Generation, LinkId};
use crate::estate::Estate;
use crate::queries::{self, EventRange, KnownLinks, MergedEvents};
use crate::views::{DeploymentsText, HistoryJson, HistoryText, LinksHistoryText};

/// Show the history of links, newest event last
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit history prod/shop            The last fifty events
  katkit history prod --since 2h      The last two hours of a whole tenant
  katkit history --deployments -n 10  The last ten deployments anywhere")]
pub(in crate::cli) struct Arguments {
    /// Limit to `tenant/link`, `tenant`, or a pattern such as `*/shop`
    #[arg(value_name = "LINK")]
    links: Vec<String>,
    /// Only deployments, rollbacks and adoptions, one per line
    #[arg(long)]
    deployments: bool,
    /// Not before this time: `2h` or `3d` ago, `2026-01-02`, or RFC 3339
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    since: Option<Moment>,
    /// Only before this time
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    until: Option<Moment>,
    /// Maximum number of events or deployments
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Only events before this one, which the first line of the output names; takes a single link
    #[arg(long, value_name = "GENERATION", value_parser = clap::value_parser!(u64).range(2..))]
    before: Option<u64>,
    /// Output format: text, or json (schema: `katkit schema history`)
    #[arg(long, default_value = "text", hide_possible_values = true)]
    format: Format,
}

pub(in crate::cli) async fn run(
    arguments: &Arguments,
    global: &Global,
    host: &Host,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let is_one = matches!(arguments.links.as_slice(), [name] if link::is_name(name));
    if arguments.before.is_some() && !is_one {
        let hint = "name one link, or use `--until TIME`".to_owned();
        return Err(CommandError::usage("`--before` needs a single link", hint));
    }
    let opened = global.look(host, output).await?;
    let estate = &*opened.estate;
    let (links, one, cut, status) = match arguments.links.as_slice() {
        [name] if is_one => {
            let (id, head) = link::recorded(estate, name).await?;
            (vec![id.clone()], Some(id), head.cut(), ExitStatus::Success)
        }
        patterns => {
            let (links, status) = matching(estate, patterns, output).await?;
            (links, None, None, status)
        }
    };
    let now = estate.clock.now();
    let range = EventRange {
        before: arguments.before.map(Generation),
        since: arguments.since.map(|since| since.resolve(now)),
        until: arguments.until.map(|until| until.resolve(now)),
        limit: usize::try_from(arguments.limit).unwrap_or(usize::MAX),
        deployments: arguments.deployments,
    };
    let MergedEvents { events, has_more } = queries::history(estate, &links, range).await?;
    let style = output.style();
    match (arguments.format, arguments.deployments, &one) {
        (format, true, _) => {
            let (deployments, has_more) = queries::deployments(events, range.limit);
            match format {
                Format::Text => {
                    output.show(DeploymentsText { deployments: &deployments, has_more, style })?
                }
                Format::Json => {
                    output.json(&HistoryJson::of_deployments(one.as_ref(), &deployments, has_more))?;
                }
            }
        }
        (Format::Json, false, _) => output.json(&HistoryJson::of(one.as_ref(), &events, has_more, cut))?,
        (Format::Text, false, Some(link)) => {
            let events: Vec<_> = events.into_iter().map(|(_, event)| event).collect();
            let is_bounded = range.since.is_some() || range.until.is_some();
            let has_earlier = has_more || range.since.is_none();
            output.show(HistoryText { link, events: &events, has_earlier, cut, is_bounded, style })?;
        }
        (Format::Text, false, None) => {
            output.show(LinksHistoryText { events: &events, has_more, style })?;
        }
    }
    Ok(status)
}

/// The links that match the patterns, in the manifest or only on record.
pub(in crate::cli) async fn matching(
    estate: &Estate,
    patterns: &[String],
    output: &mut Output,
) -> Result<(Vec<LinkId>, ExitStatus), CommandError> {
    let known = KnownLinks::read(estate).await?;
    let targets = link::targets(patterns, known.ids(), "link")?;
    let (links, damaged) = known.narrowed(&targets);
    Ok((links, link::left_out(&damaged, output)))
}
