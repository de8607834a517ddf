//! `katkit wait`: until links are where they should be, without doing anything for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::arguments::{Format, Global};
use super::error::CommandError;
use super::live_screen::LiveScreen;
use super::output::Output;
use super::usual::{Paces, Running};
use super::{ExitStatus, apply, holder, link};
use crate::app::App;
use crate::causes;
use crate::config::Config;
use crate::domain::{Ask, Epoch, Generation, LinkId, Request};
use crate::git::{GitError, Repositories as _};
use crate::inventory::{Scope, Targets};
use crate::plan::{self, Arrival, Goal, Holder, LinkInput, LinkPlan, Step};
use crate::views::{ArrivalsJson, ArrivalsText, Style, WaitOutcomeJson, short};

/// How often the record is looked at.
const EVERY: Duration = Duration::from_secs(1);
/// After so many looks repositories and platforms are asked as well, even if nothing was recorded.
const LOOKS: u32 = 15;

/// How long it may last that something cannot be found out.
const PATIENCE: Duration = Duration::from_mins(1);
/// The same while something cannot be found out.
const AGAIN: u32 = 5;

/// What the title of the terminal's window begins with.
const TITLE: &str = "katkit wait";

/// Wait until links run what the manifest asks for
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit wait prod/shop                 After a push that somebody else applies
  katkit wait prod --for verified       Until every phase of every link succeeded
  katkit wait prod/shop --for 4f2a9c1e  Until this commit is live

Changes nothing. Exits with 0 when all of them are there, with 1 as soon as one
failed or is held, or when something could not be found out for a minute, and
with 124 after the timeout. A commit also counts if the live one contains it.")]
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
    /// What to write at the end: text for people, or json, see `katkit schema wait`
    #[arg(long, default_value = "text", hide_possible_values = true)]
    format: Format,
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
    let app = global.look(config, output).await?;
    let (mut screen, style) = (LiveScreen::new(output), output.error_style());
    let mut arrivals = BTreeMap::new();
    let ended = tokio::select! {
        ended = until_there(app, arguments, (global, config), style, (&mut screen, &mut arrivals)) => ended,
        Ok(()) = apply::signalled() => Ok(ExitStatus::Interrupted),
    };
    screen.end();
    let status = ended?;
    if let (Format::Json, Some(outcome)) = (arguments.format, outcome(status)) {
        output.json(&ArrivalsJson::of(outcome, &arrivals))?;
    }
    Ok(status)
}

/// Why the waiting ended; `None` where somebody interrupted it.
fn outcome(status: ExitStatus) -> Option<WaitOutcomeJson> {
    match status {
        ExitStatus::Success => Some(WaitOutcomeJson::There),
        ExitStatus::TimedOut => Some(WaitOutcomeJson::TimedOut),
        ExitStatus::Failure => Some(WaitOutcomeJson::Failed),
        _ => None,
    }
}

async fn until_there(
    mut app: App,
    arguments: &Arguments,
    (global, config): (&Global, &Config),
    style: Style,
    (screen, told): (&mut LiveScreen, &mut BTreeMap<LinkId, Arrival>),
) -> Result<ExitStatus, CommandError> {
    let targets = link::in_manifest(&app, &arguments.links)?;
    let scope = Scope { targets, ..Scope::default() };
    let clock = Arc::clone(&app.clock);
    let began = clock.elapsed();
    let passed = || clock.elapsed().saturating_sub(began);
    let left = || arguments.timeout.saturating_sub(passed());
    let mut paces = Paces::default();
    let mut patience = Patience::default();
    loop {
        let (seen, mut running, arrivals) = match ask(&app, &scope, &arguments.goal).await {
            Ok(answer) => answer,
            Err(error) => {
                let lasts = patience.is_over(&BTreeSet::from([None]), clock.elapsed());
                if lasts {
                    return Err(error);
                }
                screen.say(&format!("not yet: {}", causes::in_one_line(&error)));
                if left().is_zero() {
                    return Ok(timed_out(arguments.timeout, None, screen));
                }
                screen.show(&[], TITLE);
                tokio::time::sleep((EVERY * AGAIN).min(left())).await;
                continue;
            }
        };
        let news = arrivals.iter().filter(|(link, arrival)| told.get(*link) != Some(*arrival));
        let news: Vec<_> = news.collect();
        if !news.is_empty() {
            screen.say(&ArrivalsText { arrivals: &news, style }.to_string());
        }
        *told = arrivals;
        let away = told.iter().filter(|(_, arrival)| arrival.may_pass()).map(|(link, _)| Some(link.clone()));
        let away: BTreeSet<_> = away.collect();
        let is_held = |arrival: &Arrival| match arrival {
            Arrival::Stopped(_) => true,
            Arrival::Held(_) => !arrival.may_pass(),
            _ => false,
        };
        if patience.is_over(&away, clock.elapsed()) || told.values().any(is_held) {
            return Ok(ExitStatus::Failure);
        }
        let missing = told.values().filter(|arrival| !arrival.is_there()).count();
        if missing == 0 {
            return Ok(ExitStatus::Success);
        }
        for _ in 0..if away.is_empty() { LOOKS } else { AGAIN } {
            if left().is_zero() {
                return Ok(timed_out(arguments.timeout, Some(missing), screen));
            }
            if screen.is_live() {
                let mut lines = paces.lines(&app, &running).await;
                let (passed, timeout) = (short(passed()), short(arguments.timeout));
                let all = told.len();
                lines.push(format!("waiting for {missing} of {all} links, {passed} of at most {timeout}"));
                screen.show(&lines, &format!("{TITLE}: {} of {all} links", all - missing));
            }
            tokio::time::sleep(EVERY.min(left())).await;
            match look(&app, &scope.targets).await {
                Ok((now, runs)) if now == seen => running = runs,
                // What cannot be read now is asked for again above.
                Ok(_) | Err(_) => break,
            }
            if seen == Seen::default() {
                // There may be no record yet, which is nothing to look at a second time.
                app = global.look_again(config).await?;
            }
        }
    }
}

/// `missing` counts the links that are not there, where that is known.
fn timed_out(timeout: Duration, missing: Option<usize>, screen: &mut LiveScreen) -> ExitStatus {
    let missing = match missing {
        Some(1) => ": 1 link is not there yet".to_owned(),
        Some(number) => format!(": {number} links are not there yet"),
        None => String::new(),
    };
    screen.say(&format!("timed out after {}{missing}", time_text(timeout)));
    ExitStatus::TimedOut
}

/// Since when something cannot be found out of each link; `None` stands for the state.
#[derive(Debug, Default)]
struct Patience(BTreeMap<Option<LinkId>, Duration>);

impl Patience {
    /// Takes in what cannot be found out now; whether one of these lasts too long.
    fn is_over(&mut self, away: &BTreeSet<Option<LinkId>>, now: Duration) -> bool {
        self.0.retain(|link, _| away.contains(link));
        for link in away {
            self.0.entry(link.clone()).or_insert(now);
        }
        self.0.values().any(|since| now.saturating_sub(*since) >= PATIENCE)
    }
}

/// What changes whenever something is recorded of the links, or somebody takes one or leaves it.
type Seen = (BTreeMap<LinkId, Generation>, BTreeMap<LinkId, (Epoch, bool)>);

/// What changes, and what runs.
async fn look(app: &App, targets: &Targets) -> Result<(Seen, Vec<Running>), CommandError> {
    let mut survey = app.state.survey().await?;
    survey.heads.retain(|(id, _)| targets.contain(id));
    survey.leases.retain(|(id, _)| targets.contain(id));
    let heads = survey.heads.iter().map(|(id, head)| (id.clone(), head.generation)).collect();
    let leases = survey.leases.iter();
    let leases = leases.map(|(id, lease)| (id.clone(), (lease.epoch, lease.owner.is_some()))).collect();
    let holders = holder::of(survey.leases);
    let is_held = |id: &LinkId| matches!(holders.get(id), Some(Holder::Other(_)));
    let held = survey.heads.iter().filter(|(id, _)| is_held(id));
    let running = held.flat_map(|(id, head)| Running::of(id, head)).collect();
    Ok(((heads, leases), running))
}

async fn ask(
    app: &App,
    scope: &Scope,
    goal: &Goal,
) -> Result<(Seen, Vec<Running>, BTreeMap<LinkId, Arrival>), CommandError> {
    let (seen, running) = look(app, &scope.targets).await?;
    let input = app.inventory(scope).await?;
    let plan = plan::plan(&input);
    let mut arrivals = BTreeMap::new();
    for link in input.links.iter().filter(|link| link.want.is_some()) {
        let planned = plan.links.binary_search_by(|planned| planned.link.cmp(&link.id)).ok();
        let planned = planned.map(|at| &plan.links[at]);
        let mut arrival = plan::arrival(link, planned, goal);
        if let (Goal::Commit(digits), Arrival::OnTheWay(_) | Arrival::Stopped(_)) = (goal, &arrival)
            && !planned.is_some_and(plan::is_repair)
            && let Some(other) = by_history(app, link, planned, digits).await
            && (other.is_there() || matches!(arrival, Arrival::OnTheWay(_)))
        {
            arrival = other;
        }
        arrivals.insert(link.id.clone(), arrival);
    }
    Ok((seen, running, arrivals))
}

/// Asks the repository whether the deployed commit contains the one that was named.
///
/// `None` if the named commit is about to be deployed: during a rollback it is an ancestor of what is still live.
async fn by_history(
    app: &App,
    link: &LinkInput,
    planned: Option<&LinkPlan>,
    digits: &str,
) -> Option<Arrival> {
    let (_, asks) = app.manifest().link(&link.id)?;
    let url = &app.manifest().repos.get(&asks.repo)?.url;
    let commit = match app.git.resolve(url, digits).await {
        Ok(commit) => commit,
        Err(error) => {
            let what = causes::in_one_line(&error);
            let is_away = error.is_retryable() || matches!(error, GitError::Vanished { .. });
            let problem = || plan::Problem { what: what.clone(), hint: None };
            return Some(if is_away { Arrival::Held(problem().into()) } else { Arrival::OnTheWay(what) });
        }
    };
    let to = |step: &Step| matches!(step, Step::Deploy(deploy) if deploy.to == commit);
    let back = |request: &Request| matches!(&request.ask, Ask::Rollback { to, .. } if *to == commit);
    let goes_there = matches!(&link.want, Some(Ok(want)) if *want == commit)
        || planned.is_some_and(|planned| planned.steps.iter().any(to))
        || link.head.deploying.as_ref().is_some_and(|deploying| deploying.sha == commit)
        || link.requests.iter().any(back);
    if goes_there {
        return None;
    }
    let live = link.head.deployed.as_ref()?.sha.clone();
    let beyond = app.git.commits(url, Some(&live), &commit, &[], 1).await.ok()?;
    (beyond.listed.is_empty() && beyond.more == 0).then_some(Arrival::Contained { live, commit })
}
