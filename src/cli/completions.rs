//! `katkit completions`

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::ExitStatus;
use super::error::CommandError;
use super::output::Output;

/// Print the completions for a shell
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Which shell
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> Result<ExitStatus, CommandError> {
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut super::Arguments::command(), "katkit", &mut text);
    output.bytes(&text)?;
    Ok(ExitStatus::Success)
}
