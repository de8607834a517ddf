//! `katkit set`

use std::fs;
use std::io::Write;
use std::path::Path;

use clap::Args;

use super::arguments::Global;
use super::error::CommandError;
use super::output::Output;
use super::{ExitStatus, link};
use crate::config::Config;
use crate::manifest::edit;
use crate::views::visible;

/// Write another commit into the manifest
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit set prod/shop v1.4.2   A tag
  katkit set prod/shop 3f2a9c1  The beginning of a sha

Nothing but the file changes: review that like any other change, then apply it.")]
pub(super) struct Arguments {
    /// `tenant/link`
    #[arg(value_name = "LINK")]
    link: String,
    /// The commit: a sha, a prefix of one, a branch or a tag; the manifest gets the full sha
    #[arg(value_name = "COMMIT")]
    commit: String,
}

pub(super) async fn run(
    arguments: &Arguments,
    global: &Global,
    config: &Config,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let app = global.look(config, output).await?;
    let (id, _) = link::find(&app, &arguments.link).await?;
    let unknown = || CommandError::refused(format!("`{id}` is not in the manifest"), None);
    let (_, it) = app.manifest().link(&id).ok_or_else(unknown)?;
    let repo = app.manifest().repos.get(&it.repo).ok_or_else(unknown)?;
    let sha = app.git.resolve(&repo.url, &arguments.commit).await?;
    let path = app.loaded.file_of(&id).ok_or_else(unknown)?;
    let failed = |action| move |source| CommandError::File { path: path.to_owned(), action, source };
    let text = fs::read_to_string(path).map_err(failed("read"))?;
    let edited = edit::set_sha(&text, &id, &sha).map_err(|error| {
        let hint = error.hint();
        CommandError::refused(format!("{}: {error}", path.display()), hint)
    })?;
    let edited = edited.ok_or_else(unknown)?;
    if edited == text {
        output.show(format_args!("{id} asks for {} already.", sha.short()))?;
        return Ok(ExitStatus::Success);
    }
    replace(path, &edited).map_err(failed("written"))?;
    let shown = output.here().and_then(|here| path.strip_prefix(here).ok()).unwrap_or(path);
    let shown = visible(&shown.display().to_string()).into_owned();
    output.show(format_args!(
        "{id} asks for {} now ({shown}).\n`katkit plan` shows what that means.",
        sha.short()
    ))?;
    Ok(ExitStatus::Success)
}

/// Replaces a file's content whole, through a symbolic link, and keeps its permissions.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let path = fs::canonicalize(path)?;
    let directory = path.parent().unwrap_or(Path::new("/"));
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(text.as_bytes())?;
    file.as_file().set_permissions(fs::metadata(&path)?.permissions())?;
    file.as_file().sync_all()?;
    file.persist(&path)?;
    Ok(())
}
