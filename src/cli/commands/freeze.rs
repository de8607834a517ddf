//! `katkit freeze`

use clap::Args;

use crate::app::Host;
use crate::cli::ExitStatus;
use crate::cli::arguments::instant::{self, Instant};
use crate::cli::arguments::{Global, link};
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::consents::{self, Frozen};
use crate::domain::LinkPatterns;
use crate::policy::Zone;
use crate::views::hang;

/// Hold deployments until a time, whatever their policies say
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit freeze prod-eu prod-us --until 2h --why \"incident 4711\"
  katkit freeze \"*\" --until \"mon 08:00\" --zone Europe/Berlin --why \"move\"

What was issued finishes, and phases before a deployment run. `katkit calendar`
lists the freezes, `katkit thaw` ends them.")]
pub(in crate::cli) struct Arguments {
    /// `tenant/link`, `tenant`, or a pattern such as `*/shop`; repeatable. Links that match it later are frozen, too
    #[arg(value_name = "LINK", required = true)]
    links: Vec<String>,
    /// When it ends: `fri 17:00`, `2026-12-20 09:00`, a duration from now such as `2h`, or RFC 3339
    #[arg(long, value_name = "TIME", value_parser = instant::parse)]
    until: Instant,
    /// The time zone of TIME
    #[arg(long, value_name = "ZONE", default_value = "UTC", value_parser = instant::zone)]
    zone: Zone,
    /// Reason, shown wherever the freeze holds something
    #[arg(long, value_name = "TEXT")]
    why: String,
    /// Hold requested rollbacks as well
    #[arg(long)]
    rollbacks: bool,
}

pub(in crate::cli) async fn run(
    arguments: &Arguments,
    global: &Global,
    host: &Host,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let Arguments { links, until, zone, why, rollbacks } = arguments;
    let opened = global.open(host).await?;
    let estate = &*opened.estate;
    let targets = link::in_manifest(estate, links)?;
    let now = estate.clock.now();
    let until = until.resolve(now, zone).ok_or_else(instant::too_far)?;
    if until <= now {
        let what = format!("the freeze would end at {}, which has passed", zone.at(until));
        return Err(CommandError::usage(what, "give `--until` a time that is still to come".to_owned()));
    }
    let frozen = Frozen {
        links: LinkPatterns::try_from(links.clone())?,
        until,
        zone: zone.clone(),
        holds_rollbacks: *rollbacks,
    };
    let given = consents::freeze(estate, &opened.actor, Some(why.clone()), frozen).await?;
    let count = link::of_manifest(estate).iter().filter(|id| targets.contain(id)).count();
    let links = if count == 1 { "1 link".to_owned() } else { format!("{count} links") };
    let (id, until) = (given.id, zone.at(until));
    let text = format!("Froze {links} until {until} (freeze {id}). `katkit thaw {id}` ends it.");
    output.show(hang("", 0, &text, output.style()))?;
    Ok(ExitStatus::Success)
}
