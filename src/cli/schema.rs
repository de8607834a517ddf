//! `katkit schema`

use clap::{Args, ValueEnum};

use super::ExitStatus;
use super::error::CommandError;
use super::output::Output;
use crate::{manifest, views};

/// Print the JSON Schema of the manifest, for editors, or of what `plan --format json` writes
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Of what
    #[arg(default_value = "manifest")]
    of: Of,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Of {
    /// `katkit.toml` and the files that it includes
    Manifest,
    /// `katkit plan --format json`
    Plan,
}

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> Result<ExitStatus, CommandError> {
    match arguments.of {
        Of::Manifest => output.json(&manifest::schema())?,
        Of::Plan => output.json(&views::plan_schema())?,
    }
    Ok(ExitStatus::Success)
}
