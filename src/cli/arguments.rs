//! The arguments that several commands share.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use rustix::process::geteuid;

use super::error::CommandError;
use super::output::Output;
use crate::app::{Access, App};
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
    /// The manifest is somebody's proposal: look at it, and let it reach no more than it does at this git revision
    #[arg(long, global = true, value_name = "REV", env = "KATKIT_BASE", hide_env_values = true)]
    #[arg(help_heading = HEADING)]
    pub(super) base: Option<String>,
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
    ///
    /// One above that belongs to somebody who has no say here is refused: anyone can leave a file in `/tmp`.
    pub(super) fn manifest(&self) -> Result<PathBuf, CommandError> {
        if let Some(path) = &self.manifest {
            return Ok(path.clone());
        }
        let here = std::path::absolute(MANIFEST).unwrap_or_else(|_| MANIFEST.into());
        let mut above = here.ancestors().skip(1).map(|directory| directory.join(MANIFEST));
        let Some(found) = above.find(|path| path.is_file()) else { return Ok(MANIFEST.into()) };
        let owner = |path: &Path| fs::metadata(path).map(|about| about.uid()).ok();
        let trusted = [owner(Path::new(".")), Some(geteuid().as_raw()), Some(0)];
        match owner(&found) {
            Some(owner) if found != here && !trusted.contains(&Some(owner)) => {
                let what =
                    format!("{} belongs to user {owner}, and so is not used from here", found.display());
                let hint = format!("if you trust it: `--manifest {}`", found.display());
                Err(CommandError::refused(what, hint))
            }
            _ => Ok(found),
        }
    }

    /// Opens what the manifest names, to change it.
    pub(super) async fn open(&self, config: &Config) -> Result<App, CommandError> {
        if let Some(base) = &self.base {
            let what =
                format!("a proposed manifest is only looked at, and this one is held against `{base}`");
            let hint = "accept the proposal first, then run this without `--base`".to_owned();
            return Err(CommandError::refused(what, hint));
        }
        Ok(App::open(&self.manifest()?, config, Access::Write).await?)
    }

    /// Opens what the manifest names, to look at it.
    pub(super) async fn look(&self, config: &Config, output: &mut Output) -> Result<App, CommandError> {
        self.look_against(self.base.as_deref(), config, output).await
    }

    /// The same once more, without saying again what is ignored: a record that was not there when it was opened stays empty.
    pub(super) async fn look_again(&self, config: &Config) -> Result<App, CommandError> {
        let access = self.base.as_deref().map_or(Access::Read, Access::Proposal);
        Ok(App::open(&self.manifest()?, config, access).await?)
    }

    /// The same for a manifest that is held against `base`, if there is one.
    pub(super) async fn look_against(
        &self,
        base: Option<&str>,
        config: &Config,
        output: &mut Output,
    ) -> Result<App, CommandError> {
        let app = App::open(&self.manifest()?, config, base.map_or(Access::Read, Access::Proposal)).await?;
        if let (Some(base), [_, ..]) = (base, app.ignored.as_slice()) {
            let tables = app.ignored.join(" and ");
            output.note(format_args!("{tables} as of `{base}`: this manifest's own have no effect yet"));
        }
        Ok(app)
    }
}
