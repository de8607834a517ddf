//! The law of the second fold: the history of the last run agrees with the head, whatever happened to the link.

use jiff::Timestamp;
use proptest::prelude::*;

use super::story::{failed, name, sha};
use crate::domain::*;
use crate::journal::{PastRuns, step, verification};

/// A link with both folds of its growing journal.
#[derive(Default)]
struct Link {
    head: Head,
    past: PastRuns,
    events: Vec<RecordedEvent>,
}

impl Link {
    /// Takes the event if it is legal.
    fn takes(&mut self, event: Event) -> bool {
        let generation = Generation(self.head.generation.0 + 1);
        // One second each, so that no two times are equal.
        let at = Timestamp::from_second(generation.0.cast_signed()).unwrap();
        let recorded = RecordedEvent { generation, at, by: "ana".into(), event, previous: None };
        let Ok(head) = step(&self.head, &recorded) else { return false };
        self.past.take(&recorded);
        self.head = head;
        self.events.push(recorded);
        true
    }

    /// Every conceivable next event, some of them illegal. Those that advance a run appear several times, so that runs
    /// make progress.
    fn moves(&self) -> Vec<Event> {
        let next = self.head.generation.0 + 1;
        let mut moves = Vec::new();
        for digit in ['a', 'b', 'c'] {
            let skipped = next.is_multiple_of(3);
            let phase = |text, order, deployment, skipped| RunPhase {
                skipped,
                ..RunPhase::of(name(text), order, deployment)
            };
            let phases = vec![
                phase("build", 0, false, false),
                phase("lint", 0, false, skipped),
                phase("deploy", 1, true, false),
                phase("verify", 2, false, skipped),
            ];
            let (run, reason) = (RunId(next.to_string()), RunReason::NewSha);
            let (sha, workflow) = (sha(digit), "w".to_owned());
            let images = Images::from_iter([("web".to_owned(), format!("web:{sha}"))]);
            let of = |ask| Event::Requested { ask, from: "ana".into(), why: None };
            moves.push(Event::RunStarted {
                run,
                sha: sha.clone(),
                reason,
                phases,
                workflow,
                test: None,
                authorization: None,
                saved_plan: None,
            });
            for purpose in [DeployPurpose::Upgrade, DeployPurpose::Rollback, DeployPurpose::Repair] {
                moves.push(Event::DeployIntended {
                    token: Token(format!("d{next}")),
                    purpose,
                    sha: sha.clone(),
                    images: images.clone(),
                    barrier: None,
                    authorization: None,
                    saved_plan: None,
                });
            }
            moves.push(of(RequestKind::Release { sha: sha.clone() }));
            for phase in ["build", "lint", "deploy", "verify"].map(name) {
                moves.push(of(RequestKind::Retry { sha: sha.clone(), phase: phase.clone() }));
                moves.push(of(RequestKind::Skip { sha: sha.clone(), phase }));
            }
            if next.is_multiple_of(5) {
                moves.push(Event::Quarantined {
                    sha: sha.clone(),
                    why: "it broke".into(),
                    good: None,
                    alone: false,
                });
                moves.push(Event::Adopted { sha, images, revision: format!("r{next}") });
            }
        }
        for phase in self.head.run.iter().flat_map(|run| &run.phases) {
            let PhaseState { name: phase, attempt, .. } = phase.clone();
            let number = attempt.map_or(0, |attempt| attempt.number.0);
            moves.push(Event::PhaseSkipped { phase: phase.clone() });
            moves.push(Event::PhaseRestored { phase: phase.clone() });
            moves.extend(Self::of_attempt(&phase, number));
        }
        if let Some(run) = &self.head.run {
            let ends =
                [RunOutcome::Succeeded, RunOutcome::Failed, RunOutcome::Cancelled, RunOutcome::Superseded];
            moves.extend(ends.map(|outcome| Event::RunEnded { run: run.id.clone(), outcome, because: None }));
        }
        if let Some(deploying) = &self.head.deploying {
            let token = &deploying.token;
            moves.push(Event::DeployIssued {
                token: token.clone(),
                deployment: DeploymentName(token.to_string()),
            });
            for outcome in [DeployOutcome::Deployed, DeployOutcome::Failed { reason: "no room".into() }] {
                let revision = format!("r{next}");
                moves.extend(vec![Event::DeployEnded { token: token.clone(), outcome, revision }; 3]);
            }
        }
        moves.extend(verification(&self.head));
        moves.push(Event::TakenOver { from: "ana".into() });
        moves
    }

    fn of_attempt(phase: &PhaseName, number: u32) -> Vec<Event> {
        let lost = Outcome::Lost { cause: LostCause::Vanished, evidence: String::new() };
        let outcomes = [Outcome::Succeeded, Outcome::Succeeded, failed(), lost, Outcome::Cancelled];
        let (phase, attempt) = (phase.clone(), AttemptNumber(number));
        let mut moves = vec![
            Event::AttemptIntended {
                phase: phase.clone(),
                attempt: AttemptNumber(number + 1),
                token: Token(format!("{phase}{number}")),
                replicas: 1,
                fleet: "local".parse().unwrap(),
                saved_plan: None,
            },
            Event::AttemptLaunched { phase: phase.clone(), attempt, handles: vec![Handle("h".into())] },
            Event::ServiceRemoved { phase: phase.clone(), attempt },
        ];
        moves.extend(vec![moves[0].clone(); 2]);
        let ended = |outcome| Event::AttemptEnded { phase: phase.clone(), attempt, outcome };
        moves.extend(outcomes.map(ended));
        moves
    }

    /// Fails unless both folds agree on the last run.
    fn agrees(&self) -> Result<(), TestCaseError> {
        let runs = self.past.clone().into_runs(self.head.run.as_ref());
        let Some(run) = &self.head.run else {
            prop_assert!(runs.is_empty());
            return Ok(());
        };
        let (past, before) = runs.split_last().unwrap();
        prop_assert!(before.iter().all(|past| past.ended.is_some()), "a run started while another was open");
        prop_assert_eq!((&past.id, &past.sha, past.started), (&run.id, &run.sha, run.started));
        prop_assert_eq!(past.ended, run.ended);
        prop_assert_eq!(past.phases.len(), run.phases.len());
        for (past_phase, phase) in past.phases.iter().zip(&run.phases) {
            prop_assert_eq!((&past_phase.name, past_phase.deployment), (&phase.name, phase.deployment));
            // The head knows only the last attempt.
            let listed =
                past_phase.attempts.last().map(|last| (last.number, last.started, last.ended.clone()));
            let known = phase
                .attempt
                .as_ref()
                .map(|attempt| (attempt.number, attempt.started, attempt.ended.zip(attempt.outcome.clone())));
            prop_assert_eq!(listed, known);
            let numbers: Vec<_> = past_phase.attempts.iter().map(|attempt| attempt.number.0).collect();
            prop_assert!(
                numbers.iter().copied().eq(1..=u32::try_from(numbers.len()).unwrap()),
                "{:?}",
                numbers
            );
            // All earlier attempts are over.
            let open = past_phase.attempts.iter().rev().skip(1).filter(|attempt| attempt.ended.is_none());
            prop_assert_eq!(open.count(), 0);
        }
        let mut upgrades = past.deployments.iter().filter(|past| past.purpose == DeployPurpose::Upgrade);
        let listed =
            upgrades.next_back().map(|last| Rollout { started: last.started, ended: last.ended.clone() });
        let known = run.phases.iter().find_map(|phase| phase.rollout.as_deref().cloned());
        prop_assert_eq!(listed, known);
        // Both agree on what is in flight.
        let flying = past.deployments.iter().filter(|past| past.ended.is_none()).map(|past| &past.token);
        let deploying = self.head.deploying.iter().map(|deploying| &deploying.token);
        prop_assert_eq!(flying.collect::<Vec<_>>(), deploying.collect::<Vec<_>>());
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn the_history_of_the_last_run_agrees_with_the_head(choices in proptest::collection::vec(any::<prop::sample::Index>(), 1..80)) {
        let mut link = Link::default();
        for choice in choices {
            let moves = link.moves();
            let from = choice.index(moves.len());
            // The next legal event from there on.
            let mut others = moves[from..].iter().chain(&moves[..from]);
            others.any(|event| link.takes(event.clone()));
            link.agrees()?;
        }
        // Reading the journal from the run's own event on gives the same.
        if let Some(run) = &link.head.run {
            let mut piece = PastRuns::default();
            let first = run.id.generation().unwrap();
            link.events.iter().filter(|event| event.generation >= first).for_each(|event| piece.take(event));
            let whole = link.past.clone().into_runs(link.head.run.as_ref()).pop();
            prop_assert_eq!(piece.into_runs(link.head.run.as_ref()).pop(), whole);
        }
    }
}
