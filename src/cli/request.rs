//! What the commands share that ask for something: it is recorded, and `apply` does it.

use clap::Args;

use super::apply::{Manner, carry_out};
use super::arguments::Global;
use super::error::CommandError;
use super::output::Output;
use super::plan::{self, Selection};
use super::{ExitStatus, link};
use crate::app::App;
use crate::config::Config;
use crate::domain::{Ask, Head, LinkId};
use crate::state::NewRequest;
use crate::views::visible;

/// Of which link something is asked for, and how
#[derive(Clone, Debug, Args)]
pub(super) struct Of {
    /// `tenant/link`
    #[arg(value_name = "LINK")]
    pub(super) link: String,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", display_order = 100)]
    why: Option<String>,
    /// Carry it out at once, instead of leaving it to the next `apply`
    #[arg(long, display_order = 101)]
    apply: bool,
}

/// A command that asks for something.
pub(super) trait Asks {
    /// Of which link, and how.
    fn of(&self) -> &Of;

    /// What for, and what is said once that is recorded; or why it makes no sense for a link of which this is known.
    async fn ask(&self, app: &App, id: &LinkId, head: &Head) -> Result<(Ask, String), CommandError>;
}

/// Records what was asked for, says so, and carries it out if that was asked for too.
pub(super) async fn run(
    command: &impl Asks,
    global: &Global,
    config: &Config,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let app = global.open(config).await?;
    let Of { link, why, apply } = command.of();
    let (id, head) = link::requested(&app, link).await?;
    let (ask, said) = command.ask(&app, &id, &head).await?;
    let withdraws = matches!(ask, Ask::Withdraw { .. });
    let (at, by) = (app.clock.now(), app.actor.clone());
    app.state.submit(NewRequest { link: id.clone(), at, by, why: why.clone(), ask }).await?;
    if *apply {
        let plan = plan::make(&app, &Selection::one(&id), true).await?;
        return carry_out(&app, plan, Manner::default(), output).await;
    }
    // From now on the withdrawn request is not granted; recording the event can wait.
    let next = if withdraws { String::new() } else { format!("\n`katkit apply --target {id}` does it.") };
    output.show(format_args!("{id}: {}{next}", visible(&said)))?;
    Ok(ExitStatus::Success)
}
