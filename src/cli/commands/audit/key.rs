//! `katkit audit key`

use clap::Args;

use crate::app::Host;
use crate::cli::ExitStatus;
use crate::cli::arguments::Global;
use crate::cli::commands::signing::signing_key;
use crate::cli::error::CommandError;
use crate::cli::output::Output;

/// Print the public key, for everyone who verifies
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Print it in PEM, for other tools
    #[arg(long)]
    pem: bool,
}

pub(super) async fn run(
    arguments: &Arguments,
    global: &Global,
    host: &Host,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let opened = global.look(host, output).await?;
    let key = signing_key(&opened, "checkpoints").await?;
    match arguments.pem {
        true => output.show(key.verifier().pem())?,
        false => output.show(format_args!("{}\n", key.verifier()))?,
    }
    Ok(ExitStatus::Success)
}
