//! `katkit wait`: waits until links reach a goal. Changes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::carry_out;
use crate::app::Host;
use crate::causes;
use crate::cli::ExitStatus;
use crate::cli::arguments::{Format, Global, link};
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::cli::output::live_screen::LiveScreen;
use crate::cli::output::usual_durations::UsualDurations;
use crate::domain::LinkId;
use crate::estate::Estate;
use crate::plan::{Arrival, Goal};
use crate::queries::{self, Activity, Arrivals, OutageTimers, WaitState};
use crate::views::{ArrivalsJson, ArrivalsText, Style, WaitOutcomeJson, short};

/// Interval between two reads of the record.
const EVERY: Duration = Duration::from_secs(1);
/// After this many reads, query repositories and platforms again, even if nothing was recorded.
const POLLS: u32 = 15;
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
    host: &Host,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let opened = global.look(host, output).await?;
    let (mut screen, style) = (LiveScreen::new(output), output.error_style());
    let mut arrivals = BTreeMap::new();
    let ended = tokio::select! {
        ended = until_there(opened.estate, arguments, (global, host), style, (&mut screen, &mut arrivals)) => ended,
        Ok(()) = carry_out::signalled() => Ok(ExitStatus::Interrupted),
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
    mut estate: Arc<Estate>,
    arguments: &Arguments,
    (global, host): (&Global, &Host),
    style: Style,
    (screen, told): (&mut LiveScreen, &mut BTreeMap<LinkId, Arrival>),
) -> Result<ExitStatus, CommandError> {
    let targets = link::in_manifest(&estate, &arguments.links)?;
    let clock = Arc::clone(&estate.clock);
    let began = clock.elapsed();
    let passed = || clock.elapsed().saturating_sub(began);
    let left = || arguments.timeout.saturating_sub(passed());
    let mut durations = UsualDurations::default();
    let mut outages = OutageTimers::default();
    loop {
        let asked = queries::arrivals(&estate, &targets, &arguments.goal).await;
        let Arrivals { activity, links: arrivals } = match asked {
            Ok(answer) => answer,
            Err(error) => {
                if outages.is_record_lost(clock.elapsed()) {
                    return Err(error.into());
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
        let Activity { fingerprint: seen, mut running } = activity;
        let news = arrivals.iter().filter(|(link, arrival)| told.get(*link) != Some(*arrival));
        let news: Vec<_> = news.collect();
        if !news.is_empty() {
            screen.say(&ArrivalsText { arrivals: &news, style }.to_string());
        }
        *told = arrivals;
        let (missing, polls) = match outages.judge(told, clock.elapsed()) {
            WaitState::Arrived => return Ok(ExitStatus::Success),
            WaitState::Failed => return Ok(ExitStatus::Failure),
            WaitState::Waiting { missing, is_unreachable: false } => (missing, POLLS),
            WaitState::Waiting { missing, is_unreachable: true } => (missing, AGAIN),
        };
        for _ in 0..polls {
            if left().is_zero() {
                return Ok(timed_out(arguments.timeout, Some(missing), screen));
            }
            if screen.is_live() {
                let mut lines = durations.lines(&estate, &running).await;
                let (passed, timeout) = (short(passed()), short(arguments.timeout));
                let all = told.len();
                lines.push(format!("waiting for {missing} of {all} links, {passed} of at most {timeout}"));
                screen.show(&lines, &format!("{TITLE}: {} of {all} links", all - missing));
            }
            tokio::time::sleep(EVERY.min(left())).await;
            match queries::activity(&estate, &targets).await {
                Ok(now) if now.fingerprint == seen => running = now.running,
                // An error is retried by the query above.
                Ok(_) | Err(_) => break,
            }
            if seen.is_empty() {
                // There may have been no record when the manifest was opened. Reopen it to see a new one.
                estate = global.look_again(host).await?.estate;
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
