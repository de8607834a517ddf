//! `katkit logs`

use clap::Args;
use jiff::Timestamp;

use super::arguments::{Format, Global};
use super::attempt::{self, Chosen, Which};
use super::error::CommandError;
use super::log_sink::{Layout, Manner};
use super::moment::{self, Moment};
use super::output::Output;
use super::{ExitStatus, follow_links, link, log_show, running};
use crate::app::App;
use crate::config::Config;
use crate::domain::PhaseName;
use crate::journal::PastAttempt;
use crate::views::LogHeading;

/// Show the logs of phases, or which phases run
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit logs                          Which phases run now
  katkit logs dev/shop                 What runs, else failed, else ran last
  katkit logs -f dev/shop              Each phase as it runs, to the end
  katkit logs dev/shop -p verify -r 2  The third replica of verify
  katkit logs prod --since 10m         All links of a tenant, merged by time")]
pub(super) struct Arguments {
    /// `tenant/link`, `tenant`, or a pattern [default: list what runs]
    #[arg(id = "link", value_name = "LINK")]
    links: Vec<String>,
    #[command(flatten)]
    which: Which,
    /// Follow the run to its end, or the next one; with --phase or --replica, only that phase
    #[arg(short, long, requires = "link")]
    follow: bool,
    /// Only what was stored since then: `10m` ago, RFC 3339
    #[arg(long, value_name = "TIME", value_parser = moment::parse, requires = "link")]
    since: Option<Moment>,
    /// Begin lines with the time at which they were stored
    #[arg(short, long, requires = "link", conflicts_with = "raw")]
    timestamps: bool,
    /// Byte for byte, with all that would steer a terminal
    #[arg(long, conflicts_with = "format", requires = "link")]
    raw: bool,
    /// text, or json: see `katkit schema logs`
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
    let manner = match (arguments.raw, arguments.format) {
        (true, _) => Manner::Raw,
        (false, Format::Json) => Manner::Events,
        (false, Format::Text) => Manner::Harmless,
    };
    let is_one = match arguments.links.as_slice() {
        [] => return running::list(&app, arguments.format, output).await,
        [one] => link::is_name(one),
        _ => false,
    };
    if manner == Manner::Raw && !is_one {
        let hint = "name one link".to_owned();
        return Err(CommandError::usage("the logs of several links are not one log", hint));
    }
    let layout =
        Layout { manner, names: !is_one, timestamps: arguments.timestamps, whole_lines: !arguments.follow };
    let since = arguments.since.map(|since| since.resolve(app.clock.now()));
    let asked = Asked { links: &arguments.links, which: &arguments.which, since };
    if !arguments.follow {
        return log_show::show(&app, asked, layout, output).await;
    }
    follow_links::run(app, asked, layout, (global, config), output).await
}

/// Which logs were asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) links: &'a [String],
    pub(super) which: &'a Which,
    /// Nothing that was stored before.
    pub(super) since: Option<Timestamp>,
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
