//! Plans deployments: upgrade, repair, rollback and adoption, each with the diff that users see.

use super::draft::PlanDraft;
use super::input::{CommitFacts, Observed, Problem};
use super::pinning::Pins;
use super::{DeployStep, ImageChange, Step};
use crate::description::{self, FILE, Rebased, ServiceDescription};
use crate::domain::{
    Barrier, CommitSha, Deploy, DeployPurpose, Deployment, Event, Images, OnFailure, Phase, Quarantine,
    Strategy, without_digest,
};
use crate::lenient_json::FormatError;
use crate::manifest::PlatformConfig;

/// Plans the deployment phase of a run. The description at the sha defines the roles; the edit is based on what runs.
pub(super) fn upgrade(
    draft: &mut PlanDraft<'_>,
    phase: &Phase,
    settings: &Deploy,
    facts: &CommitFacts,
    (want, pins): (&CommitSha, &Pins),
) -> Result<DeployStep, Problem> {
    let text = facts.description.as_deref().ok_or_else(|| Problem {
        what: format!("`{}` is a deployment, but there is no `{FILE}` at {}", phase.name, want.short()),
        hint: Some(
            "add the file to the linked folder, or remove the deployment from the workflow".to_owned(),
        ),
    })?;
    let retagged = ServiceDescription::parse(text).map_err(|error| problem(FILE, &error))?.retag(want);
    if retagged.images.is_empty() {
        return Err(Problem {
            what: format!("no role in `{FILE}` has an image with `<hubtag>`, so there is nothing to deploy"),
            hint: Some("write the image as `name:<hubtag>`".to_owned()),
        });
    }
    let pinned = |image: &String| pins.digests.get(image).map_or_else(|| image.clone(), |it| it.pin(image));
    let images: Vec<_> = retagged.images.iter().map(|(role, image)| (role.clone(), pinned(image))).collect();
    let by_role: Images = images.iter().cloned().collect();
    let live = live_text(draft);
    let edited = match &live {
        Some(live) => rebased(live, &by_role)?,
        None => None,
    };
    let new = edited.unwrap_or_else(|| {
        if live.is_some() {
            draft
                .plan
                .notes
                .push(format!("the roles changed: `{FILE}` at {} replaces what is deployed", want.short()));
        }
        rebased(&retagged.text, &by_role).ok().flatten().unwrap_or_else(|| retagged.text.clone())
    });
    let base = live.or_else(|| deployed_text(draft, facts)).unwrap_or_else(|| text.to_owned());
    Ok(DeployStep {
        phase: Some(phase.name.clone()),
        order: phase.order,
        purpose: DeployPurpose::Upgrade,
        from: draft.head.deployed.as_ref().map(|deployed| deployed.sha.clone()),
        to: want.clone(),
        images: changes(draft, &images),
        pinned: pins.required,
        diff: diff(&base, &new),
        description: new,
        commits: facts.commits.clone(),
        more_commits: facts.more_commits,
        strategy: settings.strategy,
        timeout: settings.timeout,
        on_failure: settings.on_failure,
        barrier: facts.barrier.clone(),
    })
}

/// The rollback if a phase after `step` fails, with `on-failure = "rollback"`.
pub(super) fn rollback_step(draft: &mut PlanDraft<'_>, step: &DeployStep) -> Option<DeployStep> {
    let rolls_back = step.on_failure == OnFailure::Rollback;
    if let Some(barrier) = step.barrier.clone().map(Barrier::by_message).or_else(|| standing(draft, &step.to))
    {
        if rolls_back {
            note_barrier(draft, &barrier);
        } else if step.barrier.is_some() {
            draft.plan.notes.push(format!("from this deployment on, {}", barrier.describe()));
        }
        return None;
    }
    if !rolls_back {
        return None;
    }
    let good = draft.head.rollback_target_after(&step.to)?.clone();
    let Some(back) = rebased(&step.description, &good.images).ok().flatten() else {
        draft.plan.notes.push(format!(
            "if a later phase fails, nothing is rolled back: {} no longer has a role that {} deployed",
            step.to.short(),
            good.sha.short()
        ));
        return None;
    };
    let new: Images = step.images.iter().map(|change| (change.role.clone(), change.to.clone())).collect();
    let left = left_by(&step.to, &new, &good);
    draft.plan.notes.extend(left.map(|left| format!("if a later phase fails, {left}")));
    let images = step.images.iter().filter_map(|change| {
        let to = good.images.get(&change.role)?.clone();
        Some(ImageChange { role: change.role.clone(), from: Some(change.to.clone()), to })
    });
    Some(DeployStep {
        phase: None,
        purpose: DeployPurpose::Rollback,
        pinned: false,
        from: Some(step.to.clone()),
        to: good.sha.clone(),
        images: images.collect(),
        diff: diff(&step.description, &back),
        description: back,
        commits: Vec::new(),
        more_commits: 0,
        ..step.clone()
    })
}

/// The same, if the deployment is done and later phases remain.
pub(super) fn rollback_step_after_deployment(
    draft: &mut PlanDraft<'_>,
    settings: &Deploy,
    want: &CommitSha,
) -> Option<DeployStep> {
    if settings.on_failure != OnFailure::Rollback || !draft.head.runs(want) {
        return None;
    }
    if let Some(barrier) = standing(draft, want) {
        note_barrier(draft, &barrier);
        return None;
    }
    let back = draft.head.rollback_target()?;
    redeploy(draft, DeployPurpose::Rollback, &back.sha, &back.images).ok()
}

/// What is live and must not be undone, if a rollback from `sha` would go past it.
fn standing(draft: &PlanDraft<'_>, sha: &CommitSha) -> Option<Barrier> {
    let live = draft.head.deployed.as_ref()?;
    let is_target = live.sha != *sha && draft.head.evidence(&live.sha).is_some();
    live.barrier.as_deref().filter(|_| !is_target).cloned()
}

fn note_barrier(draft: &mut PlanDraft<'_>, barrier: &Barrier) {
    draft.plan.notes.push(format!("if a later phase fails, this stays live: {}", barrier.describe()));
}

/// Plans a rollback to a verified commit and quarantines `from`.
pub(super) fn roll_back(
    draft: &mut PlanDraft<'_>,
    from: &CommitSha,
    to: &CommitSha,
    why: String,
    alone: bool,
) -> Result<(), Problem> {
    let alone = alone || draft.head.test_merge(from).is_some();
    let known = draft.head.evidence(to).and_then(|evidence| evidence.deployment.clone());
    let back = known.ok_or_else(|| Problem {
        what: format!("{} was not verified here", to.short()),
        hint: Some("deploy a newer commit instead".to_owned()),
    })?;
    let step = redeploy(draft, DeployPurpose::Rollback, to, &back.images)?;
    let live = draft.head.deployed.as_ref().map(|deployed| deployed.images.clone()).unwrap_or_default();
    draft.plan.notes.extend(left_by(from, &live, &back));
    draft.step(Step::Quarantine { sha: from.clone(), why, good: Some(to.clone()), alone });
    // Waits at no gate: what it restores was verified here.
    draft.step(Step::Deploy(Box::new(step)));
    Ok(())
}

/// Notes on roles that a rollback leaves as they are: those that `from` added.
fn left_by<'a>(
    from: &'a CommitSha,
    images: &'a Images,
    back: &'a Deployment,
) -> impl Iterator<Item = String> + 'a {
    let new = images.iter().filter(|(role, _)| !back.images.contains_key(*role));
    new.map(|(role, image)| {
        format!(
            "`{role}` keeps `{image}`: it came with {}, and {} has no image for it",
            from.short(),
            back.sha.short()
        )
    })
}

/// Restores what should be live, independent of the wanted commit: resumes an interrupted rollback, or repairs drift.
pub(super) fn restore(draft: &mut PlanDraft<'_>) {
    let back = draft.head.rollback_target().map(|back| back.sha.clone());
    let deployed = draft.head.deployed.as_ref().map(|deployed| deployed.sha.clone());
    let quarantine = deployed.as_ref().and_then(|sha| draft.head.quarantine(sha)).cloned();
    match (deployed, back, quarantine) {
        (Some(from), Some(to), Some(Quarantine { why, alone, .. })) => {
            if let Err(problem) = roll_back(draft, &from, &to, why, alone) {
                draft.unavailable(&problem);
            }
        }
        _ => repair(draft),
    }
}

/// Redeploys the recorded images if something else runs, unless deployments are held. While another commit was in flight,
/// what runs may be that: only the record of its outcome tells.
pub(super) fn repair(draft: &mut PlanDraft<'_>) {
    let Some(deployed) = draft.head.deployed.clone() else { return };
    if draft.input.head.deploying.as_ref().is_some_and(|deploying| deploying.sha != deployed.sha) {
        return;
    }
    let drifted = match &draft.input.observed {
        Observed::AsDeployed | Observed::Unknown(_) => false,
        Observed::Absent => true,
        Observed::Running { images, .. } => {
            deployed.images.iter().any(|(role, image)| images.get(role) != Some(image))
        }
    };
    if drifted {
        match redeploy(draft, DeployPurpose::Repair, &deployed.sha, &deployed.images) {
            Ok(step) => draft.deploy(step),
            Err(problem) => draft.unavailable(&problem),
        }
    }
}

/// Adopts what runs, if katkit never deployed anything.
pub(super) fn adopt(draft: &mut PlanDraft<'_>) {
    if draft.head.deployed.is_some() || draft.head.run.is_some() {
        return;
    }
    record_running(draft);
}

/// Brings the record in line with what runs, and nothing else.
pub(super) fn refresh(draft: &mut PlanDraft<'_>) {
    if draft.head.deploying.is_some() {
        return super::recover::finalize(draft);
    }
    let Observed::Running { images, .. } = &draft.input.observed else {
        if matches!(draft.input.observed, Observed::Absent) && draft.head.deployed.is_some() {
            draft.plan.notes.push("nothing that was deployed is running".to_owned());
        }
        return;
    };
    let known =
        draft.head.deployed.as_ref().is_some_and(|deployed| {
            deployed.images.iter().all(|(role, image)| images.get(role) == Some(image))
        });
    if !known {
        record_running(draft);
    }
}

fn record_running(draft: &mut PlanDraft<'_>) {
    let Observed::Running { revision, images, .. } = &draft.input.observed else { return };
    let tagged: Images = images
        .iter()
        .filter(|(_, image)| sha_in(image).is_some())
        .map(|(r, i)| (r.clone(), i.clone()))
        .collect();
    let mut shas: Vec<_> = tagged.values().filter_map(|image| sha_in(image)).collect();
    shas.dedup();
    match shas.as_slice() {
        [sha] => {
            let (sha, revision) = (sha.clone(), revision.clone());
            let event =
                Event::Adopted { sha: sha.clone(), images: tagged.clone(), revision: revision.clone() };
            if draft.project(event).is_ok() {
                draft.step(Step::Adopt { sha, images: tagged, revision });
            }
        }
        [] => draft
            .plan
            .notes
            .push("the running images have no commit sha in their tags, so they are not adopted".to_owned()),
        _ => draft.plan.notes.push("the roles run different commits, so they are not adopted".to_owned()),
    }
}

fn redeploy(
    draft: &PlanDraft<'_>,
    purpose: DeployPurpose,
    to: &CommitSha,
    images: &Images,
) -> Result<DeployStep, Problem> {
    // The repository may be unreachable or no longer have the commit. It is not required, but adds detail if available.
    let facts = draft.input.facts.as_ref().and_then(|facts| facts.as_ref().ok());
    let live = live_text(draft);
    if let (None, None, Some((tenant, _))) = (&live, facts, draft.manifest.link(&draft.input.id))
        && matches!(tenant.platform, PlatformConfig::File { .. })
    {
        // The record has only the images, and the file holds more than those.
        let why = draft.input.facts.as_ref().and_then(|facts| facts.as_ref().err());
        let why =
            why.map_or_else(|| "the repository was not read".to_owned(), |problem| problem.what.clone());
        return Err(Problem {
            what: format!("the service description that was deployed is gone, and {why}"),
            hint: Some("restore the file, or make the repository reachable".to_owned()),
        });
    }
    let base =
        live.clone().or_else(|| deployed_text(draft, facts?)).unwrap_or_else(|| recorded_text(draft, images));
    let new = rebased(&base, images)?.ok_or_else(|| Problem {
        what: "what is deployed lacks a role that it had before, so its image cannot be restored".to_owned(),
        hint: Some("deploy a new commit instead".to_owned()),
    })?;
    let settings = match facts {
        Some(facts) => facts.workflow.deployment().map(|(_, settings)| settings.clone()),
        None => declared_settings(draft),
    };
    let settings = settings.unwrap_or_default();
    let images: Vec<_> = images.iter().map(|(role, image)| (role.clone(), image.clone())).collect();
    Ok(DeployStep {
        phase: None,
        order: 0,
        purpose,
        from: draft.head.deployed.as_ref().map(|deployed| deployed.sha.clone()),
        to: to.clone(),
        images: changes(draft, &images),
        pinned: false,
        diff: diff(if live.is_some() { &base } else { "" }, &new),
        description: new,
        commits: Vec::new(),
        more_commits: 0,
        strategy: Strategy::Ordered,
        timeout: settings.timeout,
        on_failure: OnFailure::Hold,
        barrier: None,
    })
}

/// The current description on the platform.
fn live_text(draft: &PlanDraft<'_>) -> Option<String> {
    match &draft.input.observed {
        Observed::Running { description, .. } => description.clone(),
        _ => None,
    }
}

/// The description at the deployed sha with its images, if the platform has none.
fn deployed_text(draft: &PlanDraft<'_>, facts: &CommitFacts) -> Option<String> {
    let deployed = draft.head.deployed.as_ref()?;
    let description = ServiceDescription::parse(facts.deployed_description.as_deref()?).ok()?;
    Some(description.retag(&deployed.sha).text)
}

/// A description with only the restored roles, from the record.
fn recorded_text(draft: &PlanDraft<'_>, images: &Images) -> String {
    let deployed = draft.head.deployed.as_ref().map(|deployed| &deployed.images);
    let role = |(name, to): (&String, &String)| {
        let image = deployed.and_then(|deployed| deployed.get(name)).unwrap_or(to);
        serde_json::json!({ "Name": name, "DockerImage": image })
    };
    let roles: Vec<_> = images.iter().map(role).collect();
    format!("{:#}\n", serde_json::json!({ "Roles": roles }))
}

/// The deployment settings of the workflow that the manifest names for the link.
fn declared_settings(draft: &PlanDraft<'_>) -> Option<Deploy> {
    let (_, link) = draft.manifest.link(&draft.input.id)?;
    let workflow = draft.manifest.workflows.get(link.workflow.as_ref()?)?;
    workflow.deployment().map(|(_, settings)| settings.clone())
}

fn changes(draft: &PlanDraft<'_>, images: &[(String, String)]) -> Vec<ImageChange> {
    let running = match &draft.input.observed {
        Observed::Running { images, .. } => Some(images),
        _ => draft.head.deployed.as_ref().map(|deployed| &deployed.images),
    };
    let change = |(role, to): &(String, String)| ImageChange {
        role: role.clone(),
        from: running.and_then(|images| images.get(role)).cloned(),
        to: to.clone(),
    };
    images.iter().map(change).collect()
}

fn diff(old: &str, new: &str) -> String {
    description::unified_diff(old, new, FILE, 0)
}

/// The commit in an image's tag: exactly forty consecutive hex digits.
fn sha_in(image: &str) -> Option<CommitSha> {
    let tag = without_digest(image).rsplit_once(':')?.1;
    tag.split(|c: char| !c.is_ascii_hexdigit()).find_map(|part| CommitSha::new(part).ok())
}

/// The live description with other images; `None` if it lacks one of the roles.
fn rebased(live: &str, images: &Images) -> Result<Option<String>, Problem> {
    match description::with_images(live, images) {
        Ok(Rebased::Edited(text)) => Ok(Some(text)),
        Ok(Rebased::Missing(_)) => Ok(None),
        Err(error) => Err(problem("what is deployed", &error)),
    }
}

fn problem(whose: &str, error: &FormatError) -> Problem {
    Problem { what: format!("{whose} cannot be read: {error}"), hint: error.advice().map(str::to_owned) }
}
