//! Keeps the files that a phase wants kept.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher, GlobSet, GlobSetBuilder};
use rustix::fs::OFlags;
use tokio::task::spawn_blocking;

use crate::blobs::{BlobKey, Blobs};
use crate::causes::in_one_line;
use crate::domain::shortened;

use super::log::Log;
use super::mask::Finder;
use super::patience::Outage;

/// The most files that one replica can keep.
pub const MOST: usize = 10_000;
/// The most bytes that one replica can keep: 1 GiB.
pub const LARGEST: u64 = 1024 * 1024 * 1024;
/// How many single files are named in notes, and in the status, before the rest is only counted.
const NAMED: usize = 20;
/// How much is shown of a path, in characters.
const SHOWN: usize = 200;

/// What was kept.
#[derive(Debug, Default)]
pub struct Kept {
    /// How many files.
    pub files: u32,
    /// The names of some that hold the value of a secret.
    pub exposed: Vec<String>,
    /// That something could not be read, or that the store did not take it: a sentence.
    pub trouble: Option<String>,
}

/// Finds what `globs` match below `folder`, and everything in `given`. Without a folder, which the code may have removed or
/// replaced, the log says why there is none.
///
/// Only regular files are found, and symbolic links are not followed.
pub async fn find(folder: Result<PathBuf, String>, globs: Vec<String>, given: PathBuf) -> Found {
    // Off the thread that keeps the heartbeat: there may be many files, and their disk slow.
    let finding = spawn_blocking(move || {
        let mut found = Found::default();
        match folder {
            _ if globs.is_empty() => {}
            Ok(folder) => found.matching(&folder, &globs),
            Err(why) => found.notes.push(format!("no file matches {}: {why}", quoted(&globs))),
        }
        // The code may have put something else in its place, and what a link leads to was never given.
        if given.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink()) {
            let note = "`$KATKIT_ARTIFACTS` was replaced by a symbolic link, which is not followed";
            found.notes.push(note.to_owned());
        } else {
            found.everything(&given);
        }
        found
    });
    finding.await.unwrap_or_else(|error| Found {
        trouble: Some(format!("the artifacts could not be found: {error}")),
        ..Found::default()
    })
}

/// Keeps what was found, as it is. Says in the log what it left out, and which files contain a secret.
pub async fn keep(
    blobs: &dyn Blobs,
    replica: &BlobKey,
    found: Found,
    log: &mut Log,
    outage: &mut Outage,
) -> Kept {
    let artifacts = replica.artifacts();
    // What a key of the store leaves for a path.
    let room = BlobKey::LONGEST.saturating_sub(artifacts.as_str().len() + 1);
    let Found { files, mut notes, mut trouble } = found;
    let (mut kept, mut size, mut exposed) = (0, 0, Vec::new());
    let mut keys = std::collections::BTreeSet::new();
    for (name, path) in files {
        let metadata = match path.symlink_metadata() {
            Ok(metadata) => metadata,
            Err(error) => {
                trouble.get_or_insert(format!("{name:?} could not be kept: {error}"));
                continue;
            }
        };
        if usize::try_from(kept).is_ok_and(|kept| kept >= MOST) {
            notes.push(format!("more than {MOST} files were to be kept; the rest is left out"));
            break;
        }
        if size + metadata.len() > LARGEST {
            notes.push(format!("{name:?} is left out: more than {} MiB were to be kept", LARGEST >> 20));
            continue;
        }
        let shown = log.masked(&name);
        let Ok(key) = artifacts.join(&shown) else {
            notes.push(if shown.len() > room {
                let begins = shortened(&shown, SHOWN);
                format!("{begins:?} is left out: its path has {} bytes, and {room} fit here", shown.len())
            } else {
                format!("{name:?} is left out: its name holds a control character or `\\`")
            });
            continue;
        };
        // The store's own errors do not tell a file that cannot be read from a store that takes nothing.
        if let Err(error) = open(&path) {
            trouble.get_or_insert(format!("`{shown}` could not be kept: {error}"));
            continue;
        }
        if !keys.insert(key.clone()) {
            notes.push(format!("`{shown}` is left out: another file has this name once secrets are masked"));
            continue;
        }
        match outage.wait_out(async || blobs.put_file(&key, &path).await).await {
            Ok(()) => {
                kept += 1;
                size += metadata.len();
                match holds_secret(log.finder(), path).await {
                    Ok(false) => {}
                    Ok(true) => exposed.push(shortened(&shown, SHOWN)),
                    Err(error) => notes.push(format!("`{shown}` could not be searched for secrets: {error}")),
                }
            }
            Err(error) => {
                trouble.get_or_insert(format!("`{shown}` could not be kept: {}", in_one_line(&error)));
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
    for name in exposed.iter().take(NAMED) {
        log.note(&format!("artifacts: warning: {name:?} holds the value of a secret, and is kept as it is"));
    }
    if exposed.len() > NAMED {
        log.note(&format!("artifacts: warning: so do {} more", exposed.len() - NAMED));
        exposed.truncate(NAMED);
    }
    Kept { files: kept, exposed, trouble }
}

/// Whether the value of a secret stands in a file that was kept.
async fn holds_secret(finder: Finder, path: PathBuf) -> io::Result<bool> {
    if finder.is_empty() {
        return Ok(false);
    }
    // Off the thread that listens for signals: a gigabyte takes seconds.
    let searching = spawn_blocking(move || finder.is_in(open(&path)?));
    searching.await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// Opens a file to read it, without following or waiting for what may stand there instead.
fn open(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

/// The files to keep.
#[derive(Debug, Default)]
pub struct Found {
    /// By name in the store.
    files: BTreeMap<String, PathBuf>,
    notes: Vec<String>,
    /// The first thing that could not be looked at: what is in it may have been meant to be kept.
    trouble: Option<String>,
}

impl Found {
    fn matching(&mut self, folder: &Path, globs: &[String]) {
        let patterns = match Patterns::new(globs) {
            Ok(patterns) => patterns,
            Err(why) => return self.notes.push(why),
        };
        let before = self.files.len();
        self.walk(folder, "the checkout", Some(&patterns));
        if self.files.len() == before {
            self.notes.push(format!("no file matches {}", quoted(globs)));
        }
    }

    fn everything(&mut self, given: &Path) {
        self.walk(given, "$KATKIT_ARTIFACTS", None);
    }

    fn walk(&mut self, root: &Path, called: &str, patterns: Option<&Patterns>) {
        let mut open = vec![root.to_owned()];
        while let Some(directory) = open.pop() {
            let entries = match fs::read_dir(&directory) {
                // The code may have removed it; what it removed it did not want kept.
                Err(error) if directory == root && error.kind() == ErrorKind::NotFound => return,
                Err(error) => {
                    self.fail(called, root, &directory, &error);
                    continue;
                }
                Ok(entries) => entries,
            };
            for entry in entries {
                let found = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)));
                let (path, kind) = match found {
                    Ok(found) => found,
                    Err(error) => {
                        self.fail(called, root, &directory, &error);
                        continue;
                    }
                };
                let Ok(relative) = path.strip_prefix(root) else { continue };
                if kind.is_dir() {
                    // The repository's own files are no work of the phase.
                    let of_interest = patterns
                        .is_none_or(|patterns| relative != Path::new(".git") && patterns.lead_into(relative));
                    if of_interest {
                        open.push(path);
                    }
                } else if patterns.is_none_or(|patterns| patterns.files.is_match(relative)) {
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

    fn fail(&mut self, called: &str, root: &Path, path: &Path, error: &io::Error) {
        let shown = shortened(&path.strip_prefix(root).unwrap_or(path).to_string_lossy(), SHOWN);
        let what = if shown.is_empty() { format!("`{called}`") } else { format!("{shown:?} in `{called}`") };
        self.trouble.get_or_insert(format!("{what} could not be kept: {error}"));
    }
}

/// What is to be kept of a folder.
struct Patterns {
    files: GlobSet,
    /// For each pattern, what the folders on the way to its matches are called, as far as it says so.
    folders: Vec<Vec<GlobMatcher>>,
}

impl Patterns {
    fn new(globs: &[String]) -> Result<Self, String> {
        let glob = |pattern: &str| GlobBuilder::new(pattern).literal_separator(true).build();
        let (mut set, mut folders) = (GlobSetBuilder::new(), Vec::new());
        for text in globs {
            // What is meant by a directory's name is everything in it.
            let plain = text.trim_start_matches("./").trim_end_matches('/');
            for pattern in [plain.to_owned(), format!("{plain}/**")] {
                let pattern =
                    glob(&pattern).map_err(|error| format!("`{text}` is not a pattern: {error}"))?;
                set.add(pattern);
            }
            // A `/` inside of brackets or braces is no end of a name.
            let names =
                plain.split('/').take_while(|name| !name.contains("**") && !name.contains(['[', '{', '\\']));
            folders.push(names.map_while(|name| Some(glob(name).ok()?.compile_matcher())).collect());
        }
        let files = set.build().map_err(|error| format!("the patterns cannot be used: {error}"))?;
        Ok(Self { files, folders })
    }

    /// Whether anything below a folder may be meant.
    fn lead_into(&self, folder: &Path) -> bool {
        self.folders
            .iter()
            .any(|names| folder.iter().zip(names).all(|(name, pattern)| pattern.is_match(name)))
    }
}

fn quoted(globs: &[String]) -> String {
    let quoted: Vec<String> = globs.iter().map(|glob| format!("`{glob}`")).collect();
    quoted.join(" or ")
}
