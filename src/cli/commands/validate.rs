//! `katkit validate`

use std::fs;

use clap::Args;

use crate::app::{self, OpenError};
use crate::cli::ExitStatus;
use crate::cli::arguments::{Format, Global};
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::manifest;
use crate::views::{DiagnosticsJson, ManifestText};

/// Check the manifest and everything it includes
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Output format: text, or json (schema: `katkit schema validate`)
    #[arg(long, default_value = "text", hide_possible_values = true)]
    format: Format,
    /// Print every link with its template expanded
    #[arg(long, conflicts_with = "format")]
    expand: bool,
}

pub(in crate::cli) fn run(
    arguments: &Arguments,
    global: &Global,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let path = global.manifest()?;
    let mut loaded = match &global.base {
        Some(base) => app::load_proposal(&path, base).map(|(loaded, _)| loaded),
        None => app::load(&path),
    };
    if let Ok(loaded) = &mut loaded {
        // Read the files again: no other command needs the text of a valid manifest.
        let texts = loaded.files.iter().map(fs::read_to_string).collect::<Result<_, _>>();
        loaded.warn_of_newer_syntax(texts.unwrap_or_default());
    }
    match (arguments.format, loaded) {
        (Format::Json, Err(OpenError::Manifest(diagnostics))) => {
            output.json(&DiagnosticsJson::new(&diagnostics, output.here()))?;
            Ok(ExitStatus::Failure)
        }
        (Format::Json, Ok(loaded)) => {
            output.json(&DiagnosticsJson::new(&loaded.warnings, output.here()))?;
            Ok(ExitStatus::Success)
        }
        (Format::Text, Ok(loaded)) => {
            output.warnings(&loaded.warnings);
            if arguments.expand {
                output.show(manifest::expanded(&loaded.manifest))?;
                return Ok(ExitStatus::Success);
            }
            output.show(ManifestText { loaded: &loaded })?;
            Ok(ExitStatus::Success)
        }
        (_, Err(error)) => Err(error.into()),
    }
}
