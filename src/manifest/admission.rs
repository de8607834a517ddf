//! Which files a manifest may be made of.
//!
//! A manifest may come from a stranger's pull request, and what is wrong with a file is quoted from it. So a manifest must
//! not lead whoever checks it to what the stranger does not have: `.git/config` with its credentials, an `.env` beside
//! it, a file elsewhere on the machine. What a manifest includes is a `.toml` file below the root file's directory and no
//! part of its path is hidden; and what git tracks leads only to what git tracks, by `include` and by symbolic links.
//!
//! Where git does not track the including file, nobody but the person who wrote it can have put it there, and it may
//! include what git does not track: so a manifest can be tried before it is committed.

use std::io;
use std::path::{Component, Path};

use super::gather::ManifestFiles;
use super::suggest::quoted;

const HIDDEN: &str = "it is hidden";
const RENAME: &str = "rename it: no part of its path may begin with a dot";
const NOT_TOML: &str = "its name does not end in `.toml`";
const ONLY_TOML: &str = "a manifest is made of `.toml` files alone";

/// Why a file is not read, and what to do about it.
#[derive(Clone, Debug)]
pub(super) struct Refused {
    pub why: String,
    pub help: String,
}

/// A file as the manifest names it, and as it is called once every symbolic link is followed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reached<'a> {
    pub path: &'a Path,
    pub canonical: &'a Path,
}

impl Refused {
    fn new(why: impl Into<String>, help: impl Into<String>) -> Self {
        Self { why: why.into(), help: help.into() }
    }
}

/// Refuses a pattern that could only, or also, match what must not be included, before anything is looked for.
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

impl Reached<'_> {
    /// Refuses a root file that is not what the person named who asked for it.
    pub(super) fn check_root(self, files: &dyn ManifestFiles) -> Result<(), Refused> {
        if is_toml(self.path) && !is_toml(self.canonical) {
            let why = "it is a symbolic link to a file whose name does not end in `.toml`";
            return Err(Refused::new(why, "name the file itself: `--manifest FILE`"));
        }
        self.check_link(files)
    }

    /// Whether a root file lies elsewhere than where it was named, or is hidden there: then nothing of it is quoted.
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
            let why = "it lies outside of the directory of the root file";
            return Err(Refused::new(why, "move it below the directory of the root file"));
        };
        if has_hidden(inside) {
            return Err(Refused::new(HIDDEN, RENAME));
        }
        if !is_toml(self.canonical) {
            return Err(Refused::new(NOT_TOML, ONLY_TOML));
        }
        self.check_link(files)?;
        if tracked && !is_tracked(files, self.canonical)? {
            let help = format!("`git add {}`, if it is a part of the manifest", inside.display());
            return Err(Refused::new("git does not track it", help));
        }
        Ok(())
    }

    /// A symbolic link that git tracks is a stranger's word: it may lead only to what the stranger has.
    fn check_link(self, files: &dyn ManifestFiles) -> Result<(), Refused> {
        if self.is_itself() || is_tracked(files, self.canonical)? {
            return Ok(());
        }
        if files.is_behind_tracked_link(self.path).map_err(|error| unknown(&error))? {
            let why = "git tracks the symbolic link, and does not track what it leads to";
            return Err(Refused::new(why, "put the file itself there, or let git track it as well"));
        }
        Ok(())
    }

    /// Whether no symbolic link leads to it.
    fn is_itself(self) -> bool {
        self.path == self.canonical
    }
}

/// Whether git tracks a file, by its canonical path.
pub(super) fn is_tracked(files: &dyn ManifestFiles, canonical: &Path) -> Result<bool, Refused> {
    files.is_tracked(canonical).map_err(|error| unknown(&error))
}

fn unknown(error: &io::Error) -> Refused {
    let help = "let git write an index of the usual form: `git sparse-checkout init --no-sparse-index`, \
                `git update-index --no-split-index`";
    Refused::new(format!("which files git tracks cannot be read: {error}"), help)
}

fn is_toml(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "toml")
}

fn has_hidden(path: &Path) -> bool {
    let hidden = |part| matches!(part, Component::Normal(name) if name.as_encoded_bytes().starts_with(b"."));
    path.components().any(hidden)
}
