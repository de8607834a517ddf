//! Keeps the files that a phase wants kept.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::blobs::{BlobKey, Blobs};

use super::log::{Log, UPLOAD, describe};
use super::patience::patiently;

/// The most files that one replica can keep.
pub const MOST: usize = 10_000;
/// The most bytes that one replica can keep: 1 GiB.
pub const LARGEST: u64 = 1024 * 1024 * 1024;
/// How many single files are named in notes before the rest is only counted.
const NAMED: usize = 20;

/// Keeps what `globs` match below `folder`, and everything in `given`. Says in the log what it left out.
///
/// Only regular files are kept, and symbolic links are not followed. Returns how many files were kept; the error, a
/// sentence, is that the store did not take one.
pub async fn keep(
    blobs: &dyn Blobs,
    replica: &BlobKey,
    folder: &Path,
    globs: &[String],
    given: &Path,
    log: &mut Log,
) -> Result<u32, (u32, String)> {
    let mut found = Found::default();
    if !globs.is_empty() {
        found.matching(folder, globs);
    }
    // The code may have put something else in its place, and what a link leads to was never given.
    if given.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink()) {
        found
            .notes
            .push("`$KATKIT_ARTIFACTS` was replaced by a symbolic link, which is not followed".to_owned());
    } else {
        found.everything(given);
    }
    let Found { files, mut notes } = found;
    let (mut kept, mut size, mut trouble) = (0, 0, None);
    let mut keys = std::collections::BTreeSet::new();
    for (name, path) in files {
        let Ok(metadata) = path.symlink_metadata() else { continue };
        if usize::try_from(kept).is_ok_and(|kept| kept >= MOST) {
            notes.push(format!("more than {MOST} files were to be kept; the rest is left out"));
            break;
        }
        if size + metadata.len() > LARGEST {
            notes.push(format!("{name:?} is left out: more than {} MiB were to be kept", LARGEST >> 20));
            continue;
        }
        let shown = log.masked(&name);
        let Ok(key) = replica.artifacts().join(&shown) else {
            notes.push(format!("{name:?} is left out: its name holds a control character or `\\`"));
            continue;
        };
        if !keys.insert(key.clone()) {
            notes.push(format!("`{shown}` is left out: another file has this name once secrets are masked"));
            continue;
        }
        match patiently(UPLOAD, async || blobs.put_file(&key, &path).await).await {
            Ok(()) => {
                kept += 1;
                size += metadata.len();
            }
            Err(error) => {
                trouble = Some(format!("`{shown}` could not be kept: {}", describe(&error)));
                break;
            }
        }
    }
    let unnamed = notes.len().saturating_sub(NAMED);
    for note in notes.into_iter().take(NAMED) {
        log.note(&format!("artifacts: {note}"));
    }
    if unnamed > 0 {
        log.note(&format!("artifacts: {unnamed} more were left out for such reasons"));
    }
    match trouble {
        None => Ok(kept),
        Some(trouble) => Err((kept, trouble)),
    }
}

#[derive(Debug, Default)]
struct Found {
    /// By name in the store.
    files: BTreeMap<String, PathBuf>,
    notes: Vec<String>,
}

impl Found {
    fn matching(&mut self, folder: &Path, globs: &[String]) {
        let mut set = GlobSetBuilder::new();
        for glob in globs {
            // What is meant by a directory's name is everything in it.
            let plain = glob.trim_start_matches("./").trim_end_matches('/');
            for pattern in [plain.to_owned(), format!("{plain}/**")] {
                match GlobBuilder::new(&pattern).literal_separator(true).build() {
                    Ok(pattern) => drop(set.add(pattern)),
                    Err(error) => return self.notes.push(format!("`{glob}` is not a pattern: {error}")),
                }
            }
        }
        let set = match set.build() {
            Ok(set) => set,
            Err(error) => return self.notes.push(format!("the patterns cannot be used: {error}")),
        };
        let before = self.files.len();
        self.walk(folder, Some(&set));
        if self.files.len() == before {
            self.notes.push(format!("no file matches {}", quoted(globs)));
        }
    }

    fn everything(&mut self, given: &Path) {
        self.walk(given, None);
    }

    fn walk(&mut self, root: &Path, set: Option<&GlobSet>) {
        let mut open = vec![root.to_owned()];
        while let Some(directory) = open.pop() {
            let Ok(entries) = fs::read_dir(&directory) else { continue };
            for entry in entries.flatten() {
                let Ok(kind) = entry.file_type() else { continue };
                let path = entry.path();
                let Ok(relative) = path.strip_prefix(root) else { continue };
                if kind.is_dir() {
                    // The repository's own files are no work of the phase.
                    if set.is_none() || relative != Path::new(".git") {
                        open.push(path);
                    }
                } else if set.is_none_or(|set| set.is_match(relative)) {
                    // Quoted as a text, so that no control character of a name gets into the log.
                    let shown = relative.to_string_lossy();
                    match relative.to_str() {
                        _ if !kind.is_file() => {
                            self.notes.push(format!("{shown:?} is left out: not a regular file"));
                        }
                        Some(name) => drop(self.files.insert(name.to_owned(), path)),
                        None => self.notes.push(format!("{shown:?} is left out: its name is not UTF-8")),
                    }
                }
            }
        }
    }
}

fn quoted(globs: &[String]) -> String {
    let quoted: Vec<String> = globs.iter().map(|glob| format!("`{glob}`")).collect();
    quoted.join(" or ")
}
