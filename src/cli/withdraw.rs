//! `katkit withdraw`

use clap::Args;

use super::error::CommandError;
use super::request::{Asked, Options, RequestCommand, pending};
use crate::app::App;
use crate::domain::{Ask, Head, LinkId, Request};

/// Take back requests that were not granted yet
#[derive(Debug, Args)]
#[command(mut_arg("links", |links| links.required(false).required_unless_present("all")))]
#[command(after_help = "\
Examples:
  katkit withdraw prod/shop --why \"the other shop\"  The only pending request
  katkit withdraw prod/shop --request 000000000012   One of several
  katkit withdraw prod --all                         Every one of a tenant
  katkit withdraw --all                              Every one there is

`katkit status` shows what is pending, and from whom.")]
pub(super) struct Arguments {
    #[command(flatten)]
    options: Options,
    /// The id of a request; may be given several times [default: the only one that is pending]
    #[arg(short, long = "request", value_name = "ID")]
    requests: Vec<String>,
    /// Every request that is pending, of these links or of all
    #[arg(long, conflicts_with = "requests")]
    all: bool,
}

impl RequestCommand for Arguments {
    const VERB: &'static str = "withdraw";

    fn options(&self) -> &Options {
        &self.options
    }

    async fn requests(&self, app: &App, id: &LinkId, _: &Head) -> Result<Vec<Asked>, CommandError> {
        let pending = pending(app.state.requests(Some(std::slice::from_ref(id))).await?);
        if pending.is_empty() {
            return Err(CommandError::refused(
                format!("no request for `{id}` is pending"),
                format!("`katkit history {id}` shows what became of those that were"),
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
            format!("name them by `--request ID`, or say `--all`: {}", list.join(", ")),
        ))
    }

    /// From now on the withdrawn request is not granted; recording the event can wait.
    fn next(&self, _: &str) -> Option<String> {
        None
    }
}

fn withdrawn(request: &Request) -> Asked {
    let said = format!("the {} that {} asked for is withdrawn.", request.ask.word(), request.by);
    (Ask::Withdraw { id: request.id.clone() }, said)
}
