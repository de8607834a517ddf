//! Errors of repositories, each with a message and a hint.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{GitOutput, RemoteProblem};
use crate::domain::CommitSha;

/// Why a request to a repository failed. Messages never show a password.
#[derive(Clone, Debug, thiserror::Error)]
pub enum GitError {
    /// The text is not a valid repository URL or path.
    #[error("`{url}` does not name a repository: {why}")]
    Url {
        /// The URL, without its password.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A local path that does not exist.
    #[error("there is no repository at {place}: the path does not exist")]
    Vanished {
        /// The path.
        place: String,
    },
    /// A local path that exists, but is not a repository.
    #[error("{place} is not a git repository")]
    NotARepository {
        /// The path.
        place: String,
        /// The enclosing repository, if any.
        inside: Option<PathBuf>,
    },
    /// A repository that this user has no permission to read.
    #[error("this user may not read the repository {place}")]
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
    /// A submodule's work tree. Anyone who commits to the outer repository can replace it.
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
    /// A repository whose object ids have 64 digits.
    #[error("the repository {place} uses SHA-256 object ids, which are not supported")]
    Sha256 {
        /// The repository.
        place: String,
    },
    /// The remote, or the connection to it, failed.
    #[error("{place}: {problem}")]
    Remote {
        /// The repository.
        place: String,
        /// The kind of failure.
        problem: RemoteProblem,
        /// The messages of `git`.
        #[source]
        said: GitOutput,
    },
    /// The `git` executable is not installed.
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
        /// Shown with all forty digits, so that it can be searched for.
        sha: CommitSha,
        /// The repository is a shallow clone, which explains it.
        shallow: bool,
    },
    /// An object that is not a commit.
    #[error("`{text}` is {kind}, not a commit")]
    NotACommit {
        /// The requested text.
        text: String,
        /// For example `a folder (a tree object)`.
        kind: &'static str,
        /// The commit that the tag names.
        commit: Option<CommitSha>,
    },
    /// Text that matches nothing in this repository.
    #[error("`{text}` is not a commit, branch or tag in {place}")]
    Unknown {
        /// The repository.
        place: String,
        /// The requested text.
        text: String,
        /// Branches and tags of similar names.
        near: Vec<String>,
    },
    /// Text that matches several commits.
    #[error("`{text}` is ambiguous in {place}: {}", meanings.join(", "))]
    Ambiguous {
        /// The repository.
        place: String,
        /// The requested text.
        text: String,
        /// Each match with its kind: ``the branch `main` ``.
        meanings: Vec<String>,
    },
    /// A path in a commit that is, or passes through, something other than a plain file or folder.
    #[error("`{path}` at {} {what}", sha.short())]
    Path {
        /// The path up to the problem.
        path: String,
        /// The commit.
        sha: CommitSha,
        /// The problem as a predicate: `is a symbolic link`.
        what: String,
        /// The hint.
        instead: &'static str,
    },
    /// A repository or pack in which an object is missing or broken.
    #[error("{place} is damaged: {what}")]
    Damaged {
        /// The repository or pack.
        place: String,
        /// The damage.
        what: String,
    },
    /// A commit that would write outside of its work tree, or that no work tree can hold.
    #[error("commit {} cannot be checked out: {what}", sha.short())]
    Hostile {
        /// The commit.
        sha: CommitSha,
        /// The reason, with the path.
        what: String,
    },
    /// A commit, tag or folder larger than any legitimate one; reading it would load it into memory.
    #[error("{kind} {id} has {size} bytes; the limit is {most}")]
    Oversized {
        /// `commit`, `tag`, `folder`.
        kind: &'static str,
        /// All forty digits of its id.
        id: String,
        /// Its size, in bytes.
        size: usize,
        /// The size limit, in bytes.
        most: usize,
    },
    /// Merging two commits gives too many conflicts.
    #[error("{place}: {} and {} are too different to be merged", base.short(), head.short())]
    LargeMerge {
        /// The repository.
        place: String,
        /// The commit that is merged into.
        base: CommitSha,
        /// The other commit.
        head: CommitSha,
    },
    /// `git` could not merge two commits.
    #[error("{place}: commits could not be merged")]
    NotMerged {
        /// The repository.
        place: String,
        /// The messages of `git`.
        #[source]
        said: GitOutput,
    },
    /// A phase needs Git LFS, which is not installed.
    #[error("commit {} keeps files in Git LFS, but `git-lfs` was not found", sha.short())]
    NoLfs {
        /// The commit.
        sha: CommitSha,
    },
    /// Another process has been fetching into the same mirror for longer than a fetch may take.
    #[error("another process has been fetching {place} for too long")]
    Busy {
        /// The repository.
        place: String,
        /// The lock file that it holds.
        lock: PathBuf,
    },
    /// A commit could not be packed, most likely because the disk is full.
    #[error("commit {} could not be packed in {}", sha.short(), into.display())]
    Unpacked {
        /// The commit.
        sha: CommitSha,
        /// The directory of packs.
        into: PathBuf,
        /// libgit2's reason, including the file.
        #[source]
        source: Arc<git2::Error>,
    },
    /// A file system error.
    #[error("{path} could not be {action}", path = path.display())]
    Io {
        /// `created`, `read`, `written`, `locked`, `moved`, `started`, `repacked`.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: Arc<io::Error>,
    },
}

impl GitError {
    /// Whether the same call may succeed later without intervention.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Remote { problem, .. } => {
                matches!(
                    problem,
                    RemoteProblem::Resolve | RemoteProblem::Unreachable | RemoteProblem::TimedOut
                )
            }
            Self::Busy { .. } => true,
            _ => false,
        }
    }

    /// Whether the commit itself is at fault, so that every retry anywhere fails the same way.
    pub fn is_of_the_commit(&self) -> bool {
        matches!(self, Self::Hostile { .. } | Self::Oversized { .. })
    }

    /// How a user can fix it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotARepository { inside: Some(root), .. } => {
                format!("it is inside the repository {}; name that one, and set its folder separately", root.display())
            }
            Self::Vanished { .. } => {
                "correct `url` in the manifest, or restore the repository; a relative path starts at the file that \
                 contains it"
                    .to_owned()
            }
            Self::Unpacked { .. } => elsewhere("make room there"),
            // Everything that katkit creates or changes is in the cache; the agent reports problems with a phase's
            // files.
            Self::Io { action: "cleaned" | "created" | "locked" | "moved" | "written", source, .. } => {
                return hint(source.kind()).map(elsewhere);
            }
            Self::Closed { .. } => {
                "give the user that runs katkit read access to it, and access to every directory above it".to_owned()
            }
            Self::Path { instead, .. } => (*instead).to_owned(),
            Self::Submodule { .. } => "use a separate clone of that repository".to_owned(),
            Self::NotOwned { place } => format!(
                "if you trust it: git config --global --add safe.directory {}",
                place.trim_end_matches('/')
            ),
            Self::Sha256 { .. } => "use a repository made with `--object-format=sha1`, git's default".to_owned(),
            Self::Remote { place, problem, .. } => return problem.hint(place),
            Self::NoGit { .. } => {
                "install git (Debian: apt-get install git); ordinary local repositories do not need it".to_owned()
            }
            Self::NoBranch { near, .. } | Self::Unknown { near, .. } if !near.is_empty() => {
                format!("did you mean {}?", near.join(" or "))
            }
            Self::Missing { shallow: true, .. } => {
                "the repository is a shallow clone; `git fetch --unshallow` fetches the rest".to_owned()
            }
            Self::Missing { .. } => "push it first, or check that it is a sha of this repository".to_owned(),
            Self::NotACommit { commit: Some(commit), .. } => format!("the commit it names is {commit}"),
            Self::Ambiguous { .. } => "use the full sha of the one you mean".to_owned(),
            Self::Damaged { place, .. } => {
                format!("`git fsck` in {place} lists what else is missing; `git fetch` or a fresh clone restores it")
            }
            Self::Oversized { kind: "folder", .. } => {
                "find out who committed so many files to one folder (`git ls-tree ID`), and request another commit"
                    .to_owned()
            }
            Self::Oversized { .. } => {
                "find out who wrote such a large message (`git cat-file -p ID`), and request another commit".to_owned()
            }
            Self::NotMerged { .. } => {
                "tests of pull requests need git 2.38 or newer, and room in the cache".to_owned()
            }
            Self::LargeMerge { .. } => "merge the branch into the pull request, and push".to_owned(),
            Self::NoLfs { .. } => "install git-lfs in the builder image".to_owned(),
            Self::Busy { lock, .. } => format!("find the process that holds {}", lock.display()),
            _ => return None,
        })
    }

    /// A file system error; `action` is one of `cleaned`, `created`, `read`, `written`, `locked`, `moved`, `started`,
    /// `repacked`.
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

/// The hint for a failed write.
fn hint(kind: io::ErrorKind) -> Option<&'static str> {
    use io::ErrorKind as Kind;
    Some(match kind {
        Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge => "make room there",
        Kind::PermissionDenied | Kind::ReadOnlyFilesystem => "make it writable for this user",
        Kind::NotADirectory | Kind::AlreadyExists => "rename or remove the file in place of that directory",
        _ => return None,
    })
}

pub(super) fn elsewhere(hint: &str) -> String {
    format!("{hint}, or set another `cache.path` in the manifest")
}

/// Turns an error of libgit2 into a system error: libgit2 passes on only the system's text, not its code.
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
