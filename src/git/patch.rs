//! The change of a commit, to find commits that repeat or revert it.
//!
//! Changes are compared like `git patch-id --verbatim`: line numbers do not count, whitespace does. A rename is one
//! file removed and one added. The change of a merge is its diff to the first parent, as after a squash. Binary and
//! large files are compared by the ids of their contents.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use git2::{Commit, DiffOptions, ObjectType, Oid, Patch, Tree, TreeEntry};

use super::GitError;
use super::object::{FOLDER, Objects};

/// The most files in a change that is compared.
const FILES: usize = 1000;
/// The most folders to read when finding them.
const FOLDERS: usize = 10_000;
/// The largest file whose lines are compared, in bytes.
const LARGEST: usize = 1 << 20;
/// How many bytes git searches for a zero byte, which makes a file binary.
const BINARY: usize = 8000;

/// The files that a commit changes, by path.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change(BTreeMap<Vec<u8>, File>);

/// A file before and after; `None` if it does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct File {
    old: Option<Entry>,
    new: Option<Entry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    id: Oid,
    mode: i32,
}

impl Change {
    /// The change of a commit; `None` if it is too large to compare, or incomplete (a shallow clone).
    pub(super) fn of(objects: &Objects<'_>, commit: &Commit<'_>) -> Result<Option<Self>, GitError> {
        Self::between(objects, commit.parent_ids().next(), commit)
    }

    /// The change from an older commit to a newer one.
    pub(super) fn between(
        objects: &Objects<'_>,
        older: Option<Oid>,
        commit: &Commit<'_>,
    ) -> Result<Option<Self>, GitError> {
        let old = match older {
            Some(parent) => match available(objects.commit(parent).map(|parent| parent.tree_id()))? {
                Some(tree) => Some(tree),
                None => return Ok(None),
            },
            None => None,
        };
        Ok(available(files(objects, old, commit.tree_id()))?.flatten().map(Self))
    }

    /// The files that differ, for display.
    pub(super) fn paths(&self) -> impl Iterator<Item = String> {
        self.0.keys().map(|path| String::from_utf8_lossy(path).into_owned())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The inverse change.
    pub(super) fn reversed(&self) -> Self {
        let turned = |(path, file): (&Vec<u8>, &File)| (path.clone(), File { old: file.new, new: file.old });
        Self(self.0.iter().map(turned).collect())
    }

    /// Whether both are the same change, at any line numbers. Empty changes are never the same.
    pub(super) fn is(&self, other: &Self, objects: &Objects<'_>) -> bool {
        let mode = |entry: Option<Entry>| entry.map(|entry| entry.mode);
        let modes = |file: &File| (mode(file.old), mode(file.new));
        !self.0.is_empty()
            && self.0.len() == other.0.len()
            && self
                .0
                .iter()
                .zip(&other.0)
                .all(|((path, file), (there, other))| path == there && modes(file) == modes(other))
            && self.0.values().zip(other.0.values()).all(|(file, other)| file.is(*other, objects))
    }
}

impl File {
    fn is(self, other: Self, objects: &Objects<'_>) -> bool {
        self == other
            || self
                .lines(objects)
                .is_some_and(|lines| other.lines(objects).is_some_and(|other| lines == other))
    }

    /// The lines of the diff without hunk headers; `None` for binary or large files.
    fn lines(self, objects: &Objects<'_>) -> Option<Vec<u8>> {
        let (old, new) = (text(objects, self.old)?, text(objects, self.new)?);
        let mut options = DiffOptions::new();
        let patch = Patch::from_buffers(&old, None, &new, None, Some(&mut options)).ok()?;
        let mut lines = Vec::new();
        for piece in 0..patch.num_hunks() {
            for at in 0..patch.num_lines_in_hunk(piece).ok()? {
                let line = patch.line_in_hunk(piece, at).ok()?;
                lines.push(u8::try_from(line.origin()).ok()?);
                lines.extend_from_slice(line.content());
            }
        }
        Some(lines)
    }
}

/// The text of a file; `None` if it is binary, large, or unreadable.
fn text(objects: &Objects<'_>, entry: Option<Entry>) -> Option<Vec<u8>> {
    let Some(Entry { id, .. }) = entry else { return Some(Vec::new()) };
    let (size, kind) = objects.odb().read_header(id).ok()?;
    if kind != ObjectType::Blob || size > LARGEST {
        return None;
    }
    let blob = objects.odb().read(id).ok()?;
    let bytes = blob.data();
    (!bytes[..bytes.len().min(BINARY)].contains(&0)).then(|| bytes.to_vec())
}

/// The files that differ between two folders; `None` if there are too many.
fn files(
    objects: &Objects<'_>,
    old: Option<Oid>,
    new: Oid,
) -> Result<Option<BTreeMap<Vec<u8>, File>>, GitError> {
    let mut found: BTreeMap<Vec<u8>, File> = BTreeMap::new();
    let mut open = vec![(Vec::new(), old, Some(new))];
    let mut read = 0;
    while let Some((path, old, new)) = open.pop() {
        let folder = |id: Option<Oid>| id.map(|id| objects.tree(id)).transpose();
        for (name, File { old, new }) in differing(folder(old)?.as_ref(), folder(new)?.as_ref()) {
            let path = [path.as_slice(), &name].concat();
            let is_folder = |entry: &Entry| entry.mode == FOLDER;
            if old.iter().chain(&new).any(is_folder) {
                let path = [path.as_slice(), b"/"].concat();
                open.push((path, old.map(|entry| entry.id), new.map(|entry| entry.id)));
            } else {
                found.insert(path, File { old, new });
            }
        }
        read += 1;
        if found.len() > FILES || read > FOLDERS || open.len() > FOLDERS {
            return Ok(None);
        }
    }
    Ok(Some(found))
}

/// The entries that differ between two folders. A file that became a folder yields two entries, because git sorts files
/// and folders differently.
fn differing(old: Option<&Tree<'_>>, new: Option<&Tree<'_>>) -> Vec<(Vec<u8>, File)> {
    let mut old = old.into_iter().flat_map(Tree::iter).peekable();
    let mut new = new.into_iter().flat_map(Tree::iter).peekable();
    let mut differing = Vec::new();
    loop {
        let order = match (old.peek(), new.peek()) {
            (Some(old), Some(new)) => old.cmp(new),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return differing,
        };
        let (old, new) = (old.next_if(|_| order.is_le()), new.next_if(|_| order.is_ge()));
        let of = |entry: &TreeEntry<'_>| Entry { id: entry.id(), mode: entry.filemode() };
        let file = File { old: old.as_ref().map(of), new: new.as_ref().map(of) };
        if file.old != file.new
            && let Some(entry) = new.or(old)
        {
            differing.push((entry.name_bytes().to_vec(), file));
        }
    }
}

/// Maps an object that is missing from a clone, or too large, to `None`.
pub(super) fn available<T>(read: Result<T, GitError>) -> Result<Option<T>, GitError> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(GitError::Missing { .. } | GitError::Damaged { .. } | GitError::Oversized { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
