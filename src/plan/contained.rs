//! Commits that change nothing that a link watches: they are contained in the live commit, and nothing runs for them.
//!
//! This needs `watch` in the manifest, and a live commit that was verified with the same workflow. A commit that the
//! manifest names by `sha` always runs.

use crate::domain::{CommitSha, Head, LinkId, WorkflowName};
use crate::manifest::{Manifest, Wanted};

/// A commit that has the same content as the live commit at all watched paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contained {
    /// The commit: the tip of the branch.
    pub tip: CommitSha,
    /// The live commit.
    pub live: CommitSha,
    /// What the link watches, its folder first. The empty path is the whole repository.
    pub paths: Vec<String>,
}

/// The result of comparing the tip of a branch with the live commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchComparison {
    /// It is contained.
    Contained(Contained),
    /// It runs, with a note in the plan that says why.
    Unclear(String),
}

/// The watched paths of a link, and the live commit to compare with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watching<'a> {
    /// The live commit.
    pub live: &'a CommitSha,
    /// The paths, the link's folder first.
    pub paths: Vec<String>,
    /// The manifest's workflow; `None`: the repository's own.
    pub workflow: Option<&'a WorkflowName>,
    /// The digest of the workflow that verified the live commit.
    verified_by: &'a str,
}

/// What the comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathChanges {
    /// Whether any path differs.
    pub is_changed: bool,
    /// The paths that neither of the two commits has.
    pub absent: Vec<String>,
    /// The digest of the commit's workflow, if known.
    pub workflow: Option<String>,
}

/// What a link watches; `None` if every commit runs.
pub fn watching<'a>(manifest: &'a Manifest, id: &LinkId, head: &'a Head) -> Option<Watching<'a>> {
    let (_, link) = manifest.link(id)?;
    let is_named = matches!(link.want, Wanted::Sha(_) | Wanted::Pipeline { pin: Some(_), .. });
    let watch = link.watch.as_ref().filter(|_| !is_named)?;
    let live = &head.deployed.as_ref()?.sha;
    let run = head.run.as_ref().filter(|run| run.sha == *live && run.succeeded())?;
    let is_verified = head.evidence(live).is_some_and(|evidence| evidence.deployment.is_some());
    if !is_verified || head.deploying.is_some() || head.quarantine(live).is_some() {
        return None;
    }
    let mut paths = vec![link.folder.clone()];
    for path in watch {
        if !paths.contains(path) {
            paths.push(path.clone());
        }
    }
    Some(Watching { live, paths, workflow: link.workflow.as_ref(), verified_by: &run.workflow })
}

impl Watching<'_> {
    /// Decides what happens with a commit; `None` if its workflow runs as usual.
    pub fn compare(self, tip: &CommitSha, seen: PathChanges) -> Option<WatchComparison> {
        let Self { live, paths, workflow: _, verified_by } = self;
        let PathChanges { is_changed, absent, workflow } = seen;
        if !absent.is_empty() {
            let names: Vec<_> = absent.iter().map(|path| format!("`{path}`")).collect();
            return Some(WatchComparison::Unclear(format!(
                "`watch` names {}, which is in neither {} nor {}, so the workflow runs for every commit",
                names.join(", "),
                tip.short(),
                live.short()
            )));
        }
        if is_changed || workflow.as_deref() != Some(verified_by) {
            return None;
        }
        Some(WatchComparison::Contained(Contained { tip: tip.clone(), live: live.clone(), paths }))
    }
}

impl WatchComparison {
    /// The commit that is contained.
    pub fn contained(&self) -> Option<&Contained> {
        match self {
            Self::Contained(contained) => Some(contained),
            Self::Unclear(_) => None,
        }
    }

    /// As text for a note.
    pub fn describe(&self) -> String {
        match self {
            Self::Contained(contained) => contained.describe(),
            Self::Unclear(why) => why.clone(),
        }
    }
}

impl Contained {
    /// A fragment for the plan.
    pub fn describe(&self) -> String {
        let Self { tip, live, paths: _ } = self;
        let paths = self.places();
        format!("contained: {} changes nothing in {paths} since {}, which is live", tip.short(), live.short())
    }

    /// A sentence for the commands that report on a commit.
    pub fn sentence(&self) -> String {
        let Self { tip, live, paths: _ } = self;
        let paths = self.places();
        format!("{} is contained in {}: it changes nothing in {paths}.", tip.short(), live.short())
    }

    fn places(&self) -> String {
        let paths = &self.paths;
        let named: Vec<_> = paths.iter().filter(|path| !path.is_empty()).map(String::as_str).collect();
        if named.len() < paths.len() { "the repository".to_owned() } else { named.join(", ") }
    }
}
