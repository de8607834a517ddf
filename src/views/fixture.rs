//! Builds journals for view tests, event by event, under the same rules as real ones.

use jiff::{SignedDuration, Timestamp};

use crate::domain::{
    AttemptNumber, CommitSha, DeployOutcome, DeployPurpose, DeploymentName, Event, Generation, Handle, Head,
    Images, Outcome, Owner, PhaseName, RecordedEvent, RunId, RunOutcome, RunPhase, RunReason, Token,
};
use crate::journal::{self, PastRun, PastRuns};

/// A journal under construction, with two seconds between events.
#[derive(Debug, Default)]
pub(super) struct JournalBuilder {
    pub(super) events: Vec<RecordedEvent>,
}

/// The commit whose sha repeats this digit forty times.
pub(super) fn sha(digit: char) -> CommitSha {
    CommitSha::new(digit.to_string().repeat(40)).unwrap()
}

/// The time of the first event of every journal.
pub(super) fn beginning() -> Timestamp {
    "2026-01-02T09:00:00Z".parse().unwrap()
}

/// This many seconds after the beginning.
pub(super) fn after(seconds: i64) -> Timestamp {
    beginning() + SignedDuration::from_secs(seconds)
}

pub(super) fn owner(actor: &str) -> Owner {
    let (id, host) = ("1".to_owned(), "builder".to_owned());
    Owner { id, host, boot: None, pid: 123, started_ticks: None, actor: actor.to_owned() }
}

fn name(phase: &str) -> PhaseName {
    PhaseName::new(phase).unwrap()
}

impl JournalBuilder {
    pub(super) fn then(mut self, event: Event) -> Self {
        let number = self.events.len() as u64 + 1;
        let at = after(2 * i64::try_from(self.events.len()).unwrap());
        let (generation, by) = (Generation(number), "ana".into());
        self.events.push(RecordedEvent { generation, at, by, event, previous: None });
        self
    }

    /// Starts a run with `build`, `deploy` and `verify`.
    pub(super) fn run(self, digit: char) -> Self {
        let phases = [("build", false), ("deploy", true), ("verify", false)].into_iter().zip(0_i64..);
        let phases = phases.map(|((phase, deployment), order)| RunPhase::of(name(phase), order, deployment));
        let run = RunId((self.events.len() + 1).to_string());
        let (reason, workflow) = (RunReason::NewSha, "digest".to_owned());
        self.then(Event::RunStarted {
            run,
            sha: sha(digit),
            reason,
            phases: phases.collect(),
            workflow,
            test: None,
            authorization: None,
            saved_plan: None,
        })
    }

    pub(super) fn begins(self, phase: &str, attempt: u32, replicas: u32) -> Self {
        let (phase, attempt) = (name(phase), AttemptNumber(attempt));
        let handles = (0..replicas).map(|replica| Handle(format!("h-{replica}"))).collect();
        let (token, fleet) = (Token("t".to_owned()), "local".parse().unwrap());
        self.then(Event::AttemptIntended {
            phase: phase.clone(),
            attempt,
            token,
            replicas,
            fleet,
            saved_plan: None,
        })
        .then(Event::AttemptLaunched { phase, attempt, handles })
    }

    pub(super) fn ends(self, phase: &str, attempt: u32, outcome: Outcome) -> Self {
        let (phase, attempt) = (name(phase), AttemptNumber(attempt));
        self.then(Event::AttemptEnded { phase: phase.clone(), attempt, outcome })
            .then(Event::ServiceRemoved { phase, attempt })
    }

    pub(super) fn deploys(self, digit: char, purpose: DeployPurpose) -> Self {
        let token = Token(format!("d{}", self.events.len()));
        let images = Images::from_iter([("web".to_owned(), format!("acme/web:{}", sha(digit)))]);
        self.then(Event::DeployIntended {
            token: token.clone(),
            purpose,
            sha: sha(digit),
            images,
            barrier: None,
            authorization: None,
            saved_plan: None,
        })
        .then(Event::DeployIssued {
            token: token.clone(),
            deployment: DeploymentName("ecs-svc/7".to_owned()),
        })
        .then(Event::DeployEnded {
            token,
            outcome: DeployOutcome::Deployed,
            revision: "r".to_owned(),
        })
    }

    pub(super) fn over(self, outcome: RunOutcome) -> Self {
        let run = self.runs().pop().unwrap().id;
        let over = self.then(Event::RunEnded { run, outcome, because: None });
        match journal::verification(&over.head()) {
            Some(verified) => over.then(verified),
            None => over,
        }
    }

    /// A complete run that succeeds.
    pub(super) fn good_run(self, digit: char) -> Self {
        self.run(digit)
            .begins("build", 1, 1)
            .ends("build", 1, Outcome::Succeeded)
            .deploys(digit, DeployPurpose::Upgrade)
            .begins("verify", 1, 2)
            .ends("verify", 1, Outcome::Succeeded)
            .over(RunOutcome::Succeeded)
    }

    /// A complete run whose `verify` fails twice.
    pub(super) fn bad_run(self, digit: char) -> Self {
        let failed =
            |code, reason: &str| Outcome::Failed { exit_code: Some(code), reason: reason.to_owned() };
        self.run(digit)
            .begins("build", 1, 1)
            .ends("build", 1, Outcome::Succeeded)
            .deploys(digit, DeployPurpose::Upgrade)
            .begins("verify", 1, 2)
            .ends("verify", 1, failed(7, ""))
            .begins("verify", 2, 2)
            .ends("verify", 2, failed(3, "in replica 1: \u{1b}[2J2 of 40 tests failed"))
            .over(RunOutcome::Failed)
    }

    pub(super) fn head(&self) -> Head {
        journal::fold(&self.events).unwrap()
    }

    pub(super) fn runs(&self) -> Vec<PastRun> {
        let mut runs = PastRuns::default();
        self.events.iter().for_each(|event| runs.take(event));
        runs.into_runs(self.head().run.as_ref())
    }
}
