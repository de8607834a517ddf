//! `katkit wait`: until links are where they should be, without doing anything for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::arguments::Global;
use super::error::CommandError;
use super::output::Output;
use super::{ExitStatus, link};
use crate::app::App;
use crate::config::Config;
use crate::domain::{Epoch, Generation, LinkId};
use crate::inventory::{Scope, Targets};
use crate::plan::{self, Arrival, Goal};
use crate::views::ArrivalText;

/// How often the record is looked at.
const EVERY: Duration = Duration::from_secs(1);
/// After so many looks repositories and platforms are asked as well, even if nothing was recorded.
const LOOKS: u32 = 15;

/// Wait until links run what the manifest asks for
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit wait prod/shop                 After a push that somebody else applies
  katkit wait prod --for verified       Until every phase of every link succeeded
  katkit wait prod/shop --for 4f2a9c1e  Until this commit is live

Changes nothing. Exits with 0 when all of them are there, with 1 as soon as one
failed or is held, and with 124 after the timeout.")]
pub(super) struct Arguments {
    /// Only these: `tenant/link`, `tenant`, or a pattern such as `*/shop`
    #[arg(value_name = "LINK")]
    links: Vec<String>,
    /// live: the wanted commit is deployed; verified: all its phases succeeded; COMMIT: this one is deployed
    #[arg(long = "for", value_name = "live|verified|COMMIT", default_value = "live", value_parser = goal)]
    goal: Goal,
    /// How long at most, for instance `90s`, `30m` or `2h`
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = time)]
    timeout: Duration,
}

fn goal(text: &str) -> Result<Goal, String> {
    let digits = text.to_ascii_lowercase();
    match text {
        "live" => Ok(Goal::Live),
        "verified" => Ok(Goal::Verified),
        _ if (4..=40).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            Ok(Goal::Commit(digits))
        }
        _ => Err("it is live, verified, or a commit's sha or its first digits, at least four".to_owned()),
    }
}

fn time_text(time: Duration) -> String {
    jiff::SignedDuration::try_from(time).map_or_else(|_| format!("{time:?}"), |time| format!("{time:#}"))
}

fn time(text: &str) -> Result<Duration, String> {
    let time: jiff::SignedDuration =
        text.parse().map_err(|_| "it is a time such as 90s, 30m or 2h".to_owned())?;
    time.try_into().map_err(|_| "it is not a time to wait".to_owned())
}

pub(super) async fn run(
    arguments: &Arguments,
    global: &Global,
    config: &Config,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let mut app = global.look(config, output).await?;
    let targets = link::in_manifest(&app, &arguments.links)?;
    let scope = Scope { targets, ..Scope::default() };
    let clock = Arc::clone(&app.clock);
    let began = clock.elapsed();
    let mut told = BTreeMap::new();
    loop {
        let seen = look(&app, &scope.targets).await?;
        let arrivals = arrivals(&app, &scope, &arguments.goal).await?;
        let style = output.error_style();
        for (link, arrival) in arrivals.iter().filter(|(link, arrival)| told.get(*link) != Some(*arrival)) {
            let text = ArrivalText { link, arrival, style }.to_string();
            output.note(text.trim_end());
        }
        let is_held = |arrival: &Arrival| matches!(arrival, Arrival::Held(_));
        if arrivals.values().any(is_held) {
            return Ok(ExitStatus::Failure);
        }
        let is_there = |arrival: &Arrival| matches!(arrival, Arrival::Arrived(_));
        if arrivals.values().all(is_there) {
            return Ok(ExitStatus::Success);
        }
        told = arrivals;
        for _ in 0..LOOKS {
            if clock.elapsed().saturating_sub(began) >= arguments.timeout {
                let left = told.values().filter(|arrival| !is_there(arrival)).count();
                let (links, are) = if left == 1 { ("link", "is") } else { ("links", "are") };
                let after = time_text(arguments.timeout);
                output.note(format_args!("timed out after {after}: {left} {links} {are} not there yet"));
                return Ok(ExitStatus::TimedOut);
            }
            tokio::time::sleep(EVERY.min(arguments.timeout)).await;
            if look(&app, &scope.targets).await? != seen {
                break;
            }
            if seen == Seen::default() {
                // There may be no record yet, which is nothing to look at a second time.
                app = global.look(config, output).await?;
            }
        }
    }
}

/// What changes whenever something is recorded of the links, or somebody takes one or leaves it.
type Seen = (BTreeMap<LinkId, Generation>, BTreeMap<LinkId, (Epoch, bool)>);

async fn look(app: &App, targets: &Targets) -> Result<Seen, CommandError> {
    let survey = app.state.survey().await?;
    let heads = survey.heads.into_iter().map(|(id, head)| (id, head.generation));
    let leases = survey.leases.into_iter().map(|(id, lease)| (id, (lease.epoch, lease.owner.is_some())));
    Ok((
        heads.filter(|(id, _)| targets.contain(id)).collect(),
        leases.filter(|(id, _)| targets.contain(id)).collect(),
    ))
}

async fn arrivals(app: &App, scope: &Scope, goal: &Goal) -> Result<BTreeMap<LinkId, Arrival>, CommandError> {
    let input = app.inventory(scope).await?;
    let plan = plan::plan(&input);
    let is_wanted = input.links.iter().filter(|link| link.want.is_some());
    Ok(is_wanted
        .map(|link| {
            let planned = plan.links.binary_search_by(|planned| planned.link.cmp(&link.id)).ok();
            let planned = planned.map(|at| &plan.links[at]);
            (link.id.clone(), plan::arrival(link, planned, goal))
        })
        .collect())
}
