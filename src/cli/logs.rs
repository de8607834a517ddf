//! `katkit logs`

use clap::Args;

use super::arguments::{Format, Global};
use super::attempt::{self, Chosen, Which};
use super::error::CommandError;
use super::log_sink::{Manner, Sink};
use super::output::Output;
use super::{ExitStatus, follow, running};
use crate::app::App;
use crate::blobs::LogReader;
use crate::config::Config;
use crate::domain::PhaseName;
use crate::journal::PastAttempt;
use crate::views::LogHeading;

/// Show the log of a phase, or which phases run
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit logs                          Which phases run now
  katkit logs dev/shop                 What runs, else failed, else ran last
  katkit logs -f dev/shop              Each phase as it runs, to the end of the run
  katkit logs dev/shop -p verify -r 2  The third replica of verify")]
pub(super) struct Arguments {
    /// `tenant/link` [default: list the phases that run]
    #[arg(value_name = "LINK")]
    link: Option<String>,
    #[command(flatten)]
    which: Which,
    /// Follow the run to its end, from phase to phase; with --phase, --attempt or --replica, only that phase
    #[arg(short, long, requires = "link")]
    follow: bool,
    /// Byte for byte, with all that would steer a terminal
    #[arg(long, conflicts_with = "format", requires = "link")]
    raw: bool,
    /// What to write: text for people, or json, an event a line, of which `katkit schema logs` tells
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
    let Some(link) = &arguments.link else { return running::list(&app, arguments.format, output).await };
    let manner = match (arguments.raw, arguments.format) {
        (true, _) => Manner::Raw,
        (false, Format::Json) => Manner::Events,
        (false, Format::Text) => Manner::Harmless,
    };
    let mut sink = Sink::new(output, manner);
    let chosen = match attempt::choose(&app, link, &arguments.which).await? {
        Ok(chosen) => chosen,
        Err(nothing) => {
            sink.nothing(&nothing)?;
            return Ok(ExitStatus::Success);
        }
    };
    if !arguments.follow {
        show(&app, &chosen, &arguments.which, manner, &mut sink).await?;
        return Ok(ExitStatus::Success);
    }
    let followed = tokio::select! {
        followed = follow::follow(&app, chosen, &arguments.which, manner, &mut sink) => Some(followed),
        _ = tokio::signal::ctrl_c() => None,
    };
    if let Some(followed) = followed {
        return followed.map(|()| ExitStatus::Success);
    }
    // Colours must not outlive the log.
    sink.end(None)?;
    Ok(ExitStatus::Interrupted)
}

/// What there is of the log, one replica after the other.
async fn show(
    app: &App,
    chosen: &Chosen,
    which: &Which,
    manner: Manner,
    sink: &mut Sink<'_>,
) -> Result<(), CommandError> {
    let (Some(phase), Some(attempt)) = (&chosen.phase, chosen.attempt(which.attempt)?) else {
        return sink.nothing(&chosen.nothing());
    };
    let replicas = replicas(which, attempt, manner)?;
    sink.begin(&heading(app, chosen, phase, attempt), &replicas, attempt.replicas)?;
    let key = chosen.key(phase, attempt);
    let mut found = Vec::new();
    for replica in replicas {
        let mut log = LogReader::new(key.replica(replica));
        loop {
            let piece = log.more(&*app.blobs).await?;
            if piece.is_empty() {
                break;
            }
            sink.say(replica, &piece)?;
        }
        found.push((replica, log.position()));
    }
    sink.end(attempt.ended.as_ref().map(|(_, outcome)| outcome))?;
    if attempt.ended.is_none() {
        sink.note("It has not ended; `katkit logs -f` follows it.");
    }
    attempt::is_whole(app, chosen, (phase, attempt), &found, |status| status.chunks).await
}

/// The replicas whose logs are shown.
pub(super) fn replicas(
    which: &Which,
    attempt: &PastAttempt,
    manner: Manner,
) -> Result<Vec<u32>, CommandError> {
    let replicas = attempt::replicas(which, attempt)?;
    if manner == Manner::Raw && replicas.len() > 1 {
        let what = format!("the logs of {} replicas are not one log", replicas.len());
        return Err(CommandError::refused(what, "say which one: --replica N".to_owned()));
    }
    Ok(replicas)
}

/// Which log it is.
pub(super) fn heading<'a>(
    app: &App,
    chosen: &'a Chosen,
    phase: &'a PhaseName,
    attempt: &'a PastAttempt,
) -> LogHeading<'a> {
    LogHeading {
        link: &chosen.id,
        phase,
        sha: &chosen.run.sha,
        attempt: attempt.number,
        started: attempt.started,
        ended: attempt.ended.as_ref(),
        now: app.clock.now(),
    }
}
