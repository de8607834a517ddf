//! The law of the journal: which event may follow which, and that the fold does not depend on where the journal is
//! split.

mod barriers;
mod commit_history;
mod pipelines;
mod pruned;
mod run_history;
mod story;
mod test_merges;
mod upgrades;
mod waived;

use proptest::prelude::*;

use super::*;
use crate::domain::{
    DeployOutcome, DeployPurpose, Event, Images, Outcome, PhaseStatus, Quarantine, RequestKind, RunId,
    RunOutcome, RunPhase, RunReason,
};
use story::{JournalBuilder, failed, name, sha, token};

#[test]
fn a_run_that_succeeded_leaves_its_sha_deployed() {
    let head = JournalBuilder::live('a').head();
    assert_eq!(head.deployed.as_ref().unwrap().sha, sha('a'));
    assert_eq!(head.deployed.unwrap().revision, "ra");
    assert!(head.run.unwrap().succeeded());
}

#[test]
fn the_rollback_target_is_the_last_commit_verified_before() {
    let back =
        |story: &JournalBuilder| story.head().rollback_target().map(|back| back.sha.short()[..1].to_owned());
    let story = JournalBuilder::live('a');
    assert_eq!((story.verified().as_str(), back(&story)), ("a", None));
    let story = story.all_the_way('b');
    assert_eq!((story.verified().as_str(), back(&story).as_deref()), ("ab", Some("a")));
    // Two that failed but stayed deployed are skipped.
    let story = story.fails_after_deployment('c').fails_after_deployment('d');
    assert_eq!((story.verified().as_str(), back(&story).as_deref()), ("ab", Some("b")));
}

#[test]
fn an_older_commit_deployed_again_rolls_back_to_the_commit_it_replaced() {
    let live = JournalBuilder::live('a').all_the_way('b').all_the_way('c');
    assert_eq!(live.head().rollback_target_after(&sha('b')).unwrap().sha, sha('c'), "before it is deployed");
    let again = live.run('b').attempt("build", 1, Outcome::Succeeded).deploy(
        'b',
        DeployPurpose::Upgrade,
        DeployOutcome::Deployed,
    );
    assert_eq!((again.verified().as_str(), &again.head().rollback_target().unwrap().sha), ("acb", &sha('c')));
    let failed = again.attempt("verify", 1, failed()).end("43", RunOutcome::Failed);
    assert_eq!(
        (failed.verified().as_str(), &failed.head().rollback_target().unwrap().sha),
        ("ac", &sha('c'))
    );
}

#[test]
fn a_phase_added_to_the_workflow_runs_in_another_run_that_keeps_the_rest() {
    let phase = |text: &str, order, deployment, kept| RunPhase {
        kept,
        ..RunPhase::of(name(text), order, deployment)
    };
    let start = |story: JournalBuilder, phases| story.run_with('a', (RunReason::Retry, "edited"), phases);
    let asked = JournalBuilder::live('a').asked(RequestKind::Retry { sha: sha('a'), phase: name("smoke") });
    let run = asked.head().run.unwrap();
    assert_eq!(run.ended.unwrap().1, RunOutcome::Superseded);
    assert_eq!(run.goes_on_with, Some(name("smoke")));
    let phases =
        vec![phase("build", 0, false, true), phase("deploy", 1, true, true), phase("smoke", 2, false, false)];
    let again = start(asked.clone(), phases);
    let head = again.head();
    let states: Vec<_> = head.run.as_ref().unwrap().phases.iter().map(|phase| phase.status).collect();
    assert_eq!(states, [PhaseStatus::Succeeded, PhaseStatus::Succeeded, PhaseStatus::Pending]);
    assert!(head.runs(&sha('a')) && head.evidence(&sha('a')).is_some(), "it is still verified");
    let done = again.attempt("smoke", 1, Outcome::Succeeded);
    let run = done.head().run.unwrap().id;
    assert_eq!(done.end(run.as_str(), RunOutcome::Succeeded).verified(), "a");

    let later = vec![phase("migrate", 0, false, false), phase("deploy", 1, true, true)];
    assert_eq!(start(asked.clone(), later).refusal(), "`deploy` is kept, but a phase before it is not");
    let never = start(asked, vec![phase("lint", 0, false, true)]);
    assert_eq!(never.refusal(), "`lint` is kept, but did not succeed in the previous run");
    let open =
        JournalBuilder::default().run('a').asked(RequestKind::Retry { sha: sha('a'), phase: name("smoke") });
    assert_eq!(open.refusal(), "the run in progress has no phase `smoke`");
}

#[test]
fn each_rollback_in_a_row_goes_one_commit_further_back() {
    let story = JournalBuilder::live('a').all_the_way('b').all_the_way('c');
    let story = story.quarantine('c').deploy('b', DeployPurpose::Rollback, DeployOutcome::Deployed);
    assert_eq!(story.head().rollback_target().unwrap().sha, sha('a'));
    let story = story.quarantine('b').deploy('a', DeployPurpose::Rollback, DeployOutcome::Deployed);
    assert_eq!((story.verified().as_str(), story.head().rollback_target()), ("a", None));
    // A commit that was rolled back is a target again only once it is verified again.
    let story = story.asked(RequestKind::Release { sha: sha('b') }).all_the_way('b');
    assert_eq!((story.verified().as_str(), &story.head().rollback_target().unwrap().sha), ("ab", &sha('a')));
}

#[test]
fn a_rollback_may_skip_commits_and_later_ones_do_not_stop_at_them() {
    let to = |digit| RequestKind::Rollback { from: sha('d'), to: sha(digit) };
    let live = || JournalBuilder::live('a').all_the_way('b').all_the_way('c').all_the_way('d');
    let story = live().asked(to('a'));
    assert_eq!((story.verified().as_str(), &story.head().rollback_target().unwrap().sha), ("ad", &sha('a')));
    let story = story.quarantine('d').deploy('a', DeployPurpose::Rollback, DeployOutcome::Deployed);
    assert_eq!((story.verified().as_str(), story.head().rollback_target()), ("a", None));
    assert_eq!(live().asked(to('c')).verified(), "abcd", "the last one skips nothing");
    assert_eq!(live().asked(to('d')).refusal(), "dddddddddd was not verified before dddddddddd");
    assert_eq!(live().asked(to('e')).refusal(), "eeeeeeeeee was not verified before dddddddddd");
}

#[test]
fn a_quarantine_does_not_hold_commits_verified_or_released_since() {
    let cleared = |story: &JournalBuilder| {
        let head = story.head();
        let of = |quarantine: &Quarantine| {
            let cleared = quarantine.cleared.iter().map(|sha| &sha.short()[..1]);
            format!("{}: {}", &quarantine.sha.short()[..1], cleared.collect::<String>())
        };
        head.quarantined.iter().map(of).collect::<Vec<_>>().join(", ")
    };
    let back = |story: JournalBuilder, from, to| {
        story.quarantine(from).deploy(to, DeployPurpose::Rollback, DeployOutcome::Deployed)
    };
    let story = back(JournalBuilder::live('a').all_the_way('b'), 'b', 'a').all_the_way('c');
    assert_eq!(cleared(&story), "b: c");
    let story = back(story.all_the_way('d'), 'd', 'c').asked(RequestKind::Release { sha: sha('e') });
    assert_eq!(cleared(&story), "b: cde, d: e");
    let twice = story.clone().asked(RequestKind::Release { sha: sha('e') });
    assert_eq!(twice.refusal(), "eeeeeeeeee is not quarantined");
    // Once released itself, it no longer holds anything.
    assert_eq!(cleared(&story.asked(RequestKind::Release { sha: sha('b') })), "d: eb");
    let nothing = JournalBuilder::live('a').asked(RequestKind::Release { sha: sha('b') });
    assert_eq!(nothing.refusal(), "bbbbbbbbbb is not quarantined");
}

#[test]
fn no_more_commits_are_cleared_than_are_verified() {
    let rolled_back = JournalBuilder::live('a').quarantine('b');
    let story = "0123456789cdef".chars().fold(rolled_back, JournalBuilder::all_the_way);
    assert_eq!(story.head().quarantined[0].cleared.len(), Head::VERIFIED);
}

#[test]
fn a_release_reopens_the_cancelled_run_of_a_commit_that_contains_a_bad_one() {
    let story =
        JournalBuilder::live('a').all_the_way('b').run('c').end("29", RunOutcome::Cancelled).quarantine('b');
    let head = story.asked(RequestKind::Release { sha: sha('c') }).head();
    let phases = &head.open_run().unwrap().phases;
    assert!(phases.iter().all(|phase| phase.status == PhaseStatus::Pending), "{phases:?}");
}

#[test]
fn a_skip_by_an_actor_prevents_verification_and_one_by_the_manifest_does_not() {
    let verify = name("verify");
    let before = JournalBuilder::default().run('a').attempt("build", 1, Outcome::Succeeded);
    let before = before.deploy('a', DeployPurpose::Upgrade, DeployOutcome::Deployed);
    let by_an_actor = before.clone().asked(RequestKind::Skip { sha: sha('a'), phase: verify.clone() });
    assert_eq!(by_an_actor.end("1", RunOutcome::Succeeded).verified(), "");
    let by_the_manifest = before.then(Event::PhaseSkipped { phase: verify.clone() });
    let done = by_the_manifest.end("1", RunOutcome::Succeeded);
    assert_eq!(done.verified(), "a");
    // The manifest needs it after all.
    let head = done.then(Event::PhaseRestored { phase: verify.clone() }).head();
    assert_eq!(head.open_run().unwrap().phase(&verify).unwrap().status, PhaseStatus::Pending);
}

#[test]
fn a_verification_that_fails_later_withdraws_the_evidence() {
    let story = JournalBuilder::live('a').asked(RequestKind::Retry { sha: sha('a'), phase: name("verify") });
    let story = story.attempt("verify", 2, failed()).end("1", RunOutcome::Failed);
    assert_eq!(story.verified(), "");
}

#[test]
fn only_a_run_that_just_succeeded_verifies_its_commit() {
    let verified =
        |digit| Event::Verified { run: RunId("1".into()), sha: sha(digit), deployment: Some(token("d")) };
    let open = JournalBuilder::default().run('a');
    assert_eq!(open.then(verified('a')).refusal(), "run 1 did not just succeed");
    assert_eq!(JournalBuilder::live('a').then(verified('b')).refusal(), "the run is for aaaaaaaaaa");
    let story = JournalBuilder::live('a');
    let other = Event::Verified { run: RunId("1".into()), sha: sha('a'), deployment: None };
    assert_eq!(story.then(other).refusal(), "another deployment is live");
}

#[test]
fn no_more_commits_are_remembered_than_there_are_rollbacks() {
    let story = "0123456789abcdef".chars().fold(JournalBuilder::default(), JournalBuilder::all_the_way);
    assert_eq!(story.verified(), "6789abcdef");
}

#[test]
fn what_ran_when_the_link_was_adopted_is_a_rollback_target() {
    let images = Images::from_iter([("web".to_owned(), format!("web:{}", sha('a')))]);
    let adopted = |digit| Event::Adopted { sha: sha(digit), images: images.clone(), revision: "r".into() };
    let story = JournalBuilder::default().then(adopted('a')).fails_after_deployment('b');
    assert_eq!(story.head().rollback_target().unwrap().sha, sha('a'));
    // A deployment made outside katkit is recorded, but not verified.
    assert_eq!(JournalBuilder::live('a').then(adopted('c')).verified(), "a");
}

#[test]
fn skipping_a_later_phase_does_not_reopen_the_run() {
    let skip = |phase: &str| RequestKind::Skip { sha: sha('a'), phase: name(phase) };
    let cancelled = JournalBuilder::default().run('a').end("1", RunOutcome::Cancelled).asked(skip("verify"));
    assert!(cancelled.head().open_run().is_none());
    let failed =
        JournalBuilder::default().run('a').attempt("build", 1, failed()).end("1", RunOutcome::Failed);
    assert!(failed.clone().asked(skip("verify")).head().open_run().is_none());
    assert!(failed.asked(skip("build")).head().open_run().is_some());
}

#[test]
fn a_phase_cannot_start_before_the_phases_ahead_of_it() {
    let story = JournalBuilder::default().run('a').attempt("verify", 1, Outcome::Succeeded);
    assert_eq!(story.refusal(), "`build` comes before it and is not done");
}

#[test]
fn an_attempt_cannot_start_while_the_previous_service_exists() {
    let mut story = JournalBuilder::default().run('a').attempt("build", 1, failed());
    story.0.pop();
    assert_eq!(
        story.attempt("build", 2, Outcome::Succeeded).refusal(),
        "the previous attempt's service is not removed"
    );
}

#[test]
fn a_run_cannot_succeed_with_an_open_phase_or_end_with_one_in_flight() {
    let open = JournalBuilder::default().run('a').attempt("build", 1, Outcome::Succeeded);
    assert!(open.clone().end("1", RunOutcome::Succeeded).refusal().contains("do not add up"));
    let mut flying = open;
    flying.0.truncate(2);
    assert_eq!(flying.end("1", RunOutcome::Cancelled).refusal(), "attempt 1 of `build` is in flight");
}

#[test]
fn an_attempt_that_was_never_launched_cannot_have_succeeded() {
    let mut story = JournalBuilder::default().run('a').attempt("build", 1, Outcome::Succeeded);
    let ended = story.0.remove(3).event;
    story.0.truncate(2);
    assert_eq!(story.then(ended).refusal(), "it was never launched");
}

#[test]
fn a_retry_reopens_the_run_from_its_phase_on() {
    let story = JournalBuilder::default()
        .run('a')
        .attempt("build", 1, Outcome::Succeeded)
        .deploy('a', DeployPurpose::Upgrade, DeployOutcome::Deployed)
        .attempt("verify", 1, failed())
        .end("1", RunOutcome::Failed);
    let retry = |phase: &str| Event::Requested {
        ask: RequestKind::Retry { sha: sha('a'), phase: name(phase) },
        from: "ana".into(),
        why: None,
    };
    let statuses = |story: JournalBuilder| {
        story.head().open_run().unwrap().phases.iter().map(|p| p.status).collect::<Vec<_>>()
    };
    assert_eq!(
        statuses(story.clone().then(retry("verify"))),
        [PhaseStatus::Succeeded, PhaseStatus::Succeeded, PhaseStatus::Pending]
    );
    assert_eq!(statuses(story.clone().then(retry("build"))), [PhaseStatus::Pending; 3]);
    // Attempt numbers continue, so that nothing is overwritten.
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
    let story = JournalBuilder::live('a').quarantine('b').run('b').attempt("build", 1, Outcome::Succeeded);
    let deployed = |story: JournalBuilder| story.deploy('b', DeployPurpose::Upgrade, DeployOutcome::Deployed);
    assert!(deployed(story.clone()).refusal().contains("is quarantined"));
    let release =
        Event::Requested { ask: RequestKind::Release { sha: sha('b') }, from: "ana".into(), why: None };
    assert_eq!(deployed(story.then(release)).head().deployed.unwrap().sha, sha('b'));
}

#[test]
fn a_rollback_goes_only_to_a_verified_commit() {
    let story = JournalBuilder::live('a').all_the_way('b');
    let back = story.clone().deploy('a', DeployPurpose::Rollback, DeployOutcome::Deployed).head();
    assert_eq!(back.deployed.unwrap().sha, sha('a'));
    let elsewhere = story.deploy('c', DeployPurpose::Rollback, DeployOutcome::Deployed);
    assert!(elsewhere.refusal().contains("was not verified here"));
}

#[test]
fn lost_attempts_are_retried_three_times_and_failed_ones_as_the_workflow_says() {
    let lost = || Outcome::Lost { cause: crate::domain::LostCause::Vanished, evidence: String::new() };
    let mut story = JournalBuilder::default().run('a');
    let mut again = Vec::new();
    for number in 1..=5 {
        story = story.attempt("build", number, lost());
        again.push(tries_again(story.head().run.unwrap().phase(&name("build")).unwrap(), 0));
    }
    assert_eq!(again, [true, true, true, false, false]);
    let failed = JournalBuilder::default().run('a').attempt("build", 1, failed()).head().run.unwrap();
    let phase = failed.phase(&name("build")).unwrap();
    assert!(!tries_again(phase, 0));
    assert!(tries_again(phase, 1));
}

#[test]
fn an_event_out_of_order_is_refused() {
    let mut story = JournalBuilder::live('a');
    story.0.remove(3);
    let error = fold(&story.0).unwrap_err();
    assert_eq!((error.generation, error.why.as_str()), (Generation(5), "the previous event is 3"));
}

/// A long, legal history, to be split and disturbed.
fn long_history() -> Vec<RecordedEvent> {
    let live = JournalBuilder::live('a');
    let run = (live.0.len() + 1).to_string();
    live.run('b')
        .attempt("build", 1, failed())
        .attempt("build", 2, Outcome::Succeeded)
        .deploy('b', DeployPurpose::Upgrade, DeployOutcome::Deployed)
        .attempt("verify", 1, failed())
        .end(&run, RunOutcome::Failed)
        .then(Event::Quarantined { sha: sha('b'), why: "verify failed".into(), good: None, alone: false })
        .deploy('a', DeployPurpose::Rollback, DeployOutcome::Deployed)
        .all_the_way('c')
        .0
}

proptest! {
    #[test]
    fn the_fold_is_the_same_wherever_the_journal_is_split(cut in 0_usize..60) {
        let journal = long_history();
        let cut = cut.min(journal.len());
        let mut head = fold(&journal[..cut]).unwrap();
        for recorded in &journal[cut..] {
            head = step(&head, recorded).unwrap();
        }
        prop_assert_eq!(head, fold(&journal).unwrap());
    }

    #[test]
    fn a_head_at_any_point_survives_a_round_trip(cut in 0_usize..60) {
        let journal = long_history();
        let head = fold(&journal[..cut.min(journal.len())]).unwrap();
        let text = serde_json::to_string(&head).unwrap();
        prop_assert_eq!(serde_json::from_str::<Head>(&text).unwrap(), head);
    }

    #[test]
    fn a_repeated_event_is_refused_at_any_position(at in 0_usize..60) {
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
fn a_journal_without_saved_plans_still_reads() {
    let recorded = JournalBuilder::live('a').0;
    let text = serde_json::to_string(&recorded).unwrap();
    assert!(!text.contains("saved_plan"));
    assert_eq!(serde_json::from_str::<Vec<RecordedEvent>>(&text).unwrap(), recorded);
    let saved = |text: &str| {
        format!(
            r#"{{"event":"deploy-intended","token":"d","purpose":"repair","sha":"{}","images":{{}},"saved_plan":"{text}"}}"#,
            sha('a')
        )
    };
    assert!(serde_json::from_str::<Event>(&saved(&"f".repeat(64))).is_ok());
    assert!(serde_json::from_str::<Event>(&saved("f")).is_err());
}
