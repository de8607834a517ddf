//! `katkit logs`

pub(in crate::cli) mod follow;
pub(in crate::cli) mod follow_links;
pub(in crate::cli) mod follow_run;
pub(in crate::cli) mod running;
pub(in crate::cli) mod selection;
pub(in crate::cli) mod show;
pub(in crate::cli) mod sink;

use std::sync::Arc;

use clap::Args;

use self::selection::LogSelection;
use self::sink::{Layout, LogForm};
use crate::app::Host;
use crate::cli::ExitStatus;
use crate::cli::arguments::attempt::Which;
use crate::cli::arguments::moment::{self, Moment};
use crate::cli::arguments::{Format, Global, link};
use crate::cli::error::CommandError;
use crate::cli::output::Output;

/// Show the logs of phases, or list the running phases
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit logs                          List the running phases
  katkit logs dev/shop                 The running, else failed, else last phase
  katkit logs -f dev/shop              Each phase as it runs, to the end
  katkit logs dev/shop -p verify -r 2  The third replica of verify
  katkit logs prod --since 10m         All links of a tenant, merged by time")]
pub(in crate::cli) struct Arguments {
    /// `tenant/link`, `tenant`, or pattern [default: list running phases]
    #[arg(id = "link", value_name = "LINK")]
    links: Vec<String>,
    #[command(flatten)]
    which: Which,
    /// Follow the current or next run to its end; with --phase or --replica, only that phase
    #[arg(short, long, requires = "link")]
    follow: bool,
    /// Only output stored since `10m` ago, or an RFC 3339 time
    #[arg(long, value_name = "TIME", value_parser = moment::parse, requires = "link")]
    since: Option<Moment>,
    /// Prefix each line with the time it was stored
    #[arg(short, long, requires = "link", conflicts_with = "raw")]
    timestamps: bool,
    /// Byte for byte, including terminal control sequences
    #[arg(long, conflicts_with = "format", requires = "link")]
    raw: bool,
    /// Output format: text, or json (schema: `katkit schema logs`)
    #[arg(long, default_value = "text", hide_possible_values = true)]
    format: Format,
}

pub(in crate::cli) async fn run(
    arguments: &Arguments,
    global: &Global,
    host: &Host,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let opened = global.look(host, output).await?;
    let estate = &*opened.estate;
    let options = match (arguments.raw, arguments.format) {
        (true, _) => LogForm::Raw,
        (false, Format::Json) => LogForm::Events,
        (false, Format::Text) => LogForm::Harmless,
    };
    let is_one = match arguments.links.as_slice() {
        [] => return running::list(estate, arguments.format, output).await,
        [one] => link::is_name(one),
        _ => false,
    };
    if options == LogForm::Raw && !is_one {
        let hint = "name one link".to_owned();
        return Err(CommandError::usage("`--raw` needs a single link", hint));
    }
    let layout =
        Layout { options, names: !is_one, timestamps: arguments.timestamps, whole_lines: !arguments.follow };
    let since = arguments.since.map(|since| since.resolve(estate.clock.now()));
    let asked = LogSelection { links: &arguments.links, which: &arguments.which, since };
    if !arguments.follow {
        return show::show(estate, asked, layout, output).await;
    }
    follow_links::run(Arc::clone(&opened.estate), asked, layout, (global, host), output).await
}
