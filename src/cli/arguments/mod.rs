//! The arguments that several commands share.

pub(super) mod against;
pub(super) mod attempt;
pub(super) mod candidates;
pub(super) mod instant;
pub(super) mod link;
pub(super) mod moment;
pub(super) mod spelling;

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use rustix::process::geteuid;

use crate::app::{Access, Host, Opened};
use crate::cli::error::CommandError;
use crate::cli::output::{Colour, Output};

/// Default name of the manifest file.
const MANIFEST: &str = "katkit.toml";

/// Heading of these options in the help.
const HEADING: &str = "Global options";

/// Options of every command
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct Global {
    /// Manifest file [default: katkit.toml here, or in the nearest parent directory]
    #[arg(short, long, global = true, value_name = "FILE", env = "KATKIT_MANIFEST", hide_env_values = true)]
    #[arg(help_heading = HEADING)]
    manifest: Option<PathBuf>,
    /// When to use colour, which never carries meaning: auto, always or never
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_possible_values = true)]
    #[arg(help_heading = HEADING)]
    pub(in crate::cli) color: Colour,
    /// Treat the manifest as an untrusted proposal: read only, and limited to what it reaches at this git revision
    #[arg(long, global = true, value_name = "REV", env = "KATKIT_BASE", hide_env_values = true)]
    #[arg(help_heading = HEADING)]
    pub(in crate::cli) base: Option<String>,
    /// Log more about what katkit does; twice for even more
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = HEADING)]
    pub(in crate::cli) verbose: u8,
}

/// Output format of commands that read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Format {
    /// For humans
    #[default]
    Text,
    /// For programs
    Json,
}

impl Global {
    /// Path of the manifest: as given, in the working directory, or in the nearest parent directory.
    ///
    /// A manifest in a parent directory must belong to this user, to root, or to the owner of the working directory:
    /// anyone can leave a file in `/tmp`.
    pub(in crate::cli) fn manifest(&self) -> Result<PathBuf, CommandError> {
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
                let what = format!("{} belongs to user {owner}, so it is not trusted here", found.display());
                let hint = format!("if you trust it: `--manifest {}`", found.display());
                Err(CommandError::refused(what, hint))
            }
            _ => Ok(found),
        }
    }

    /// Opens everything the manifest names for writing.
    pub(in crate::cli) async fn open(&self, host: &Host) -> Result<Opened, CommandError> {
        if let Some(base) = &self.base {
            let what = format!("a proposed manifest is read-only, and this one is checked against `{base}`");
            let hint = "merge the proposal first, then run this without `--base`".to_owned();
            return Err(CommandError::refused(what, hint));
        }
        Ok(host.open(&self.manifest()?, Access::Write).await?)
    }

    /// Opens everything the manifest names for reading.
    pub(in crate::cli) async fn look(
        &self,
        host: &Host,
        output: &mut Output,
    ) -> Result<Opened, CommandError> {
        self.look_against(self.base.as_deref(), host, output).await
    }

    /// Opens it again, without repeating the note about ignored tables. Needed because a record that did not exist when
    /// first opened stays empty.
    pub(in crate::cli) async fn look_again(&self, host: &Host) -> Result<Opened, CommandError> {
        let access = self.base.as_deref().map_or(Access::Read, Access::Proposal);
        Ok(host.open(&self.manifest()?, access).await?)
    }

    /// Opens a manifest for reading; with `base`, as a proposal limited by the manifest at that revision.
    pub(in crate::cli) async fn look_against(
        &self,
        base: Option<&str>,
        host: &Host,
        output: &mut Output,
    ) -> Result<Opened, CommandError> {
        let access = base.map_or(Access::Read, Access::Proposal);
        let opened = host.open(&self.manifest()?, access).await?;
        if let (Some(base), [_, ..]) = (base, opened.ignored.as_slice()) {
            let tables = opened.ignored.join(" and ");
            output.note(format_args!("using {tables} from `{base}`: changes to them have no effect yet"));
        }
        Ok(opened)
    }
}
