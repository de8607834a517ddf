//! `katkit override`

use clap::{Args, ValueEnum};

use crate::app::Host;
use crate::cli::ExitStatus;
use crate::cli::arguments::instant::{self, Instant};
use crate::cli::arguments::{Global, link};
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::consents::{self, Overridden, Waiver};
use crate::domain::{Consent, ConsentKind, GateName};
use crate::policy::Zone;
use crate::views::hang;

/// Let a commit run although conditions are not met
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit override prod/shop 3f2a9c1 --gate freeze --until 2h --why incident
  katkit override prod/shop --withdraw   End it, unless its commit has run

While the commit is live, it owes verified, soak, approvals and review if they
were waived: no other commit runs there until that is met, or someone else
forgives it.")]
pub(in crate::cli) struct Arguments {
    /// `tenant/link`
    #[arg(value_name = "LINK")]
    link: String,
    /// The commit: a sha, a prefix of it, a branch or a tag
    #[arg(value_name = "COMMIT", required_unless_present = "withdraw", conflicts_with = "withdraw")]
    commit: Option<String>,
    /// What to waive: verified, soak, approvals, review, freeze, windows, or max-per-day; repeatable
    #[arg(long = "gate", value_name = "GATE", hide_possible_values = true)]
    #[arg(required_unless_present = "withdraw", conflicts_with = "withdraw")]
    gates: Vec<Gate>,
    /// When it ends, at most a week from now: `2h`, `fri 17:00`, `2026-12-20 09:00`, or RFC 3339
    #[arg(long, value_name = "TIME", value_parser = instant::parse)]
    #[arg(required_unless_present = "withdraw", conflicts_with = "withdraw")]
    until: Option<Instant>,
    /// The time zone of TIME
    #[arg(long, value_name = "ZONE", default_value = "UTC", value_parser = instant::zone)]
    zone: Zone,
    /// Reason, for the record
    #[arg(long, value_name = "TEXT", required_unless_present = "withdraw")]
    why: Option<String>,
    /// End the override for the link instead
    #[arg(long)]
    withdraw: bool,
}

/// A condition to waive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Gate {
    Verified,
    Soak,
    Approvals,
    Review,
    Freeze,
    Windows,
    MaxPerDay,
}

impl From<Gate> for GateName {
    fn from(gate: Gate) -> Self {
        match gate {
            Gate::Verified => Self::Verified,
            Gate::Soak => Self::Soak,
            Gate::Approvals => Self::Approvals,
            Gate::Review => Self::Review,
            Gate::Freeze => Self::Freeze,
            Gate::Windows => Self::Windows,
            Gate::MaxPerDay => Self::MaxPerDay,
        }
    }
}

pub(in crate::cli) async fn run(
    arguments: &Arguments,
    global: &Global,
    host: &Host,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let Arguments { link, commit, gates, until, zone, why, withdraw } = arguments;
    let opened = global.open(host).await?;
    let (estate, by) = (&*opened.estate, &opened.actor);
    let (id, head) = link::requested(estate, link).await?;
    let style = output.style();
    let (Some(commit), Some(until), Some(why), false) = (commit, until, why, withdraw) else {
        let ended = consents::withdraw_override(estate, by, (&id, &head), why.clone()).await?;
        for Consent { id: number, what, .. } in ended {
            let ConsentKind::Override { sha, .. } = what else { continue };
            let text = format!("Withdrew override {number} of {} for {id}.", sha.short());
            output.show(hang("", 0, &text, style))?;
        }
        return Ok(ExitStatus::Success);
    };
    let now = estate.clock.now();
    let until = until.resolve(now, zone).ok_or_else(instant::too_far)?;
    let last = now.checked_add(consents::LONGEST).unwrap_or(jiff::Timestamp::MAX);
    if until <= now || until > last {
        let what = format!("an override ends within a week from now, and {} does not", zone.at(until));
        return Err(CommandError::usage(what, "give `--until` such a time, for instance `2h`".to_owned()));
    }
    let gates = gates.iter().map(|gate| GateName::from(*gate)).collect();
    let waiver = Waiver { commit: commit.clone(), gates, until, why: why.clone() };
    let names: Vec<_> = waiver.gates.iter().copied().collect();
    let Overridden { id: number, sha, owes } =
        consents::override_gates(estate, by, (&id, &head), waiver).await?;
    let (waived, short, until) = (GateName::list(&names), sha.short(), zone.at(until));
    let also = match owes.as_slice() {
        [] => String::new(),
        owes => format!(" It takes over the debt of what is live, which owes {}.", GateName::list(owes)),
    };
    let leaves_debt = !owes.is_empty() || names.iter().any(|gate| gate.leaves_debt());
    let debt = match leaves_debt {
        true => {
            " While it is live, no other commit runs there until that is met, or someone else forgives it."
        }
        false => "",
    };
    let text = format!(
        "Waived {waived} for {short} in {id} until {until} (override {number}).{also} `katkit apply {id}` runs it, \
         unless something else holds it.{debt}"
    );
    output.show(hang("", 0, &text, style))?;
    Ok(ExitStatus::Success)
}
