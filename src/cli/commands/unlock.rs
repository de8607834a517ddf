//! `katkit unlock`

use clap::Args;

use crate::app::Host;
use crate::apply;
use crate::causes;
use crate::cli::ExitStatus;
use crate::cli::arguments::{Global, link};
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::domain::Event;
use crate::liveness;
use crate::views::visible;

/// Revoke the lease of a process that is dead or must stop
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// `tenant/link`
    #[arg(value_name = "LINK")]
    link: String,
    /// Reason, for the record
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
    /// Even if the process is alive: it stops working on the link as soon as it notices, but a change already under way
    /// may still take effect
    #[arg(long)]
    force: bool,
}

pub(in crate::cli) async fn run(
    arguments: &Arguments,
    global: &Global,
    host: &Host,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let opened = global.open(host).await?;
    let estate = &*opened.estate;
    let (id, _) = link::find(estate, &arguments.link).await?;
    let leases = estate.state.leases(Some(std::slice::from_ref(&id))).await?;
    let Some(owner) = leases.into_iter().find_map(|(_, lease)| lease.owner) else {
        output.show(format_args!("No process holds the lease of {id}."))?;
        return Ok(ExitStatus::Success);
    };
    let who = format!("process {} of {} on {}", owner.pid, owner.actor, owner.host);
    if !liveness::is_dead(&owner) && !arguments.force {
        let state = if liveness::is_local(&owner) { "is alive" } else { "may be alive" };
        let what = format!("{who} holds `{id}`, and {state}");
        let hint = format!(
            "`katkit cancel {id}` asks it to stop; `katkit unlock --force {id}` revokes the lease, but cannot undo a change \
             under way"
        );
        return Err(CommandError::refused(what, hint));
    }
    estate.state.break_lease(&id).await?;
    let unlocked = Event::Unlocked { from: owner.to_string(), why: arguments.why.clone() };
    if let Err(error) =
        apply::note(&estate.state, &estate.clock, (&opened.owner, &opened.actor), &id, vec![unlocked]).await
    {
        let error = causes::in_one_line(&error);
        tracing::warn!(%error, "the unlock of {id} could not be recorded in its journal");
    }
    output.show(format_args!("{id} is unlocked; {} held it.", visible(&who)))?;
    Ok(ExitStatus::Success)
}
