//! The files of a manifest on disk.

use std::fs;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};

use crate::git::TrackedFiles;
use crate::manifest::{LARGEST_FILE, ManifestFiles, check_size};

/// Reads manifests from the file system.
#[derive(Debug, Default)]
pub struct DiskFiles {
    tracked: TrackedFiles,
}

/// How many directory entries a pattern may visit, so that even `/**` terminates.
const MOST_ENTRIES: usize = 100_000;

/// How many symbolic links the system follows for one path (`path_resolution(7)`).
const MOST_LINKS: usize = 40;

impl ManifestFiles for DiskFiles {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let about = fs::metadata(path)?;
        if about.is_dir() {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a directory"));
        }
        // Opening a pipe would wait for a writer, and a device may never end.
        if !about.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
        }
        check_size(about.len())?;
        let mut bytes = Vec::new();
        // One byte more than allowed, to notice if the file grew.
        fs::File::open(path)?.take(LARGEST_FILE + 1).read_to_end(&mut bytes)?;
        check_size(bytes.len() as u64)?;
        Ok(bytes)
    }

    fn matching(&self, directory: &Path, pattern: &str) -> io::Result<Vec<PathBuf>> {
        let parts = parts(pattern)?;
        let mut search = Search { found: Vec::new(), entries: 0 };
        search.descend(directory.to_owned(), &parts)?;
        search.found.sort();
        search.found.dedup();
        Ok(search.found)
    }

    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        fs::canonicalize(path).map_err(|error| {
            if is_nothing(&error) && path.is_symlink() {
                return io::Error::new(error.kind(), "it is a symbolic link that leads nowhere");
            }
            error
        })
    }

    fn is_tracked(&self, canonical: &Path) -> io::Result<bool> {
        self.tracked.contain(canonical)
    }

    fn is_behind_tracked_link(&self, path: &Path) -> io::Result<bool> {
        let mut path = std::path::absolute(path)?;
        for _ in 0..MOST_LINKS {
            for part in path.ancestors() {
                let (Some(parent), Some(name)) = (part.parent(), part.file_name()) else { continue };
                if part.is_symlink() && self.tracked.contain(&fs::canonicalize(parent)?.join(name))? {
                    return Ok(true);
                }
            }
            let Ok(next) = fs::read_link(&path) else { break };
            path = path.parent().unwrap_or(Path::new("")).join(next);
        }
        Ok(false)
    }
}

/// Whether no file exists under that name.
fn is_nothing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// A piece of a pattern, between slashes.
enum Part {
    /// A literal name, `..`, or the root.
    Plain(PathBuf),
    /// `*.toml`
    Glob(GlobMatcher, bool),
    /// `**`: any number of directories.
    Deep,
}

fn parts(pattern: &str) -> io::Result<Vec<Part>> {
    let wrong = |error: globset::Error| io::Error::new(io::ErrorKind::InvalidInput, error.kind().to_string());
    let part = |component: Component<'_>| {
        let text = component.as_os_str().to_string_lossy();
        if text == "**" {
            return Ok(Part::Deep);
        }
        if !text.contains(['*', '?', '[', '{']) {
            return Ok(Part::Plain(component.as_os_str().into()));
        }
        let glob = GlobBuilder::new(&text).literal_separator(true).build().map_err(wrong)?;
        Ok(Part::Glob(glob.compile_matcher(), text.starts_with('.')))
    };
    Path::new(pattern).components().map(part).collect()
}

struct Search {
    found: Vec<PathBuf>,
    entries: usize,
}

impl Search {
    fn descend(&mut self, path: PathBuf, parts: &[Part]) -> io::Result<()> {
        let Some((part, rest)) = parts.split_first() else {
            match fs::metadata(&path) {
                Ok(about) if about.is_file() => self.found.push(path),
                Ok(_) => {}
                Err(error) if is_nothing(&error) && !path.is_symlink() => {}
                // It may be part of the manifest, so let reading it report the error.
                Err(_) => self.found.push(path),
            }
            return Ok(());
        };
        match part {
            Part::Plain(name) => self.descend(path.join(name), rest),
            Part::Glob(glob, hidden) => {
                for entry in self.list(&path)? {
                    // As in a shell, `*` does not match hidden files.
                    let name = entry.file_name();
                    let is_hidden = name.as_encoded_bytes().starts_with(b".");
                    if glob.is_match(&name) && (*hidden || !is_hidden) {
                        let below = path.join(name);
                        if below.is_symlink() && fs::metadata(&below).is_err() {
                            self.found.push(below);
                        } else {
                            self.descend(below, rest)?;
                        }
                    }
                }
                Ok(())
            }
            Part::Deep => {
                for entry in self.list(&path)? {
                    let name = entry.file_name();
                    // Check the entry itself: a symbolic link to a directory could form a cycle.
                    if entry.file_type()?.is_dir() && !name.as_encoded_bytes().starts_with(b".") {
                        self.descend(path.join(name), parts)?;
                    }
                }
                self.descend(path, rest)
            }
        }
    }

    /// The entries of a directory; none if `path` is not one.
    fn list(&mut self, path: &Path) -> io::Result<Vec<fs::DirEntry>> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) if is_nothing(&error) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut listed = Vec::new();
        for entry in entries {
            self.entries += 1;
            if self.entries > MOST_ENTRIES {
                let what = format!("the pattern visits more than {MOST_ENTRIES} files");
                return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
            }
            listed.push(entry?);
        }
        Ok(listed)
    }
}
