//! `katkit withdraw`

use clap::Args;

use super::request::{Options, RequestCommand};
use crate::domain::RequestId;
use crate::requests::{Action, Withdrawal};

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

    fn action(&self) -> Action {
        Action::Withdraw(match self.requests.as_slice() {
            [] if self.all => Withdrawal::All,
            [] => Withdrawal::Only,
            ids => Withdrawal::Ids(ids.iter().cloned().map(RequestId).collect()),
        })
    }

    /// Nothing: the withdrawal takes effect at once, and recording the event can wait.
    fn next(&self, _: &str) -> Option<String> {
        None
    }
}
