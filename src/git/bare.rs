//! The files of a mirror: everything there that controls `git` is katkit's own, whatever was there before.
//!
//! `git` obeys the configuration of the repository it works in, which can name programs to run and other locations to
//! read from. So before each run, every file of a mirror except objects, packs and references is rewritten or removed:
//! nothing else is left to obey.

use std::ffi::OsStr;
use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use git2::{Repository, RepositoryInitOptions};

use super::GitError;
use super::error::of_system;

/// The whole configuration of a mirror.
const CONFIG: &str = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n";
/// No branch: a mirror's branches are the repository's, and none of them is checked out.
const HEAD: &str = "ref: refs/heads/none\n";

/// A file whose modification time is when the last repack was started.
pub(super) const REPACKED: &str = "repacked";

/// A reference's lock file of this age has lost its writer.
const ABANDONED: Duration = Duration::from_hours(1);

/// Creates an empty bare repository, atomically.
pub(super) fn create(directory: &Path) -> Result<(), GitError> {
    let scratch = scratch(directory)?;
    let made = scratch.path().join("mirror");
    let mut options = RepositoryInitOptions::new();
    options.bare(true).no_reinit(true).mkpath(true).external_template(false);
    let failed = |error| GitError::io("created", directory, error);
    Repository::init_opts(&made, &options).map_err(|error| failed(of_system(error)))?;
    reclaim(&made).map_err(failed)?;
    fs::rename(&made, directory).map_err(failed)
}

/// A temporary directory beside the mirror, on the same file system; removed when dropped.
pub(super) fn scratch(directory: &Path) -> Result<tempfile::TempDir, GitError> {
    let root = directory.parent().unwrap_or(Path::new("."));
    tempfile::Builder::new()
        .prefix(".scratch-")
        .tempdir_in(root)
        .map_err(|error| GitError::io("created", root, error))
}

/// Keeps objects, packs and references, rewrites the configuration, creates what half a mirror lacks, and removes
/// everything else, including lock files and partial packs of a killed `git`. Only for the holder of the mirror's lock:
/// then no `git` works there.
///
/// Returns false if neither katkit nor `git` made this directory: it contains a symbolic link or a work tree.
pub(super) fn reclaim(directory: &Path) -> io::Result<bool> {
    let ours = keep(directory, |name, is_directory| match name {
        "objects" | "refs" => is_directory,
        "HEAD" | "config" | "packed-refs" | REPACKED => !is_directory,
        _ => false,
    })? && keep(&directory.join("objects"), |name, is_directory| {
        is_directory && (name == "pack" || name.len() == 2 && name.bytes().all(|b| b.is_ascii_hexdigit()))
    })? && keep(&directory.join("objects/pack"), |name, is_directory| {
        let kind = Path::new(name).extension().and_then(OsStr::to_str);
        !is_directory && name.starts_with("pack-") && matches!(kind, Some("pack" | "idx" | "rev"))
    })? && keep(&directory.join("refs"), |name, is_directory| {
        is_directory && matches!(name, "heads" | "tags" | "katkit")
    })?;
    // Readers write below `refs/katkit` without the mirror's lock, but never for long.
    let locks = [("heads", Duration::ZERO), ("tags", Duration::ZERO), ("katkit", ABANDONED)];
    for (folder, age) in locks {
        if !ours || !unlock(directory.join("refs").join(folder), age)? {
            return Ok(false);
        }
    }
    for folder in ["objects", "refs"] {
        fs::create_dir_all(directory.join(folder))?;
    }
    write(&directory.join("config"), CONFIG)?;
    write(&directory.join("HEAD"), HEAD)?;
    Ok(true)
}

/// Removes entries that `keeps` rejects. Returns false if the folder holds something that `git` never makes.
fn keep(folder: &Path, keeps: impl Fn(&str, bool) -> bool) -> io::Result<bool> {
    for entry in entries(folder)? {
        let kind = entry.file_type()?;
        let name = entry.file_name();
        if kind.is_symlink() || name == ".git" {
            return Ok(false);
        }
        if !name.to_str().is_some_and(|name| keeps(name, kind.is_dir())) {
            remove(&entry)?;
        }
    }
    Ok(true)
}

/// Removes lock files of references older than `age`. Returns false if the folder holds something that `git` never
/// makes.
fn unlock(folder: PathBuf, age: Duration) -> io::Result<bool> {
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in entries(&folder)? {
            let kind = entry.file_type()?;
            if kind.is_symlink() {
                return Ok(false);
            }
            if kind.is_dir() {
                folders.push(entry.path());
            } else if entry.path().extension().is_some_and(|extension| extension == "lock") {
                let written = entry.metadata()?.modified()?;
                // A time in the future means that a clock was wrong; the file counts as old.
                if written.elapsed().is_ok_and(|old| old < age) {
                    continue;
                }
                remove(&entry)?;
            }
        }
    }
    Ok(true)
}

/// Whether more than `most` references are loose files.
pub(super) fn has_more_references(directory: &Path, most: usize) -> io::Result<bool> {
    let (mut folders, mut files) = (vec![directory.join("refs")], 0);
    while let Some(folder) = folders.pop() {
        for entry in entries(&folder)? {
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                files += 1;
            }
        }
        if files > most {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Replaces a file atomically if its content differs: readers take no lock.
fn write(path: &Path, text: &str) -> io::Result<()> {
    if fs::read(path).is_ok_and(|there| there == text.as_bytes()) {
        return Ok(());
    }
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    io::Write::write_all(&mut file, text.as_bytes())?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

fn remove(entry: &DirEntry) -> io::Result<()> {
    let path = entry.path();
    let removed = if entry.file_type()?.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// The entries of a folder; none if it does not exist.
pub(super) fn entries(folder: &Path) -> io::Result<Vec<DirEntry>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A mirror with one pack and one branch.
    fn mirror() -> (tempfile::TempDir, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let mirror = root.path().join("mirror");
        create(&mirror).unwrap();
        for name in ["objects/pack/pack-1.pack", "objects/pack/pack-1.idx", "refs/heads/main", REPACKED] {
            fs::write(mirror.join(name), "kept").unwrap();
        }
        (root, mirror)
    }

    /// Every file below a folder.
    fn files(folder: &Path) -> Vec<String> {
        let (mut folders, mut found) = (vec![folder.to_owned()], Vec::new());
        while let Some(next) = folders.pop() {
            for entry in entries(&next).unwrap() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        found.sort();
        found
    }

    #[test]
    fn reclaiming_a_mirror_keeps_only_objects_and_references() {
        let (_root, mirror) = mirror();
        let before = files(&mirror);
        assert_eq!(
            before,
            [
                "HEAD",
                "config",
                "objects/pack/pack-1.idx",
                "objects/pack/pack-1.pack",
                "refs/heads/main",
                "repacked"
            ]
        );
        for name in [
            "commondir",
            "config.worktree",
            "hooks/post-fetch",
            "info/attributes",
            "modules/x/config",
            "objects/info/alternates",
            "objects/pack/tmp_pack_1",
            "objects/pack/.tmp-1-pack-2.pack",
            "objects/pack/pack-1.promisor",
            "refs/heads/main.lock",
            "refs/replace/x",
            "remotes/origin",
            "shallow",
        ] {
            fs::create_dir_all(mirror.join(name).parent().unwrap()).unwrap();
            fs::write(mirror.join(name), "not ours").unwrap();
        }
        fs::write(mirror.join("config"), "[core]\n\tbare = true\n\tsshCommand = false\n").unwrap();
        assert!(reclaim(&mirror).unwrap());
        assert_eq!(files(&mirror), before);
        assert_eq!(fs::read_to_string(mirror.join("config")).unwrap(), CONFIG);
        assert!(Repository::open_bare(&mirror).is_ok());
    }

    #[test]
    fn reclaiming_half_a_mirror_completes_it_and_keeps_its_contents() {
        let (_root, mirror) = mirror();
        let before = files(&mirror);
        for name in ["HEAD", "config"] {
            fs::remove_file(mirror.join(name)).unwrap();
        }
        assert!(reclaim(&mirror).unwrap());
        assert_eq!(files(&mirror), before);
        fs::remove_dir_all(mirror.join("objects")).unwrap();
        assert!(reclaim(&mirror).unwrap() && Repository::open_bare(&mirror).is_ok());
    }

    #[test]
    fn a_mirror_with_a_symbolic_link_or_a_work_tree_in_it_is_not_ours() {
        for place in ["objects", "objects/pack/pack-2.pack", "refs/heads/x", ".git"] {
            let (root, mirror) = mirror();
            let _ = fs::rename(mirror.join(place), root.path().join("moved"));
            symlink(root.path(), mirror.join(place)).unwrap();
            assert!(!reclaim(&mirror).unwrap(), "{place}");
        }
    }
}
