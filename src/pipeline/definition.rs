//! A pipeline as the manifest defines it, and what a commit needs before a link may run it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Records, Soak};
use crate::domain::{CommitSha, GateName, LinkId, PhaseName, RepoName, StageName};

/// The stages that a commit of one repository travels through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pipeline {
    /// The repository. Its home branch brings the commits.
    pub repo: RepoName,
    /// Its stages, each after those that it names. Free of cycles, and no link is in two of them.
    pub stages: Vec<Stage>,
}

/// A stage of a pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Unique in its pipeline.
    pub name: StageName,
    /// Its links, in waves: a wave takes a commit once all links of the wave before it have verified it. Never empty.
    pub waves: Vec<Vec<LinkId>>,
    /// The stages that verify a commit first. If empty, the stage takes its commits from the branch.
    pub after: Vec<StageName>,
    /// How many links of each stage in `after` must have verified a commit; `None`: all of them.
    pub need: Option<usize>,
    /// Which of the commits that it may run it runs.
    pub take: Take,
    /// Where its commits come from, if `after` is empty.
    pub source: StageSource,
}

/// Where the commits of a first stage come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StageSource {
    /// From the branch.
    #[default]
    Branch,
    /// From pull requests, which it tests before they land; and from the branch, what landed without such a test.
    PullRequests,
}

/// Which commit a stage takes if there are several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Take {
    /// The newest. Those before it are superseded.
    #[default]
    Newest,
    /// Each of them, the oldest first.
    Each,
}

/// Links that must have verified a commit before another link may run it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requirement<'p> {
    /// The stage of the links.
    pub stage: &'p StageName,
    /// Its links, or those of one wave.
    links: &'p [Vec<LinkId>],
    /// How many of them must have verified the commit.
    need: usize,
    /// The wave that they are, from 1.
    wave: Option<usize>,
    /// How long the commit must have soaked there.
    soak: Option<Soak<'p>>,
}

/// A requirement that a commit does not meet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// The stage that has not verified the commit.
    pub stage: StageName,
    /// The links that have not.
    pub links: Vec<LinkId>,
    /// How many of them must still verify it.
    pub need: usize,
    /// The wave of the stage that they are, from 1; `None`: the whole stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wave: Option<usize>,
    /// Those of them whose run for the commit succeeded except for this phase, which was skipped on request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<(LinkId, PhaseName)>,
    /// The links that have verified the commit, and where it has not soaked for long enough: until when, if that can be
    /// computed. They are not among `links`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub soaking: Vec<(LinkId, Option<Timestamp>)>,
}

impl Pipeline {
    /// The stage of a link.
    pub fn stage_of(&self, link: &LinkId) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.links().any(|other| other == link))
    }

    /// Whether a link tests pull requests.
    pub fn tests_pull_requests(&self, link: &LinkId) -> bool {
        self.stage_of(link).is_some_and(|stage| stage.source == StageSource::PullRequests)
    }

    /// The links that test pull requests.
    pub fn testing_links(&self) -> impl Iterator<Item = &LinkId> {
        let stages = self.stages.iter().filter(|stage| stage.source == StageSource::PullRequests);
        stages.flat_map(Stage::links)
    }

    /// Every link of the pipeline, stage by stage.
    pub fn links(&self) -> impl Iterator<Item = &LinkId> {
        self.stages.iter().flat_map(Stage::links)
    }

    /// What a commit must meet before the link runs it. With `soak`, it must also have soaked in the stages before.
    pub fn requirements<'p>(&'p self, link: &LinkId, soak: Option<Soak<'p>>) -> Vec<Requirement<'p>> {
        let Some(stage) = self.stage_of(link) else { return Vec::new() };
        let before = stage.after.iter().filter_map(|name| self.stage(name));
        let mut requirements: Vec<_> = before.map(|before| before.required(stage.need, soak)).collect();
        let wave = stage.waves.iter().position(|wave| wave.contains(link)).unwrap_or_default();
        if let Some(before) = wave.checked_sub(1) {
            let links = &stage.waves[before..=before];
            let (need, wave) = (links[0].len(), Some(wave));
            requirements.push(Requirement { stage: &stage.name, links, need, wave, soak: None });
        }
        requirements
    }

    /// The same without what is waived. A commit that need not be verified need not soak either.
    pub fn requirements_without<'p>(
        &'p self,
        link: &LinkId,
        soak: Option<Soak<'p>>,
        waived: &[GateName],
    ) -> Vec<Requirement<'p>> {
        if waived.contains(&GateName::Verified) {
            return Vec::new();
        }
        self.requirements(link, soak.filter(|_| !waived.contains(&GateName::Soak)))
    }

    /// The links where a rollback also holds back the commit at `link`: those of its stage and of all stages before
    /// it.
    pub fn upstream(&self, link: &LinkId) -> BTreeSet<&LinkId> {
        let seen = self.up_to(link);
        let stages = self.stages.iter().filter(|stage| seen.contains(&stage.name));
        stages.flat_map(Stage::links).filter(|other| *other != link).collect()
    }

    /// The links of the stages before that of a link.
    pub fn before(&self, link: &LinkId) -> impl Iterator<Item = &LinkId> {
        let (own, seen) = (self.stage_of(link).map(|stage| &stage.name), self.up_to(link));
        let is_before = move |stage: &&Stage| Some(&stage.name) != own && seen.contains(&stage.name);
        self.stages.iter().filter(is_before).flat_map(Stage::links)
    }

    /// Whether `other` is one of [`Pipeline::upstream`] of a link, without looking at all links.
    pub fn is_upstream(&self, other: &LinkId, link: &LinkId) -> bool {
        other != link && self.stage_of(other).is_some_and(|stage| self.up_to(link).contains(&stage.name))
    }

    /// The stage of a link, and all stages before it.
    fn up_to(&self, link: &LinkId) -> BTreeSet<&StageName> {
        let (mut seen, mut next) = (BTreeSet::new(), Vec::new());
        next.extend(self.stage_of(link));
        while let Some(stage) = next.pop() {
            if seen.insert(&stage.name) {
                next.extend(stage.after.iter().filter_map(|name| self.stage(name)));
            }
        }
        seen
    }

    fn stage(&self, name: &StageName) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.name == *name)
    }
}

impl Stage {
    /// Its links, wave by wave.
    pub fn links(&self) -> impl Iterator<Item = &LinkId> {
        self.waves.iter().flatten()
    }

    fn required<'p>(&'p self, need: Option<usize>, soak: Option<Soak<'p>>) -> Requirement<'p> {
        let all = self.links().count();
        let need = need.unwrap_or(all).min(all);
        Requirement { stage: &self.name, links: &self.waves, need, wave: None, soak }
    }
}

impl<'p> Requirement<'p> {
    /// The links, wave by wave.
    pub fn links(&self) -> impl Iterator<Item = &'p LinkId> + use<'p> {
        self.links.iter().flatten()
    }

    /// What is missing for `sha`, if anything is.
    pub fn missing(&self, sha: &CommitSha, records: &Records) -> Option<Missing> {
        let (mut verified, mut links, mut skipped) = (0, Vec::new(), Vec::new());
        let mut soaking: Vec<(LinkId, Option<Timestamp>)> = Vec::new();
        for link in self.links() {
            if records.has_verified(link, sha) {
                match self.soak.and_then(|soak| records.soaking(link, sha, soak)) {
                    None => verified += 1,
                    Some(until) => soaking.push((link.clone(), until)),
                }
                continue;
            }
            links.push(link.clone());
            let run = records.get(link).and_then(|record| record.skipped.as_ref());
            skipped.extend(run.filter(|(of, _)| of == sha).map(|(_, phase)| (link.clone(), phase.clone())));
        }
        let (need, wave) = (self.need.saturating_sub(verified), self.wave);
        (need > 0).then(|| Missing { stage: self.stage.clone(), links, need, wave, skipped, soaking })
    }
}

/// When a commit will have soaked, if that is all that it lacks and can be computed.
pub fn soaked_at(missing: &[Missing]) -> Option<Timestamp> {
    missing.iter().map(Missing::soaked_at).collect::<Option<Vec<_>>>()?.into_iter().max()
}

/// How many links a sentence names.
const NAMED: usize = 4;

impl Missing {
    /// When enough links will have soaked, if nothing else is missing and that can be computed.
    fn soaked_at(&self) -> Option<Timestamp> {
        let mut until: Vec<_> = self.soaking.iter().filter_map(|(_, until)| *until).collect();
        until.sort_unstable();
        until.get(self.need.checked_sub(1)?).copied()
    }

    /// As a lowercase fragment, to follow a commit: `is not verified in …`.
    pub fn describe(&self) -> String {
        let Self { stage, links, need, wave, skipped, soaking } = self;
        if soaking.len() >= *need {
            let names: Vec<_> = soaking.iter().map(|(link, _)| format!("`{link}`")).collect();
            let text = format!("is soaking in {} (stage `{stage}`)", names.join(", "));
            return match soaking.iter().find(|(_, until)| until.is_none()) {
                None => text,
                Some((link, _)) => {
                    format!(
                        "{text}, but its time stands still while something unverified is live in `{link}`"
                    )
                }
            };
        }
        let all = links.iter().chain(soaking.iter().map(|(link, _)| link));
        let mut names: Vec<_> = all.clone().take(NAMED).map(|link| format!("`{link}`")).collect();
        let all = all.count();
        if all > NAMED {
            names.push(format!("{} more", all - NAMED));
        }
        let names = names.join(", ");
        let place = match wave {
            Some(wave) => format!("wave {wave} of the stage `{stage}`"),
            None => format!("stage `{stage}`"),
        };
        let text = match *need >= links.len() && soaking.is_empty() {
            true => format!("is not verified in {names} ({place})"),
            false if !soaking.is_empty() => {
                format!("needs {need} more of {names} ({place}) to verify it and let it soak")
            }
            false => format!("needs {need} more of {names} ({place}) to verify it"),
        };
        match skipped.first() {
            Some((link, phase)) => format!("{text}, because `{phase}` was skipped in `{link}`"),
            None => text,
        }
    }
}
