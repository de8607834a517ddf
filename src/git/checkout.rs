//! The agent's side of a pack: creates a real repository with the commit checked out.
//!
//! Every phase starts with this, so it does as little as possible: nothing is synced, and objects are hashed once. The
//! hashing makes sure that a commit's id matches its contents, even if others can write to the blob store.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};

use git2::build::CheckoutBuilder;
use git2::{ErrorClass, ErrorCode, Indexer, ObjectType, Repository, Tree};

use super::error::of_system;
use super::object::Objects;
use super::repository_location::RepositoryLocation;
use super::{GitError, clean, open};
use crate::domain::{CommitSha, abridged};

/// A fixed configuration, because `git init` would probe the file system for each phase.
///
/// Line endings are the commit's, whatever the user's own settings say; `.gitattributes` still applies.
const CONFIG: &str = "\
[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = false
\tlogallrefupdates = true
\tsymlinks = true
\tautocrlf = false
\tprotectHFS = true
\tprotectNTFS = true
";

/// How much of a pack to read at once, in bytes. libgit2 maps the file again for each chunk.
const AT_ONCE: usize = 1 << 20;

/// The name of the pack in messages, wherever it comes from.
const PACK: &str = "the commit's pack";

/// The most characters of a libgit2 message to show: it contains paths.
const SHOWN: usize = 240;

/// Makes `into` a repository that contains exactly this pack, with `sha` checked out and `HEAD` on it.
///
/// `into` must be empty, or not exist.
pub fn checkout(
    pack: impl Read,
    shallow: &[CommitSha],
    sha: &CommitSha,
    into: &Path,
) -> Result<(), GitError> {
    open::settle();
    skeleton(shallow, sha, into)?;
    place(pack, &into.join(".git/objects/pack"))?;

    let shown = || into.display().to_string();
    let broken = |error: git2::Error| broken(error, sha, into);
    let repository = Repository::open(into).map_err(|error| {
        if error.code() == ErrorCode::Owner {
            GitError::NotOwned { place: shown() }
        } else {
            GitError::unreadable(into.display(), error)
        }
    })?;
    let place = RepositoryLocation::Local(into.join(".git"));
    let objects = Objects::new(&repository, &place)?;
    if objects.kind(open::oid(sha)).is_err_and(|error| error.code() == ErrorCode::NotFound) {
        let what = format!("it does not contain commit {sha}");
        return Err(GitError::Damaged { place: PACK.to_owned(), what });
    }
    let tree = objects.tree(objects.commit(open::oid(sha))?.tree_id())?;
    let mut options = CheckoutBuilder::new();
    options.force().disable_pathspec_match(true).refresh(false);
    // Without attributes there is nothing to convert, and libgit2 need not search every folder for them.
    let has_attributes = has_attributes(&objects, &tree)?;
    options.disable_filters(!has_attributes);
    repository.checkout_tree(tree.as_object(), Some(&mut options)).map_err(broken)?;
    if has_attributes { clean::encode(&repository, into) } else { Ok(()) }
}

/// Creates an empty repository with only the directories that git requires: it creates those of branches and tags on
/// demand.
fn skeleton(shallow: &[CommitSha], sha: &CommitSha, into: &Path) -> Result<(), GitError> {
    let made = |path: &Path| {
        let path = path.to_owned();
        move |error| GitError::io("created", &path, error)
    };
    fs::create_dir_all(into).map_err(made(into))?;
    let git = into.join(".git");
    let occupied = fs::read_dir(into).map_err(made(into))?.next().is_some();
    if occupied {
        return Err(GitError::io("created", into, io::Error::from(io::ErrorKind::DirectoryNotEmpty)));
    }
    for folder in ["", "objects", "objects/pack", "refs"] {
        fs::create_dir(git.join(folder)).map_err(made(&git))?;
    }
    let mut files = vec![("config", CONFIG.to_owned()), ("HEAD", format!("{sha}\n"))];
    if !shallow.is_empty() {
        files.push(("shallow", shallow.iter().map(|sha| format!("{sha}\n")).collect()));
    }
    for (name, content) in files {
        fs::write(git.join(name), content).map_err(made(&git.join(name)))?;
    }
    Ok(())
}

/// Writes the pack into the repository and indexes it. Hashing every object ensures that its id is correct; an index
/// that came with the pack could map the id of a commit to other code.
fn place(mut pack: impl Read, folder: &Path) -> Result<(), GitError> {
    let failed = |error: git2::Error| match error.class() {
        ErrorClass::Os | ErrorClass::Filesystem => GitError::io("written", folder, of_system(error)),
        _ => GitError::Damaged { place: PACK.to_owned(), what: error.message().to_owned() },
    };
    let mut indexer = Indexer::new(None, folder, 0, false).map_err(failed)?;
    let mut buffer = vec![0; AT_ONCE];
    loop {
        let length = pack.read(&mut buffer).map_err(|error| GitError::io("read", PACK.as_ref(), error))?;
        if length == 0 {
            break;
        }
        indexer.write_all(&buffer[..length]).map_err(|error| match error.downcast::<git2::Error>() {
            Ok(error) => failed(error),
            Err(error) => GitError::io("written", folder, error),
        })?;
    }
    indexer.commit().map(drop).map_err(failed)
}

/// Whether any folder of the tree has attributes, which may convert files on checkout. Checks the size of every folder:
/// libgit2 reads them next, whatever their size.
fn has_attributes(objects: &Objects<'_>, root: &Tree<'_>) -> Result<bool, GitError> {
    let mut trees = vec![root.clone()];
    // Each tree is visited once, or a few that name each other repeatedly would keep this busy forever.
    let mut seen = HashSet::new();
    let mut found = false;
    while let Some(tree) = trees.pop() {
        found |= tree.get_name(".gitattributes").is_some();
        for entry in tree.iter().filter(|entry| entry.kind() == Some(ObjectType::Tree)) {
            if seen.insert(entry.id()) {
                trees.push(objects.tree(entry.id())?);
            }
        }
    }
    Ok(found)
}

/// Distinguishes a commit that must not be checked out from a damaged pack.
fn broken(error: git2::Error, sha: &CommitSha, into: &Path) -> GitError {
    let what = abridged(error.message(), SHOWN);
    match (error.class(), error.code()) {
        // A path that is too long below this directory will be too long again the next time.
        _ if error.message().contains("invalid path")
            || error.message().contains("path too long")
            || error.message().contains("File name too long")
            || error.message().contains("path") && error.class() == ErrorClass::Checkout =>
        {
            GitError::Hostile { sha: sha.clone(), what }
        }
        (ErrorClass::Odb | ErrorClass::Zlib | ErrorClass::Indexer, _) | (_, ErrorCode::NotFound) => {
            let place: PathBuf = into.join(".git");
            GitError::Damaged { place: place.display().to_string(), what }
        }
        _ => GitError::unreadable(into.display(), error),
    }
}
