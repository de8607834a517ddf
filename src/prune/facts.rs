//! Gathers the facts for a prune: heads, leases, requests, and the content of the blob store.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;

use super::names::{NameHistory, Names};
use super::packs::{PackFacts, needed};
use super::{PruneError, history, packs};
use crate::blobs::{BlobKey, Blobs};
use crate::causes;
use crate::domain::{CommitSha, FormerName, Generation, Head, HistoryCut, LinkId, Owner, Request};
use crate::liveness;
use crate::state::{State, Survey};

/// How many links are inspected at once.
const TOGETHER: usize = 16;

/// The stores to read from.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// The record.
    pub state: &'a dyn State,
    /// Packs, logs, status and artifacts.
    pub blobs: &'a dyn Blobs,
}

/// The scope of a prune.
#[derive(Clone, Debug)]
pub struct Scope {
    /// Everything written before this time is old.
    pub before: Timestamp,
    /// Whether to cut journals as well.
    pub history: bool,
    /// Only these links; `None`: all links, and packs.
    pub links: Option<BTreeSet<LinkId>>,
}

/// The facts for a prune.
#[derive(Debug, Default)]
pub struct Facts {
    /// The links in scope, ordered by id.
    pub links: Vec<LinkFacts>,
    /// The packs; empty if only some links are in scope, since any link may need one.
    pub packs: Vec<PackFacts>,
    /// The commits that any link needs, in scope or not.
    pub needed: BTreeSet<CommitSha>,
    /// The links with a damaged record, and the error. Nothing else is known about them.
    pub damaged: Vec<(LinkId, String)>,
    /// Whether packs were left out because a link with a damaged record may need them.
    pub keeps_packs: bool,
}

/// The facts about one link.
#[derive(Debug)]
pub struct LinkFacts {
    /// The link's id.
    pub link: LinkId,
    /// The recorded state.
    pub head: Head,
    /// The process working on it. If there is one, the fields below are empty, except `needs`.
    pub holder: Option<Owner>,
    /// The commits whose blobs are kept.
    pub needs: BTreeSet<CommitSha>,
    /// The blobs of attempts.
    pub leftovers: Vec<Leftovers>,
    /// The first event that is still recorded; only for a journal that was cut.
    pub begins: Option<Generation>,
    /// The longest old, unneeded beginning of the journal, and its number of events.
    pub history: Option<(HistoryCut, u64)>,
}

/// The blobs of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftovers {
    /// The commit of the attempt.
    pub sha: CommitSha,
    /// When the newest blob was written; `None` if the store does not know the time of each.
    pub newest: Option<Timestamp>,
    /// The keys of the blobs.
    pub blobs: Vec<BlobKey>,
    /// Their total size in bytes.
    pub bytes: u64,
}

/// Gathers the facts, starting from `survey`. Changes nothing.
///
/// A link with a damaged record is listed in [`Facts::damaged`] and does not block others.
pub async fn gather(sources: Sources<'_>, survey: Survey, scope: &Scope) -> Result<Facts, PruneError> {
    let Survey { heads, leases, requests, consents: _, mut damaged } = survey;
    let mut requested: BTreeMap<LinkId, Vec<Request>> = BTreeMap::new();
    for request in requests {
        requested.entry(request.link.clone()).or_default().push(request);
    }
    let needs = |link: &LinkId, head: &Head| {
        let requests = requested.get(link).map_or(&[][..], Vec::as_slice);
        needed(head, requests)
    };
    let holders: BTreeMap<LinkId, Owner> = leases
        .into_iter()
        .filter_map(|(link, lease)| Some((link, lease.owner.filter(|owner| !liveness::is_dead(owner))?)))
        .collect();
    let names = Names::of(&heads, damaged.keys());
    let is_meant = |link: &LinkId| scope.links.as_ref().is_none_or(|links| links.contains(link));
    let is_readable = |link: &LinkId| !damaged.contains_key(link);
    let gathering =
        heads.iter().filter(|(link, _)| is_meant(link) && is_readable(link)).map(|(link, head)| {
            let holder = holders.get(link).cloned();
            let (needs, names) = (needs(link, head), &names);
            async move {
                match of_link(sources, scope, names, (link, head), (holder, needs)).await {
                    Err(error) if error.is_damage() => Ok(Err((link.clone(), causes::in_one_line(&error)))),
                    found => found.map(Ok),
                }
            }
        });
    let gathered: Vec<_> = stream::iter(gathering).buffered(TOGETHER).try_collect().await?;
    let mut facts = Facts::default();
    for found in gathered {
        match found {
            Ok(link) => facts.links.push(link),
            Err(damage) => facts.damaged.push(damage),
        }
    }
    facts.keeps_packs = scope.links.is_none() && !(damaged.is_empty() && facts.damaged.is_empty());
    if scope.links.is_none() && !facts.keeps_packs {
        facts.packs = packs::list(sources.blobs).await?;
    }
    damaged.retain(|link, _| is_meant(link));
    facts.damaged.extend(damaged.into_iter().map(|(link, error)| (link, causes::in_one_line(&error))));
    facts.damaged.sort();
    facts.needed = heads.iter().flat_map(|(link, head)| needs(link, head)).collect();
    Ok(facts)
}

async fn of_link(
    sources: Sources<'_>,
    scope: &Scope,
    names: &Names<'_>,
    (link, head): (&LinkId, &Head),
    (holder, needs): (Option<Owner>, BTreeSet<CommitSha>),
) -> Result<LinkFacts, PruneError> {
    let mut facts = LinkFacts {
        link: link.clone(),
        head: head.clone(),
        holder,
        needs,
        leftovers: Vec::new(),
        begins: None,
        history: None,
    };
    if facts.holder.is_some() {
        return Ok(facts);
    }
    let own: BTreeSet<&LinkId> = FormerName::names(&head.formerly).chain([link]).collect();
    let mut may_cut = false;
    for name in own {
        let doubt = names.doubt(sources.state, name).await?;
        if name == link {
            may_cut = names.may_cut(link, doubt.as_ref());
        }
        facts.leftovers.extend(leftovers(sources.blobs, (names, doubt.as_ref()), link, name).await?);
    }
    if head.own_cut().is_some() {
        facts.begins = sources.state.beginning(link).await?;
    }
    if scope.history && may_cut {
        facts.history = history::cut(sources.state, link, head, scope.before).await?;
    }
    Ok(facts)
}

/// The blobs of attempts of `link` under `name`, its current or a former name.
async fn leftovers(
    blobs: &dyn Blobs,
    (names, doubt): (&Names<'_>, Option<&NameHistory>),
    link: &LinkId,
    name: &LinkId,
) -> Result<Vec<Leftovers>, PruneError> {
    let mut found: BTreeMap<BlobKey, Leftovers> = BTreeMap::new();
    for listed in blobs.list(&BlobKey::link(name), None).await? {
        let Some((attempt, sha, run)) = listed.key.left_by() else { continue };
        let Some(began) = run.generation() else { continue };
        let is_doubtful = doubt.is_some_and(|doubt| doubt.covers(began, names.end(name, began)));
        if is_doubtful || names.owner(name, began) != link {
            continue;
        }
        let left = found.entry(attempt).or_insert_with(|| Leftovers {
            sha,
            newest: Some(Timestamp::MIN),
            blobs: Vec::new(),
            bytes: 0,
        });
        left.newest = left.newest.zip(listed.modified).map(|(newest, modified)| newest.max(modified));
        left.bytes += listed.size;
        left.blobs.push(listed.key);
    }
    Ok(found.into_values().collect())
}
