//! What the commands share that ask for something: it is recorded, and `apply` does it.

use clap::Args;

use super::ExitStatus;
use super::apply::{Manner, carry_out};
use super::error::CommandError;
use super::output::Output;
use super::plan::{self, Selection};
use crate::app::App;
use crate::domain::{Ask, LinkId};
use crate::state::NewRequest;

/// How a request is made
#[derive(Clone, Debug, Args)]
pub(super) struct How {
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
    /// Carry it out at once, instead of leaving it to the next `apply`
    #[arg(long)]
    apply: bool,
}

/// Records what was asked for, says so, and carries it out if that was asked for too.
pub(super) async fn ask(
    app: &App,
    id: &LinkId,
    asks: Vec<Ask>,
    how: &How,
    said: &str,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    for ask in asks {
        let wish = NewRequest {
            link: id.clone(),
            at: app.clock.now(),
            by: app.actor.clone(),
            why: how.why.clone(),
            ask,
        };
        app.state.submit(wish).await?;
    }
    if how.apply {
        let plan = plan::make(app, &Selection::one(id), true).await?;
        return carry_out(app, plan, Manner::default(), output).await;
    }
    output.show(format_args!("{said}\n`katkit apply --target {id}` does it."))?;
    Ok(ExitStatus::Success)
}
