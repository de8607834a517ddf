//! What the record says of the links of pipelines.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::domain::{
    CommitSha, Evidence, Head, ImageDigest, Images, LinkId, LiveClock, PassedTest, Pause, PhaseName,
    Quarantine, Request, RequestKind, TreeId,
};
use crate::policy::{SoakTime, Span};

/// The part of the record that decides which commits may travel on, by link.
#[derive(Clone, Debug, Default)]
pub struct Records(BTreeMap<LinkId, LinkRecord>);

/// What the record says of one link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkRecord {
    /// What is live; `None` as well if that is the merge of a test.
    pub live: Option<CommitSha>,
    /// The commits that a run verified. What katkit found running when it adopted the link is not among them.
    pub verified: Vec<VerifiedCommit>,
    /// How long what is live has been verified.
    pub clock: LiveClock,
    /// The commit of the last run if that succeeded except for a phase that was skipped on request, and that phase.
    pub skipped: Option<(CommitSha, PhaseName)>,
    /// The commits that were rolled back because of their code, or are about to be.
    pub rolled_back: Vec<Quarantine>,
    /// Those of them that are about to be.
    pub requested: Vec<CommitSha>,
    /// The tests of pull requests that passed, oldest first.
    pub tests: Vec<PassedTest>,
}

/// A commit that a run verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedCommit {
    /// The commit.
    pub sha: CommitSha,
    /// When it was verified.
    pub at: Timestamp,
    /// What the clock of the link showed then.
    pub clock: u64,
    /// The images that were deployed by digest then.
    pub images: Images,
    /// The phases that built images, or whose images were reused.
    pub built_by: Vec<PhaseName>,
    /// The pull request's head whose test proves it: the same content was tested before it landed.
    pub tested_as: Option<CommitSha>,
}

/// How long a commit must have soaked, and the time of the judgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Soak<'a> {
    /// How long it, or a later verified commit, must have been live.
    pub rule: &'a SoakTime,
    /// The current time.
    pub now: Timestamp,
}

impl VerifiedCommit {
    fn of(evidence: &Evidence) -> Self {
        let Evidence { sha, at, deployment, clock, built_by, run: _ } = evidence;
        let images = deployment.iter().flat_map(|deployment| deployment.images.iter());
        let pinned = images.filter(|(_, image)| ImageDigest::of(image).is_some());
        let images = pinned.map(|(role, image)| (role.clone(), image.clone())).collect();
        let (sha, built_by) = (sha.clone(), built_by.clone());
        Self { sha, at: *at, clock: *clock, images, built_by, tested_as: None }
    }

    /// How long it, or a later verified commit, has been live in the hours that count, in seconds.
    fn soaked(&self, clock: &LiveClock, soak: Soak<'_>) -> u64 {
        let Some(hours) = &soak.rule.hours else {
            return clock.read(soak.now).saturating_sub(self.clock);
        };
        let (mut counted, mut start) = (0, self.at);
        for Pause { from, to } in clock.pauses() {
            counted += hours.seconds_in(Span { start, end: soak.now.min(from) });
            start = start.max(to.unwrap_or(soak.now));
        }
        counted + hours.seconds_in(Span { start, end: soak.now })
    }
}

impl Soak<'_> {
    /// When so many seconds more will have counted, if the clock runs.
    fn after(self, left: u64) -> Option<Timestamp> {
        match &self.rule.hours {
            Some(hours) => hours.after(self.now, left),
            None => self.now.saturating_add(SignedDuration::from_secs(i64::try_from(left).ok()?)).ok(),
        }
    }
}

impl LinkRecord {
    /// What the record says, with its pending requests. A rollback that is only requested already counts: nobody may
    /// run the commit somewhere else before it is granted.
    pub fn of(head: &Head, requests: &[Request]) -> Self {
        let is_landed = |sha: &CommitSha| head.test_merge(sha).is_none();
        let verified = head.verified.iter().filter(|it| it.run.is_some() && is_landed(&it.sha));
        let skipped = head.run.as_ref().filter(|run| run.succeeded());
        let skipped = skipped.and_then(|run| {
            let phase = run.phases.iter().find(|phase| !phase.is_well())?;
            Some((run.sha.clone(), phase.name.clone()))
        });
        let mut record = Self {
            live: head.deployed.as_ref().map(|deployed| deployed.sha.clone()).filter(is_landed),
            verified: verified.map(VerifiedCommit::of).collect(),
            clock: head.live_clock.clone().unwrap_or_default(),
            skipped,
            rolled_back: head.quarantined.iter().filter(|quarantine| !quarantine.alone).cloned().collect(),
            requested: Vec::new(),
            tests: head.passed_tests().cloned().collect(),
        };
        for request in requests.iter().filter(|it| !requests.iter().any(|other| other.withdraws(&it.id))) {
            if let RequestKind::Rollback { from, to } = &request.ask {
                record.roll_back(request, (from, head.test_merge(from).is_some()), to);
            }
        }
        record
    }

    fn roll_back(
        &mut self,
        Request { at, by, why, .. }: &Request,
        (from, is_test): (&CommitSha, bool),
        to: &CommitSha,
    ) {
        self.verified.retain(|verified| verified.sha != *from);
        self.tests.retain(|test| test.sha != *from);
        // What a pull request became since may be free of the fault.
        if is_test {
            return;
        }
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

impl LinkRecord {
    /// Counts landed commits as verified whose content passed a test before. `trees` are theirs.
    #[must_use]
    pub fn with_landings<'a>(mut self, trees: impl Iterator<Item = (&'a CommitSha, &'a TreeId)>) -> Self {
        for (sha, tree) in trees {
            let test = self.tests.iter().find(|test| test.merge.tree == *tree);
            let is_known = self.verified.iter().any(|it| it.sha == *sha)
                || self.rolled_back.iter().any(|it| it.sha == *sha);
            let Some(test) = test.filter(|_| !is_known) else {
                continue;
            };
            let landed = VerifiedCommit {
                sha: sha.clone(),
                at: test.at,
                clock: 0,
                images: Images::new(),
                built_by: Vec::new(),
                tested_as: Some(test.merge.head.clone()),
            };
            self.verified.push(landed);
        }
        self
    }
}

impl FromIterator<(LinkId, LinkRecord)> for Records {
    fn from_iter<T: IntoIterator<Item = (LinkId, LinkRecord)>>(records: T) -> Self {
        Self(records.into_iter().collect())
    }
}

impl Records {
    /// The same with what landed on a branch after a test; `links` test pull requests for it.
    #[must_use]
    pub fn with_landings<'a>(
        mut self,
        links: impl Iterator<Item = &'a LinkId>,
        trees: &BTreeMap<CommitSha, TreeId>,
    ) -> Self {
        for link in links {
            if let Some(record) = self.0.get_mut(link) {
                *record = std::mem::take(record).with_landings(trees.iter());
            }
        }
        self
    }

    /// The record of a link.
    pub fn get(&self, link: &LinkId) -> Option<&LinkRecord> {
        self.0.get(link)
    }

    /// How much longer a commit that the link has verified must soak there; `None` if it has soaked. The time at which
    /// it will have, if nothing changes, is unknown while something unverified is live.
    pub fn soaking(&self, link: &LinkId, sha: &CommitSha, soak: Soak<'_>) -> Option<Option<Timestamp>> {
        let record = self.get(link)?;
        let verified = record.verified.iter().find(|verified| verified.sha == *sha)?;
        let left = soak.rule.time.as_secs().checked_sub(verified.soaked(&record.clock, soak))?;
        let runs = (left > 0).then(|| record.clock.runs())?;
        Some(if runs { soak.after(left) } else { None })
    }

    /// Whether a run verified the commit at the link, and nothing has withdrawn that.
    pub fn has_verified(&self, link: &LinkId, sha: &CommitSha) -> bool {
        self.get(link).is_some_and(|record| record.verified.iter().any(|verified| verified.sha == *sha))
    }
}
