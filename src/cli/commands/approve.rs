//! `katkit approve`

use clap::Args;

use crate::app::Host;
use crate::cli::ExitStatus;
use crate::cli::arguments::{Global, link};
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::consents::{self, Approved};
use crate::domain::{Consent, ConsentKind};
use crate::policy::MissingApprovals;
use crate::views::hang;

/// Approve the commit that waits for approvals
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit approve prod-eu/shop 3f2a9c1 --why \"the diff is fine\"
  katkit approve prod-eu/shop --withdraw      No longer, as long as it is not live

An approval is for all commits between what is live and this one. It lapses when
commits are added, and holds if some are taken away.")]
pub(in crate::cli) struct Arguments {
    /// `tenant/link`
    #[arg(value_name = "LINK")]
    link: String,
    /// The commit that you approve, at least four digits: refused if another one waits
    #[arg(value_name = "SHA", required_unless_present = "withdraw", conflicts_with = "withdraw")]
    sha: Option<String>,
    /// Reason, for the record
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
    /// Withdraw your approvals for the link instead
    #[arg(long)]
    withdraw: bool,
}

pub(in crate::cli) async fn run(
    arguments: &Arguments,
    global: &Global,
    host: &Host,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let Arguments { link, sha, why, withdraw } = arguments;
    let opened = global.open(host).await?;
    let (estate, by) = (&*opened.estate, &opened.actor);
    let (id, _) = link::requested(estate, link).await?;
    let style = output.style();
    let Some(sha) = sha.as_ref().filter(|_| !withdraw) else {
        for Consent { id: number, what, .. } in consents::withdraw(estate, by, why.clone(), &id).await? {
            let ConsentKind::Approval { changes, .. } = what else { continue };
            let text = format!("Withdrew approval {number} of {} for {id}.", changes.to.short());
            output.show(hang("", 0, &text, style))?;
        }
        return Ok(ExitStatus::Success);
    };
    let Approved { consent, is_old, missing, other_holds, is_owed } =
        consents::approve(estate, by, why.clone(), &id, sha).await?;
    let ConsentKind::Approval { changes, .. } = &consent.what else { return Ok(ExitStatus::Success) };
    let (short, number) = (changes.to.short(), consent.id);
    let done = match is_old {
        true => format!("You had approved {short} for {id} before (approval {number})."),
        false => format!("Approved {short} for {id} (approval {number})."),
    };
    let rest = match (missing.as_slice(), other_holds.as_slice()) {
        ([], _) if is_owed => "It has all approvals that it owed.".to_owned(),
        ([], []) => format!("It has all approvals: `katkit apply {id}` deploys it."),
        ([], others) => format!("It has all approvals. What else it waits for: {}.", others.join("; ")),
        (missing, _) => {
            let missing: Vec<_> = missing.iter().map(MissingApprovals::describe).collect();
            format!("It {}.", missing.join(", and "))
        }
    };
    output.show(hang("", 0, &format!("{done} {rest}"), style))?;
    Ok(ExitStatus::Success)
}
