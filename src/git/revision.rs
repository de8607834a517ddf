//! Reads the files of a work tree at a revision, without touching the work tree.

use std::ffi::OsStr;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::process::Stdio;

use git2::{ErrorCode, ObjectType, Oid, Repository, RepositoryOpenFlags};

use super::object::{FOLDER, LINK, Objects, SUBMODULE};
use super::repository_location::RepositoryLocation;
use super::{GitError, command, open, tracked};

/// The most steps to an ancestor, taken one by one.
const MOST_STEPS: usize = 100_000;

/// A revision of the repository that contains a path.
pub struct Revision {
    repository: Repository,
    tree: Oid,
    root: PathBuf,
}

impl std::fmt::Debug for Revision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Revision").field("tree", &self.tree).field("root", &self.root).finish_non_exhaustive()
    }
}

impl Revision {
    /// Opens the revision `text` (a sha, branch, tag, `HEAD~1`, …) of the repository whose work tree contains `path`.
    pub fn open(path: &Path, text: &str) -> Result<Self, GitError> {
        open::settle();
        let place = || path.display().to_string();
        // Not with libgit2's own search, which accepts committed files that look like a bare repository.
        let root = tracked::work_tree(path)
            .ok_or_else(|| GitError::NotARepository { place: place(), inside: None })?
            .to_owned();
        let inner = tracked::is_submodule(&root).map_err(|error| GitError::io("read", &root, error))?;
        if inner {
            return Err(GitError::Submodule { place: root.display().to_string() });
        }
        let none: [&OsStr; 0] = [];
        let repository = Repository::open_ext(&root, RepositoryOpenFlags::NO_SEARCH, none);
        let repository = match repository {
            Ok(repository) => repository,
            Err(error) if error.code() == ErrorCode::Owner => {
                return Err(GitError::NotOwned { place: place() });
            }
            // A reference format that only `git` can read. Objects have just one format.
            Err(error) if error.message().contains("extension") => return Self::named_by_git(root, text),
            Err(error) => return Err(GitError::unreadable(place(), error)),
        };
        let unknown = || GitError::Unknown {
            place: root.display().to_string(),
            text: text.to_owned(),
            near: Vec::new(),
        };
        let tree =
            tree_of(&repository, &RepositoryLocation::Local(root.clone()), text)?.ok_or_else(unknown)?;
        Ok(Self { repository, tree, root })
    }

    /// Lets `git` resolve the text. `git` discovers the repository itself, so it refuses one whose configuration it
    /// must not obey; `rev-parse` runs no program named there.
    fn named_by_git(root: PathBuf, text: &str) -> Result<Self, GitError> {
        let place = root.display().to_string();
        let unreadable = |error| GitError::unreadable(&place, error);
        let rev_parse = |arguments: &[&str]| {
            let mut git = command::command(&[], None);
            git.arg("rev-parse").args(arguments).env("GIT_NO_LAZY_FETCH", "1").current_dir(&root);
            let output = git.stdin(Stdio::null()).stderr(Stdio::null()).output();
            let output =
                output.map_err(|error| command::started(&RepositoryLocation::Local(root.clone()), error))?;
            let printed = String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned();
            Ok(output.status.success().then_some(printed))
        };
        let objects = rev_parse(&["--path-format=absolute", "--git-path", "objects"])?
            .ok_or_else(|| GitError::NotOwned { place: place.clone() })?;
        let tree = rev_parse(&["--verify", "--quiet", "--end-of-options", &format!("{text}^{{tree}}")])?;
        let tree = tree.and_then(|tree| Oid::from_str(&tree).ok()).ok_or_else(|| GitError::Unknown {
            place: place.clone(),
            text: text.to_owned(),
            near: Vec::new(),
        })?;
        let odb = git2::Odb::new().map_err(unreadable)?;
        odb.add_disk_alternate(&objects).map_err(unreadable)?;
        Ok(Self { repository: Repository::from_odb(odb).map_err(unreadable)?, tree, root })
    }

    /// Reads a file of the work tree at the revision. `fits` gets its size in bytes, and can fail to prevent the read.
    pub fn read(&self, path: &Path, fits: impl FnOnce(u64) -> io::Result<()>) -> io::Result<Vec<u8>> {
        let place = RepositoryLocation::Local(self.root.clone());
        let objects = Objects::new(&self.repository, &place).map_err(io::Error::other)?;
        let found = objects.at(self.tree, &self.inside(path)?).map_err(io::Error::other)?;
        let (id, mode) =
            found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "it is not in that revision"))?;
        if matches!(mode, FOLDER | LINK | SUBMODULE) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "it is not a regular file in that revision",
            ));
        }
        // The header gives the size, so a huge file is never read.
        let (size, _) = objects.odb().read_header(id).map_err(io::Error::other)?;
        fits(size as u64)?;
        Ok(objects.odb().read(id).map_err(io::Error::other)?.data().to_vec())
    }

    /// All files of the revision below `directory`, sorted, as paths in the work tree.
    pub fn files(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        let place = RepositoryLocation::Local(self.root.clone());
        let objects = Objects::new(&self.repository, &place).map_err(io::Error::other)?;
        let below = self.inside(directory)?;
        let mut files = Vec::new();
        let mut folders = Vec::new();
        match objects.at(self.tree, &below).map_err(io::Error::other)? {
            Some((id, FOLDER)) => folders.push((self.root.join(&below), id)),
            Some((_, SUBMODULE)) | None => {}
            Some(_) => files.push(self.root.join(&below)),
        }
        while let Some((path, id)) = folders.pop() {
            for entry in &objects.tree(id).map_err(io::Error::other)? {
                let Ok(name) = entry.name() else { continue };
                match entry.filemode() {
                    FOLDER => folders.push((path.join(name), entry.id())),
                    SUBMODULE => {}
                    _ => files.push(path.join(name)),
                }
            }
        }
        files.sort();
        Ok(files)
    }

    /// A path relative to the root of the work tree, without `.` and `..`.
    fn inside(&self, path: &Path) -> io::Result<PathBuf> {
        let mut plain = PathBuf::new();
        for component in path.components() {
            match component {
                Component::ParentDir => drop(plain.pop()),
                Component::CurDir => {}
                other => plain.push(other),
            }
        }
        let root = std::fs::canonicalize(&self.root)?;
        let inside = plain.strip_prefix(&root).or_else(|_| plain.strip_prefix(&self.root));
        inside.map(Path::to_owned).map_err(|_| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                "it is outside of the repository that contains the manifest",
            )
        })
    }
}

/// The folder that a text names. Commits along `~` and `^` are read with size limits, like all others. Other suffixes
/// (`@{yesterday}`, `^{/text}`, `:path`) are left to libgit2, which reads commits without limits.
fn tree_of(repository: &Repository, place: &RepositoryLocation, text: &str) -> Result<Option<Oid>, GitError> {
    let objects = Objects::new(repository, place)?;
    let end = [text.find(['~', '^', ':']), text.find("@{")].into_iter().flatten().min();
    let (name, steps) = text.split_at(end.unwrap_or(text.len()));
    let named = repository.resolve_reference_from_short_name(name).and_then(|reference| reference.resolve());
    let id = named.ok().and_then(|reference| reference.target()).or_else(|| {
        let by_id = name.len() >= 4 && name.len() <= 40;
        by_id.then(|| objects.by_prefix(name).ok())?
    });
    if let (Some(id), Some(steps)) = (id, parents(steps)) {
        let Some(mut id) = objects.peeled(id)? else {
            return Ok(matches!(objects.kind(id), Ok(ObjectType::Tree)).then_some(id));
        };
        for parent in steps {
            let Ok(next) = objects.commit(id)?.parent_id(parent) else { return Ok(None) };
            id = next;
        }
        return objects.commit(id).map(|commit| Some(commit.tree_id()));
    }
    let Ok(object) = repository.revparse_single(text) else { return Ok(None) };
    Ok(object.peel_to_tree().ok().map(|tree| tree.id()))
}

/// The parent to take at each step of `~2`, `^2` and the like; `None` if the text contains anything else.
fn parents(mut text: &str) -> Option<Vec<usize>> {
    let mut steps = Vec::new();
    while let Some(rest) = text.strip_prefix(['~', '^']) {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: usize = if digits == 0 { 1 } else { rest[..digits].parse().ok()? };
        match &text[..1] {
            "~" if number <= MOST_STEPS => steps.extend(std::iter::repeat_n(0, number)),
            "^" if number > 0 => steps.push(number - 1),
            _ => return None,
        }
        text = &rest[digits..];
    }
    text.is_empty().then_some(steps)
}

#[cfg(test)]
mod tests {
    use super::parents;

    #[test]
    fn steps_to_parents_are_parsed() {
        assert_eq!(parents(""), Some(vec![]));
        assert_eq!(parents("~2^"), Some(vec![0, 0, 0]));
        assert_eq!(parents("^2~"), Some(vec![1, 0]));
        for other in ["^0", "^{tree}", "~2:folder", "@{1}", "~99999999999999999999"] {
            assert_eq!(parents(other), None, "{other}");
        }
    }
}
