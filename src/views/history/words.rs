//! Events as text.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{
    Authorization, CommitSha, DeployOutcome, DeployPurpose, DigestSource, Event, GivenConsent, Outcome,
    PlanDigest, RecordedEvent, RunId, RunPhase, RunReason, StartedTest, Token, enumerated,
};
use crate::views::moment::minute;
use crate::views::words::{asked, ended};

/// The commits of the runs and deployments that start in a section of one link's journal.
#[derive(Debug, Default)]
pub(in crate::views) struct Commits<'a> {
    runs: BTreeMap<&'a str, &'a CommitSha>,
    deployments: BTreeMap<&'a str, &'a CommitSha>,
}

impl<'a> Commits<'a> {
    pub(in crate::views) fn take(&mut self, recorded: &'a RecordedEvent) {
        match &recorded.event {
            Event::RunStarted { run, sha, .. } => drop(self.runs.insert(run.as_str(), sha)),
            Event::DeployIntended { token, sha, .. } => drop(self.deployments.insert(token.as_str(), sha)),
            _ => {}
        }
    }

    fn of_run(&self, run: &RunId) -> String {
        match self.runs.get(run.as_str()) {
            Some(sha) => format!("the run for {}", sha.short()),
            None => "the run".to_owned(),
        }
    }

    fn of_deployment(&self, token: &Token) -> Option<&'a str> {
        self.deployments.get(token.as_str()).map(|sha| sha.short())
    }
}

/// The event as a lowercase fragment with names in backticks. Not escaped yet.
pub(in crate::views) fn words(recorded: &RecordedEvent, commits: &Commits<'_>) -> String {
    match &recorded.event {
        Event::RunStarted { run: _, sha, reason, phases, workflow: _, test, authorization, saved_plan } => {
            let why = match reason {
                RunReason::NewSha => "run",
                RunReason::Retry => "new run",
            };
            let test = test.as_ref().map(|test| format!(" ({})", tested(test))).unwrap_or_default();
            format!(
                "{why} for {}{test}{}{}: {}",
                sha.short(),
                authorized(authorization.as_deref()),
                from(saved_plan.as_ref()),
                phases.iter().map(named).collect::<Vec<_>>().join(", ")
            )
        }
        Event::Requested { ask, from, why } => {
            format!("{from} asked {}", asked(ask, why.as_deref()))
        }
        Event::Refused { ask, from, why, because } => {
            format!("{from} asked {}; refused: {because}", asked(ask, why.as_deref()))
        }
        Event::Withdrawn { ask, from, withdrawn_by, why } => {
            let reason = why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
            format!("{from} asked {}; {withdrawn_by} withdrew it{reason}", asked(ask, None))
        }
        Event::PhaseSkipped { phase } => format!("`{phase}` is skipped by the manifest"),
        Event::PhaseRestored { phase } => format!("`{phase}` is no longer skipped by the manifest"),
        Event::Verified { run: _, sha, deployment: _ } => format!("{} was verified", sha.short()),
        Event::TakenOver { from } => format!("the lease was taken over from {from}, which is gone"),
        Event::Unlocked { from, why } => {
            let reason = why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
            format!("the lease of {from} was revoked{reason}")
        }
        Event::AttemptIntended { phase, attempt, token: _, replicas, fleet, saved_plan } => {
            let replicas = if *replicas > 1 { format!(", {replicas} replicas") } else { String::new() };
            let from = from(saved_plan.as_ref());
            format!("`{phase}` attempt {attempt}{from} starting in fleet `{fleet}`{replicas}")
        }
        Event::AttemptLaunched { phase, attempt, handles: _ } => {
            format!("`{phase}` attempt {attempt} was launched")
        }
        Event::AttemptEnded { phase, attempt, outcome } => {
            let how = match outcome {
                Outcome::Succeeded => "succeeded".to_owned(),
                Outcome::Failed { .. } => format!("failed: {}", outcome.describe()),
                Outcome::TimedOut { .. } | Outcome::Lost { .. } => outcome.describe(),
                // By Ctrl-C, or because the run was cancelled, which has an event of its own.
                Outcome::Cancelled => "was stopped".to_owned(),
            };
            format!("`{phase}` attempt {attempt} {how}")
        }
        Event::ServiceRemoved { phase, attempt } => {
            format!("`{phase}` attempt {attempt}: its service was removed")
        }
        Event::ImagesRecorded { phase, source, images } => {
            let how = match source {
                DigestSource::Phase => format!("`{phase}` built"),
                DigestSource::Registry => "the registry has".to_owned(),
            };
            let images = images.iter().map(|(image, digest)| format!("`{image}` as {}", digest.short()));
            let images: Vec<_> = images.collect();
            format!("{how} {}", images.join(", "))
        }
        Event::DeployIntended { token: _, purpose, sha, images, barrier, authorization, saved_plan } => {
            let roles: Vec<_> = images.keys().map(|role| format!("`{role}`")).collect();
            let doing = match purpose {
                DeployPurpose::Upgrade => "deployment of",
                DeployPurpose::Repair => "repair to",
                DeployPurpose::Rollback => "rollback to",
            };
            let from = from(saved_plan.as_ref());
            let authorized = authorized(authorization.as_deref());
            let barrier = barrier.as_ref().map(|sha| format!("; no rollback goes past {}", sha.short()));
            let barrier = barrier.unwrap_or_default();
            format!("{doing} {}{authorized}{from} starting: {}{barrier}", sha.short(), roles.join(", "))
        }
        Event::DeployIssued { token, deployment } => {
            let what = commits.of_deployment(token).unwrap_or("it");
            format!("the platform accepted {what} as `{deployment}`")
        }
        Event::DeployEnded { token, outcome, revision: _ } => {
            let sha = commits.of_deployment(token);
            let deployment = sha.map_or("deployment".to_owned(), |sha| format!("deployment of {sha}"));
            match (outcome, sha) {
                (DeployOutcome::Deployed, Some(sha)) => format!("{sha} was deployed"),
                (DeployOutcome::Deployed, None) => "deployment succeeded".to_owned(),
                (DeployOutcome::Failed { .. }, _) => format!("{deployment} failed: {}", outcome.describe()),
                _ => format!("{deployment} {}", outcome.describe()),
            }
        }
        Event::RunEnded { run, outcome, because } => {
            let because = because.as_ref().map(|because| format!(": {because}")).unwrap_or_default();
            format!("{} {}{because}", commits.of_run(run), ended(*outcome, None))
        }
        Event::ServiceSwept { fleet, handle, token: _ } => {
            format!("orphaned service {handle} was removed from fleet `{fleet}`")
        }
        Event::Adopted { sha, images, revision: _ } => {
            let images: Vec<_> =
                images.iter().map(|(role, image)| format!("`{role}` runs `{image}`")).collect();
            format!("{} was adopted as is: {}", sha.short(), images.join(", "))
        }
        Event::Quarantined { sha, why, good: _, alone: _ } => {
            format!("{} was quarantined: {why}", sha.short())
        }
        Event::Forgotten => "forgotten: it left the manifest; running services were left alone".to_owned(),
        Event::MovedFrom { from, record: _ } => {
            format!("renamed from `{from}`; earlier events are recorded under that name")
        }
        Event::MovedTo { to, record: _ } => format!("renamed to `{to}`; the record continues there"),
        Event::Pruned { blobs_before, keeps: _, history } => {
            let first = history.as_ref().map(|cut| cut.through().0 + 1);
            let cut = first.map(|first| format!(", and history before event {first}"));
            let cut = cut.unwrap_or_default();
            format!("pruned: logs and artifacts older than {}{cut}", minute(*blobs_before))
        }
    }
}

/// Names the saved plan the step came from, if one was applied.
fn from(saved_plan: Option<&PlanDigest>) -> String {
    saved_plan.map(|digest| format!(" from saved plan {}", digest.short())).unwrap_or_default()
}

/// ` (approved by ben and cleo)`
pub(super) fn authorized(authorization: Option<&Authorization>) -> String {
    let Some(Authorization { approvals, overrides }) = authorization else { return String::new() };
    let names = |consents: &[GivenConsent]| {
        let names: BTreeSet<_> = consents.iter().map(|consent| consent.by.to_string()).collect();
        enumerated(&names.into_iter().collect::<Vec<_>>())
    };
    let both = [("approved by", names(approvals)), ("by an override of", names(overrides))];
    let both = both.into_iter().filter(|(_, names)| !names.is_empty());
    format!(" ({})", both.map(|(how, names)| format!("{how} {names}")).collect::<Vec<_>>().join(", "))
}

/// `test of 3f2a9c1b04 for ben`
fn tested(StartedTest { merge, from, why }: &StartedTest) -> String {
    let reason = why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    format!("test of {} for {from}{reason}", merge.head.short())
}

fn named(phase: &RunPhase) -> String {
    match phase {
        RunPhase { name, skipped: true, .. } => format!("`{name}` (skipped)"),
        RunPhase { name, kept: true, .. } => format!("`{name}` (kept)"),
        RunPhase { name, reused: Some(link), .. } => format!("`{name}` (reused from `{link}`)"),
        RunPhase { name, .. } => format!("`{name}`"),
    }
}
