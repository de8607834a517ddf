//! Repositories: what a commit holds, and how it gets into a phase.
//!
//! A repository on this machine (a path, or `file://`) is read in place through libgit2: no executable, no copy,
//! nothing written to it. If libgit2 cannot read it, `git` copies it as if it were remote; the same goes for objects
//! that a partial clone left out (`repository_reader`). Remote repositories are mirrored once into the cache
//! directory. The `git` executable does everything that crosses the network, so the user's credential helpers, ssh
//! configuration and proxies work as they do in a shell. Everything after that is local: files of a commit are read
//! without a checkout, and a commit reaches a phase as one pack, so the phase needs neither git nor credentials.
//!
//! # Mirrors and concurrent processes
//!
//! `CACHE/mirrors/NAME` is a bare repository, and its only writer holds a lock on the file `NAME.lock`. It is a
//! kernel lock (`flock`), so it ends with its holder. The fetching `git` also gets it, as its standard input: if
//! katkit is killed, no one else writes before that `git` is done. Readers take no lock. References are packed once a
//! thousand of them have their own file: a reader finds each one either loose or packed.
//!
//! A fetch adds whole packs (`fetch.unpackLimit=1`). A lookup may search all of them, so the fetch that makes them too
//! many also merges the small ones (`repack`), after the callers that share it have its result. Objects are
//! never dropped, so a commit that could be read once can always be read, even after a force push. A reference of its
//! own keeps each requested sha, in case someone runs `git gc` there.
//!
//! A repack removes old packs as soon as the new one is complete, and readers carry on. A pack that libgit2 has read
//! from stays open; katkit raises its limit of open files for that (`hardening`). If libgit2 cannot open a pack that it
//! has listed, it does not find the object, lists the packs again, and finds the new one. There are two exceptions: a
//! prefix of an id that seems unique while a pack is missing (`object`), and a multi-pack-index, which libgit2 believes
//! even after its packs are gone. So mirrors have none.
//!
//! A mirror is recreated only if it is known to be damaged: `git` finds a broken object in it, or it holds something
//! that katkit did not make. An error that may pass (no access, too many open files, a full disk) is reported, and the
//! mirror stays. A damaged mirror is moved to `NAME.damaged`. Its kept commits are fetched from there before it is
//! removed; if some of them cannot be read, it stays as `NAME.lost`.
//!
//! # What is trusted
//!
//! `git` obeys the configuration of the repository it works in. So a mirror has only katkit's own: before each run of
//! `git` in it, everything except objects and references is rewritten or removed (`bare`). Mirrors are in the user's
//! cache directory, and a directory that git tracks is refused: anyone who can commit could write to such a cache.
//!
//! In repositories and mirrors, reading an object does not check its hash (nor does `git`): the checksum of the
//! compressed data reveals a damaged disk, and anyone who can replace a pack there can replace the code to run as well. A
//! phase's pack comes from the blob store, where others may write, so the agent rebuilds its index from the hash of
//! every object (`checkout`). The setting is libgit2's own and holds for the whole process.
//!
//! Commits, tags and folders are read up to a size limit (`object`), because libgit2 loads an object into memory
//! before anyone can inspect it. What a commit *contains* is not trusted: names like `.git` or `..` are refused,
//! symbolic links are never followed, and planning refuses commits that a checkout could not hold.

mod bare;
mod barrier;
mod blocking;
mod checkout;
mod classify;
mod clean;
mod clone;
mod command;
mod compared;
mod contents;
mod contributors;
mod error;
mod first_parents;
mod history;
mod index;
mod landing;
mod merge;
mod mirror;
mod mirrors;
mod object;
mod open;
mod pack;
mod patch;
mod pool;
mod remote_problem;
mod repack;
mod repositories;
mod repository_access;
mod repository_location;
mod repository_reader;
mod resolve;
mod revision;
mod tags;
mod taint;
mod tips;
mod tracked;
mod tree;
mod work_tree;

pub use checkout::checkout;
pub use clean::ignore_modes;
pub use clone::clone;
pub use compared::PathComparison;
pub use contents::Unsupported;
pub use error::GitError;
pub use first_parents::{BesideBranch, FirstParents};
pub use history::{CommitLine, Commits};
pub use index::TrackedFiles;
pub use landing::Landing;
pub use merge::Merged;
pub use mirrors::Mirrors;
pub use pack::Packed;
pub use remote_problem::{GitOutput, RemoteProblem};
pub use repack::RepackSchedule;
pub use repositories::{Repositories, Tips};
pub use repository_location::{owner_and_name, public_url, redacted, repository_name};
pub use revision::Revision;
pub use tags::add_tags;
pub use taint::{Rollback, Tainted};
pub use tracked::{tracked, tracked_repository};
pub use work_tree::WorkTree;

use blocking::blocking;
