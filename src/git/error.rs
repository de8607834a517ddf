//! What can go wrong with a repository, each with its sentence and what to do about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Said, Trouble};
use crate::domain::CommitSha;

/// Why a repository did not give what was asked of it. No text of it shows a password.
#[derive(Clone, Debug, thiserror::Error)]
pub enum GitError {
    /// Not something that names a repository.
    #[error("`{url}` does not name a repository: {why}")]
    Url {
        /// As it was given, without its password.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A local path where nothing is.
    #[error("there is no repository at {place}: the path does not exist")]
    Vanished {
        /// The path.
        place: String,
    },
    /// A local path that is something else.
    #[error("{place} is not a git repository")]
    NotARepository {
        /// The path.
        place: String,
        /// The repository that it lies in.
        inside: Option<PathBuf>,
    },
    /// A repository that this user may not read.
    #[error("the repository {place} may not be read")]
    Closed {
        /// The repository.
        place: String,
        /// The system's reason.
        #[source]
        source: Arc<io::Error>,
    },
    /// libgit2 refuses a repository of another user.
    #[error("the repository {place} belongs to another user, whose configuration is not trusted")]
    NotOwned {
        /// The repository.
        place: String,
    },
    /// A work tree that whoever commits to the one around it can exchange for another.
    #[error("{place} is a submodule, so its revisions are not trusted")]
    Submodule {
        /// The work tree.
        place: String,
    },
    /// A repository that libgit2 cannot read.
    #[error("the repository {place} could not be read")]
    Unreadable {
        /// The repository.
        place: String,
        /// libgit2's reason.
        #[source]
        source: Arc<git2::Error>,
    },
    /// A repository whose objects have names of 64 digits.
    #[error("the repository {place} names its objects by SHA-256, which is not supported")]
    Sha256 {
        /// The repository.
        place: String,
    },
    /// The remote side, or the way to it, said no.
    #[error("{place}: {trouble}")]
    Remote {
        /// The repository.
        place: String,
        /// What kind of no.
        trouble: Trouble,
        /// What `git` said.
        #[source]
        said: Said,
    },
    /// There is no `git` to run.
    #[error("the `git` executable was not found; it is needed for {place}")]
    NoGit {
        /// The repository.
        place: String,
    },
    /// A branch that does not exist.
    #[error("{place} has no branch `{branch}`")]
    NoBranch {
        /// The repository.
        place: String,
        /// The branch.
        branch: String,
        /// Branches of similar names.
        near: Vec<String>,
    },
    /// A sha that the repository does not have.
    #[error("commit {sha} is not in {place}")]
    Missing {
        /// The repository.
        place: String,
        /// All forty digits, since a person will want to search for it.
        sha: CommitSha,
        /// The repository is a shallow clone, which explains it.
        shallow: bool,
    },
    /// An object that is not a commit.
    #[error("`{text}` is {kind}, not a commit")]
    NotACommit {
        /// What was asked for.
        text: String,
        /// `an annotated tag`, `a tree`, `a file`.
        kind: &'static str,
        /// The commit that the tag names.
        commit: Option<CommitSha>,
    },
    /// A text that means nothing in this repository.
    #[error("`{text}` is no commit, branch or tag of {place}")]
    Unknown {
        /// The repository.
        place: String,
        /// What was asked for.
        text: String,
        /// Branches and tags of similar names.
        near: Vec<String>,
    },
    /// A text that means several things.
    #[error("`{text}` means more than one thing in {place}: {}", meanings.join(", "))]
    Ambiguous {
        /// The repository.
        place: String,
        /// What was asked for.
        text: String,
        /// Each with what it is.
        meanings: Vec<String>,
    },
    /// A path in a commit that leads through, or to, something that is not a plain file or folder.
    #[error("`{path}` at {} {what}", sha.short())]
    Path {
        /// The path, as far as it is the trouble.
        path: String,
        /// The commit.
        sha: CommitSha,
        /// What it is, as a predicate: `is a symbolic link`.
        what: String,
        /// What to do about it.
        instead: &'static str,
    },
    /// An object is missing or broken in what should hold it.
    #[error("{place} is damaged: {what}")]
    Damaged {
        /// The repository, or pack.
        place: String,
        /// What was found.
        what: String,
    },
    /// A commit that would write outside of its own work tree, or that no work tree can hold.
    #[error("commit {} cannot be checked out: {what}", sha.short())]
    Hostile {
        /// The commit.
        sha: CommitSha,
        /// Why, with the path.
        what: String,
    },
    /// A commit, a tag or a folder of a size that no honest one has: it would be held in memory.
    #[error("{kind} {id} has {size} bytes, and no more than {most} are read")]
    Oversized {
        /// `commit`, `tag`, `folder`.
        kind: &'static str,
        /// All forty digits of its id.
        id: String,
        /// Its size, in bytes.
        size: usize,
        /// The largest size that is read, in bytes.
        most: usize,
    },
    /// Git LFS is needed inside a phase and is not there.
    #[error("commit {} keeps files in Git LFS, and `git-lfs` was not found", sha.short())]
    NoLfs {
        /// The commit.
        sha: CommitSha,
    },
    /// Another process fetches into the same mirror for longer than a fetch may take.
    #[error("another process has been fetching {place} for too long")]
    Busy {
        /// The repository.
        place: String,
        /// The file whose lock it holds.
        lock: PathBuf,
    },
    /// A commit could not be made into a pack, for want of room most likely.
    #[error("commit {} could not be packed in {}", sha.short(), into.display())]
    Unpacked {
        /// The commit.
        sha: CommitSha,
        /// Where packs are made.
        into: PathBuf,
        /// libgit2's reason, with the file.
        #[source]
        source: Arc<git2::Error>,
    },
    /// The file system said no.
    #[error("{path} could not be {action}", path = path.display())]
    Io {
        /// `created`, `read`, `written`, `locked`, `moved`, `started`.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Arc<io::Error>,
    },
}

impl GitError {
    /// Whether the same call may succeed later without anyone doing anything.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Remote { trouble, .. } => {
                matches!(trouble, Trouble::Resolve | Trouble::Unreachable | Trouble::TimedOut)
            }
            Self::Busy { .. } => true,
            _ => false,
        }
    }

    /// Whether the commit itself is at fault: it is the same wherever and whenever it is tried again.
    pub fn is_of_the_commit(&self) -> bool {
        matches!(self, Self::Hostile { .. } | Self::Oversized { .. })
    }

    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotARepository { inside: Some(root), .. } => {
                format!("it lies in the repository {}; name that, and give the folder apart", root.display())
            }
            Self::Vanished { .. } => {
                "correct `url` in the manifest, or put the repository back; a relative path begins at the file that \
                 names it"
                    .to_owned()
            }
            Self::Unpacked { .. } => elsewhere("make room there"),
            // What is made or changed lies in the cache; of a phase's own files the agent tells.
            Self::Io { action: "cleaned" | "created" | "locked" | "moved" | "written", source, .. } => {
                return remedy(source.kind()).map(elsewhere);
            }
            Self::Closed { .. } => {
                "let whoever runs katkit read it and enter every directory on the way to it".to_owned()
            }
            Self::Path { instead, .. } => (*instead).to_owned(),
            Self::Submodule { .. } => "use a clone of that repository by itself".to_owned(),
            Self::NotOwned { place } => format!(
                "if you trust it: git config --global --add safe.directory {}",
                place.trim_end_matches('/')
            ),
            Self::Sha256 { .. } => "use a repository made with `--object-format=sha1`, git's default".to_owned(),
            Self::Remote { place, trouble, .. } => return trouble.hint(place),
            Self::NoGit { .. } => {
                "install git (Debian: apt-get install git); an ordinary local repository needs none".to_owned()
            }
            Self::NoBranch { near, .. } | Self::Unknown { near, .. } if !near.is_empty() => {
                format!("did you mean {}?", near.join(" or "))
            }
            Self::Missing { shallow: true, .. } => {
                "the repository is a shallow clone; `git fetch --unshallow` brings the rest".to_owned()
            }
            Self::Missing { .. } => "push it first, or check that it is a sha of this repository".to_owned(),
            Self::NotACommit { commit: Some(commit), .. } => format!("the commit it names is {commit}"),
            Self::Ambiguous { .. } => "use the full sha of the one you mean".to_owned(),
            Self::Damaged { place, .. } => {
                format!("`git fsck` in {place} says what else is missing; `git fetch` or a fresh clone brings it")
            }
            Self::Oversized { kind: "folder", .. } => {
                "see who committed that many files to one folder (`git ls-tree ID`), and ask for another commit".to_owned()
            }
            Self::Oversized { .. } => {
                "see who wrote a message of that size (`git cat-file -p ID`), and ask for another commit".to_owned()
            }
            Self::NoLfs { .. } => "put git-lfs into the builder image".to_owned(),
            Self::Busy { lock, .. } => format!("see who holds {}", lock.display()),
            _ => return None,
        })
    }

    /// The file system said no to `action`: `cleaned`, `created`, `read`, `written`, `locked`, `moved`, `started`.
    pub fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source: Arc::new(source) }
    }

    pub(super) fn unreadable(place: impl fmt::Display, source: git2::Error) -> Self {
        let place = place.to_string();
        if source.message().contains("object format") {
            return Self::Sha256 { place };
        }
        Self::Unreadable { place, source: Arc::new(source) }
    }

    pub(super) fn closed(place: impl fmt::Display, source: io::Error) -> Self {
        Self::Closed { place: place.to_string(), source: Arc::new(source) }
    }
}

/// What helps where nothing can be written.
fn remedy(kind: io::ErrorKind) -> Option<&'static str> {
    use io::ErrorKind as Kind;
    Some(match kind {
        Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge => "make room there",
        Kind::PermissionDenied | Kind::ReadOnlyFilesystem => "let yourself write there",
        Kind::NotADirectory | Kind::AlreadyExists => "move away what stands in the place of that directory",
        _ => return None,
    })
}

pub(super) fn elsewhere(remedy: &str) -> String {
    format!("{remedy}, or name another place as `cache.path` in the manifest")
}

/// An error of libgit2 as one of the system: it hands on the system's words, and nothing else.
pub(super) fn of_system(error: git2::Error) -> io::Error {
    use io::ErrorKind as Kind;
    const WORDS: [(&str, Kind); 4] = [
        ("No space left on device", Kind::StorageFull),
        ("Disk quota exceeded", Kind::QuotaExceeded),
        ("Permission denied", Kind::PermissionDenied),
        ("Read-only file system", Kind::ReadOnlyFilesystem),
    ];
    let known = WORDS.iter().find(|(words, _)| error.message().contains(words));
    io::Error::new(known.map_or(Kind::Other, |(_, kind)| *kind), error)
}
