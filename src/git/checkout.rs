//! The agent's side of a pack: a real repository with the commit checked out.
//!
//! This is what every phase begins with, so it does as little as possible: nothing is synced, and the objects are hashed once.
//! That they are makes a commit's id mean what it says, whoever else can write to the blob store.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};

use git2::build::CheckoutBuilder;
use git2::{ErrorClass, ErrorCode, Indexer, ObjectType, Repository, Tree};

use super::contents::shortened;
use super::error::of_system;
use super::object::Objects;
use super::place::Place;
use super::{GitError, clean, open};
use crate::domain::CommitSha;

/// Written by hand: `git init` would try out the file system anew for each phase.
///
/// Line endings are those of the commit, whatever the user's own settings say; `.gitattributes` still rules.
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

/// How much of a pack is read at once, in bytes. libgit2 maps the file anew for each piece.
const AT_ONCE: usize = 1 << 20;

/// What messages call it, wherever it comes from.
const PACK: &str = "the commit's pack";

/// How much is shown of what libgit2 says, in characters: there are paths in it.
const SHOWN: usize = 240;

/// Makes `into` a repository that holds exactly this pack, with `sha` checked out and `HEAD` on it.
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
    let place = Place::Local(into.join(".git"));
    let objects = Objects::new(&repository, &place)?;
    if objects.kind(open::oid(sha)).is_err_and(|error| error.code() == ErrorCode::NotFound) {
        let what = format!("it does not hold commit {sha}");
        return Err(GitError::Damaged { place: PACK.to_owned(), what });
    }
    let tree = objects.tree(objects.commit(open::oid(sha))?.tree_id())?;
    let mut options = CheckoutBuilder::new();
    options.force().disable_pathspec_match(true).refresh(false);
    // Without attributes there is nothing to convert, and no need to look for them in every folder.
    let has_attributes = has_attributes(&objects, &tree)?;
    options.disable_filters(!has_attributes);
    repository.checkout_tree(tree.as_object(), Some(&mut options)).map_err(broken)?;
    if has_attributes { clean::encode(&repository, into) } else { Ok(()) }
}

/// An empty repository, with no more directories than git wants to see: it makes those of branches and tags when it needs them.
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

/// Puts the pack where the repository looks for it, and makes its index: every object is hashed, so each has the id that it is
/// found by. An index that came with the pack could give other code under the id of a commit.
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

/// Whether any folder of the tree has attributes, which may convert what is checked out. Looks at every folder: libgit2 reads
/// them next, whatever their size.
fn has_attributes(objects: &Objects<'_>, root: &Tree<'_>) -> Result<bool, GitError> {
    let mut trees = vec![root.clone()];
    // A tree that many name is looked at once, or a few of them would keep this busy for ever.
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

/// Tells a commit that must not be checked out from a pack that cannot be.
fn broken(error: git2::Error, sha: &CommitSha, into: &Path) -> GitError {
    let what = shortened(error.message(), SHOWN);
    match (error.class(), error.code()) {
        // What is too long here, below a directory with a long path, is so again the next time.
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
