//! Whether git tracks a path: then the author of a commit chose what is there.
//!
//! The index is read as a file, without opening the repository: neither its configuration nor its owner affects what it
//! tracks. The `git` executable reads an index that libgit2 cannot read (a split or sparse one).

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};
use std::process::Stdio;

use rustix::process::geteuid;

use super::command;

/// The first tracked path at, below or above `path`, in any repository around it.
///
/// Files named `path` plus one of `suffixes` count as well, such as `state.db-wal` for `state.db`.
///
/// Fails if a repository's index can be read neither by libgit2 nor by `git`.
pub fn tracked(path: &Path, suffixes: &[&str]) -> io::Result<Option<PathBuf>> {
    let path = std::path::absolute(path)?;
    let mut found = around(&path, &path, suffixes)?;
    if found.is_none() {
        let real = really(&path);
        if real != path {
            found = around(&real, &real, suffixes)?;
        }
    }
    Ok(found)
}

/// The first path at, below or above a repository that an enclosing repository tracks: then it came with a commit.
pub fn tracked_repository(path: &Path) -> io::Result<Option<PathBuf>> {
    let mut plain = PathBuf::new();
    for part in std::path::absolute(path)?.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    // Ignores the repository's own index, which tracks everything in it.
    plain.parent().map_or(Ok(None), |above| around(above, &plain, &[]))
}

/// The path without symbolic links, as far as it exists.
fn really(path: &Path) -> PathBuf {
    for above in path.ancestors() {
        if let (Ok(real), Ok(rest)) = (fs::canonicalize(above), path.strip_prefix(above)) {
            // Joining an empty path would add a trailing slash.
            return if rest.as_os_str().is_empty() { real } else { real.join(rest) };
        }
    }
    path.to_owned()
}

/// The first path tracked by a repository around `from` that affects `path`.
fn around(from: &Path, path: &Path, suffixes: &[&str]) -> io::Result<Option<PathBuf>> {
    for root in from.ancestors() {
        let Some(directory) = git_directory(root) else { continue };
        let Ok(inside) = path.strip_prefix(root) else { continue };
        let names = names(root, &directory, inside)?;
        if let Some(name) = names.into_iter().find(|name| concerns(name, inside, suffixes)) {
            return Ok(Some(root.join(name)));
        }
    }
    Ok(None)
}

/// Whether a tracked name affects what is at `path`.
fn concerns(name: &Path, path: &Path, suffixes: &[&str]) -> bool {
    // `path` may pass through a tracked file, link or submodule.
    name.starts_with(path)
        || path.starts_with(name)
        || suffixes.iter().any(|suffix| {
            let mut beside = path.as_os_str().to_owned();
            beside.push(suffix);
            name == beside
        })
}

/// The root of the work tree around a path. Only a `.git` marks one, because no commit can contain a `.git`; what looks
/// like a bare repository may have come with a commit.
pub(super) fn work_tree(path: &Path) -> Option<&Path> {
    path.ancestors().find(|root| git_directory(root).is_some())
}

/// Whether another repository contains this work tree as a submodule.
pub(super) fn is_submodule(root: &Path) -> io::Result<bool> {
    let Some(above) = root.parent() else { return Ok(false) };
    Ok(around(above, root, &[])?.is_some())
}

/// The `.git` of a work tree's root, unless another user put it into a shared directory (`/tmp`).
pub(super) fn git_directory(root: &Path) -> Option<PathBuf> {
    let git = root.join(".git");
    let about = fs::metadata(&git).ok()?;
    let owner = fs::metadata(root).ok()?.uid();
    if ![owner, geteuid().as_raw(), 0].contains(&about.uid()) {
        return None;
    }
    if about.is_dir() {
        return Some(git);
    }
    // A linked work tree or submodule (gitrepository-layout(5)). Opening a pipe would wait for its writer.
    let text = about.is_file().then(|| fs::read_to_string(git).ok())??;
    Some(root.join(text.strip_prefix("gitdir:")?.trim()))
}

/// The names in the index that could affect `path`.
fn names(root: &Path, directory: &Path, path: &Path) -> io::Result<Vec<PathBuf>> {
    let index = directory.join("index");
    match fs::metadata(&index) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Ok(about) if !about.is_file() => return Err(io::Error::other("its index is not a file")),
        Ok(_) => {}
        Err(error) => return Err(error),
    }
    let Ok(index) = git2::Index::open(&index) else { return listed(root) };
    let first = path.components().next().map(|part| part.as_os_str().as_encoded_bytes().to_owned());
    let near = |name: &[u8]| first.as_ref().is_none_or(|first| name.starts_with(first));
    Ok(index.iter().filter(|entry| near(&entry.path)).map(|entry| path_of(&entry.path)).collect())
}

/// Lists the index with `git`, which discovers the repository itself, so it refuses one whose configuration it must not
/// obey. It may not fetch objects that a sparse index leaves out.
fn listed(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut git = command::command(&[], None);
    git.args(["ls-files", "-z", "--cached", "--sparse"]).env("GIT_NO_LAZY_FETCH", "1").current_dir(root);
    let output = git.stdin(Stdio::null()).stderr(Stdio::null()).output()?;
    if !output.status.success() {
        return Err(io::Error::other(format!("cannot list what git tracks in {}", root.display())));
    }
    let names = output.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    Ok(names.map(path_of).collect())
}

fn path_of(name: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    Path::new(std::ffi::OsStr::from_bytes(name)).to_owned()
}
