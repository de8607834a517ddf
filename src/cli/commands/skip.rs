//! `katkit skip`

use clap::Args;

use super::request::{Options, RequestCommand};
use crate::domain::{CommitSha, PhaseName};
use crate::requests::Action;

/// Skip a phase for one commit
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit skip dev/shop verify --why \"no test data\"  At the next apply
  katkit skip dev/shop \"prod/*\" verify              For several links

The last argument is the phase; all before it are links.")]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    options: Options,
    /// The phase to skip
    #[arg(value_name = "PHASE", value_parser = phase)]
    phase: PhaseName,
    /// The commit to skip it for [default: the one whose run is unfinished]
    #[arg(long)]
    sha: Option<CommitSha>,
}

/// Says so if a link takes the place of the phase, instead of complaining about the characters in its name.
pub(super) fn phase(text: &str) -> Result<PhaseName, String> {
    if text.contains('/') {
        return Err("the last argument is the phase, after the links".to_owned());
    }
    PhaseName::new(text).map_err(|error| error.to_string())
}

impl RequestCommand for Arguments {
    const VERB: &'static str = "skip";

    fn options(&self) -> &Options {
        &self.options
    }

    fn action(&self) -> Action {
        Action::Skip { phase: self.phase.clone(), sha: self.sha.clone() }
    }
}
