//! Reads commits, folders and tags up to a size limit. All reads of them in this folder go through here.
//!
//! libgit2 inflates a whole object before anyone can inspect it, and a pack of a few megabytes can hold a commit of
//! gigabytes. The header gives kind and size at almost no cost, so it is read first.

use std::path::Path;

use git2::{Commit, ErrorClass, ErrorCode, ObjectType, Odb, Oid, Reference, Repository, Tree};

use super::GitError;
use super::repository_location::RepositoryLocation;
use crate::domain::CommitSha;

/// The largest commit or tag to read, in bytes. A merge with 66 parents stays below 10 KiB.
const TEXT: usize = 1 << 20;
/// The largest folder to read, in bytes: about a million entries.
const LARGEST_FOLDER: usize = 64 << 20;

/// Modes of tree entries, as git writes them.
pub(super) const FOLDER: i32 = 0o04_0000;
pub(super) const LINK: i32 = 0o12_0000;
pub(super) const SUBMODULE: i32 = 0o16_0000;

/// The objects of a repository.
pub(super) struct Objects<'r> {
    repository: &'r Repository,
    place: &'r RepositoryLocation,
    odb: Odb<'r>,
    folder: usize,
}

impl<'r> Objects<'r> {
    pub(super) fn new(repository: &'r Repository, place: &'r RepositoryLocation) -> Result<Self, GitError> {
        let odb = repository.odb().map_err(|error| damaged(place, error))?;
        Ok(Self { repository, place, odb, folder: LARGEST_FOLDER })
    }

    /// The database itself, for files. Callers check an object's size before they read it.
    pub(super) fn odb(&self) -> &Odb<'r> {
        &self.odb
    }

    /// Reads an object's type from its header.
    pub(super) fn kind(&self, id: Oid) -> Result<ObjectType, git2::Error> {
        self.odb.read_header(id).map(|(_, kind)| kind)
    }

    /// The only object whose id begins with these digits; `Ambiguous` if there are several.
    ///
    /// Another process may have merged a pack into a new one since libgit2 listed the packs. The objects of the missing
    /// pack do not count, so another object that begins with the same digits would be taken for the only one. The new
    /// pack was there before the first search found the old one missing, so the second search sees it.
    pub(super) fn by_prefix(&self, digits: &str) -> Result<Oid, git2::Error> {
        let search = || self.odb.exists_prefix(Oid::from_str(digits)?, digits.len());
        search()?;
        self.odb.refresh()?;
        search()
    }

    pub(super) fn commit(&self, id: Oid) -> Result<Commit<'r>, GitError> {
        self.fits(id, ObjectType::Commit)?;
        self.repository.find_commit(id).map_err(|error| damaged(self.place, error))
    }

    pub(super) fn tree(&self, id: Oid) -> Result<Tree<'r>, GitError> {
        self.fits(id, ObjectType::Tree)?;
        self.repository.find_tree(id).map_err(|error| damaged(self.place, error))
    }

    /// Follows tags to a commit, which may be `id` itself; `None` if they lead to something else.
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

    /// The commit that a non-symbolic reference leads to.
    pub(super) fn named(&self, reference: &Reference<'_>) -> Result<CommitSha, GitError> {
        let commit = reference.target().map_or(Ok(None), |id| self.peeled(id))?;
        commit.map(sha).ok_or_else(|| GitError::NotACommit {
            text: String::from_utf8_lossy(reference.name_bytes()).into_owned(),
            kind: "a name for something else",
            commit: None,
        })
    }

    /// The object and mode of the entry at `path` below a folder.
    pub(super) fn at(&self, root: Oid, path: &Path) -> Result<Option<(Oid, i32)>, GitError> {
        let mut found = (root, FOLDER);
        for name in path {
            if found.1 != FOLDER {
                return Ok(None);
            }
            let tree = self.tree(found.0)?;
            let Some(entry) = tree.get_name_bytes(name.as_encoded_bytes()) else { return Ok(None) };
            found = (entry.id(), entry.filemode());
        }
        Ok(Some(found))
    }

    /// Fails if an object is of another kind, or too large to read.
    fn fits(&self, id: Oid, wanted: ObjectType) -> Result<(), GitError> {
        let (size, kind) = self.odb.read_header(id).map_err(|error| damaged(self.place, error))?;
        if kind != wanted {
            let what = format!("{id} is a {kind}, not a {wanted}");
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

/// The error for an unreadable object that something refers to.
pub(super) fn damaged(place: &RepositoryLocation, error: git2::Error) -> GitError {
    match (error.class(), error.code()) {
        (ErrorClass::Odb | ErrorClass::Zlib | ErrorClass::Indexer, _) | (_, ErrorCode::NotFound) => {
            GitError::Damaged { place: place.to_string(), what: error.message().to_owned() }
        }
        _ => GitError::unreadable(place, error),
    }
}

/// The id of an object that is known to be a commit.
pub(super) fn sha(oid: Oid) -> CommitSha {
    match CommitSha::new(oid.to_string()) {
        Ok(sha) => sha,
        Err(error) => unreachable!("libgit2 without SHA-256 prints forty digits: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_oversized_folder_is_refused_with_a_hint() {
        let directory = tempfile::tempdir().unwrap();
        let repository = Repository::init_bare(directory.path()).unwrap();
        let place = RepositoryLocation::Local(directory.path().to_owned());
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
        assert_eq!(error.to_string(), format!("folder {id} has 29 bytes; the limit is 28"));
        assert!(error.hint().unwrap().contains("request another commit"));
        assert!(objects.at(id, Path::new("a")).is_err());
    }

    #[test]
    fn a_prefix_stays_ambiguous_when_a_listed_pack_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let repository = Repository::init_bare(directory.path()).unwrap();
        let place = RepositoryLocation::Local(directory.path().to_owned());
        // The first two files whose ids begin with the same four digits.
        let mut seen = std::collections::HashMap::new();
        let (prefix, first, second) = (0..)
            .find_map(|number: u32| {
                let id = Oid::hash_object(ObjectType::Blob, number.to_string().as_bytes()).unwrap();
                let prefix = id.to_string()[..4].to_owned();
                seen.insert(prefix.clone(), number).map(|other| (prefix, other, number))
            })
            .unwrap();
        let [first, second] =
            [first, second].map(|number| repository.blob(number.to_string().as_bytes()).unwrap());
        let [packs, later] = ["objects/pack", "later"].map(|name| directory.path().join(name));
        std::fs::create_dir(&later).unwrap();
        let pack = |ids: &[Oid], into: &Path| {
            let mut builder = repository.packbuilder().unwrap();
            for id in ids {
                builder.insert_object(*id, None).unwrap();
            }
            builder.write(into, 0).unwrap();
            into.join(format!("pack-{}.pack", builder.name().unwrap().unwrap()))
        };
        let old = pack(&[first], &packs);
        pack(&[second], &packs);
        let new = pack(&[first, second], &later);
        for id in [first, second].map(|id| id.to_string()) {
            std::fs::remove_file(directory.path().join("objects").join(&id[..2]).join(&id[2..])).unwrap();
        }

        let reader = Repository::open(directory.path()).unwrap();
        let objects = Objects::new(&reader, &place).unwrap();
        objects.kind(second).unwrap();
        for kind in ["pack", "idx"] {
            let new = new.with_extension(kind);
            std::fs::rename(&new, packs.join(new.file_name().unwrap())).unwrap();
            std::fs::remove_file(old.with_extension(kind)).unwrap();
        }
        assert_eq!(objects.by_prefix(&prefix).unwrap_err().code(), ErrorCode::Ambiguous);
        assert_eq!(objects.by_prefix(&first.to_string()).unwrap(), first);
    }

    #[test]
    fn an_object_of_another_kind_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let repository = Repository::init_bare(directory.path()).unwrap();
        let place = RepositoryLocation::Local(directory.path().to_owned());
        let blob = repository.blob(b"x").unwrap();
        let objects = Objects::new(&repository, &place).unwrap();
        for error in [objects.tree(blob).unwrap_err(), objects.commit(blob).unwrap_err()] {
            assert!(error.to_string().contains("is a blob, not a"), "{error}");
        }
        assert_eq!(objects.peeled(blob).unwrap(), None);
    }
}
