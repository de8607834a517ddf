//! Decides what to remove. Never removes it.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::facts::{Facts, Leftovers, LinkFacts};
use super::packs::PackFacts;
use crate::blobs::BlobKey;
use crate::domain::{CommitSha, CutMark, Generation, HistoryCut, LinkId, Owner};
use crate::report::{Amount, LinkPruning, PruneResult, Pruning};

/// A prune plan.
#[derive(Debug, Default)]
pub struct Plan {
    /// Everything written before this time is old.
    pub before: Timestamp,
    /// The links to prune, ordered by id.
    pub links: Vec<LinkPlan>,
    /// The packs to remove.
    pub packs: Vec<PackFacts>,
    /// The links that another process is working on.
    pub left: Vec<(LinkId, Owner)>,
    /// The links with a damaged record, and the error.
    pub damaged: Vec<(LinkId, String)>,
    /// Whether all packs are kept because of damaged links.
    pub keeps_packs: bool,
}

/// The prune plan of one link.
#[derive(Debug)]
pub struct LinkPlan {
    /// The link's id.
    pub link: LinkId,
    /// The generation that it was planned from.
    pub base: Generation,
    /// Blobs that an earlier prune recorded but did not remove.
    pub unfinished: Batch,
    /// The part of the journal that an earlier prune recorded as cut but did not remove, and its number of events.
    pub uncut: Option<(CutMark, u64)>,
    /// Blobs that this prune records and removes.
    pub batch: Batch,
    /// The commits whose blobs it keeps.
    pub keeps: Vec<CommitSha>,
    /// The part of the journal that it cuts, and its number of events.
    pub history: Option<(Box<HistoryCut>, u64)>,
}

/// Blobs to remove.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The number of attempts they are from.
    pub attempts: usize,
    /// The keys of the blobs.
    pub blobs: Vec<BlobKey>,
    /// Their total size in bytes.
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

    /// Whether there are no blobs.
    pub fn is_empty(&self) -> bool {
        self.blobs.is_empty()
    }
}

impl LinkPlan {
    /// Whether it removes anything that no earlier prune recorded.
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

    /// Whether it finishes an earlier prune.
    pub fn finishes(&self) -> bool {
        !self.unfinished.is_empty() || self.uncut.is_some()
    }
}

impl Plan {
    /// Whether there is nothing to remove.
    pub fn is_empty(&self) -> bool {
        self.links.is_empty() && self.packs.is_empty()
    }

    /// The report of the plan, before it is carried out.
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

/// Decides what to remove. Equal facts give equal plans. Planning again after the plan was carried out removes nothing.
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

/// Whether all of it is old. An unknown age does not count as old.
fn is_old(newest: Option<Timestamp>, before: Timestamp) -> bool {
    newest.is_some_and(|newest| newest < before)
}

fn of_link(facts: LinkFacts, before: Timestamp) -> LinkPlan {
    let LinkFacts { link, head, holder: _, needs, leftovers, begins, history } = facts;
    let is_unneeded = |left: &&Leftovers| !needs.contains(&left.sha);
    let is_recorded = |left: &&Leftovers| {
        let removes = |newest| head.pruned.as_ref().is_some_and(|pruned| pruned.removes(&left.sha, newest));
        left.newest.is_some_and(removes)
    };
    let (recorded, others): (Vec<_>, Vec<_>) = leftovers.iter().filter(is_unneeded).partition(is_recorded);
    let old = others.into_iter().filter(|left| is_old(left.newest, before));
    let uncut = head.own_cut().zip(begins).filter(|(cut, begins)| *begins <= cut.through);
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

/// Sorted, so that the record does not depend on the order of gathering.
fn keeps(needs: BTreeSet<CommitSha>) -> Vec<CommitSha> {
    needs.into_iter().collect()
}
