//! `katkit audit key`

use clap::Args;

use super::signing_key;
use crate::app::Host;
use crate::cli::ExitStatus;
use crate::cli::arguments::Global;
use crate::cli::error::CommandError;
use crate::cli::output::Output;

/// Print the public key, for everyone who verifies
#[derive(Debug, Args)]
pub(super) struct Arguments {}

pub(super) async fn run(
    _: &Arguments,
    global: &Global,
    host: &Host,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let opened = global.look(host, output).await?;
    let key = signing_key(&opened).await?;
    output.show(format_args!("{}\n", key.verifier()))?;
    Ok(ExitStatus::Success)
}
