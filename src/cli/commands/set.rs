//! `katkit set`

use std::fs;
use std::io::Write;
use std::path::Path;

use clap::Args;

use crate::app::Host;
use crate::cli::ExitStatus;
use crate::cli::arguments::{Global, link};
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::manifest::{Wanted, edit};
use crate::views::{hang, visible};

/// Set the commit, or the branch to follow, in the manifest
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit set prod/shop v1.4.2         A tag
  katkit set prod/shop 3f2a9c1        A prefix of a sha
  katkit set dev/shop --branch main   Follow a branch

Only the file changes: review it like any other change, then apply it.")]
pub(in crate::cli) struct Arguments {
    /// `tenant/link`
    #[arg(value_name = "LINK")]
    link: String,
    /// A sha, a prefix of one, a branch or a tag; the manifest gets the full sha
    #[arg(value_name = "COMMIT", required_unless_present = "branch", conflicts_with = "branch")]
    commit: Option<String>,
    /// Follow this branch: every plan wants its tip
    #[arg(long, value_name = "BRANCH")]
    branch: Option<String>,
}

pub(in crate::cli) async fn run(
    arguments: &Arguments,
    global: &Global,
    host: &Host,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let Arguments { link, commit, branch } = arguments;
    let opened = global.look(host, output).await?;
    let estate = &*opened.estate;
    let (id, _) = link::find(estate, link).await?;
    let unknown = || CommandError::refused(format!("`{id}` is not in the manifest"), None);
    let (_, it) = estate.manifest().link(&id).ok_or_else(unknown)?;
    if let Wanted::Pipeline { name, .. } = &it.want {
        let what = format!("`{id}` follows the pipeline `{name}`, which chooses its commits");
        let hint = format!(
            "`katkit promote {id} --sha SHA` runs a commit next; a `pin` in the manifest stays at one"
        );
        return Err(CommandError::refused(what, hint));
    }
    let repo = estate.manifest().repos.get(&it.repo).ok_or_else(unknown)?;
    let want = match (branch, commit) {
        (Some(branch), _) => {
            // Checks that the branch exists.
            estate.git.tip(&repo.url, branch).await?;
            Wanted::Branch(branch.clone())
        }
        (None, commit) => {
            Wanted::Sha(estate.git.resolve(&repo.url, commit.as_deref().unwrap_or_default()).await?)
        }
    };
    let path = estate.loaded.file_of(&id).ok_or_else(unknown)?;
    let failed = |action| move |source| CommandError::File { path: path.to_owned(), action, source };
    let text = fs::read_to_string(path).map_err(failed("read"))?;
    let edited = edit::set_want(&text, &id, &want).map_err(|error| {
        let hint = error.hint();
        CommandError::refused(format!("{}: {error}", path.display()), hint)
    })?;
    let edited = edited.ok_or_else(unknown)?;
    let does = match &want {
        Wanted::Sha(sha) => format!("wants {}", sha.short()),
        Wanted::Branch(branch) => format!("follows `{}`", visible(branch)),
        Wanted::Pipeline { name, pin: _ } => format!("follows the pipeline `{name}`"),
    };
    let style = output.style();
    if edited == text {
        output.show(hang("", 0, &format!("{id} already {does}."), style))?;
        return Ok(ExitStatus::Success);
    }
    replace(path, &edited).map_err(failed("written"))?;
    let shown = output.here().and_then(|here| path.strip_prefix(here).ok()).unwrap_or(path);
    output.show(hang("", 0, &format!("{id} now {does} ({}).", shown.display()), style))?;
    if let (Wanted::Branch(left), Wanted::Sha(_)) = (&it.want, &want) {
        let again = format!("It no longer follows `{left}`; `katkit set {id} --branch {left}` undoes that.");
        output.show(hang("", 0, &again, style))?;
    }
    output.show(hang("", 0, "`katkit plan` shows the effect.", style))?;
    Ok(ExitStatus::Success)
}

/// Replaces a file's content atomically. Follows a symbolic link, and keeps the permissions.
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
