//! Maps the runs under each name to links: a name may have belonged to one link before it became another's.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Event, Generation, Head, LinkId};
use crate::state::{Links, StateError};

/// How many events are read at a time.
const PAGE: usize = 256;

/// The owners of the runs under each name.
#[derive(Debug)]
pub(super) struct Names<'a> {
    /// By name and the last event under it: the link that continues the record under another name.
    former: BTreeMap<&'a LinkId, BTreeMap<Generation, &'a LinkId>>,
    /// Names with a part of a journal that another link still reads.
    read: BTreeSet<&'a LinkId>,
    /// Whether the head of some link is unreadable, so that its former names are unknown.
    is_partial: bool,
}

/// The renames recorded under a name, independent of the claims of other links.
#[derive(Debug)]
pub(super) struct NameHistory {
    /// The first event that is still recorded.
    begins: Option<Generation>,
    /// The last event before each rename to another name.
    ends: BTreeSet<Generation>,
}

impl NameHistory {
    /// Whether a run that began with this event may belong to a link whose head is unreadable. If another link claims
    /// the part of the journal with this run, `end` is the end of that part.
    pub(super) fn covers(&self, began: Generation, end: Option<Generation>) -> bool {
        let is_cut = self.begins.is_none_or(|begins| began < begins);
        let first = self.ends.range(began..).next();
        is_cut || first.is_some_and(|first| end.is_none_or(|end| *first < end))
    }
}

impl<'a> Names<'a> {
    /// Indexes the names in `heads`. `damaged`: the links whose record is unreadable, at least in part.
    pub(super) fn of(
        heads: &'a [(LinkId, Box<Head>)],
        damaged: impl IntoIterator<Item = &'a LinkId>,
    ) -> Self {
        let readable: BTreeSet<&LinkId> = heads.iter().map(|(link, _)| link).collect();
        let is_partial = damaged.into_iter().any(|link| !readable.contains(link));
        let mut names = Self { former: BTreeMap::new(), read: BTreeSet::new(), is_partial };
        for (link, head) in heads {
            for former in &head.formerly {
                if !former.parted {
                    names.former.entry(&former.link).or_default().insert(former.last, link);
                }
                if former.last > head.cut_through() && former.link != *link {
                    names.read.insert(&former.link);
                }
            }
        }
        names
    }

    fn claim(&self, name: &LinkId, began: Generation) -> Option<(Generation, &'a LinkId)> {
        let (end, link) = self.former.get(name)?.range(began..).next()?;
        Some((*end, link))
    }

    /// The link whose run began with this event under this name.
    pub(super) fn owner<'b>(&self, name: &'b LinkId, began: Generation) -> &'b LinkId
    where
        'a: 'b,
    {
        self.claim(name, began).map_or(name, |(_, link)| link)
    }

    /// The end of the part of the journal with this event, if another link claims it.
    pub(super) fn end(&self, name: &LinkId, began: Generation) -> Option<Generation> {
        self.claim(name, began).map(|(end, _)| end)
    }

    /// The renames in the journal under a name; `None` if every head is readable, so that nothing is in doubt.
    pub(super) async fn doubt(
        &self,
        state: &dyn Links,
        name: &LinkId,
    ) -> Result<Option<NameHistory>, StateError> {
        if !self.is_partial {
            return Ok(None);
        }
        let mut doubt = NameHistory { begins: None, ends: BTreeSet::new() };
        loop {
            let page = state.own_journal(name, doubt.begins, PAGE).await?;
            let Some(first) = page.first() else { return Ok(Some(doubt)) };
            doubt.begins = Some(first.generation);
            let moved = page.iter().filter(|recorded| matches!(recorded.event, Event::MovedTo { .. }));
            doubt.ends.extend(moved.map(|recorded| Generation(recorded.generation.0.saturating_sub(1))));
        }
    }

    /// Whether no other link reads the journal under this link's name.
    pub(super) fn may_cut(&self, link: &LinkId, doubt: Option<&NameHistory>) -> bool {
        let is_claimed = |end: &Generation| self.end(link, *end) == Some(*end);
        !self.read.contains(link) && doubt.is_none_or(|doubt| doubt.ends.iter().all(is_claimed))
    }
}
