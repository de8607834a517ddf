//! `katkit wait`: waits until links reach a goal. Changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::apply;
use crate::app::App;
use crate::causes;
use crate::cli::ExitStatus;
use crate::cli::arguments::{Format, Global, link};
use crate::cli::error::CommandError;
use crate::cli::output::live_screen::LiveScreen;
use crate::cli::output::usual_durations::{Running, UsualDurations};
use crate::cli::output::{Output, holder};
use crate::config::Config;
use crate::domain::{Epoch, Generation, LinkId, Request, RequestKind};
use crate::git::{GitError, Repositories as _};
use crate::inventory::{Scope, Targets};
use crate::plan::{self, Arrival, Goal, Holder, LinkInput, LinkPlan, Step};
use crate::views::{ArrivalsJson, ArrivalsText, Style, WaitOutcomeJson, short};

/// Interval between two reads of the record.
const EVERY: Duration = Duration::from_secs(1);
/// After this many reads, query repositories and platforms again, even if nothing was recorded.
const POLLS: u32 = 15;

/// How long something may stay unreachable before the command fails.
const MAX_OUTAGE: Duration = Duration::from_mins(1);
/// Replaces [`POLLS`] while something is unreachable.
const AGAIN: u32 = 5;

/// Prefix of the terminal's window title.
const TITLE: &str = "katkit wait";

/// Wait until links run the commits the manifest asks for
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit wait prod/shop                 After a push that someone else applies
  katkit wait prod --for verified       Until all phases of all links succeeded
  katkit wait prod/shop --for 4f2a9c1e  Until this commit is live

Changes nothing. Exits with 0 once every link is there, with 1 as soon as one
failed or is held, or could not be checked for a minute, and with 124 on
timeout. A commit also counts if the live one contains it.")]
pub(in crate::cli) struct Arguments {
    /// Limit to `tenant/link`, `tenant`, or a pattern such as `*/shop`
    #[arg(value_name = "LINK")]
    links: Vec<String>,
    /// live: the wanted commit is deployed; verified: all its phases succeeded; COMMIT: this commit is deployed
    #[arg(long = "for", value_name = "live|verified|COMMIT", default_value = "live", value_parser = goal)]
    goal: Goal,
    /// Give up after this time, such as `90s`, `30m` or `2h`
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = time)]
    timeout: Duration,
    /// Format of the final result: text, or json (schema: `katkit schema wait`)
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
        _ => Err("expected live, verified, or a commit's sha or a prefix of at least four digits".to_owned()),
    }
}

fn time_text(time: Duration) -> String {
    jiff::SignedDuration::try_from(time).map_or_else(|_| format!("{time:?}"), |time| format!("{time:#}"))
}

fn time(text: &str) -> Result<Duration, String> {
    let time: jiff::SignedDuration =
        text.parse().map_err(|_| "expected a time such as 90s, 30m or 2h".to_owned())?;
    time.try_into().map_err(|_| "the time must not be negative".to_owned())
}

pub(in crate::cli) async fn run(
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

/// Why the wait ended; `None` if it was interrupted.
fn outcome(status: ExitStatus) -> Option<WaitOutcomeJson> {
    match status {
        ExitStatus::Success => Some(WaitOutcomeJson::Arrived),
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
    let mut durations = UsualDurations::default();
    let mut outages = OutageTimers::default();
    loop {
        let (seen, mut running, arrivals) = match ask(&app, &scope, &arguments.goal).await {
            Ok(answer) => answer,
            Err(error) => {
                let lasts = outages.is_over(&BTreeSet::from([None]), clock.elapsed());
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
        let unreachable = told.iter().filter(|(_, arrival)| arrival.may_pass());
        let unreachable: BTreeSet<_> = unreachable.map(|(link, _)| Some(link.clone())).collect();
        let is_held = |arrival: &Arrival| match arrival {
            Arrival::Stopped(_) => true,
            Arrival::Held(_) => !arrival.may_pass(),
            _ => false,
        };
        if outages.is_over(&unreachable, clock.elapsed()) || told.values().any(is_held) {
            return Ok(ExitStatus::Failure);
        }
        let missing = told.values().filter(|arrival| !arrival.is_there()).count();
        if missing == 0 {
            return Ok(ExitStatus::Success);
        }
        for _ in 0..if unreachable.is_empty() { POLLS } else { AGAIN } {
            if left().is_zero() {
                return Ok(timed_out(arguments.timeout, Some(missing), screen));
            }
            if screen.is_live() {
                let mut lines = durations.lines(&app, &running).await;
                let (passed, timeout) = (short(passed()), short(arguments.timeout));
                let all = told.len();
                lines.push(format!("waiting for {missing} of {all} links, {passed} of at most {timeout}"));
                screen.show(&lines, &format!("{TITLE}: {} of {all} links", all - missing));
            }
            tokio::time::sleep(EVERY.min(left())).await;
            match look(&app, &scope.targets).await {
                Ok((now, runs)) if now == seen => running = runs,
                // An error is retried by the query above.
                Ok(_) | Err(_) => break,
            }
            if seen == Fingerprint::default() {
                // There may have been no record when the app was opened. Reopen it to see a new one.
                app = global.look_again(config).await?;
            }
        }
    }
}

/// `missing` counts the links that are not there; `None` if unknown.
fn timed_out(timeout: Duration, missing: Option<usize>, screen: &mut LiveScreen) -> ExitStatus {
    let missing = match missing {
        Some(1) => ": 1 link is not there yet".to_owned(),
        Some(number) => format!(": {number} links are not there yet"),
        None => String::new(),
    };
    screen.say(&format!("timed out after {}{missing}", time_text(timeout)));
    ExitStatus::TimedOut
}

/// When each link became unreachable; `None` stands for the state.
#[derive(Debug, Default)]
struct OutageTimers(BTreeMap<Option<LinkId>, Duration>);

impl OutageTimers {
    /// Notes what is unreachable now. Returns whether an outage has lasted too long.
    fn is_over(&mut self, unreachable: &BTreeSet<Option<LinkId>>, now: Duration) -> bool {
        self.0.retain(|link, _| unreachable.contains(link));
        for link in unreachable {
            self.0.entry(link.clone()).or_insert(now);
        }
        self.0.values().any(|since| now.saturating_sub(*since) >= MAX_OUTAGE)
    }
}

/// Changes whenever something is recorded for the links, or a lease is taken or released.
type Fingerprint = (BTreeMap<LinkId, Generation>, BTreeMap<LinkId, (Epoch, bool)>);

/// The fingerprint, and the running phases.
async fn look(app: &App, targets: &Targets) -> Result<(Fingerprint, Vec<Running>), CommandError> {
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
) -> Result<(Fingerprint, Vec<Running>, BTreeMap<LinkId, Arrival>), CommandError> {
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

/// Asks the repository whether the deployed commit contains the named one.
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
            let is_unreachable = error.is_retryable() || matches!(error, GitError::Vanished { .. });
            let problem = || plan::Problem { what: what.clone(), hint: None };
            return Some(if is_unreachable {
                Arrival::Held(problem().into())
            } else {
                Arrival::OnTheWay(what)
            });
        }
    };
    let to = |step: &Step| matches!(step, Step::Deploy(deploy) if deploy.to == commit);
    let back = |request: &Request| matches!(&request.ask, RequestKind::Rollback { to, .. } if *to == commit);
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
