//! `katkit audit`

mod checkpoint;
mod export;
mod key;
mod search;
mod verify;

use std::path::Path;

use clap::{Args, Subcommand};

use crate::app::Host;
use crate::audit::{Checkpoint, KeyError, VerifierKey};
use crate::cli::ExitStatus;
use crate::cli::arguments::Global;
use crate::cli::error::CommandError;
use crate::cli::output::Output;

/// Show who did and decided what, and verify the record
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_help_heading = "Proofs",
    disable_help_subcommand = true
)]
#[command(after_help = "\
Examples:
  katkit audit --who ana --since 7d   What ana did in the last week
  katkit audit --kind freeze,thaw     Freezes by hand, and who ended them
  katkit audit verify                 Check that nothing on record was changed")]
pub(in crate::cli) struct Arguments {
    #[command(subcommand)]
    proof: Option<Proof>,
    #[command(flatten)]
    search: search::Search,
}

#[derive(Debug, Subcommand)]
enum Proof {
    Checkpoint(checkpoint::Arguments),
    Verify(verify::Arguments),
    Export(export::Arguments),
    Key(key::Arguments),
}

pub(in crate::cli) async fn run(
    arguments: &Arguments,
    global: &Global,
    host: &Host,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    match &arguments.proof {
        None => search::run(&arguments.search, global, host, output).await,
        Some(Proof::Checkpoint(arguments)) => checkpoint::run(arguments, global, host, output).await,
        Some(Proof::Verify(arguments)) => verify::run(arguments, global, host, output).await,
        Some(Proof::Export(arguments)) => export::run(arguments, global, host, output).await,
        Some(Proof::Key(arguments)) => key::run(arguments, global, host, output).await,
    }
}

/// The public keys in a file. Never shows its content, which may be a private key by mistake.
fn keys_of(path: &Path) -> Result<Vec<VerifierKey>, CommandError> {
    let shown = path.to_string_lossy();
    if shown.contains(['\n', '+']) || shown.contains("-----") {
        let hint = "write what `katkit audit key` prints to a file, and give its path".to_owned();
        return Err(CommandError::usage("`--key` takes the path of a file, not a key", hint));
    }
    let text = read(path)?;
    let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let invalid = |why: String| {
        let hint = "give a file with what `katkit audit key` printed on a machine that has the signing key";
        CommandError::refused(
            format!("{} does not hold a public key: {why}", path.display()),
            hint.to_owned(),
        )
    };
    if lines.is_empty() {
        return Err(invalid("it is empty".to_owned()));
    }
    lines.iter().map(|line| line.parse().map_err(|error: KeyError| invalid(error.to_string()))).collect()
}

/// A checkpoint that was kept in a file. Its signature must be valid, too: a file is easily mistaken for another.
fn kept(path: &Path, keys: &[VerifierKey]) -> Result<Checkpoint, CommandError> {
    Checkpoint::open(&read(path)?, keys).map_err(|why| {
        let hint = "give a file with what `katkit audit checkpoint` printed, and the key that signed it";
        CommandError::refused(
            format!("{} does not count as a checkpoint: {why}", path.display()),
            hint.to_owned(),
        )
    })
}

fn read(path: &Path) -> Result<String, CommandError> {
    let read = std::fs::read_to_string(path);
    read.map_err(|source| CommandError::File { path: path.to_owned(), action: "read", source })
}
