//! `katkit completions`

use clap::{Args, ValueEnum};
use clap_complete::Shell;

use super::error::CommandError;
use super::output::Output;
use super::{ExitStatus, candidates};

/// Print the completion script for a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit completions bash  In ~/.bashrc: source <(katkit completions bash)
  katkit completions fish  In config.fish: katkit completions fish | source
  katkit completions zsh   In ~/.zshrc: source <(katkit completions zsh)")]
pub(super) struct Arguments {
    /// Shell to complete for
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments, output: &mut Output) -> Result<ExitStatus, CommandError> {
    let name = arguments.shell.to_possible_value();
    let script = candidates::script(name.as_ref().map_or("", |name| name.get_name()))?;
    output.bytes(&script)?;
    Ok(ExitStatus::Success)
}
