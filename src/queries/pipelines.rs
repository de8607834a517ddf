//! Where the commits of pipelines are.

use std::collections::BTreeSet;

use crate::domain::{CommitSha, LinkId, PipelineName, RunOutcome};
use crate::estate::Estate;
use crate::git::CommitLine;
use crate::inventory::{Scope, Targets};
use crate::manifest::{Manifest, Repo};
use crate::pipeline::{CommitState, Pipeline, Stage};
use crate::plan::{Holder, LinkInput, LinkPlan};
use crate::state::StateError;
use crate::views::{LinkTests, PipelineCommit, PipelineLink, PipelineStage, PipelineStatus};

/// What is known about each of these pipelines; of the commits, the newest `commits`, and those that are live.
pub async fn pipelines(
    estate: &Estate,
    names: &[PipelineName],
    commits: usize,
) -> Result<Vec<PipelineStatus>, StateError> {
    let manifest = estate.manifest();
    let pipelines = || names.iter().filter_map(|name| manifest.pipelines.get_key_value(name));
    let links: BTreeSet<LinkId> = pipelines().flat_map(|(_, pipeline)| pipeline.links()).cloned().collect();
    let targets = Targets::default().and_only(links);
    let input = estate.inventory(&Scope { targets, ..Scope::default() }).await?;
    let plan = crate::plan::plan(&input);
    let mut found = Vec::new();
    for (name, pipeline) in pipelines() {
        let members: Vec<Member<'_>> = pipeline
            .links()
            .filter_map(|id| {
                let input = input.links.iter().find(|input| input.id == *id)?;
                Some(Member { input, plan: plan.links.iter().find(|plan| plan.link == *id) })
            })
            .collect();
        let Some(repo) = manifest.repos.get(&pipeline.repo) else { continue };
        let reach = reach(&members);
        let listed = listed(estate, repo, &members, (reach, commits)).await;
        found.push(PipelineStatus {
            name: name.clone(),
            repo: pipeline.repo.clone(),
            branch: repo.branch.clone(),
            stages: pipeline.stages.iter().map(|it| stage(manifest, it, &members)).collect(),
            left_out: reach.len().saturating_sub(listed.len()),
            commits: listed,
            problem: problem(pipeline, &members),
        });
    }
    Ok(found)
}

/// A link of the pipeline with its plan, if that is not empty.
#[derive(Clone, Copy)]
struct Member<'a> {
    input: &'a LinkInput,
    plan: Option<&'a LinkPlan>,
}

impl<'a> Member<'a> {
    /// The commit that runs next or is live; `None` if something holds it.
    fn want(&self) -> Option<&CommitSha> {
        let is_held = self.plan.is_some_and(|plan| plan.holds.iter().any(|hold| hold.scope.is_link()));
        self.input.want.as_ref().and_then(|want| want.as_ref().ok()).filter(|_| !is_held)
    }

    fn commits(&self) -> &'a [CommitSha] {
        self.input.pipeline.as_ref().map_or(&[], |pipeline| pipeline.branch.commits())
    }

    fn state(&self, sha: &CommitSha) -> Option<CommitState> {
        Some(self.input.pipeline.as_ref()?.state(self.input, self.want(), sha))
    }
}

fn stage(manifest: &Manifest, stage: &Stage, members: &[Member<'_>]) -> PipelineStage {
    let wave = |wave: &Vec<LinkId>| {
        let members = wave.iter().filter_map(|id| members.iter().find(|member| member.input.id == *id));
        members.map(|member| link(manifest, *member)).collect()
    };
    PipelineStage {
        name: stage.name.clone(),
        after: stage.after.clone(),
        source: stage.source,
        need: stage.need,
        take: stage.take,
        waves: stage.waves.iter().map(wave).collect(),
    }
}

fn link(manifest: &Manifest, member: Member<'_>) -> PipelineLink {
    let LinkInput { id, head, holder, pipeline, .. } = member.input;
    let standing = pipeline.as_ref().map(|pipeline| &pipeline.standing);
    let live = crate::pipeline::base(head).cloned();
    PipelineLink {
        link: id.clone(),
        behind: standing.and_then(|standing| standing.behind),
        next: member.want().filter(|want| Some(*want) != live.as_ref()).cloned(),
        running: head.open_run().filter(|_| matches!(holder, Holder::Other(_))).map(|run| run.sha.clone()),
        // Without the branch, the pipeline itself says why.
        hold: member.plan.filter(|_| pipeline.is_some()).and_then(|plan| plan.holds.first()).cloned(),
        pinned: manifest.pipeline_of(id).and_then(|(_, _, pin)| Some(pin?.why.clone())),
        missing: standing.map(|standing| standing.missing.clone()).unwrap_or_default(),
        tests: pipeline.as_ref().filter(|pipeline| pipeline.is_testing).map(|_| tests(member)),
        live,
    }
}

/// The tests of pull requests at a link, by their heads.
fn tests(member: Member<'_>) -> LinkTests {
    let LinkInput { head, test, .. } = member.input;
    // While a process works on a test, the next is the first that waits.
    let is_free = head.open_run().is_none();
    let planned = test.as_deref().filter(|planned| planned.request.is_some() && is_free);
    let run = head.run.as_ref().and_then(|run| Some((run, run.test.as_deref()?)));
    let live = head.deployed.as_ref().and_then(|deployed| head.test_merge(&deployed.sha));
    let next = planned.and_then(|planned| planned.request.as_ref()).map(|request| &request.id);
    let waiting = member.input.requested_tests().filter(|(request, _)| Some(&request.id) != next);
    LinkTests {
        live: live.map(|merge| merge.head.clone()),
        running: run.filter(|(run, _)| run.ended.is_none()).map(|(_, test)| test.merge.head.clone()),
        next: planned.map(|planned| planned.test.merge.head.clone()),
        waiting: waiting.map(|(_, sha)| sha.clone()).collect(),
        failed: run
            .filter(|(run, _)| matches!(run.ended, Some((_, RunOutcome::Failed))))
            .map(|(_, test)| test.merge.head.clone()),
    }
}

/// The commits to show, newest first, with what became of them at each link.
async fn listed(
    estate: &Estate,
    repo: &Repo,
    members: &[Member<'_>],
    (commits, most): (&[CommitSha], usize),
) -> Vec<PipelineCommit> {
    let mut listed = Vec::new();
    for (at, sha) in commits.iter().enumerate() {
        let places = members.iter().filter_map(|it| Some((it.input.id.clone(), it.state(sha)?)));
        let places: Vec<_> = places.collect();
        let is_used = |(_, state): &(LinkId, CommitState)| {
            matches!(state, CommitState::Live | CommitState::Running | CommitState::Candidate)
        };
        if at >= most && !places.iter().any(is_used) {
            continue;
        }
        // Not worth the network: a commit that is not on this machine has no subject.
        let line = estate.git.one_line(&repo.url, sha).await.ok();
        let (subject, author) = match line {
            Some(CommitLine { sha: _, subject, author }) => (Some(subject), Some(author)),
            None => (None, None),
        };
        listed.push(PipelineCommit { sha: sha.clone(), subject, author, places });
    }
    listed
}

/// The first-parent commits from the tip to the oldest live commit.
fn reach<'a>(members: &[Member<'a>]) -> &'a [CommitSha] {
    let commits = members.iter().map(Member::commits).max_by_key(|commits| commits.len()).unwrap_or_default();
    let behind = members.iter().filter_map(|it| {
        let base = crate::pipeline::base(&it.input.head)?;
        let pipeline = it.input.pipeline.as_ref().filter(|pipeline| !pipeline.is_testing)?;
        Some(pipeline.branch.not_in(base).len())
    });
    let oldest = behind.max().map_or(1, |behind| behind + 1);
    &commits[..commits.len().min(oldest)]
}

/// Why the branch could not be read, if it could not.
fn problem(pipeline: &Pipeline, members: &[Member<'_>]) -> Option<String> {
    let first = members.iter().find(|member| member.input.pipeline.is_none())?;
    let hold = first.input.want.as_ref()?.as_ref().err()?;
    Some(format!("the branch of `{}` cannot be read: {}", pipeline.repo, hold.describe()))
}
