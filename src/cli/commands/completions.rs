//! `katkit completions`

use clap::{Args, ValueEnum};
use clap_complete::Shell;

use crate::cli::ExitStatus;
use crate::cli::arguments::candidates;
use crate::cli::error::CommandError;
use crate::cli::output::Output;

/// Print the completion script for a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit completions bash  In ~/.bashrc: source <(katkit completions bash)
  katkit completions fish  In config.fish: katkit completions fish | source
  katkit completions zsh   In ~/.zshrc: source <(katkit completions zsh)")]
pub(in crate::cli) struct Arguments {
    /// Shell to complete for
    shell: Shell,
}

pub(in crate::cli) fn run(arguments: &Arguments, output: &mut Output) -> Result<ExitStatus, CommandError> {
    let name = arguments.shell.to_possible_value();
    let script = candidates::script(name.as_ref().map_or("", |name| name.get_name()))?;
    output.bytes(&script)?;
    Ok(ExitStatus::Success)
}
