//! Stores the artifacts of a phase.

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
use crate::domain::{ImageDigests, shortened};

use super::backoff::Outage;
use super::log::Log;
use super::mask::Finder;

/// The most files stored per replica.
pub const MOST: usize = 10_000;
/// The most bytes stored per replica: 1 GiB.
pub const LARGEST: u64 = 1024 * 1024 * 1024;
/// How many files the notes and the status name before they only count the rest.
const NAMED: usize = 20;
/// How much of a path is shown, in characters.
const SHOWN: usize = 200;

/// The artifacts that were stored.
#[derive(Debug, Default)]
pub struct StoredArtifacts {
    /// The number of files.
    pub files: u32,
    /// Names of files that contain the value of a secret, at most `NAMED`.
    pub exposed: Vec<String>,
    /// The images that the phase built.
    pub images: ImageDigests,
    /// The first error in reading or storing a file.
    pub problem: Option<String>,
}

/// Finds what `globs` match below `folder`, and everything in `given`. If there is no folder, because the code removed
/// or replaced it, the log says why.
///
/// Finds regular files only, and does not follow symbolic links.
pub async fn find(folder: Result<PathBuf, String>, globs: Vec<String>, given: PathBuf) -> ArtifactFiles {
    // Off the heartbeat's thread: there may be many files, and the disk may be slow.
    let finding = spawn_blocking(move || {
        let mut found = ArtifactFiles::default();
        match folder {
            _ if globs.is_empty() => {}
            Ok(folder) => found.matching(&folder, &globs),
            Err(why) => found.notes.push(format!("no file matches {}: {why}", quoted(&globs))),
        }
        // The code may have replaced it with a link, whose target was never meant to be stored.
        if given.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink()) {
            let note = "`$KATKIT_ARTIFACTS` was replaced by a symbolic link, which is not followed";
            found.notes.push(note.to_owned());
        } else {
            found.everything(&given);
        }
        found
    });
    finding.await.unwrap_or_else(|error| ArtifactFiles {
        problem: Some(format!("the artifacts could not be found: {error}")),
        ..ArtifactFiles::default()
    })
}

/// Stores the files as they are. Notes in the log which it skipped, and which contain a secret.
pub async fn keep(
    blobs: &dyn Blobs,
    replica: &BlobKey,
    found: ArtifactFiles,
    log: &mut Log,
    outage: &mut Outage,
) -> StoredArtifacts {
    let artifacts = replica.artifacts();
    // How many bytes of a blob key are left for a path.
    let room = BlobKey::LONGEST.saturating_sub(artifacts.as_str().len() + 1);
    let ArtifactFiles { files, mut notes, mut problem } = found;
    let (mut kept, mut size, mut exposed) = (0, 0, Vec::new());
    let mut keys = std::collections::BTreeSet::new();
    for (name, path) in files {
        let metadata = match path.symlink_metadata() {
            Ok(metadata) => metadata,
            Err(error) => {
                problem.get_or_insert(format!("{name:?} could not be stored: {error}"));
                continue;
            }
        };
        if usize::try_from(kept).is_ok_and(|kept| kept >= MOST) {
            notes.push(format!("there are more than {MOST} files; the rest are skipped"));
            break;
        }
        if size + metadata.len() > LARGEST {
            notes.push(format!("{name:?} is skipped: the artifacts exceed {} MiB", LARGEST >> 20));
            continue;
        }
        let shown = log.masked(&name);
        let Ok(key) = artifacts.join(&shown) else {
            notes.push(if shown.len() > room {
                let begins = shortened(&shown, SHOWN);
                format!("{begins:?} is skipped: its path has {} bytes, and {room} fit here", shown.len())
            } else {
                format!("{name:?} is skipped: its name contains a control character or `\\`")
            });
            continue;
        };
        // The store's errors do not tell an unreadable file from a store that refuses writes.
        if let Err(error) = open(&path) {
            problem.get_or_insert(format!("`{shown}` could not be stored: {error}"));
            continue;
        }
        if !keys.insert(key.clone()) {
            notes.push(format!("`{shown}` is skipped: another file has this name once secrets are masked"));
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
                problem.get_or_insert(format!("`{shown}` could not be stored: {}", in_one_line(&error)));
                break;
            }
        }
    }
    let unnamed = notes.len().saturating_sub(NAMED);
    for note in notes.into_iter().take(NAMED) {
        log.note(&format!("artifacts: {note}"));
    }
    if unnamed > 0 {
        log.note(&format!("artifacts: {unnamed} more notes like these"));
    }
    for name in exposed.iter().take(NAMED) {
        log.note(&format!(
            "artifacts: warning: {name:?} contains the value of a secret, and is stored unmasked"
        ));
    }
    if exposed.len() > NAMED {
        log.note(&format!("artifacts: warning: {} more files contain one", exposed.len() - NAMED));
        exposed.truncate(NAMED);
    }
    StoredArtifacts { files: kept, exposed, images: ImageDigests::new(), problem }
}

/// Whether a stored file contains the value of a secret.
async fn holds_secret(finder: Finder, path: PathBuf) -> io::Result<bool> {
    if finder.is_empty() {
        return Ok(false);
    }
    // Off the thread that handles signals: a gigabyte takes seconds.
    let searching = spawn_blocking(move || finder.is_in(open(&path)?));
    searching.await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// Opens a file for reading. Does not follow a link or block on a pipe that may have replaced it.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

/// The files to store.
#[derive(Debug, Default)]
pub struct ArtifactFiles {
    /// By their name in the store.
    files: BTreeMap<String, PathBuf>,
    notes: Vec<String>,
    /// The first thing that could not be read: it may contain artifacts.
    problem: Option<String>,
}

impl ArtifactFiles {
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
                // If the code removed it, there is nothing to store.
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
                    // The phase did not make git's own files.
                    let of_interest = patterns
                        .is_none_or(|patterns| relative != Path::new(".git") && patterns.lead_into(relative));
                    if of_interest {
                        open.push(path);
                    }
                } else if patterns.is_none_or(|patterns| patterns.files.is_match(relative)) {
                    // Quoted, so that no control character gets into the log.
                    let shown = relative.to_string_lossy();
                    match relative.to_str() {
                        _ if !kind.is_file() => {
                            self.notes.push(format!("{shown:?} is skipped: not a regular file"));
                        }
                        Some(name) => drop(self.files.insert(name.to_owned(), path)),
                        None => self.notes.push(format!("{shown:?} is skipped: its name is not UTF-8")),
                    }
                }
            }
        }
    }

    fn fail(&mut self, called: &str, root: &Path, path: &Path, error: &io::Error) {
        let shown = shortened(&path.strip_prefix(root).unwrap_or(path).to_string_lossy(), SHOWN);
        let what = if shown.is_empty() { format!("`{called}`") } else { format!("{shown:?} in `{called}`") };
        self.problem.get_or_insert(format!("{what} could not be stored: {error}"));
    }
}

/// Which files of a folder to store.
struct Patterns {
    files: GlobSet,
    /// For each pattern, one matcher per parent folder, up to the first `**`, bracket, brace or backslash.
    folders: Vec<Vec<GlobMatcher>>,
}

impl Patterns {
    fn new(globs: &[String]) -> Result<Self, String> {
        let glob = |pattern: &str| GlobBuilder::new(pattern).literal_separator(true).build();
        let (mut set, mut folders) = (GlobSetBuilder::new(), Vec::new());
        for text in globs {
            // The name of a directory matches everything in it.
            let plain = text.trim_start_matches("./").trim_end_matches('/');
            for pattern in [plain.to_owned(), format!("{plain}/**")] {
                let pattern =
                    glob(&pattern).map_err(|error| format!("`{text}` is not a valid pattern: {error}"))?;
                set.add(pattern);
            }
            // A `/` inside brackets or braces does not end a name.
            let names =
                plain.split('/').take_while(|name| !name.contains("**") && !name.contains(['[', '{', '\\']));
            folders.push(names.map_while(|name| Some(glob(name).ok()?.compile_matcher())).collect());
        }
        let files = set.build().map_err(|error| format!("the patterns cannot be used: {error}"))?;
        Ok(Self { files, folders })
    }

    /// Whether a pattern may match something below `folder`.
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
