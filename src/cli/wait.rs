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
use crate::causes;
use crate::config::Config;
use crate::domain::{Epoch, Generation, Head, LinkId};
use crate::git::Repositories as _;
use crate::inventory::{Scope, Targets};
use crate::plan::{self, Arrival, Goal};
use crate::views::ArrivalText;

/// How often the record is looked at.
const EVERY: Duration = Duration::from_secs(1);
/// After so many looks repositories and platforms are asked as well, even if nothing was recorded.
const LOOKS: u32 = 15;

/// How long it may last that something cannot be found out.
const PATIENCE: Duration = Duration::from_mins(1);
/// The same while something cannot be found out.
const AGAIN: u32 = 5;

/// Wait until links run what the manifest asks for
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit wait prod/shop                 After a push that somebody else applies
  katkit wait prod --for verified       Until every phase of every link succeeded
  katkit wait prod/shop --for 4f2a9c1e  Until this commit is live

Changes nothing. Exits with 0 when all of them are there, with 1 as soon as one
failed or is held, or when something could not be found out for a minute, and
with 124 after the timeout. A commit is live, too, when what is live contains it.")]
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
    // Since when something cannot be found out.
    let mut away: Option<Duration> = None;
    loop {
        let asked = clock.elapsed();
        let (seen, arrivals) = match ask(&app, &scope, &arguments.goal).await {
            Ok(answer) => answer,
            Err(error) if asked.saturating_sub(*away.get_or_insert(asked)) < PATIENCE => {
                output.note(format_args!("not yet: {}", causes::in_one_line(&error)));
                if asked.saturating_sub(began) >= arguments.timeout {
                    return Err(error);
                }
                tokio::time::sleep((EVERY * AGAIN).min(arguments.timeout)).await;
                continue;
            }
            Err(error) => return Err(error),
        };
        let style = output.error_style();
        for (link, arrival) in arrivals.iter().filter(|(link, arrival)| told.get(*link) != Some(*arrival)) {
            let text = ArrivalText { link, arrival, style }.to_string();
            output.note(text.trim_end());
        }
        away = if arrivals.values().any(Arrival::may_pass) { away.or(Some(asked)) } else { None };
        let lasts = away.is_some_and(|since| asked.saturating_sub(since) >= PATIENCE);
        let is_held = |arrival: &Arrival| match arrival {
            Arrival::Stopped(_) => true,
            Arrival::Held(_) => lasts || !arrival.may_pass(),
            _ => false,
        };
        if arrivals.values().any(is_held) {
            return Ok(ExitStatus::Failure);
        }
        if arrivals.values().all(Arrival::is_there) {
            return Ok(ExitStatus::Success);
        }
        told = arrivals;
        for _ in 0..if away.is_some() { AGAIN } else { LOOKS } {
            if clock.elapsed().saturating_sub(began) >= arguments.timeout {
                let left = told.values().filter(|arrival| !arrival.is_there()).count();
                let (links, are) = if left == 1 { ("link", "is") } else { ("links", "are") };
                let after = time_text(arguments.timeout);
                output.note(format_args!("timed out after {after}: {left} {links} {are} not there yet"));
                return Ok(ExitStatus::TimedOut);
            }
            tokio::time::sleep(EVERY.min(arguments.timeout)).await;
            // What cannot be read now is asked for again above.
            if look(&app, &scope.targets).await.map_or(true, |now| now != seen) {
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

async fn ask(
    app: &App,
    scope: &Scope,
    goal: &Goal,
) -> Result<(Seen, BTreeMap<LinkId, Arrival>), CommandError> {
    let seen = look(app, &scope.targets).await?;
    let input = app.inventory(scope).await?;
    let plan = plan::plan(&input);
    let mut arrivals = BTreeMap::new();
    for link in input.links.iter().filter(|link| link.want.is_some()) {
        let planned = plan.links.binary_search_by(|planned| planned.link.cmp(&link.id)).ok();
        let planned = planned.map(|at| &plan.links[at]);
        let mut arrival = plan::arrival(link, planned, goal);
        if let (Goal::Commit(digits), Arrival::OnTheWay(_)) = (goal, &arrival)
            && !planned.is_some_and(plan::is_repair)
            && let Some(other) = by_history(app, &link.id, &link.head, digits).await
        {
            arrival = other;
        }
        arrivals.insert(link.id.clone(), arrival);
    }
    Ok((seen, arrivals))
}

/// What the repository says of a commit that is not the one that is deployed.
async fn by_history(app: &App, id: &LinkId, head: &Head, digits: &str) -> Option<Arrival> {
    let (_, link) = app.manifest().link(id)?;
    let url = &app.manifest().repos.get(&link.repo)?.url;
    let commit = match app.git.resolve(url, digits).await {
        Ok(commit) => commit,
        Err(error) => return Some(Arrival::OnTheWay(causes::in_one_line(&error))),
    };
    let live = head.deployed.as_ref()?.sha.clone();
    let beyond = app.git.commits(url, Some(&live), &commit, &[], 1).await.ok()?;
    (beyond.listed.is_empty() && beyond.more == 0).then_some(Arrival::Contained { live, commit })
}
