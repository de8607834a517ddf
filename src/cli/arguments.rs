//! The arguments that several commands share.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::error::CommandError;
use crate::app::App;
use crate::config::Config;

/// Where the manifest is looked for.
const MANIFEST: &str = "katkit.toml";

/// What stands above them in the help.
const HEADING: &str = "Options of every command";

/// Arguments of every command
#[derive(Clone, Debug, Args)]
pub(super) struct Global {
    /// The manifest [default: katkit.toml here, or in the nearest directory above]
    #[arg(short, long, global = true, value_name = "FILE", env = "KATKIT_MANIFEST", hide_env_values = true)]
    #[arg(help_heading = HEADING)]
    manifest: Option<PathBuf>,
    /// When to use colour, which never carries meaning: auto, always or never
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_possible_values = true)]
    #[arg(help_heading = HEADING)]
    pub(super) color: When,
    /// Say more about what katkit does; twice for even more
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = HEADING)]
    pub(super) verbose: u8,
}

/// When to do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum When {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// What a reading command writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

impl Global {
    /// The path of the manifest: as given, here, or in the nearest directory above.
    pub(super) fn manifest(&self) -> PathBuf {
        if let Some(path) = &self.manifest {
            return path.clone();
        }
        let here = std::path::absolute(MANIFEST).unwrap_or_else(|_| MANIFEST.into());
        let above = here.ancestors().skip(1).map(|directory| directory.join(MANIFEST));
        let found = above.into_iter().find(|path| path.is_file());
        found.unwrap_or_else(|| Path::new(MANIFEST).to_owned())
    }

    /// Opens what the manifest names.
    pub(super) async fn open(&self, config: &Config) -> Result<App, CommandError> {
        Ok(App::open(&self.manifest(), config).await?)
    }
}
