//! Plans in files: written whole or not at all, and refused when anything changed since.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::error::CommandError;
use crate::app::App;
use crate::domain::CommitSha;
use crate::inventory::{Scope, Targets};
use crate::plan::Plan;

/// Saves a plan, readable for its owner only: it names variables, though never the value of a secret.
pub(super) fn write(path: &Path, plan: &Plan) -> Result<(), CommandError> {
    let failed = |source| CommandError::File { path: path.to_owned(), action: "written", source };
    let text = serde_json::to_vec(plan).map_err(|error| failed(io::Error::from(error)))?;
    if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        // A device or a pipe takes what is written to it, and anything else says why not.
        let file = fs::OpenOptions::new().write(true).open(path);
        return file.and_then(|mut file| file.write_all(&text)).map_err(failed);
    }
    let path = resolved(path);
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(directory).map_err(failed)?;
    file.as_file_mut().write_all(&text).map_err(failed)?;
    file.persist(&path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// Where symbolic links lead, also to what is not there yet.
fn resolved(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    // As many as the system follows (path_resolution(7)); who meets more is told so when the file is made.
    for _ in 0..40 {
        let Ok(next) = fs::read_link(&path) else { break };
        path = path.parent().unwrap_or(Path::new("")).join(next);
    }
    path
}

/// Reads a saved plan. Refuses one of another version.
pub(super) fn read(path: &Path) -> Result<Plan, CommandError> {
    #[derive(serde::Deserialize)]
    struct Version {
        version: u32,
    }
    let bytes = fs::read(path).map_err(|source| CommandError::File {
        path: path.to_owned(),
        action: "read",
        source,
    })?;
    let not_a_plan = |what: String| {
        let hint = "`katkit plan --out FILE` saves one".to_owned();
        CommandError::refused(format!("{} is not a saved plan: {what}", path.display()), hint)
    };
    let Version { version } =
        serde_json::from_slice(&bytes).map_err(|error| not_a_plan(error.to_string()))?;
    if version != Plan::VERSION {
        let what = format!("{} was saved by another version of katkit", path.display());
        return Err(CommandError::refused(what, "plan again with this one".to_owned()));
    }
    serde_json::from_slice(&bytes).map_err(|error| not_a_plan(error.to_string()))
}

/// Refuses a plan that is no longer what planning would give: the manifest, a generation or a resolved sha changed.
pub(super) async fn check(app: &App, plan: &Plan) -> Result<(), CommandError> {
    let stale = |what: String| {
        CommandError::refused(format!("the saved plan is out of date: {what}"), "plan again".to_owned())
    };
    if plan.manifest != app.manifest().digest {
        return Err(stale("the manifest changed since".to_owned()));
    }
    let links = plan.links.iter().map(|link| link.link.clone()).collect();
    let scope = Scope { targets: Targets::default().and_only(links), ..Scope::default() };
    let input = app.inventory(&scope).await?;
    for link in &plan.links {
        let now = input.links.iter().find(|now| now.id == link.link);
        let generation = now.map(|now| now.head.generation).unwrap_or_default();
        if generation != link.base {
            let what = format!("`{}` is at generation {generation}, and was at {}", link.link, link.base);
            return Err(stale(what));
        }
        let want = now.and_then(|now| now.want.as_ref()?.as_ref().ok());
        if want != link.want.as_ref() {
            let what = format!(
                "`{}` asks for {} now, not for {}",
                link.link,
                short(want),
                short(link.want.as_ref())
            );
            return Err(stale(what));
        }
    }
    Ok(())
}

fn short(sha: Option<&CommitSha>) -> &str {
    sha.map_or("an unknown commit", CommitSha::short)
}
