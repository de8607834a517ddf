//! Builds journals event by event.

use jiff::Timestamp;

use crate::domain::*;
use crate::journal::{fold, verification};

pub(super) fn sha(digit: char) -> CommitSha {
    CommitSha::new(digit.to_string().repeat(40)).unwrap()
}

pub(super) fn name(text: &str) -> PhaseName {
    PhaseName::new(text).unwrap()
}

pub(super) fn token(text: &str) -> Token {
    Token(text.to_owned())
}

/// A growing journal that numbers its events.
#[derive(Clone, Default)]
pub(super) struct JournalBuilder(pub(super) Vec<RecordedEvent>);

impl JournalBuilder {
    pub(super) fn then(mut self, event: Event) -> Self {
        let generation = Generation(self.0.len() as u64 + 1);
        let (at, by) = (Timestamp::UNIX_EPOCH, "ana".into());
        self.0.push(RecordedEvent { generation, at, by, event, previous: None });
        self
    }

    pub(super) fn run(self, digit: char) -> Self {
        let phase = |text, order, deployment| RunPhase::of(name(text), order, deployment);
        let phases = vec![phase("build", 0, false), phase("deploy", 1, true), phase("verify", 2, false)];
        self.run_with(digit, (RunReason::NewSha, "w"), phases)
    }

    /// A run of a workflow with this digest and these phases.
    pub(super) fn run_with(
        self,
        digit: char,
        (reason, workflow): (RunReason, &str),
        phases: Vec<RunPhase>,
    ) -> Self {
        let (run, workflow) = (RunId((self.0.len() + 1).to_string()), workflow.to_owned());
        let (sha, test, authorization, saved_plan) = (sha(digit), None, None, None);
        self.then(Event::RunStarted { run, sha, reason, phases, workflow, test, authorization, saved_plan })
    }

    pub(super) fn attempt(self, phase: &str, number: u32, outcome: Outcome) -> Self {
        let (phase, attempt) = (name(phase), AttemptNumber(number));
        let intended = Event::AttemptIntended {
            phase: phase.clone(),
            attempt,
            token: token("t"),
            replicas: 1,
            fleet: "local".parse().unwrap(),
            saved_plan: None,
        };
        self.then(intended)
            .then(Event::AttemptLaunched { phase: phase.clone(), attempt, handles: vec![Handle("h".into())] })
            .then(Event::AttemptEnded { phase: phase.clone(), attempt, outcome })
            .then(Event::ServiceRemoved { phase, attempt })
    }

    pub(super) fn deploy(self, digit: char, purpose: DeployPurpose, outcome: DeployOutcome) -> Self {
        let images = Images::from_iter([("web".to_owned(), format!("web:{}", sha(digit)))]);
        let revision = format!("r{digit}");
        self.then(Event::DeployIntended {
            token: token("d"),
            purpose,
            sha: sha(digit),
            images,
            barrier: None,
            authorization: None,
            saved_plan: None,
        })
        .then(Event::DeployIssued { token: token("d"), deployment: DeploymentName("d1".into()) })
        .then(Event::DeployEnded { token: token("d"), outcome, revision })
    }

    /// Ends a run, and adds the event that it verified its commit if it did.
    pub(super) fn end(self, run: &str, outcome: RunOutcome) -> Self {
        let ended = self.then(Event::RunEnded { run: RunId(run.into()), outcome, because: None });
        match fold(&ended.0).ok().as_ref().and_then(verification) {
            Some(verified) => ended.then(verified),
            None => ended,
        }
    }

    /// What was verified, oldest first.
    pub(super) fn verified(&self) -> String {
        self.head().verified.iter().map(|evidence| &evidence.sha.short()[..1]).collect()
    }

    pub(super) fn asked(self, ask: RequestKind) -> Self {
        self.then(Event::Requested { ask, from: "ana".into(), why: None })
    }

    pub(super) fn quarantine(self, digit: char) -> Self {
        self.then(Event::Quarantined { sha: sha(digit), why: "it broke".into(), good: None, alone: false })
    }

    /// A run that deploys its commit and then fails.
    pub(super) fn fails_after_deployment(self, digit: char) -> Self {
        let run = (self.0.len() + 1).to_string();
        self.run(digit)
            .attempt("build", 1, Outcome::Succeeded)
            .deploy(digit, DeployPurpose::Upgrade, DeployOutcome::Deployed)
            .attempt("verify", 1, failed())
            .end(&run, RunOutcome::Failed)
    }

    pub(super) fn live(digit: char) -> Self {
        Self::default().all_the_way(digit)
    }

    pub(super) fn all_the_way(self, digit: char) -> Self {
        let run = (self.0.len() + 1).to_string();
        self.run(digit)
            .attempt("build", 1, Outcome::Succeeded)
            .deploy(digit, DeployPurpose::Upgrade, DeployOutcome::Deployed)
            .attempt("verify", 1, Outcome::Succeeded)
            .end(&run, RunOutcome::Succeeded)
    }

    pub(super) fn head(&self) -> Head {
        fold(&self.0).unwrap()
    }

    pub(super) fn refusal(&self) -> String {
        fold(&self.0).unwrap_err().why
    }
}

pub(super) fn failed() -> Outcome {
    Outcome::Failed { exit_code: Some(1), reason: String::new() }
}
