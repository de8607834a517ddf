//! The state of links according to the record, and what repositories and platforms add to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::causes;
use crate::domain::{CommitSha, Consent, DeployPurpose, Head, LinkId, Request};
use crate::estate::Estate;
use crate::inventory::{self, ObservedLease, Scope, Targets};
use crate::manifest::{Loaded, Wanted};
use crate::plan::{self, Arrival, Contained, Gates, Hold, Holder, LinkPlan};
use crate::state::{StateError, Survey};
use crate::views::{Damage, LinkStatus};

/// The record of every link, in the manifest or only on record. A link that the next apply renames is under its new
/// name.
#[derive(Debug)]
pub struct RecordedLinks {
    loaded: Arc<Loaded>,
    heads: BTreeMap<LinkId, Box<Head>>,
    /// The old names of links that the next apply renames, by their new names.
    recorded_as: BTreeMap<LinkId, LinkId>,
    holders: BTreeMap<LinkId, ObservedLease>,
    requests: BTreeMap<LinkId, Vec<Request>>,
    consents: Vec<Consent>,
    damage: BTreeMap<LinkId, RecordDamage>,
    is_blank: bool,
}

/// Why a record cannot be read, in the form that [`Damage`] borrows.
#[derive(Debug)]
struct RecordDamage {
    text: String,
    is_newer: bool,
}

impl From<StateError> for RecordDamage {
    fn from(error: StateError) -> Self {
        Self { text: causes::in_one_line(&error), is_newer: error.is_newer() }
    }
}

/// Which links to report, and how much to ask about them.
#[derive(Clone, Debug, Default)]
pub struct StatusQuestion {
    /// The links to report.
    pub targets: Targets,
    /// Links to report even if they are recorded as forgotten.
    pub named: BTreeSet<LinkId>,
    /// Whether to report all links that left the manifest and are recorded as forgotten.
    pub forgotten: bool,
    /// Whether a job or a schedule asks, and no user: what would wait for it is reported as waiting.
    pub unattended: bool,
    /// What to query besides the record.
    pub depth: StatusDepth,
}

/// What to query besides the record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StatusDepth {
    /// Nothing, so that it can be repeated every few seconds.
    #[default]
    Record,
    /// The repositories of links with `watch`: whether their live commits contain the tips of their branches.
    Branches,
    /// Also everything that a plan needs: all repositories and platforms.
    Plan,
}

/// The answer to a [`StatusQuestion`].
#[derive(Debug)]
pub struct StatusFacts {
    record: RecordedLinks,
    contained: BTreeMap<LinkId, Contained>,
    /// What holds deployments now.
    gates: Gates,
    /// The links whose open runs are let through by overrides.
    overridden: BTreeSet<LinkId>,
    /// What repositories and platforms add; only with [`StatusDepth::Plan`].
    pub checked: Option<Checked>,
    /// The number of forgotten links that were left out.
    pub forgotten: usize,
}

/// What repositories and platforms add to the record.
#[derive(Debug)]
pub struct Checked {
    /// The commit that each link should run, where it is known.
    pub wants: BTreeMap<LinkId, CommitSha>,
    /// Failures, holds, repairs and closed gates, which the record does not show.
    pub findings: Vec<(LinkId, Arrival)>,
    /// Whether something failed or needs attention.
    pub is_held: bool,
    /// Whether there is nothing left to do now.
    pub is_all_live: bool,
    /// Whether a deployment waits at a gate.
    pub is_waiting: bool,
}

impl RecordedLinks {
    /// Reads the whole record.
    pub async fn read(estate: &Estate) -> Result<Self, StateError> {
        let (Survey { heads, requests, consents, damaged, .. }, holders) = estate.survey().await?;
        let is_blank = heads.is_empty();
        let damage: BTreeMap<LinkId, RecordDamage> =
            damaged.into_iter().map(|(id, error)| (id, error.into())).collect();
        let mut heads: BTreeMap<LinkId, Box<Head>> = heads.into_iter().collect();
        for id in estate.manifest().links().map(|(id, _, _)| id).chain(damage.keys().cloned()) {
            heads.entry(id).or_default();
        }
        let has_record = |id: &LinkId, head: &Head| !head.is_blank() || damage.contains_key(id);
        let renames =
            plan::renames(estate.manifest(), heads.iter().map(|(id, head)| (id, has_record(id, head))));
        let mut recorded_as: BTreeMap<LinkId, LinkId> = BTreeMap::new();
        for (from, to) in renames {
            let is_free = heads.get(&to).is_none_or(|head| head.is_blank()) && !recorded_as.contains_key(&to);
            if let (true, Some(head)) = (is_free, heads.remove(&from)) {
                heads.insert(to.clone(), head);
                recorded_as.insert(to, from);
            }
        }
        // A link that was already renamed is only under its new name.
        heads.retain(|id, head| head.moved_to.is_none() || estate.manifest().link(id).is_some());
        let mut pending: BTreeMap<LinkId, Vec<Request>> = BTreeMap::new();
        for request in requests {
            pending.entry(request.link.clone()).or_default().push(request);
        }
        let loaded = Arc::clone(&estate.loaded);
        let consents = consents.standing;
        Ok(Self { loaded, heads, recorded_as, holders, requests: pending, consents, damage, is_blank })
    }

    /// The links, to resolve patterns against.
    pub fn ids(&self) -> BTreeSet<LinkId> {
        self.heads.keys().cloned().collect()
    }

    /// Narrows the record to the links in question, and queries what the question asks for.
    pub async fn status(
        mut self,
        estate: &Estate,
        question: StatusQuestion,
    ) -> Result<StatusFacts, StateError> {
        let StatusQuestion { targets, named, forgotten, unattended, depth } = question;
        self.heads.retain(|id, _| targets.contain(id));
        let before = self.heads.len();
        if !forgotten {
            self.leave_out_forgotten(&named);
        }
        let forgotten = before - self.heads.len();
        let contained = match depth {
            StatusDepth::Record => BTreeMap::new(),
            StatusDepth::Branches | StatusDepth::Plan => {
                let heads = self.heads.iter().map(|(id, head)| (id, &**head));
                inventory::contained(estate.manifest(), &*estate.git, heads).await
            }
        };
        let checked = match depth {
            StatusDepth::Record | StatusDepth::Branches => None,
            StatusDepth::Plan => Some(check(estate, targets, unattended).await?),
        };
        let links = self.heads.iter().map(|(id, head)| (id, head.settled_upgrades()));
        let now = estate.clock.now();
        let gates = Gates::at(estate.manifest(), &self.consents, links, (now, unattended));
        let is_overridden = |id: &LinkId, head: &Head| {
            plan::is_overridden(estate.manifest(), &self.consents, (id, head), (now, unattended))
        };
        let overridden = self.heads.iter().filter(|(id, head)| is_overridden(id, head));
        let overridden = overridden.map(|(id, _)| id.clone()).collect();
        Ok(StatusFacts { record: self, contained, gates, overridden, checked, forgotten })
    }

    /// Drops the links that left the manifest and are recorded as forgotten, except those in `named`.
    fn leave_out_forgotten(&mut self, named: &BTreeSet<LinkId>) {
        let Self { loaded, heads, damage, .. } = self;
        let is_forgotten = |id: &LinkId, head: &Head| head.forgotten && loaded.manifest.link(id).is_none();
        heads.retain(|id, head| !is_forgotten(id, head) || named.contains(id) || damage.contains_key(id));
    }
}

impl StatusFacts {
    /// The facts about each link, ordered by id.
    pub fn links(&self) -> Vec<LinkStatus<'_>> {
        let RecordedLinks { loaded, heads, recorded_as, holders, requests, damage, .. } = &self.record;
        let links = heads.iter().map(|(id, head)| {
            let gate = self.gates.closed(&loaded.manifest, id, DeployPurpose::Upgrade);
            let gate = gate.filter(|_| !self.overridden.contains(id));
            let asks = loaded.manifest.link(id).map(|(_, link)| &link.want);
            let resolved = self.checked.as_ref().and_then(|checked| checked.wants.get(id));
            let name = recorded_as.get(id).unwrap_or(id);
            LinkStatus {
                id,
                recorded_as: recorded_as.get(id),
                asks,
                want: resolved.or(asks.and_then(Wanted::sha)),
                contained: self.contained.get(id),
                head,
                holder: holders.get(name).map_or(&Holder::Nobody, |held| &held.holder),
                has_policy: gate.is_some() || loaded.manifest.policy_of(id).is_some(),
                gate,
                requests: requests.get(name).map_or(&[], Vec::as_slice),
                damage: damage.get(name).map(|it| Damage { text: &it.text, is_newer: it.is_newer }),
            }
        });
        links.collect()
    }

    /// Whether nothing is recorded for any link. A record that did not exist when the estate was opened stays blank.
    pub fn is_blank(&self) -> bool {
        self.record.is_blank
    }
}

async fn check(estate: &Estate, targets: Targets, unattended: bool) -> Result<Checked, StateError> {
    let input = estate.inventory(&Scope { targets, unattended, ..Scope::default() }).await?;
    let plan = plan::plan(&input);
    let wants = input.links.into_iter().filter_map(|link| Some((link.id, link.want?.ok()?))).collect();
    let is_done = |link: &LinkPlan| link.steps.is_empty() && link.holds.iter().all(Hold::is_at_gate);
    let is_all_live = plan.links.iter().all(is_done);
    let is_waiting = plan.waits_at_gate();
    let findings = plan.links.into_iter().filter_map(|link| Some((plan::obstacle(&link)?, link.link)));
    let findings: Vec<_> = findings.map(|(finding, link)| (link, finding)).collect();
    let is_held = findings.iter().any(|(_, arrival)| matches!(arrival, Arrival::Held(_)));
    Ok(Checked { wants, findings, is_held, is_all_live, is_waiting })
}
