//! Merges two commits into a commit that only katkit has, to test it before someone else merges them.
//!
//! `git merge-tree` does the work, and not libgit2, which merges differently: a new file in a folder that the other side
//! renamed is a conflict to `git` (git-config(1), `merge.directoryRenames`), while libgit2 leaves it in the old folder. What
//! lands after a test has to be equal to it. Needs git 2.38, and 2.41 to obey the `.gitattributes` of the commit that is
//! merged into, such as `merge=union` (git(1), `GIT_ATTR_SOURCE`). It touches no work tree. No configuration or attributes
//! of this machine apply, so a merge driver that `.gitattributes` names does not run.
//!
//! The merge commit depends on the two commits and the version of `git` alone. It and the merged files are in a bare
//! repository of its own, `CACHE/merges/NAME`, which borrows all other objects: a repository on this machine is only read.
//! If it is removed, the same merge makes the same objects again; when it grows, those of old merges are removed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use git2::{ObjectType, Repository};

use super::command::{ASK, Git, GitRun};
use super::object::Objects;
use super::repository_access::RepositoryAccess;
use super::{GitError, RemoteProblem, bare, blocking, object, open};
use crate::domain::{CommitSha, TreeId};

/// How many conflicting paths are named.
pub(super) const NAMED: usize = 20;

/// With more objects than this in one of 256 folders, unused objects are removed: about as many as `gc.auto` allows.
const MANY: usize = 27;

/// How long the objects of a merge are kept, unless it is made again.
const UNUSED: &str = "--expire=30.days.ago";

/// How often they are looked for.
const DAY: Duration = Duration::from_hours(24);

/// The longest that their removal may take.
const PRUNE: Duration = Duration::from_mins(5);

/// The name under which katkit commits merges. Nobody is known by it.
const COMMITTER: &str = "katkit <katkit@localhost>";

/// The result of merging one commit into another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Merged {
    /// This commit has both as its parents.
    Commit {
        /// Its id.
        sha: CommitSha,
        /// What it contains.
        tree: TreeId,
    },
    /// The other commit already contains it.
    Contained {
        /// What the other commit contains.
        tree: TreeId,
    },
    /// Both changed the same lines, or in another way that `git` does not decide.
    Conflict {
        /// Up to 20 of the paths in question.
        paths: Vec<String>,
        /// How many more there are.
        more: usize,
    },
    /// They have no history in common.
    Unrelated,
}

/// What the merge is made of, and where.
struct Parts {
    /// The directories of objects of the repository, separated as `git` wants them.
    objects: String,
    /// The commits whose parents a shallow clone lacks.
    shallow: Option<String>,
    /// When the newer commit was committed.
    time: i64,
    relation: Relation,
}

enum Relation {
    Contained(TreeId),
    Diverged,
}

/// Merges `head` into `base`, which are both readable in the repository; `made` is where merges go.
pub(super) async fn merge(
    git: &Git,
    found: RepositoryAccess,
    made: PathBuf,
    (base, head): (&CommitSha, &CommitSha),
) -> Result<Merged, GitError> {
    let place = found.place.clone();
    let parts = {
        let (base, head, made) = (base.clone(), head.clone(), made.clone());
        blocking(move || {
            let parts = parts(&found, &base, &head)?;
            prepare(&made).map(|()| parts)
        })
    };
    let Parts { objects, shallow, time, relation } = parts.await?;
    if let Relation::Contained(tree) = relation {
        return Ok(Merged::Contained { tree });
    }
    if is_large(&made) && !was_pruned(&made) {
        let arguments = ["prune", UNUSED];
        let request =
            GitRun { place: &place, directory: Some(&made), arguments: &arguments, lock: None, bound: PRUNE };
        if let Err(error) = git.run(request).await {
            tracing::warn!(%place, error = %crate::causes::in_one_line(&error), "old merges were not removed");
        }
    }
    let mut variables = vec![
        ("GIT_ALTERNATE_OBJECT_DIRECTORIES", objects),
        ("GIT_CONFIG_GLOBAL", "/dev/null".to_owned()),
        ("GIT_CONFIG_NOSYSTEM", "1".to_owned()),
        // Settings may also come in these (git-config(1), ENVIRONMENT); `-c` adds to the second.
        ("GIT_CONFIG_COUNT", "0".to_owned()),
        ("GIT_CONFIG_PARAMETERS", String::new()),
        ("GIT_ATTR_NOSYSTEM", "1".to_owned()),
        ("GIT_ATTR_SOURCE", base.to_string()),
    ];
    variables.extend(shallow.map(|shallow| ("GIT_SHALLOW_FILE", shallow)));
    let arguments = [
        "-c",
        "core.attributesFile=/dev/null",
        "merge-tree",
        "--write-tree",
        "-z",
        "--name-only",
        "--no-messages",
        base.as_str(),
        head.as_str(),
    ];
    let request =
        GitRun { place: &place, directory: Some(&made), arguments: &arguments, lock: None, bound: ASK };
    let too_large = |error| match error {
        GitError::Remote { place, problem: RemoteProblem::TooMuch, .. } => {
            GitError::LargeMerge { place, base: base.clone(), head: head.clone() }
        }
        error => error,
    };
    let answer = git.answer(request, &variables).await.map_err(too_large)?;
    let mut fields = answer.printed.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    let tree = fields.next().and_then(|tree| TreeId::new(tree.trim()).ok());
    match (answer.status.code(), tree) {
        (Some(0), Some(tree)) => {
            let text = format!(
                "tree {}\nparent {base}\nparent {head}\nauthor {COMMITTER} {time} +0000\n\
                 committer {COMMITTER} {time} +0000\n\nMerge {} into {} for a test\n",
                tree.as_str(),
                head.short(),
                base.short()
            );
            let write = move || {
                let failed = |error| GitError::unreadable(made.display(), error);
                let repository = Repository::open_bare(&made).map_err(failed)?;
                let odb = repository.odb().map_err(failed)?;
                odb.write(ObjectType::Commit, text.as_bytes())
                    .map_err(|error| GitError::io("written", &made, super::error::of_system(error)))
            };
            Ok(Merged::Commit { sha: object::sha(blocking(write).await?), tree })
        }
        (Some(1), Some(_)) => {
            let mut paths: Vec<_> = fields.filter(|path| !path.is_empty()).map(String::from).collect();
            paths.dedup();
            let more = paths.len().saturating_sub(NAMED);
            paths.truncate(NAMED);
            Ok(Merged::Conflict { paths, more })
        }
        _ if answer.messages.0.contains("refusing to merge unrelated histories") => Ok(Merged::Unrelated),
        _ => Err(GitError::NotMerged { place: place.to_string(), said: answer.messages }),
    }
}

/// Reads what the merge depends on. Blocks.
fn parts(found: &RepositoryAccess, base: &CommitSha, head: &CommitSha) -> Result<Parts, GitError> {
    let (repository, place) = (found.open()?, &found.place);
    let objects = Objects::new(&repository, place)?;
    let (base, head) = (objects.commit(open::oid(base))?, objects.commit(open::oid(head))?);
    let is_contained = base.id() == head.id()
        || repository
            .graph_descendant_of(base.id(), head.id())
            .map_err(|error| object::damaged(place, error))?;
    let relation = match TreeId::new(base.tree_id().to_string()) {
        Ok(tree) if is_contained => Relation::Contained(tree),
        _ => Relation::Diverged,
    };
    let time = base.committer().when().seconds().max(head.committer().when().seconds());
    let own = repository.commondir().join("objects");
    let own = std::path::absolute(&own).map_err(|error| GitError::io("read", &own, error))?;
    let not_text = || GitError::Url { url: place.to_string(), why: "its path is not UTF-8" };
    let mut all = quoted(own.to_str().ok_or_else(not_text)?);
    for elsewhere in found.elsewhere() {
        all = format!("{all}:{}", quoted(&elsewhere));
    }
    let shallow = repository.commondir().join("shallow");
    let shallow = repository.is_shallow().then(|| shallow.to_str().map(str::to_owned)).flatten();
    Ok(Parts { objects: all, shallow, time, relation })
}

/// Quotes the path of an object directory, as `git` reads lists of them (git(1), `GIT_ALTERNATE_OBJECT_DIRECTORIES`).
fn quoted(path: &str) -> String {
    format!("\"{}\"", path.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Whether a merge commit is in the repository that merges go to. Blocks.
pub(super) fn is_there(made: &Path, sha: &CommitSha) -> bool {
    let Ok(repository) = Repository::open_bare(made) else { return false };
    repository.odb().is_ok_and(|odb| odb.exists(open::oid(sha)))
}

/// Whether that was tried within a day; otherwise remembers that it is now.
fn was_pruned(made: &Path) -> bool {
    let stamp = made.join(bare::REPACKED);
    let tried = std::fs::metadata(&stamp).and_then(|stamp| stamp.modified());
    let is_recent = tried.is_ok_and(|at| at.elapsed().is_ok_and(|age| age < DAY));
    is_recent || std::fs::write(&stamp, "").is_err()
}

/// Whether it has many objects, judged as `git gc --auto` does.
fn is_large(made: &Path) -> bool {
    bare::entries(&made.join("objects/17")).is_ok_and(|objects| objects.len() > MANY)
}

/// Creates the repository that merges go to, or resets it to katkit's own settings. Blocks.
fn prepare(made: &Path) -> Result<(), GitError> {
    let failed = |error| GitError::io("cleaned", made, error);
    if made.is_dir() && bare::reclaim(made).map_err(failed)? {
        return Ok(());
    }
    let root = made.parent().unwrap_or(made);
    std::fs::create_dir_all(root).map_err(|error| GitError::io("created", root, error))?;
    match bare::create(made) {
        // Another process was faster.
        Err(_) if made.is_dir() => Ok(()),
        done => done,
    }
}
