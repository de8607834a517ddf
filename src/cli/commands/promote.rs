//! `katkit promote`

use clap::Args;

use super::request::{Options, RequestCommand};
use crate::requests::Action;

/// Choose the next commit of a link in a pipeline
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit promote prod/shop --apply            The newest commit that may run there
  katkit promote prod/shop --sha 3f2a9c1      This commit, which may be older
  katkit promote \"prod-*/shop\" --why \"go live\"  Several links

The commit must have passed the stages before, and is not older than what is
live. Policies hold it like any other commit.")]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    options: Options,
    /// The commit: a sha, a prefix of one, a branch or a tag [default: the newest that may run]
    #[arg(long, value_name = "SHA")]
    sha: Option<String>,
}

impl RequestCommand for Arguments {
    const VERB: &'static str = "promote";

    fn options(&self) -> &Options {
        &self.options
    }

    fn action(&self) -> Action {
        Action::Promote { sha: self.sha.clone() }
    }
}
