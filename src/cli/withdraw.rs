//! `katkit withdraw`

use clap::Args;

use super::error::CommandError;
use super::request::{Options, RequestCommand, pending};
use crate::app::App;
use crate::domain::{Ask, Head, LinkId, Request};

/// Take back a request that was not granted yet
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit withdraw prod/shop --why \"the other shop\"  The only pending request
  katkit withdraw prod/shop --request 000000000012   One of several

`katkit status` shows what is pending, and from whom.")]
pub(super) struct Arguments {
    #[command(flatten)]
    options: Options,
    /// The id of the request [default: the only one that is pending]
    #[arg(short, long, value_name = "ID")]
    request: Option<String>,
}

impl RequestCommand for Arguments {
    const VERB: &'static str = "withdraw";

    fn options(&self) -> &Options {
        &self.options
    }

    async fn request(&self, app: &App, id: &LinkId, _: &Head) -> Result<(Ask, String), CommandError> {
        let pending = pending(app.state.requests(Some(std::slice::from_ref(id))).await?);
        let named = |request: &&Request| self.request.as_deref().is_none_or(|id| request.id.as_str() == id);
        let found: Vec<_> = pending.iter().filter(named).collect();
        match (found.as_slice(), pending.as_slice()) {
            ([request], _) => {
                let said = format!("the {} that {} asked for is withdrawn.", request.ask.word(), request.by);
                Ok((Ask::Withdraw { id: request.id.clone() }, said))
            }
            (_, []) => Err(CommandError::refused(
                format!("no request for `{id}` is pending"),
                format!("`katkit history {id}` shows what became of those that were"),
            )),
            (_, pending) => {
                let list =
                    |request: &Request| format!("{} ({} by {})", request.id, request.ask.word(), request.by);
                let all: Vec<_> = pending.iter().map(list).collect();
                Err(CommandError::refused(
                    match &self.request {
                        Some(named) => format!("no pending request for `{id}` has the id `{named}`"),
                        None => format!("{} requests for `{id}` are pending", pending.len()),
                    },
                    format!("name one by `--request ID`: {}", all.join(", ")),
                ))
            }
        }
    }

    /// From now on the withdrawn request is not granted; recording the event can wait.
    fn next(&self, _: &str) -> Option<String> {
        None
    }
}
