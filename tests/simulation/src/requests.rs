//! How requests were decided (9), and whether the journal names the right actors (10).

use std::collections::BTreeMap;

use katkit::domain::{
    CommitSha, DeployPurpose, Event, LinkId, RecordedEvent, Request, RequestKind, RunOutcome,
};

use crate::world::World;

/// A request as text with its commits, and its actor.
type Key = (String, String);

/// Every request is decided once, for the commit it names, on behalf of its actor.
pub fn decided(world: &World, link: &LinkId, journal: &[RecordedEvent]) {
    let asked: Vec<Request> =
        world.facts().asked.iter().filter(|request| request.link == *link).cloned().collect();
    let mut open: BTreeMap<Key, i32> = BTreeMap::new();
    for request in &asked {
        *open.entry(key(&request.ask, &request.by.name)).or_default() += 1;
    }
    let (mut tested, mut superseded): (Option<(CommitSha, CommitSha)>, bool) = (None, false);
    let mut asked_for;
    for recorded in journal {
        let (what, who) = match &recorded.event {
            Event::Requested { ask, from, .. } | Event::Refused { ask, from, .. } => (ask, &from.name),
            Event::Withdrawn { ask, from, withdrawn_by, .. } => {
                *open.entry(withdrawal(&withdrawn_by.name)).or_default() -= 1;
                (ask, &from.name)
            }
            Event::RunStarted { test: Some(test), sha, .. } => {
                let again = Some((sha.clone(), test.merge.head.clone()));
                // A run that ended because nothing is wanted any longer starts over.
                if std::mem::replace(&mut tested, again.clone()) == again && superseded {
                    continue;
                }
                asked_for = RequestKind::Test { sha: test.merge.head.clone() };
                (&asked_for, &test.from.name)
            }
            Event::RunEnded { outcome, .. } => {
                superseded = *outcome == RunOutcome::Superseded;
                continue;
            }
            _ => continue,
        };
        let count = open.entry(key(what, who)).or_default();
        *count -= 1;
        if *count < 0 {
            let others = asked.iter().any(|request| request.ask == *what);
            let invariant = if others { 10 } else { 9 };
            let event = recorded.generation;
            world.violated(invariant, format!("{link}: {who} never asked for what event {event} decides on"));
        }
    }
    for ((what, who), left) in open.iter().filter(|(_, left)| **left > 0) {
        world.violated(9, format!("{link}: {left} of what {who} asked for left no event: {what}"));
    }
    granted(world, link, journal);
}

/// A granted request concerns its own run, and a rollback goes to the requested commit.
fn granted(world: &World, link: &LinkId, journal: &[RecordedEvent]) {
    let mut run: Option<&CommitSha> = None;
    let mut back: Option<&CommitSha> = None;
    for recorded in journal {
        let wrong = match &recorded.event {
            Event::RunStarted { sha, .. } => {
                run = Some(sha);
                false
            }
            Event::Requested {
                ask:
                    RequestKind::Retry { sha, .. }
                    | RequestKind::Skip { sha, .. }
                    | RequestKind::Waive { sha, .. }
                    | RequestKind::Cancel { sha },
                ..
            } => run != Some(sha),
            Event::Requested { ask: RequestKind::Rollback { to, .. }, .. } => {
                back = Some(to);
                false
            }
            Event::DeployIntended { purpose: DeployPurpose::Rollback, sha, .. } => {
                back.take().is_some_and(|to| to != sha)
            }
            _ => false,
        };
        if wrong {
            let event = recorded.generation;
            world.violated(
                9,
                format!("{link}: event {event} is about another commit than what was asked for"),
            );
        }
    }
}

fn key(ask: &RequestKind, who: &str) -> Key {
    match ask {
        // The journal does not record which request was withdrawn.
        RequestKind::Withdraw { .. } => withdrawal(who),
        ask => (format!("{ask:?}"), who.to_owned()),
    }
}

fn withdrawal(who: &str) -> Key {
    ("withdraw".to_owned(), who.to_owned())
}
