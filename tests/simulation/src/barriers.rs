//! Commits that must not be undone (invariant 22).

use katkit::domain::{CommitSha, DeployPurpose, Event, Head, LinkId, RecordedEvent};

use crate::world::World;

/// Whether the message of a commit says so: about every tenth.
pub fn says_no(sha: &CommitSha) -> bool {
    sha.as_str().as_bytes().get(20).is_some_and(|digit| b"59".contains(digit))
}

/// The newest commit that says so among those that were pushed after one and up to another.
pub fn between(world: &World, from: &CommitSha, to: &CommitSha) -> Option<CommitSha> {
    world.facts().pushed.values().find_map(|pushed| {
        let at = |sha: &CommitSha| pushed.iter().position(|other| other == sha);
        let (from, to) = (at(from)?, at(to)?);
        pushed.get(from + 1..=to)?.iter().rev().find(|sha| says_no(sha)).cloned()
    })
}

/// A write begins no rollback past such a commit (22). `head` is what it is based on.
pub fn respected(world: &World, link: &LinkId, head: &Head, written: &[RecordedEvent]) {
    for RecordedEvent { event, .. } in written {
        let Event::DeployIntended { purpose: DeployPurpose::Rollback, sha, .. } = event else { continue };
        let Some(live) = &head.deployed else { continue };
        if let Some(barrier) = between(world, sha, &live.sha) {
            let (sha, live, barrier) = (sha.short(), live.sha.short(), barrier.short());
            world.violated(22, format!("{link}: a rollback from {live} to {sha} goes past {barrier}"));
        }
    }
}
