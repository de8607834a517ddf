//! Decides what is removed. Never removes it.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::facts::{Facts, Leftovers, LinkFacts, PackFacts};
use crate::blobs::BlobKey;
use crate::domain::{CommitSha, Cut, CutMark, Generation, LinkId, Owner};
use crate::report::{Amount, LinkPruning, PruneResult, Pruning};

/// What is removed.
#[derive(Debug, Default)]
pub struct Plan {
    /// What is old.
    pub before: Timestamp,
    /// The links from which something is removed, ordered by id.
    pub links: Vec<LinkPlan>,
    /// The packs that are removed.
    pub packs: Vec<PackFacts>,
    /// The links that another process works on.
    pub left: Vec<(LinkId, Owner)>,
    /// The links whose record is damaged, and how.
    pub damaged: Vec<(LinkId, String)>,
    /// Whether no pack is removed because of these.
    pub keeps_packs: bool,
}

/// What is removed of a link.
#[derive(Debug)]
pub struct LinkPlan {
    /// Which.
    pub link: LinkId,
    /// The generation that this was decided from.
    pub base: Generation,
    /// What an earlier prune recorded and did not remove.
    pub unfinished: Batch,
    /// The part of the journal that an earlier prune cut and did not remove, and how many events that is.
    pub uncut: Option<(CutMark, u64)>,
    /// What this one removes.
    pub batch: Batch,
    /// The commits whose blobs it keeps.
    pub keeps: Vec<CommitSha>,
    /// What it cuts off the journal, and how many events that is.
    pub history: Option<(Box<Cut>, u64)>,
}

/// Blobs that go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// What how many attempts left, or how many packs.
    pub attempts: usize,
    /// All of it.
    pub blobs: Vec<BlobKey>,
    /// How large it is.
    pub bytes: u64,
}

impl Batch {
    fn of<'a>(leftovers: impl IntoIterator<Item = &'a Leftovers>) -> Self {
        let mut batch = Self::default();
        for left in leftovers {
            batch.attempts += 1;
            batch.blobs.extend(left.blobs.iter().cloned());
            batch.bytes += left.bytes;
        }
        batch
    }

    fn amount(&self) -> Amount {
        Amount { things: self.attempts, blobs: self.blobs.len(), bytes: self.bytes }
    }

    /// Whether nothing goes.
    pub fn is_empty(&self) -> bool {
        self.blobs.is_empty()
    }
}

impl LinkPlan {
    /// Whether something is removed that no earlier prune recorded.
    pub fn is_new(&self) -> bool {
        !self.batch.is_empty() || self.history.is_some()
    }

    fn told(&self) -> LinkPruning {
        let Self { link, base: _, unfinished, uncut, batch, keeps: _, history } = self;
        let events = |part: Option<u64>| part.unwrap_or(0);
        LinkPruning {
            link: link.clone(),
            left: unfinished.amount().and(batch.amount()),
            events: events(uncut.map(|(_, events)| events))
                + events(history.as_ref().map(|(_, events)| *events)),
            through: history.as_ref().map(|(cut, _)| cut.through()),
            finishes: self.finishes(),
            result: PruneResult::Planned,
        }
    }

    /// Whether an earlier prune is brought to its end.
    pub fn finishes(&self) -> bool {
        !self.unfinished.is_empty() || self.uncut.is_some()
    }
}

impl Plan {
    /// Whether anything is removed.
    pub fn is_empty(&self) -> bool {
        self.links.is_empty() && self.packs.is_empty()
    }

    /// What it removes, for people and programs; nothing has become of it yet.
    pub fn told(&self) -> Pruning {
        let Self { before, links, packs, left, damaged, keeps_packs } = self;
        let packs = packs.iter().map(|pack| Amount { things: 1, blobs: pack.blobs.len(), bytes: pack.bytes });
        Pruning {
            before: *before,
            links: links.iter().map(LinkPlan::told).collect(),
            packs: packs.fold(Amount::default(), Amount::and),
            packs_result: PruneResult::Planned,
            left: left.iter().map(|(link, owner)| (link.clone(), owner.to_string())).collect(),
            damaged: damaged.clone(),
            keeps_packs: *keeps_packs,
        }
    }
}

/// Equal facts give equal plans. Planning again after the plan was carried out removes nothing.
pub fn plan(facts: Facts, before: Timestamp) -> Plan {
    let Facts { links, packs, needed, damaged, keeps_packs } = facts;
    let mut plan = Plan { before, damaged, keeps_packs, ..Plan::default() };
    for mut link in links {
        match link.holder.take() {
            Some(owner) => plan.left.push((link.link, owner)),
            None => plan.links.extend(Some(of_link(link, before)).filter(|it| it.is_new() || it.finishes())),
        }
    }
    plan.packs =
        packs.into_iter().filter(|pack| is_old(pack.newest, before) && !needed.contains(&pack.sha)).collect();
    plan
}

/// Unknown age does not count as old.
fn is_old(newest: Option<Timestamp>, before: Timestamp) -> bool {
    newest.is_some_and(|newest| newest < before)
}

fn of_link(facts: LinkFacts, before: Timestamp) -> LinkPlan {
    let LinkFacts { link, head, holder: _, needs, leftovers, begins, history } = facts;
    let is_free = |left: &&Leftovers| !needs.contains(&left.sha);
    let is_recorded = |left: &&Leftovers| {
        let removes = |newest| head.pruned.as_ref().is_some_and(|pruned| pruned.removes(&left.sha, newest));
        left.newest.is_some_and(removes)
    };
    let (recorded, others): (Vec<_>, Vec<_>) = leftovers.iter().filter(is_free).partition(is_recorded);
    let old = others.into_iter().filter(|left| is_old(left.newest, before));
    let uncut = head.cut().zip(begins).filter(|(cut, begins)| *begins <= cut.through);
    LinkPlan {
        link,
        base: head.generation,
        unfinished: Batch::of(recorded),
        uncut: uncut.map(|(cut, begins)| (cut, cut.through.0 - begins.0 + 1)),
        batch: Batch::of(old),
        keeps: keeps(needs),
        history: history.map(|(cut, events)| (Box::new(cut), events)),
    }
}

/// In order, so that what is recorded does not depend on how it was gathered.
fn keeps(needs: BTreeSet<CommitSha>) -> Vec<CommitSha> {
    needs.into_iter().collect()
}
