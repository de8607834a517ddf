//! Compares two commits at given paths.

use std::path::Path;

use git2::Repository;

use super::object::Objects;
use super::repository_location::RepositoryLocation;
use super::{GitError, open};
use crate::domain::CommitSha;

/// How two commits differ at the requested paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathComparison {
    /// Paths that differ, or exist in only one of the commits.
    pub changed: Vec<String>,
    /// Paths that exist in neither commit.
    pub absent: Vec<String>,
}

/// Compares objects and modes, so it only reads the folders along each path. A submodule is compared by its commit, a
/// symbolic link by its target's text; neither is followed. The empty path is the root.
pub(super) fn compare(
    repository: &Repository,
    place: &RepositoryLocation,
    (before, now): (&CommitSha, &CommitSha),
    paths: &[String],
) -> Result<PathComparison, GitError> {
    let objects = Objects::new(repository, place)?;
    let before = open::commit(repository, place, before)?.tree_id();
    let now = open::commit(repository, place, now)?.tree_id();
    let mut compared = PathComparison::default();
    for path in paths {
        match (objects.at(before, Path::new(path))?, objects.at(now, Path::new(path))?) {
            (None, None) => compared.absent.push(path.clone()),
            (before, now) if before != now => compared.changed.push(path.clone()),
            _ => {}
        }
    }
    Ok(compared)
}

#[cfg(test)]
mod tests {
    use git2::{Oid, Signature};

    use super::*;

    /// A commit whose root has these entries: their paths (one folder deep at most), modes and objects.
    fn commit(repository: &Repository, entries: &[(&str, i32, Oid)]) -> CommitSha {
        let mut index = git2::Index::new().unwrap();
        for (path, mode, id) in entries {
            let time = git2::IndexTime::new(0, 0);
            let entry = git2::IndexEntry {
                ctime: time,
                mtime: time,
                dev: 0,
                ino: 0,
                mode: u32::try_from(*mode).unwrap(),
                uid: 0,
                gid: 0,
                file_size: 0,
                id: *id,
                flags: 0,
                flags_extended: 0,
                path: path.as_bytes().to_vec(),
            };
            index.add(&entry).unwrap();
        }
        let tree = repository.find_tree(index.write_tree_to(repository).unwrap()).unwrap();
        let by = Signature::new("ana", "ana@example.org", &git2::Time::new(0, 0)).unwrap();
        let id = repository.commit(None, &by, &by, "a commit", &tree, &[]).unwrap();
        CommitSha::new(id.to_string()).unwrap()
    }

    #[test]
    fn files_folders_links_and_submodules_are_compared_as_committed() {
        const FILE: i32 = 0o10_0644;
        const PROGRAM: i32 = 0o10_0755;
        const LINK: i32 = 0o12_0000;
        const SUBMODULE: i32 = 0o16_0000;
        let directory = tempfile::tempdir().unwrap();
        let repository = Repository::init_bare(directory.path()).unwrap();
        let place = RepositoryLocation::Local(directory.path().to_owned());
        let [one, two] = ["one", "two"].map(|text| repository.blob(text.as_bytes()).unwrap());
        let elsewhere = |digit: &str| Oid::from_str(&digit.repeat(40)).unwrap();
        let before = commit(
            &repository,
            &[
                ("same/a", FILE, one),
                ("other/a", FILE, one),
                ("mode", FILE, one),
                ("link", LINK, one),
                ("sub", SUBMODULE, elsewhere("a")),
                ("gone/a", FILE, one),
                ("becomes", FILE, one),
                ("file", FILE, one),
            ],
        );
        let now = commit(
            &repository,
            &[
                ("same/a", FILE, one),
                ("other/a", FILE, two),
                ("mode", PROGRAM, one),
                ("link", LINK, two),
                ("sub", SUBMODULE, elsewhere("b")),
                ("becomes/a", FILE, one),
                ("new/a", FILE, one),
                ("file", FILE, one),
            ],
        );
        let paths = [
            "same",
            "other",
            "mode",
            "link",
            "sub",
            "gone",
            "becomes",
            "new",
            "file",
            "file/below",
            "sub/below",
            "never",
            "",
            "same/",
            "ünïcode",
        ];
        let compare = |before, now| {
            let paths = paths.map(str::to_owned);
            compare(&repository, &place, (before, now), &paths).unwrap()
        };
        let found = compare(&before, &now);
        assert_eq!(found.changed, ["other", "mode", "link", "sub", "gone", "becomes", "new", ""]);
        assert_eq!(found.absent, ["file/below", "sub/below", "never", "ünïcode"]);
        assert_eq!(compare(&before, &before).changed, [""; 0]);
    }

    #[test]
    fn comparing_with_a_missing_commit_fails() {
        let directory = tempfile::tempdir().unwrap();
        let repository = Repository::init_bare(directory.path()).unwrap();
        let place = RepositoryLocation::Local(directory.path().to_owned());
        let now = commit(&repository, &[]);
        let gone = CommitSha::new("a".repeat(40)).unwrap();
        let compared = compare(&repository, &place, (&gone, &now), &[String::new()]);
        assert!(matches!(compared, Err(GitError::Missing { .. })), "{compared:?}");
    }
}
