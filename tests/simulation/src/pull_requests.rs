//! Pull requests: users open, test, close and land them (invariant 21).

use std::time::Duration;

use katkit::clock::Clock as _;
use katkit::domain::{CommitSha, Event, Head, LinkId, RecordedEvent, RequestKind, TreeId};
use katkit::git::{GitError, Merged};

use crate::dice;
use crate::people;
use crate::world::World;

/// Whether the first stage of this seed's pipeline tests pull requests. With dice of its own.
pub fn is_required(seed: u64) -> bool {
    fastrand::Rng::with_seed(seed ^ 0x0000_7e57).u32(0..3) == 0
}

/// An id made of a text.
fn id(text: &str) -> CommitSha {
    let part = |n: u64| format!("{:016x}", dice::named(n, text));
    let digits = format!("{}{}{}", part(0), part(1), part(2));
    CommitSha::new(&digits[..40]).unwrap_or_else(|_| unreachable!("forty hex digits are a sha"))
}

fn tree_id(text: &str) -> TreeId {
    TreeId::new(id(text).as_str()).unwrap_or_else(|_| unreachable!("forty hex digits are an id"))
}

/// What a commit contains.
pub fn tree(world: &World, sha: &CommitSha) -> TreeId {
    let landed = world.facts().trees.get(sha).cloned();
    landed.unwrap_or_else(|| tree_id(&format!("content of {sha}")))
}

/// The content of a commit with the change of a pull request.
fn with_change(world: &World, base: &CommitSha, head: &CommitSha) -> TreeId {
    tree_id(&format!("{} with {head}", tree(world, base).as_str()))
}

/// Whether the pull request is closed, and its commit gone.
fn is_gone(world: &World, head: &CommitSha) -> bool {
    let closed = world.facts().closed.get(head).copied();
    closed.is_some_and(|at| at <= world.elapsed())
}

/// Merges a pull request, as git would. In every fourth world some processes have another version of it.
pub fn merge(
    world: &World,
    process: u32,
    (base, head): (&CommitSha, &CommitSha),
) -> Result<Merged, GitError> {
    if is_gone(world, head) {
        return Err(GitError::Missing { place: "here".to_owned(), sha: head.clone(), shallow: false });
    }
    Ok(merged(world, process, (base, head)))
}

fn merged(world: &World, process: u32, (base, head): (&CommitSha, &CommitSha)) -> Merged {
    if world.facts().pushed.values().any(|pushed| pushed.contains(head)) {
        return Merged::Contained { tree: tree(world, base) };
    }
    // Some conflict with some commits.
    if dice::named(world.seed, &format!("{base} {head}")).is_multiple_of(6) {
        return Merged::Conflict { paths: vec!["list.txt".to_owned()], more: 0 };
    }
    let is_other = world.seed.is_multiple_of(4) && process % 2 == 1;
    let (sha, tree) = match is_other {
        true => (id(&format!("{head} into {base} otherwise")), tree_id(&format!("{base} and {head}"))),
        false => (id(&format!("{head} into {base}")), with_change(world, base, head)),
    };
    world.facts().trees.insert(sha.clone(), tree.clone());
    Merged::Commit { sha, tree }
}

/// A user opens a pull request, or pushes to it, and requests its test.
pub async fn test(world: &World, link: &LinkId) {
    let now = u64::try_from(world.elapsed().as_millis()).unwrap_or_default();
    let head = id(&format!("pull request {now} of {}", world.seed));
    world.facts().pulls.push(head.clone());
    let mut rng = fastrand::Rng::with_seed(dice::named(now, head.as_str()));
    if rng.u32(0..4) == 0 {
        let at = world.elapsed() + Duration::from_secs(rng.u64(0..300));
        world.facts().closed.insert(head.clone(), at);
    }
    people::submit(world, link, RequestKind::Test { sha: head }, world.now()).await;
}

/// A user lands the oldest pull request as one new commit, whatever its test said.
pub fn land(world: &World, link: &LinkId) {
    let Some(tip) = world.facts().tips.get(link).cloned() else { return };
    let mut facts = world.facts();
    if facts.pulls.is_empty() {
        return;
    }
    let head = facts.pulls.remove(0);
    drop(facts);
    if is_gone(world, &head) {
        return;
    }
    let (sha, tree) = (id(&format!("{head} landed on {tip}")), with_change(world, &tip, &head));
    let mut facts = world.facts();
    facts.trees.insert(sha.clone(), tree);
    facts.pushed.entry(link.clone()).or_default().push(sha.clone());
    facts.tips.insert(link.clone(), sha);
}

/// Whether the first stage has verified a commit: itself, or its content before it landed.
pub fn has_verified(world: &World, head: &Head, sha: &CommitSha) -> bool {
    let tree = tree(world, sha);
    let itself = head.evidence(sha).is_some_and(|evidence| evidence.run.is_some());
    itself || head.passed_tests().any(|test| test.merge.tree == tree)
}

/// The newest commit of the branch that the first stage has verified, for users who promote or approve it.
pub fn newest_verified(world: &World, first: &LinkId, head: &Head) -> Option<CommitSha> {
    let pushed = world.facts().pushed.get(first).cloned().unwrap_or_default();
    pushed.into_iter().rev().find(|sha| has_verified(world, head, sha))
}

/// Tests start in the order in which they were requested (21).
pub fn in_order(world: &World, link: &LinkId, journal: &[RecordedEvent]) {
    let asked: Vec<CommitSha> = world
        .facts()
        .asked
        .iter()
        .filter_map(|request| match &request.ask {
            RequestKind::Test { sha } if request.link == *link => Some(sha.clone()),
            _ => None,
        })
        .collect();
    let started = journal.iter().filter_map(|recorded| match &recorded.event {
        Event::RunStarted { test: Some(test), .. } => asked.iter().position(|sha| *sha == test.merge.head),
        _ => None,
    });
    if !started.is_sorted() {
        world.violated(21, format!("{link}: pull requests were not tested in the order of the requests"));
    }
}
