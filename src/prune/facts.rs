//! Gathers all that a prune is decided from: heads, leases, requests, and what lies in the blob store.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;

use super::names::{Doubt, Names};
use super::{PruneError, history, packs};
use crate::blobs::{BlobKey, Blobs};
use crate::causes;
use crate::domain::{Ask, CommitSha, Cut, FormerName, Generation, Head, LinkId, Owner, Request};
use crate::liveness;
use crate::state::{State, Survey};

/// How many links are looked at at the same time.
const TOGETHER: usize = 16;

/// Where is looked.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// The record.
    pub state: &'a dyn State,
    /// Packs, logs, status and artifacts.
    pub blobs: &'a dyn Blobs,
}

/// What is looked at.
#[derive(Clone, Debug)]
pub struct Scope {
    /// What was written before is old.
    pub before: Timestamp,
    /// Whether journals are cut as well.
    pub history: bool,
    /// Only these links; `None`: all of them, and packs.
    pub links: Option<BTreeSet<LinkId>>,
}

/// All that is known.
#[derive(Debug, Default)]
pub struct Facts {
    /// Of the links that are looked at, in the order of their ids.
    pub links: Vec<LinkFacts>,
    /// Of packs; empty where only some links are looked at, since any link may need one.
    pub packs: Vec<PackFacts>,
    /// The commits that some link needs, whether it is looked at or not.
    pub needed: BTreeSet<CommitSha>,
    /// The links whose record is damaged, and how. Nothing else is known of them.
    pub damaged: Vec<(LinkId, String)>,
    /// Whether packs were left out because a link with a damaged record may need any of them.
    pub keeps_packs: bool,
}

/// What is known of a link.
#[derive(Debug)]
pub struct LinkFacts {
    /// Which.
    pub link: LinkId,
    /// What is recorded.
    pub head: Head,
    /// The process that works on it. Then nothing else was looked for.
    pub holder: Option<Owner>,
    /// The commits whose blobs are kept.
    pub needs: BTreeSet<CommitSha>,
    /// What attempts left.
    pub leftovers: Vec<Leftovers>,
    /// The first event that is still recorded; only of a journal that was cut.
    pub begins: Option<Generation>,
    /// The longest beginning of the journal that is old and not needed, and how many events that is.
    pub history: Option<(Cut, u64)>,
}

/// What one attempt left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftovers {
    /// For which commit it was.
    pub sha: CommitSha,
    /// When the last of it was written; `None` if the store does not say of all of it.
    pub newest: Option<Timestamp>,
    /// All of it.
    pub blobs: Vec<BlobKey>,
    /// How large that is.
    pub bytes: u64,
}

/// A pack and its marker, or one of the two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackFacts {
    /// Of which commit.
    pub sha: CommitSha,
    /// When the last of them was written; `None` if the store does not say.
    pub newest: Option<Timestamp>,
    /// The marker first: without it, the pack counts as not made.
    pub blobs: Vec<BlobKey>,
    /// How large they are.
    pub bytes: u64,
}

/// Reads and lists, beginning with what `survey` read. Changes nothing.
///
/// A link whose record is damaged is left out, and holds up no other.
pub async fn gather(sources: Sources<'_>, survey: Survey, scope: &Scope) -> Result<Facts, PruneError> {
    let Survey { heads, leases, requests, mut damaged } = survey;
    let mut asked: BTreeMap<LinkId, Vec<Request>> = BTreeMap::new();
    for request in requests {
        asked.entry(request.link.clone()).or_default().push(request);
    }
    let needs = |link: &LinkId, head: &Head| {
        let requests = asked.get(link).map_or(&[][..], Vec::as_slice);
        needed(head, requests)
    };
    let holders: BTreeMap<LinkId, Owner> = leases
        .into_iter()
        .filter_map(|(link, lease)| Some((link, lease.owner.filter(|owner| !liveness::is_dead(owner))?)))
        .collect();
    let names = Names::of(&heads, damaged.keys());
    let is_meant = |link: &LinkId| scope.links.as_ref().is_none_or(|links| links.contains(link));
    let is_sound = |link: &LinkId| !damaged.contains_key(link);
    let looking = heads.iter().filter(|(link, _)| is_meant(link) && is_sound(link)).map(|(link, head)| {
        let holder = holders.get(link).cloned();
        let (needs, names) = (needs(link, head), &names);
        async move {
            match of_link(sources, scope, names, (link, head), (holder, needs)).await {
                Err(error) if error.is_damage() => Ok(Err((link.clone(), causes::in_one_line(&error)))),
                found => found.map(Ok),
            }
        }
    });
    let looked: Vec<_> = stream::iter(looking).buffered(TOGETHER).try_collect().await?;
    let mut facts = Facts::default();
    for found in looked {
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
    let mut may_cut = true;
    for name in own {
        let doubt = names.doubt(sources.state, name).await?;
        if name == link {
            may_cut = names.may_cut(link, doubt.as_ref());
        }
        facts.leftovers.extend(leftovers(sources.blobs, (names, doubt.as_ref()), link, name).await?);
    }
    if head.cut().is_some() {
        facts.begins = sources.state.beginning(link).await?;
    }
    if scope.history && may_cut {
        facts.history = history::cut(sources.state, link, head, scope.before).await?;
    }
    Ok(facts)
}

/// The commits that a link needs: their blobs are kept, however old. A forgotten link needs none.
pub(super) fn needed(head: &Head, requests: &[Request]) -> BTreeSet<CommitSha> {
    let mut needed = BTreeSet::new();
    if !head.forgotten {
        needed.extend(head.run.as_ref().map(|run| run.sha.clone()));
        needed.extend(head.deployed.as_ref().map(|deployed| deployed.sha.clone()));
    }
    needed.extend(head.deploying.as_ref().map(|deploying| deploying.sha.clone()));
    for request in requests {
        match &request.ask {
            Ask::Retry { sha, .. } | Ask::Skip { sha, .. } | Ask::Cancel { sha } | Ask::Release { sha } => {
                needed.insert(sha.clone());
            }
            Ask::Rollback { from, to } => needed.extend([from.clone(), to.clone()]),
            Ask::Withdraw { .. } => {}
        }
    }
    needed
}

/// What the attempts of `link` left under `name`, which it has or had.
async fn leftovers(
    blobs: &dyn Blobs,
    (names, doubt): (&Names<'_>, Option<&Doubt>),
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
