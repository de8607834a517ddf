//! The law of the journal: which moves follow which, and that the fold does not depend on how it is cut.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::domain::{
    Ask, AttemptNumber, CommitSha, DeployOutcome, DeployPurpose, Handle, PhaseName, PhaseStatus, RunId,
    RunOutcome, RunPhase, RunReason, Token,
};

fn sha(digit: char) -> CommitSha {
    CommitSha::new(digit.to_string().repeat(40)).unwrap()
}

fn name(text: &str) -> PhaseName {
    PhaseName::new(text).unwrap()
}

fn token(text: &str) -> Token {
    Token(text.to_owned())
}

/// A journal in the making, which numbers its events.
#[derive(Clone, Default)]
struct Story(Vec<Recorded>);

impl Story {
    fn then(mut self, event: Event) -> Self {
        let generation = Generation(self.0.len() as u64 + 1);
        self.0.push(Recorded { generation, at: Timestamp::UNIX_EPOCH, by: "ana".into(), event });
        self
    }

    fn run(self, digit: char) -> Self {
        let phase =
            |text, order, deployment| RunPhase { name: name(text), order, deployment, skipped: false };
        let run = RunId((self.0.len() + 1).to_string());
        let phases = vec![phase("build", 0, false), phase("deploy", 1, true), phase("verify", 2, false)];
        let (reason, workflow) = (RunReason::NewSha, "w".to_owned());
        self.then(Event::RunStarted { run, sha: sha(digit), reason, phases, workflow, saved_plan: None })
    }

    fn attempt(self, phase: &str, number: u32, outcome: Outcome) -> Self {
        let (phase, attempt) = (name(phase), AttemptNumber(number));
        let intended = Event::AttemptIntended {
            phase: phase.clone(),
            attempt,
            token: token("t"),
            replicas: 1,
            fleet: "local".into(),
            saved_plan: None,
        };
        self.then(intended)
            .then(Event::AttemptLaunched { phase: phase.clone(), attempt, handles: vec![Handle("h".into())] })
            .then(Event::AttemptEnded { phase: phase.clone(), attempt, outcome })
            .then(Event::ServiceRemoved { phase, attempt })
    }

    fn deploy(self, digit: char, purpose: DeployPurpose, outcome: DeployOutcome) -> Self {
        let images: BTreeMap<_, _> = [("web".to_owned(), format!("web:{}", sha(digit)))].into();
        let revision = format!("r{digit}");
        self.then(Event::DeployIntended {
            token: token("d"),
            purpose,
            sha: sha(digit),
            images,
            saved_plan: None,
        })
        .then(Event::DeployIssued { token: token("d"), deployment: "d1".into() })
        .then(Event::DeployEnded { token: token("d"), outcome, revision })
    }

    fn end(self, run: &str, outcome: RunOutcome) -> Self {
        self.then(Event::RunEnded { run: RunId(run.into()), outcome })
    }

    fn live(digit: char) -> Self {
        Self::default().all_the_way(digit)
    }

    fn all_the_way(self, digit: char) -> Self {
        let run = (self.0.len() + 1).to_string();
        self.run(digit)
            .attempt("build", 1, Outcome::Succeeded)
            .deploy(digit, DeployPurpose::Upgrade, DeployOutcome::Deployed)
            .attempt("verify", 1, Outcome::Succeeded)
            .end(&run, RunOutcome::Succeeded)
    }

    fn head(&self) -> Head {
        fold(&self.0).unwrap()
    }

    fn refusal(&self) -> String {
        fold(&self.0).unwrap_err().why
    }
}

fn failed() -> Outcome {
    Outcome::Failed { exit_code: Some(1), reason: String::new() }
}

#[test]
fn a_run_that_went_all_the_way_leaves_its_sha_deployed() {
    let head = Story::live('a').head();
    assert_eq!(head.deployed.as_ref().unwrap().sha, sha('a'));
    assert_eq!(head.deployed.unwrap().revision, "ra");
    assert!(head.run.unwrap().succeeded());
    assert_eq!(head.previous, None);
}

#[test]
fn what_was_deployed_before_is_what_to_go_back_to() {
    let head = Story::live('a').all_the_way('b').head();
    assert_eq!((head.deployed.unwrap().sha, head.previous.unwrap().sha), (sha('b'), sha('a')));
}

#[test]
fn a_phase_cannot_begin_before_those_that_come_first() {
    let story = Story::default().run('a').attempt("verify", 1, Outcome::Succeeded);
    assert_eq!(story.refusal(), "`build` comes before it and is not done");
}

#[test]
fn an_attempt_cannot_begin_while_the_service_of_the_last_is_there() {
    let mut story = Story::default().run('a').attempt("build", 1, failed());
    story.0.pop();
    assert_eq!(
        story.attempt("build", 2, Outcome::Succeeded).refusal(),
        "the service of the attempt before it is not removed"
    );
}

#[test]
fn a_run_cannot_end_well_while_a_phase_is_open_nor_at_all_while_one_is_in_flight() {
    let open = Story::default().run('a').attempt("build", 1, Outcome::Succeeded);
    assert!(open.clone().end("1", RunOutcome::Succeeded).refusal().contains("do not add up"));
    let mut flying = open;
    flying.0.truncate(2);
    assert_eq!(flying.end("1", RunOutcome::Cancelled).refusal(), "attempt 1 at `build` is in flight");
}

#[test]
fn an_attempt_that_was_never_launched_cannot_have_succeeded() {
    let mut story = Story::default().run('a').attempt("build", 1, Outcome::Succeeded);
    let ended = story.0.remove(3).event;
    story.0.truncate(2);
    assert_eq!(story.then(ended).refusal(), "it was never launched");
}

#[test]
fn a_retry_opens_the_run_again_from_its_phase_on() {
    let story = Story::default()
        .run('a')
        .attempt("build", 1, Outcome::Succeeded)
        .deploy('a', DeployPurpose::Upgrade, DeployOutcome::Deployed)
        .attempt("verify", 1, failed())
        .end("1", RunOutcome::Failed);
    let retry = |phase: &str| Event::Requested {
        ask: Ask::Retry { sha: sha('a'), phase: name(phase) },
        from: "ana".into(),
        why: None,
    };
    let statuses =
        |story: Story| story.head().open_run().unwrap().phases.iter().map(|p| p.status).collect::<Vec<_>>();
    assert_eq!(
        statuses(story.clone().then(retry("verify"))),
        [PhaseStatus::Succeeded, PhaseStatus::Succeeded, PhaseStatus::Pending]
    );
    assert_eq!(statuses(story.clone().then(retry("build"))), [PhaseStatus::Pending; 3]);
    // Attempts are numbered on, so that nothing is written over.
    assert!(
        story
            .then(retry("verify"))
            .attempt("verify", 1, Outcome::Succeeded)
            .refusal()
            .contains("last attempt was 1")
    );
}

#[test]
fn a_quarantined_sha_is_not_deployed_until_it_is_released() {
    let quarantined = Event::Quarantined { sha: sha('b'), why: "it broke".into() };
    let story = Story::live('a').then(quarantined).run('b').attempt("build", 1, Outcome::Succeeded);
    let deployed = |story: Story| story.deploy('b', DeployPurpose::Upgrade, DeployOutcome::Deployed);
    assert!(deployed(story.clone()).refusal().contains("is quarantined"));
    let release = Event::Requested { ask: Ask::Release { sha: sha('b') }, from: "ana".into(), why: None };
    assert_eq!(deployed(story.then(release)).head().deployed.unwrap().sha, sha('b'));
}

#[test]
fn a_rollback_goes_to_what_was_there_before_and_nowhere_else() {
    let story = Story::live('a').all_the_way('b');
    let back = story.clone().deploy('a', DeployPurpose::Rollback, DeployOutcome::Deployed).head();
    assert_eq!((back.deployed.unwrap().sha, back.previous), (sha('a'), None));
    let elsewhere = story.deploy('c', DeployPurpose::Rollback, DeployOutcome::Deployed);
    assert!(elsewhere.refusal().contains("is not what was deployed before"));
}

#[test]
fn lost_attempts_are_tried_again_a_few_times_and_failed_ones_as_the_workflow_says() {
    let lost = || Outcome::Lost { cause: crate::domain::LostCause::Vanished, evidence: String::new() };
    let mut story = Story::default().run('a');
    let mut again = Vec::new();
    for number in 1..=5 {
        story = story.attempt("build", number, lost());
        again.push(tries_again(story.head().run.unwrap().phase(&name("build")).unwrap(), 0));
    }
    assert_eq!(again, [true, true, true, false, false]);
    let failed = Story::default().run('a').attempt("build", 1, failed()).head().run.unwrap();
    let phase = failed.phase(&name("build")).unwrap();
    assert!(!tries_again(phase, 0));
    assert!(tries_again(phase, 1));
}

#[test]
fn an_event_out_of_its_place_is_refused() {
    let mut story = Story::live('a');
    story.0.remove(3);
    let error = fold(&story.0).unwrap_err();
    assert_eq!((error.generation, error.why.as_str()), (Generation(5), "the one before it is 3"));
}

/// A long and legal history, to be cut and disturbed.
fn long_history() -> Vec<Recorded> {
    Story::live('a')
        .run('b')
        .attempt("build", 1, failed())
        .attempt("build", 2, Outcome::Succeeded)
        .deploy('b', DeployPurpose::Upgrade, DeployOutcome::Deployed)
        .attempt("verify", 1, failed())
        .end("14", RunOutcome::Failed)
        .then(Event::Quarantined { sha: sha('b'), why: "verify failed".into() })
        .deploy('a', DeployPurpose::Rollback, DeployOutcome::Deployed)
        .all_the_way('c')
        .0
}

proptest! {
    #[test]
    fn the_fold_is_the_same_however_the_journal_is_cut(cut in 0_usize..60) {
        let journal = long_history();
        let cut = cut.min(journal.len());
        let mut head = fold(&journal[..cut]).unwrap();
        for recorded in &journal[cut..] {
            head = step(&head, recorded).unwrap();
        }
        prop_assert_eq!(head, fold(&journal).unwrap());
    }

    #[test]
    fn a_head_at_any_point_survives_being_written_down(cut in 0_usize..60) {
        let journal = long_history();
        let head = fold(&journal[..cut.min(journal.len())]).unwrap();
        let text = serde_json::to_string(&head).unwrap();
        prop_assert_eq!(serde_json::from_str::<Head>(&text).unwrap(), head);
    }

    #[test]
    fn an_event_said_twice_is_refused_wherever_it_stands(at in 0_usize..60) {
        let mut journal = long_history();
        let at = at % journal.len();
        let again = journal[at].clone();
        journal.insert(at, again);
        prop_assert!(fold(&journal).is_err());
    }

    #[test]
    fn at_most_one_deployment_is_in_flight_and_no_attempt_is_without_a_run(cut in 0_usize..60) {
        let journal = long_history();
        let head = fold(&journal[..cut.min(journal.len())]).unwrap();
        prop_assert!(head.unremoved().count() <= 1);
        if head.unremoved().count() > 0 {
            prop_assert!(head.open_run().is_some());
        }
    }
}

#[test]
fn a_journal_of_before_saved_plans_were_recorded_reads_as_it_did() {
    let recorded = Story::live('a').0;
    let text = serde_json::to_string(&recorded).unwrap();
    assert!(!text.contains("saved_plan"));
    assert_eq!(serde_json::from_str::<Vec<Recorded>>(&text).unwrap(), recorded);
    let saved = |text: &str| {
        format!(
            r#"{{"event":"deploy-intended","token":"d","purpose":"repair","sha":"{}","images":{{}},"saved_plan":"{text}"}}"#,
            sha('a')
        )
    };
    assert!(serde_json::from_str::<Event>(&saved(&"f".repeat(64))).is_ok());
    assert!(serde_json::from_str::<Event>(&saved("f")).is_err());
}
