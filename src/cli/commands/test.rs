//! `katkit test`

use clap::Args;

use super::request::{Options, RequestCommand};
use crate::requests::Action;

/// Test the head of a pull request, merged into the branch
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit test sandbox/shop 3f2a9c1 --apply    This commit, merged into the branch
  katkit test sandbox/shop my-feature         The tip of a branch, with the next apply

The link must be in a stage with `source = \"pull-requests\"`. Tests run one after
the other. If what lands has the content that was tested, it counts as tested.")]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    options: Options,
    /// The last commit of the pull request: a sha, a prefix of one, a branch or a tag
    #[arg(value_name = "COMMIT")]
    commit: String,
}

impl RequestCommand for Arguments {
    const VERB: &'static str = "test";

    fn options(&self) -> &Options {
        &self.options
    }

    /// With 0 for a test that still waits, a CI job would go on as if it had passed.
    fn is_strict(&self) -> bool {
        true
    }

    fn action(&self) -> Action {
        Action::Test { sha: self.commit.clone() }
    }
}
