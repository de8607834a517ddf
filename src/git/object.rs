//! Reads commits, folders and tags up to a size. Everything of `git` that reads them does it here.
//!
//! libgit2 inflates an object whole before anybody can look at it, and a pack of a few megabytes can hold a commit of
//! gigabytes. The header says kind and size and costs next to nothing, so it is read first.

use std::path::Path;

use git2::{Commit, ErrorClass, ErrorCode, ObjectType, Odb, Oid, Reference, Repository, Tree};

use super::contents::FOLDER as MODE;
use super::place::Place;
use super::{GitError, open};
use crate::domain::CommitSha;

/// The largest commit or tag that is read, in bytes. That of a merge of 66 parents is below 10 KiB.
const TEXT: usize = 1 << 20;
/// The largest folder that is read, in bytes: about a million entries.
const FOLDER: usize = 64 << 20;

/// The objects of a repository.
pub(super) struct Objects<'r> {
    repository: &'r Repository,
    place: &'r Place,
    odb: Odb<'r>,
    folder: usize,
}

impl<'r> Objects<'r> {
    pub(super) fn new(repository: &'r Repository, place: &'r Place) -> Result<Self, GitError> {
        let odb = repository.odb().map_err(|error| damaged(place, error))?;
        Ok(Self { repository, place, odb, folder: FOLDER })
    }

    /// The database itself, for files. Whoever reads from it looks at the size first.
    pub(super) fn odb(&self) -> &Odb<'r> {
        &self.odb
    }

    /// What an object is, from its header.
    pub(super) fn kind(&self, id: Oid) -> Result<ObjectType, git2::Error> {
        self.odb.read_header(id).map(|(_, kind)| kind)
    }

    pub(super) fn commit(&self, id: Oid) -> Result<Commit<'r>, GitError> {
        self.fits(id, ObjectType::Commit)?;
        self.repository.find_commit(id).map_err(|error| damaged(self.place, error))
    }

    pub(super) fn tree(&self, id: Oid) -> Result<Tree<'r>, GitError> {
        self.fits(id, ObjectType::Tree)?;
        self.repository.find_tree(id).map_err(|error| damaged(self.place, error))
    }

    /// The commit that an object is, or that a tag leads to, maybe by way of other tags; `None` if it leads to none.
    pub(super) fn peeled(&self, mut id: Oid) -> Result<Option<Oid>, GitError> {
        loop {
            match self.kind(id).map_err(|error| damaged(self.place, error))? {
                ObjectType::Commit => return Ok(Some(id)),
                ObjectType::Tag => {
                    self.fits(id, ObjectType::Tag)?;
                    let tag = self.repository.find_tag(id).map_err(|error| damaged(self.place, error))?;
                    id = tag.target_id();
                }
                _ => return Ok(None),
            }
        }
    }

    /// The commit that a reference leads to, which is not a symbolic one.
    pub(super) fn named(&self, reference: &Reference<'_>) -> Result<CommitSha, GitError> {
        let commit = reference.target().map_or(Ok(None), |id| self.peeled(id))?;
        commit.map(open::sha).ok_or_else(|| GitError::NotACommit {
            text: String::from_utf8_lossy(reference.name_bytes()).into_owned(),
            kind: "a name of something else",
            commit: None,
        })
    }

    /// The object and the mode of what is at `path` below a folder.
    pub(super) fn at(&self, root: Oid, path: &Path) -> Result<Option<(Oid, i32)>, GitError> {
        let mut found = (root, MODE);
        for name in path {
            if found.1 != MODE {
                return Ok(None);
            }
            let tree = self.tree(found.0)?;
            let Some(entry) = tree.get_name_bytes(name.as_encoded_bytes()) else { return Ok(None) };
            found = (entry.id(), entry.filemode());
        }
        Ok(Some(found))
    }

    /// Whether an object is of this kind, and not too large to be read.
    fn fits(&self, id: Oid, wanted: ObjectType) -> Result<(), GitError> {
        let (size, kind) = self.odb.read_header(id).map_err(|error| damaged(self.place, error))?;
        if kind != wanted {
            let what = format!("{id} is a {kind} where a {wanted} should be");
            return Err(damaged(self.place, git2::Error::new(ErrorCode::NotFound, ErrorClass::Object, what)));
        }
        let (name, most) = match kind {
            ObjectType::Tree => ("folder", self.folder),
            ObjectType::Tag => ("tag", TEXT),
            _ => ("commit", TEXT),
        };
        if size > most {
            return Err(GitError::Oversized { kind: name, id: id.to_string(), size, most });
        }
        Ok(())
    }
}

/// An object that something refers to could not be read.
pub(super) fn damaged(place: &Place, error: git2::Error) -> GitError {
    match (error.class(), error.code()) {
        (ErrorClass::Odb | ErrorClass::Zlib | ErrorClass::Indexer, _) | (_, ErrorCode::NotFound) => {
            GitError::Damaged { place: place.to_string(), what: error.message().to_owned() }
        }
        _ => GitError::unreadable(place, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_read_up_to_a_size_and_says_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        let repository = Repository::init_bare(directory.path()).unwrap();
        let place = Place::Local(directory.path().to_owned());
        let blob = repository.blob(b"x").unwrap();
        let mut tree = repository.treebuilder(None).unwrap();
        // `100644 a` and a zero byte, then the twenty bytes of the id.
        tree.insert("a", blob, 0o10_0644).unwrap();
        let id = tree.write().unwrap();
        let mut objects = Objects::new(&repository, &place).unwrap();
        objects.folder = 29;
        assert_eq!(objects.tree(id).unwrap().len(), 1);
        objects.folder = 28;
        let error = objects.tree(id).unwrap_err();
        assert_eq!(error.to_string(), format!("folder {id} has 29 bytes, and no more than 28 are read"));
        assert!(error.hint().unwrap().contains("ask for another commit"));
        assert!(objects.at(id, Path::new("a")).is_err());
    }

    #[test]
    fn an_object_of_another_kind_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let repository = Repository::init_bare(directory.path()).unwrap();
        let place = Place::Local(directory.path().to_owned());
        let blob = repository.blob(b"x").unwrap();
        let objects = Objects::new(&repository, &place).unwrap();
        for error in [objects.tree(blob).unwrap_err(), objects.commit(blob).unwrap_err()] {
            assert!(error.to_string().contains("is a blob where a"), "{error}");
        }
        assert_eq!(objects.peeled(blob).unwrap(), None);
    }
}
