//! The history of one or several links, merged by time.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::journal_pages::{self, EventRange};
use crate::domain::{Head, LinkId, RecordedEvent};
use crate::estate::Estate;
use crate::inventory::Targets;
use crate::journal::{self, Release};
use crate::state::{StateError, Survey};

/// The links with a history, in the manifest or only on record.
#[derive(Debug)]
pub struct KnownLinks {
    links: BTreeSet<LinkId>,
    damaged: BTreeMap<LinkId, StateError>,
}

impl KnownLinks {
    /// Reads them from the record. Leaves out old names of renamed links: their history is under the new name.
    pub async fn read(estate: &Estate) -> Result<Self, StateError> {
        let Survey { heads, damaged, .. } = estate.state.survey().await?;
        let manifest: BTreeSet<LinkId> = estate.manifest().links().map(|(id, _, _)| id).collect();
        let is_shown = |(id, head): &(LinkId, Box<Head>)| head.moved_to.is_none() || manifest.contains(id);
        let recorded = heads.into_iter().filter(is_shown).map(|(id, _)| id);
        let links = recorded.chain(manifest.iter().cloned()).collect();
        Ok(Self { links, damaged })
    }

    /// The links, to resolve patterns against.
    pub fn ids(&self) -> &BTreeSet<LinkId> {
        &self.links
    }

    /// The links that `targets` contain, without those whose record is damaged, and what is wrong with these.
    pub fn narrowed(self, targets: &Targets) -> (Vec<LinkId>, BTreeMap<LinkId, StateError>) {
        let Self { links, mut damaged } = self;
        damaged.retain(|id, _| targets.contain(id));
        let links = links.into_iter().filter(|id| targets.contain(id) && !damaged.contains_key(id));
        (links.collect(), damaged)
    }
}

/// Events of one or several links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergedEvents {
    /// The events, oldest first.
    pub events: Vec<(LinkId, RecordedEvent)>,
    /// Whether the range holds older ones.
    pub has_more: bool,
}

/// The last events of these links in the range, oldest first.
pub async fn history(
    estate: &Estate,
    links: &[LinkId],
    range: EventRange,
) -> Result<MergedEvents, StateError> {
    let mut narrowed = EventRange { limit: range.limit.saturating_add(1), ..range };
    let mut all: Vec<(Timestamp, LinkId, RecordedEvent)> = Vec::new();
    for link in links {
        // Keep the events of a link in order, even if a clock was set back.
        let mut latest = Timestamp::MIN;
        for event in journal_pages::events(estate, link, narrowed).await? {
            latest = latest.max(event.at);
            all.push((latest, link.clone(), event));
        }
        all.sort_by_key(|(at, _, _)| *at);
        // No older event of any link will be shown.
        let counted = all.iter().rev().filter(|(_, _, event)| range.counts(event));
        narrowed.since = narrowed.since.max(counted.map(|(_, _, event)| event.at).nth(range.limit));
    }
    let has_more = all.iter().filter(|(_, _, event)| range.counts(event)).count() > range.limit;
    let surplus = if range.deployments { 0 } else { all.len().saturating_sub(range.limit) };
    let events = all.into_iter().skip(surplus).map(|(_, link, event)| (link, event)).collect();
    Ok(MergedEvents { events, has_more })
}

/// The last deployments in these events, oldest first, and whether there are older ones.
pub fn deployments(events: Vec<(LinkId, RecordedEvent)>, limit: usize) -> (Vec<(LinkId, Release)>, bool) {
    let mut by_link: BTreeMap<LinkId, Vec<RecordedEvent>> = BTreeMap::new();
    for (link, event) in events {
        by_link.entry(link).or_default().push(event);
    }
    let mut all = Vec::new();
    for (link, events) in &by_link {
        all.extend(journal::releases(events).into_iter().map(|release| (link.clone(), release)));
    }
    all.sort_by_key(|(_, release)| release.started);
    let surplus = all.len().saturating_sub(limit);
    (all.split_off(surplus), surplus > 0)
}
