//! `katkit withdraw`

use clap::Args;

use super::request::{ConfirmedRequest, Options, RequestCommand, pending};
use crate::app::App;
use crate::cli::error::CommandError;
use crate::domain::{Head, LinkId, Request, RequestKind};

/// Withdraw pending requests
#[derive(Debug, Args)]
#[command(mut_arg("links", |links| links.required(false).required_unless_present("all")))]
#[command(after_help = "\
Examples:
  katkit withdraw prod/shop --why \"wrong tenant\"    The only pending request
  katkit withdraw prod/shop --request 000000000012   One of several
  katkit withdraw prod --all                         All requests of a tenant
  katkit withdraw --all                              All requests

`katkit status` shows what is pending, and who requested it.")]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    options: Options,
    /// Id of a request; repeatable [default: the only pending request]
    #[arg(short, long = "request", value_name = "ID")]
    requests: Vec<String>,
    /// All pending requests, of these links or of all links
    #[arg(long, conflicts_with = "requests")]
    all: bool,
}

impl RequestCommand for Arguments {
    const VERB: &'static str = "withdraw";

    fn options(&self) -> &Options {
        &self.options
    }

    async fn requests(
        &self,
        app: &App,
        id: &LinkId,
        _: &Head,
    ) -> Result<Vec<ConfirmedRequest>, CommandError> {
        let pending = pending(app.state.requests(Some(std::slice::from_ref(id))).await?);
        if pending.is_empty() {
            return Err(CommandError::refused(
                format!("no request for `{id}` is pending"),
                format!("`katkit history {id}` shows the outcome of earlier requests"),
            ));
        }
        let is_pending = |named: &String| pending.iter().any(|request| request.id.as_str() == named);
        let what = match self.requests.iter().find(|named| !is_pending(named)) {
            Some(named) => format!("no pending request for `{id}` has the id `{named}`"),
            None if self.requests.is_empty() && !self.all && pending.len() > 1 => {
                format!("{} requests for `{id}` are pending", pending.len())
            }
            None => {
                let is_meant = |request: &&Request| {
                    self.requests.is_empty() || self.requests.iter().any(|id| request.id.as_str() == id)
                };
                return Ok(pending.iter().filter(is_meant).map(withdrawn).collect());
            }
        };
        let list = |request: &Request| format!("{} ({} by {})", request.id, request.ask.word(), request.by);
        let list: Vec<_> = pending.iter().map(list).collect();
        Err(CommandError::refused(
            what,
            format!("choose with `--request ID`, or use `--all`: {}", list.join(", ")),
        ))
    }

    /// Nothing: the withdrawal takes effect at once, and recording the event can wait.
    fn next(&self, _: &str) -> Option<String> {
        None
    }
}

fn withdrawn(request: &Request) -> ConfirmedRequest {
    let said = format!("the {} that {} requested is withdrawn.", request.ask.word(), request.by);
    (RequestKind::Withdraw { id: request.id.clone() }, said)
}
