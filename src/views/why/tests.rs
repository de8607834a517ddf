//! The output of `why`.

mod once;

use insta::assert_snapshot;

use super::*;
use crate::domain::{AttemptNumber, Execution, Generation, Outcome, Phase, PhaseKind, PhaseName};
use crate::plan::{Hold, HoldReason, HoldScope, Problem, Step, StepReason};
use crate::views::fixture::{JournalBuilder as Journal, after, owner, sha};
use crate::views::{Document, Style};

/// The input of an answer that a test varies.
struct Case {
    journal: Journal,
    want: Option<Result<CommitSha, Box<Hold>>>,
    holder: Holder,
    holds: Vec<Hold>,
    steps: Vec<Step>,
    tails: Vec<Tail>,
    story: Option<CommitStory>,
    contained: Option<Contained>,
}

impl Case {
    fn of(journal: Journal) -> Self {
        let (holds, steps, tails, story) = (Vec::new(), Vec::new(), Vec::new(), None);
        let (want, holder, contained) = (Some(Ok(sha('a'))), Holder::Nobody, None);
        Self { journal, want, holder, holds, steps, tails, story, contained }
    }

    fn held(mut self, reason: HoldReason) -> Self {
        self.holds.push(Hold { scope: HoldScope::Link, reason, hint: Some("a hint".into()), until: None });
        self
    }

    fn about(mut self, digit: char) -> Self {
        let runs = self.journal.runs().into_iter().filter(|run| run.sha == sha(digit)).collect();
        self.story =
            Some(CommitStory { named: sha(digit).to_string(), runs, place: None, tests_before: None });
        self
    }

    fn with<T>(&self, show: impl FnOnce(Why<'_>) -> T) -> T {
        let (link, head, runs) = ("dev/shop".parse().unwrap(), self.journal.head(), self.journal.runs());
        let asks = self.want.as_ref().map(|_| Wanted::Branch("main".into()));
        let plan = LinkPlan {
            base: Generation(1),
            holds: self.holds.clone(),
            notes: self.contained.iter().map(Contained::describe).collect(),
            ..LinkPlan::with_steps("dev/shop", self.steps.clone())
        };
        show(Why {
            pipeline: None,
            recorded_as: None,
            contained: self.contained.as_ref(),
            link: &link,
            asks: asks.as_ref(),
            want: self.want.as_ref(),
            head: &head,
            holder: &self.holder,
            requests: &[],
            plan: (!plan.is_empty()).then_some(&plan),
            run: runs.last(),
            tails: &self.tails,
            story: self.story.as_ref(),
            now: after(100),
        })
    }

    fn text(&self) -> String {
        self.with(|why| WhyText { why, style: Style::default() }.to_string())
    }
}

fn failed() -> Case {
    let reason = HoldReason::PhaseFailed {
        phase: PhaseName::new("verify").unwrap(),
        sha: sha('b'),
        outcome: "exit code 3: \u{1b}[2J2 of 40 tests failed".into(),
    };
    let lines = vec!["running 40 tests".to_owned(), "\u{1b}[31mFAILED\u{1b}[0m\u{1b}[2J\u{202e}".to_owned()];
    let mut case = Case::of(Journal::default().good_run('a').bad_run('b')).held(reason);
    let (phase, attempt) = (PhaseName::new("verify").unwrap(), AttemptNumber(2));
    case.tails = vec![Tail { phase, attempt, replica: Some(1), lines, pruned: None }];
    case.want = Some(Ok(sha('b')));
    case
}

#[test]
fn a_live_commit_is_reported_as_live() {
    assert_snapshot!(Case::of(Journal::default().good_run('a')).text(), @r"
    dev/shop
    aaaaaaaaaa is live: every phase is done.

      wanted      aaaaaaaaaa, the tip of `main`
      deployed    aaaaaaaaaa since 2026-01-02 09:00 UTC, 1m ago
      run         for aaaaaaaaaa, started 1m ago, succeeded 1m ago

      build   succeeded after 4.0s
      deploy  deployed after 4.0s
      verify  succeeded after 4.0s, in 2 replicas
    ");
}

#[test]
fn a_failed_phase_is_shown_with_its_attempts_its_log_and_what_to_do() {
    assert_snapshot!(failed().text(), @r"
    dev/shop
    bbbbbbbbbb is deployed, but `verify` failed: exit code 3: ␛[2J2 of 40 tests
    failed.

      wanted      bbbbbbbbbb, the tip of `main`
      deployed    bbbbbbbbbb since 2026-01-02 09:00 UTC, 58s ago
      run         for bbbbbbbbbb, started 1m ago, failed 40s ago

      build   succeeded after 4.0s
      deploy  deployed after 4.0s
      verify  attempt 1: failed after 4.0s, in 2 replicas: exit code 7
              attempt 2: failed after 4.0s, in 2 replicas: exit code 3 in replica 1:
              ␛[2J2 of 40 tests failed

    The end of the log of `verify`, attempt 2, replica 1:
      | running 40 tests
      | FAILED\u{202e}

      log:   katkit logs dev/shop --phase verify
      retry: katkit retry dev/shop --phase verify --apply
    ");
}

#[test]
fn a_commit_on_its_way_names_who_is_working_on_it_and_for_how_long() {
    let owner = owner("ana");
    let journal = Journal::default().good_run('b').run('a').begins("build", 1, 1);
    let held = HoldReason::LeaseHeld { owner: "ana (process 123 on builder)".into() };
    let case = Case { holder: Holder::Other(Box::new(owner)), ..Case::of(journal).held(held) };
    assert_snapshot!(case.text(), @r"
    dev/shop
    aaaaaaaaaa is on its way: ana (process 123 on builder) is working on it. `build`
    has been running for 1m 10s.
    hint: a hint

      wanted      aaaaaaaaaa, the tip of `main`
      deployed    bbbbbbbbbb since 2026-01-02 09:00 UTC, 1m ago
      run         for aaaaaaaaaa, started 1m ago, has not ended
      held by     ana (process 123 on builder)

      build   running for 1m 10s
      deploy  not started
      verify  not started
    ");
}

#[test]
fn a_commit_whose_deployment_waits_says_so_after_the_phases_that_run() {
    let (since, why) = (after(0), "it is Friday".to_owned());
    let reason = HoldReason::Quarantined { sha: sha('f'), since, why };
    let scope = HoldScope::Phase { name: PhaseName::new("deploy").unwrap() };
    let mut case = Case::of(Journal::default().good_run('b'));
    case.holds = vec![Hold { scope, reason, hint: Some("wait until Monday".into()), until: None }];
    let answer = |case: &Case| case.text().lines().skip(1).take(3).collect::<Vec<_>>().join("\n");
    assert_snapshot!(answer(&case), @"
    aaaaaaaaaa is not live: `deploy` waits: ffffffffff has been quarantined since
    2026-01-02 09:00 UTC: it is Friday.
    hint: wait until Monday
    ");
    let kind = PhaseKind::Execution(Execution::default());
    let phase = Box::new(Phase { name: PhaseName::new("build").unwrap(), order: 0, kind });
    case.steps = vec![Step::Run { phase, because: StepReason::NotRunYet }];
    assert_snapshot!(answer(&case), @"
    aaaaaaaaaa is not live. Next: run `build`. Then `deploy` waits: ffffffffff has
    been quarantined since 2026-01-02 09:00 UTC: it is Friday.
    hint: run `katkit apply dev/shop`
    ");
}

#[test]
fn a_pending_commit_lists_its_next_steps() {
    let mut case = Case::of(Journal::default().good_run('b'));
    case.steps = vec![Step::Recover { phase: PhaseName::new("build").unwrap(), attempt: AttemptNumber(2) }];
    let text = case.text();
    assert_snapshot!(text.lines().take(4).collect::<Vec<_>>().join("\n"), @r"
    dev/shop
    aaaaaaaaaa is not live, and nothing is holding it back. Next: remove what is
    left of attempt 2 of `build`.
    hint: run `katkit apply dev/shop`
    ");
}

#[test]
fn an_unknown_wanted_commit_and_a_removed_link_have_answers() {
    let first = |case: &Case| case.text().lines().take(4).collect::<Vec<_>>().join("\n");
    let problem = Problem { what: "the remote said \u{1b}[2Jno".into(), hint: Some("log in".into()) };
    let unknown = Case { want: Some(Err(Box::new(problem.into()))), ..Case::of(Journal::default()) };
    assert_snapshot!(first(&unknown), @r"
    dev/shop
    The wanted commit could not be determined: the remote said ␛[2Jno.
    hint: log in
    ");
    let left = Case { want: None, ..Case::of(Journal::default().good_run('a')) };
    assert_snapshot!(first(&left), @r"
    dev/shop
    `dev/shop` is no longer in the manifest; aaaaaaaaaa was deployed last, and was
    left alone.
    hint: `katkit apply dev/shop` records that
    ");
}

#[test]
fn a_named_commit_is_described_by_its_runs() {
    let journal = || Journal::default().good_run('b').bad_run('c').good_run('a');
    assert_snapshot!(Case::of(journal()).about('b').text(), @r"
    dev/shop
    ana started a run for bbbbbbbbbb 1m ago; it succeeded after 24.0s.
    The commit was verified at 2026-01-02 09:00 UTC.
    It is the rollback target.
    The manifest asks for aaaaaaaaaa instead.
    ");
    assert_snapshot!(Case::of(journal()).about('c').text(), @r"
    dev/shop
    ana started a run for cccccccccc 1m ago; it failed at `verify` (exit code 3 in
    replica 1: ␛[2J2 of 40 tests failed) after 32.0s.
    The manifest asks for aaaaaaaaaa instead.
    ");
    assert_snapshot!(Case::of(journal()).about('d').text(), @r"
    dev/shop
    dddddddddd never ran in `dev/shop`.
    The manifest asks for aaaaaaaaaa instead.
    ");
    assert!(Case::of(journal()).about('a').text().contains("is live"));
}

#[test]
fn a_lost_attempt_shows_its_evidence() {
    let lost =
        Outcome::Lost { cause: crate::domain::LostCause::OutOfMemory, evidence: "killed by signal 9".into() };
    let journal =
        Journal::default().run('a').begins("build", 1, 1).ends("build", 1, lost).begins("build", 2, 1);
    let text = Case::of(journal).text();
    let phases: Vec<_> = text.lines().skip_while(|line| !line.starts_with("  build")).collect();
    assert_snapshot!(phases.join("\n"), @r"
    build   attempt 1: lost after 4.0s (out of memory): killed by signal 9
            attempt 2: running for 1m 30s
    deploy  not started
    verify  not started
    ");
}

#[test]
fn json_has_the_same_content() {
    assert_snapshot!(failed().with(|why| Document::new(&WhyJson::of(&why)).to_string()), @r#"
    {
      "format_version": "2.10",
      "katkit_version": "0.1.0",
      "answer": "bbbbbbbbbb is deployed, but `verify` failed: exit code 3: \u001b[2J2 of 40 tests failed.",
      "hint": null,
      "link": "dev/shop",
      "formerly": [],
      "recorded_as": null,
      "in_manifest": true,
      "branch": "main",
      "pipeline": null,
      "wanted": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
      "contained": null,
      "state": "failed",
      "phase": "verify",
      "since": "2026-01-02T09:01:00Z",
      "generation": 31,
      "deployed": {
        "sha": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
        "at": "2026-01-02T09:00:42Z"
      },
      "previous": {
        "sha": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "at": "2026-01-02T09:00:14Z"
      },
      "run": {
        "id": "15",
        "sha": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
        "started": "2026-01-02T09:00:28Z",
        "ended": "2026-01-02T09:01:00Z",
        "outcome": "failed",
        "test": null
      },
      "holder": null,
      "requests": [],
      "quarantined": [],
      "damage": null,
      "standing": null,
      "phases": [
        {
          "name": "build",
          "order": 0,
          "deployment": false,
          "status": "succeeded",
          "attempts": [
            {
              "number": 1,
              "replicas": 1,
              "started": "2026-01-02T09:00:30Z",
              "ended": "2026-01-02T09:00:34Z",
              "outcome": {
                "kind": "succeeded",
                "message": "succeeded",
                "exit_code": 0
              }
            }
          ]
        },
        {
          "name": "deploy",
          "order": 1,
          "deployment": true,
          "status": "succeeded",
          "attempts": []
        },
        {
          "name": "verify",
          "order": 2,
          "deployment": false,
          "status": "failed",
          "attempts": [
            {
              "number": 1,
              "replicas": 2,
              "started": "2026-01-02T09:00:44Z",
              "ended": "2026-01-02T09:00:48Z",
              "outcome": {
                "kind": "failed",
                "message": "exit code 7",
                "exit_code": 7
              }
            },
            {
              "number": 2,
              "replicas": 2,
              "started": "2026-01-02T09:00:52Z",
              "ended": "2026-01-02T09:00:56Z",
              "outcome": {
                "kind": "failed",
                "message": "exit code 3 in replica 1: \u001b[2J2 of 40 tests failed",
                "exit_code": 3
              }
            }
          ]
        }
      ],
      "deployments": [
        {
          "reason": "upgrade",
          "sha": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
          "started": "2026-01-02T09:00:38Z",
          "ended": "2026-01-02T09:00:42Z",
          "outcome": {
            "kind": "deployed",
            "message": "deployed"
          }
        }
      ],
      "plan": {
        "link": "dev/shop",
        "generation": 1,
        "deployed": null,
        "wanted": null,
        "steps": [],
        "on_failure": null,
        "holds": [
          {
            "scope": "link",
            "kind": "phase_failed",
            "message": "`verify` failed for bbbbbbbbbb: exit code 3: \u001b[2J2 of 40 tests failed",
            "hint": "a hint",
            "is_error": false,
            "sha": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
            "phase": "verify",
            "since": null,
            "policy": null,
            "until": null
          }
        ],
        "notes": []
      },
      "logs": [
        {
          "phase": "verify",
          "attempt": 2,
          "replica": 1,
          "lines": [
            "running 40 tests",
            "\u001b[31mFAILED\u001b[0m\u001b[2J\u202e"
          ],
          "pruned": null
        }
      ],
      "commit": null
    }
    "#);
}
