//! Decides which files may be part of a manifest.
//!
//! A manifest may come from a stranger's pull request, and diagnostics quote the files they are about. So a manifest
//! must not expose files that the stranger does not have: `.git/config` with its credentials, an `.env` beside it, a
//! file elsewhere on the machine. An included file is a `.toml` file below the root file's directory, with no hidden
//! part in its path. Files that git tracks lead only to files that git tracks, by `include` and by symbolic links.
//!
//! A file that git does not track can only come from the local user, so it may include untracked files. This way a
//! manifest can be tried before it is committed.

use std::io;
use std::path::{Component, Path};

use super::files::ManifestFiles;
use super::suggest::quoted;

const HIDDEN: &str = "it is hidden";
const RENAME: &str = "rename it: no part of its path may begin with a dot";
const NOT_TOML: &str = "its name does not end in `.toml`";
const ONLY_TOML: &str = "a manifest consists of `.toml` files only";

/// A file that must not be read: why, and what to do about it.
#[derive(Clone, Debug)]
pub(super) struct Refused {
    pub why: String,
    pub help: String,
}

/// A file's path as the manifest names it, and with every symbolic link resolved.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReferencedFile<'a> {
    pub path: &'a Path,
    pub canonical: &'a Path,
}

impl Refused {
    fn new(why: impl Into<String>, help: impl Into<String>) -> Self {
        Self { why: why.into(), help: help.into() }
    }
}

/// Refuses a pattern that could match a file that must not be included, before any file is searched for.
pub(super) fn check_pattern(pattern: &str) -> Result<(), Refused> {
    let visible = pattern.split('/').all(|part| matches!(part, "" | "." | "..") || !part.starts_with('.'));
    if !visible {
        return Err(Refused::new(HIDDEN, RENAME));
    }
    if !is_toml(Path::new(pattern)) {
        let help = match pattern.trim_end_matches('/') {
            deep if deep.ends_with("**") => format!("write {}", quoted(&format!("{deep}/*.toml"))),
            all if all.ends_with('*') => format!("write {}", quoted(&format!("{all}.toml"))),
            _ => ONLY_TOML.to_owned(),
        };
        return Err(Refused::new(NOT_TOML, help));
    }
    Ok(())
}

impl ReferencedFile<'_> {
    /// Refuses a root file that is not the file the user named.
    pub(super) fn check_root(self, files: &dyn ManifestFiles) -> Result<(), Refused> {
        if is_toml(self.path) && !is_toml(self.canonical) {
            let why = "it is a symbolic link to a file whose name does not end in `.toml`";
            return Err(Refused::new(why, "name the file itself: `--manifest FILE`"));
        }
        self.check_link(files)
    }

    /// Whether a root file leads outside the directory it was named in, or to a hidden file there. Such a file is never
    /// quoted.
    pub(super) fn leads_away(self, files: &dyn ManifestFiles) -> bool {
        let home = self.path.parent().and_then(|home| files.canonical(home).ok());
        let inside = home.and_then(|home| Some(self.canonical.strip_prefix(home).ok()?.to_owned()));
        inside.is_none_or(|inside| has_hidden(&inside)) && !self.is_itself()
    }

    /// Refuses an included file. `tracked` says whether git tracks the file that includes it.
    pub(super) fn check_include(
        self,
        files: &dyn ManifestFiles,
        root: &Path,
        tracked: bool,
    ) -> Result<(), Refused> {
        let Ok(inside) = self.canonical.strip_prefix(root) else {
            let why = "it is outside the root file's directory";
            return Err(Refused::new(why, "move it below the root file's directory"));
        };
        if has_hidden(inside) {
            return Err(Refused::new(HIDDEN, RENAME));
        }
        if !is_toml(self.canonical) {
            return Err(Refused::new(NOT_TOML, ONLY_TOML));
        }
        self.check_link(files)?;
        if tracked && !is_tracked(files, self.canonical)? {
            let help = format!("`git add {}` if it belongs to the manifest", inside.display());
            return Err(Refused::new("git does not track it", help));
        }
        Ok(())
    }

    /// Refuses a tracked symbolic link to an untracked file: a stranger may have committed it to expose that file.
    fn check_link(self, files: &dyn ManifestFiles) -> Result<(), Refused> {
        if self.is_itself() || is_tracked(files, self.canonical)? {
            return Ok(());
        }
        if files.is_behind_tracked_link(self.path).map_err(|error| unknown(&error))? {
            let why = "git tracks the symbolic link but not its target";
            return Err(Refused::new(why, "replace the link with the file, or add its target to git"));
        }
        Ok(())
    }

    /// Whether its path contains no symbolic link.
    fn is_itself(self) -> bool {
        self.path == self.canonical
    }
}

/// Whether git tracks a file, by its canonical path.
pub(super) fn is_tracked(files: &dyn ManifestFiles, canonical: &Path) -> Result<bool, Refused> {
    files.is_tracked(canonical).map_err(|error| unknown(&error))
}

fn unknown(error: &io::Error) -> Refused {
    let help = "rewrite the index in its usual form: `git sparse-checkout init --no-sparse-index`, \
                `git update-index --no-split-index`";
    Refused::new(format!("cannot tell which files git tracks: {error}"), help)
}

fn is_toml(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "toml")
}

fn has_hidden(path: &Path) -> bool {
    let hidden = |part| matches!(part, Component::Normal(name) if name.as_encoded_bytes().starts_with(b"."));
    path.components().any(hidden)
}
