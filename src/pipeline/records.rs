//! What the record says of the links of pipelines.

use std::collections::BTreeMap;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::domain::{CommitSha, Head, LinkId, LiveClock, PhaseName, Quarantine, Request, RequestKind};

/// The part of the record that decides which commits may travel on, by link.
#[derive(Clone, Debug, Default)]
pub struct Records(BTreeMap<LinkId, LinkRecord>);

/// What the record says of one link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkRecord {
    /// What is live.
    pub live: Option<CommitSha>,
    /// The commits that a run verified, and what `clock` showed then. What katkit found running when it adopted the link
    /// is not among them.
    pub verified: Vec<(CommitSha, u64)>,
    /// How long what is live has been verified.
    pub clock: LiveClock,
    /// The commit of the last run if that succeeded except for a phase that was skipped on request, and that phase.
    pub skipped: Option<(CommitSha, PhaseName)>,
    /// The commits that were rolled back because of their code, or are about to be.
    pub rolled_back: Vec<Quarantine>,
    /// Those of them that are about to be.
    pub requested: Vec<CommitSha>,
}

/// How long a commit must have soaked, and the time of the judgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Soak {
    /// How long it, or a later verified commit, must have been live.
    pub time: Duration,
    /// The current time.
    pub now: Timestamp,
}

impl LinkRecord {
    /// What the record says, with its pending requests. A rollback that is only requested already counts: nobody may
    /// run the commit somewhere else before it is granted.
    pub fn of(head: &Head, requests: &[Request]) -> Self {
        let verified = head.verified.iter().filter(|evidence| evidence.run.is_some());
        let skipped = head.run.as_ref().filter(|run| run.succeeded());
        let skipped = skipped.and_then(|run| {
            let phase = run.phases.iter().find(|phase| !phase.is_well())?;
            Some((run.sha.clone(), phase.name.clone()))
        });
        let mut record = Self {
            live: head.deployed.as_ref().map(|deployed| deployed.sha.clone()),
            verified: verified.map(|evidence| (evidence.sha.clone(), evidence.clock)).collect(),
            clock: head.live_clock.unwrap_or_default(),
            skipped,
            rolled_back: head.quarantined.iter().filter(|quarantine| !quarantine.alone).cloned().collect(),
            requested: Vec::new(),
        };
        for request in requests.iter().filter(|it| !requests.iter().any(|other| other.withdraws(&it.id))) {
            if let RequestKind::Rollback { from, to } = &request.ask {
                record.roll_back(request, from, to);
            }
        }
        record
    }

    fn roll_back(&mut self, Request { at, by, why, .. }: &Request, from: &CommitSha, to: &CommitSha) {
        self.verified.retain(|(sha, _)| sha != from);
        let because = why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        let why = format!("{by} requested it{because}");
        self.requested.push(from.clone());
        self.rolled_back.push(Quarantine {
            sha: from.clone(),
            since: *at,
            why,
            good: Some(to.clone()),
            alone: false,
            cleared: Vec::new(),
        });
    }
}

impl FromIterator<(LinkId, LinkRecord)> for Records {
    fn from_iter<T: IntoIterator<Item = (LinkId, LinkRecord)>>(records: T) -> Self {
        Self(records.into_iter().collect())
    }
}

impl Records {
    /// The record of a link.
    pub fn get(&self, link: &LinkId) -> Option<&LinkRecord> {
        self.0.get(link)
    }

    /// How much longer a commit that the link has verified must soak there; `None` if it has soaked. The time at which
    /// it will have, if nothing changes, is unknown while something unverified is live.
    pub fn soaking(&self, link: &LinkId, sha: &CommitSha, soak: Soak) -> Option<Option<Timestamp>> {
        let record = self.get(link)?;
        let (_, from) = record.verified.iter().find(|(verified, _)| verified == sha)?;
        let soaked = record.clock.read(soak.now).saturating_sub(*from);
        let left = soak.time.as_secs().checked_sub(soaked).filter(|left| *left > 0)?;
        let left = SignedDuration::from_secs(i64::try_from(left).unwrap_or(i64::MAX));
        Some(record.clock.runs().then(|| soak.now.saturating_add(left).ok()).flatten())
    }

    /// Whether a run verified the commit at the link, and nothing has withdrawn that.
    pub fn has_verified(&self, link: &LinkId, sha: &CommitSha) -> bool {
        self.get(link).is_some_and(|record| record.verified.iter().any(|(verified, _)| verified == sha))
    }
}
