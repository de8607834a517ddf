//! `katkit history`

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use jiff::Timestamp;

use crate::app::App;
use crate::cli::ExitStatus;
use crate::cli::arguments::event_range::{self, EventRange};
use crate::cli::arguments::moment::{self, Moment};
use crate::cli::arguments::{Format, Global, link};
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::config::Config;
use crate::domain::{Generation, Head, LinkId, RecordedEvent};
use crate::journal::{self, Release};
use crate::state::Survey;
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
    config: &Config,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let is_one = matches!(arguments.links.as_slice(), [name] if link::is_name(name));
    if arguments.before.is_some() && !is_one {
        let hint = "name one link, or use `--until TIME`".to_owned();
        return Err(CommandError::usage("`--before` needs a single link", hint));
    }
    let app = global.look(config, output).await?;
    let (links, one, cut, status) = match arguments.links.as_slice() {
        [name] if is_one => {
            let (id, head) = link::recorded(&app, name).await?;
            (vec![id.clone()], Some(id), head.cut(), ExitStatus::Success)
        }
        patterns => {
            let (links, status) = matching(&app, patterns, output).await?;
            (links, None, None, status)
        }
    };
    let now = app.clock.now();
    let window = EventRange {
        before: arguments.before.map(Generation),
        since: arguments.since.map(|since| since.resolve(now)),
        until: arguments.until.map(|until| until.resolve(now)),
        limit: usize::try_from(arguments.limit).unwrap_or(usize::MAX),
        deployments: arguments.deployments,
    };
    let (events, has_more) = merged(&app, &links, window).await?;
    let style = output.style();
    match (arguments.format, arguments.deployments, &one) {
        (format, true, _) => {
            let (deployments, has_more) = deployments(events, window.limit);
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
            let is_bounded = window.since.is_some() || window.until.is_some();
            let has_earlier = has_more || window.since.is_none();
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
    app: &App,
    patterns: &[String],
    output: &mut Output,
) -> Result<(Vec<LinkId>, ExitStatus), CommandError> {
    let Survey { heads, leases: _, requests: _, damaged } = app.state.survey().await?;
    let manifest = link::of_manifest(app);
    // A renamed link's history is shown under its new name.
    let is_shown = |(id, head): &(LinkId, Box<Head>)| head.moved_to.is_none() || manifest.contains(id);
    let recorded = heads.into_iter().filter(is_shown).map(|(id, _)| id);
    let mut known: BTreeSet<_> = recorded.chain(manifest.iter().cloned()).collect();
    let targets = link::targets(patterns, &known, "link")?;
    known.retain(|id| targets.contain(id) && !damaged.contains_key(id));
    let damaged = damaged.into_iter().filter(|(id, _)| targets.contain(id)).collect();
    Ok((known.into_iter().collect(), link::left_out(&damaged, output)))
}

/// The last events of these links, oldest first, and whether the window holds older ones.
async fn merged(
    app: &App,
    links: &[LinkId],
    window: EventRange,
) -> Result<(Vec<(LinkId, RecordedEvent)>, bool), CommandError> {
    let mut narrowed = EventRange { limit: window.limit.saturating_add(1), ..window };
    let mut all: Vec<(Timestamp, LinkId, RecordedEvent)> = Vec::new();
    for link in links {
        // Keep the events of a link in order, even if a clock was set back.
        let mut latest = Timestamp::MIN;
        for event in event_range::events(app, link, narrowed).await? {
            latest = latest.max(event.at);
            all.push((latest, link.clone(), event));
        }
        all.sort_by_key(|(at, _, _)| *at);
        // No older event of any link will be shown.
        let counted = all.iter().rev().filter(|(_, _, event)| window.counts(event));
        narrowed.since = narrowed.since.max(counted.map(|(_, _, event)| event.at).nth(window.limit));
    }
    let has_more = all.iter().filter(|(_, _, event)| window.counts(event)).count() > window.limit;
    let surplus = if window.deployments { 0 } else { all.len().saturating_sub(window.limit) };
    Ok((all.into_iter().skip(surplus).map(|(_, link, event)| (link, event)).collect(), has_more))
}

/// The last deployments in these events, oldest first, and whether there are older ones.
fn deployments(events: Vec<(LinkId, RecordedEvent)>, limit: usize) -> (Vec<(LinkId, Release)>, bool) {
    let mut by_link: BTreeMap<LinkId, Vec<RecordedEvent>> = BTreeMap::new();
    for (link, event) in events {
        by_link.entry(link).or_default().push(event);
    }
    let mut all = Vec::new();
    for (link, events) in &by_link {
        all.extend(journal::releases(events).into_iter().map(|release| (link.clone(), release)));
    }
    all.sort_by_key(|(_, release)| release.started);
    let surplus = all.len().saturating_sub(limit);
    (all.split_off(surplus), surplus > 0)
}
