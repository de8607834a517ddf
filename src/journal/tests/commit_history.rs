//! What a journal says about one commit.

use jiff::Timestamp;

use super::story::{JournalBuilder, failed, name, sha};
use crate::domain::*;
use crate::journal::{Build, CommitHistory, Withdrawal, fold};

fn history(story: &JournalBuilder, digit: char) -> CommitHistory {
    behind(Head::default(), story, digit)
}

/// The history of the events behind a cut.
fn behind(base: Head, story: &JournalBuilder, digit: char) -> CommitHistory {
    let cut = base.generation;
    let mut history = CommitHistory::new(sha(digit), base);
    for recorded in story.0.iter().filter(|recorded| recorded.generation > cut) {
        history.take(recorded).unwrap();
    }
    history
}

fn images(image: &str, digit: &str) -> ImageDigests {
    let digest = format!("sha256:{}", digit.repeat(64)).try_into().unwrap();
    ImageDigests::from_iter([(image.to_owned(), digest)])
}

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// The run that built, and what it built.
fn built(history: &CommitHistory) -> (String, ImageDigests) {
    let Build { run, images, .. } = history.build().unwrap();
    (run.0, images)
}

impl JournalBuilder {
    fn images(self, phase: &str, source: DigestSource, images: ImageDigests) -> Self {
        self.then(Event::ImagesRecorded { phase: name(phase), source, images })
    }

    /// An attempt at `build` that lists one image.
    fn builds(self, number: u32, digit: &str) -> Self {
        let attempted = self.attempt("build", number, Outcome::Succeeded);
        attempted.images("build", DigestSource::Phase, images("web:1", digit))
    }

    fn deploys(self, digit: char) -> Self {
        self.deploy(digit, DeployPurpose::Upgrade, DeployOutcome::Deployed)
    }

    /// The rest of a run after its build.
    fn succeeds(self, run: &str, digit: char) -> Self {
        self.deploys(digit).attempt("verify", 1, Outcome::Succeeded).end(run, RunOutcome::Succeeded)
    }

    fn repeats_build(self, digit: char) -> Self {
        self.asked(RequestKind::Retry { sha: sha(digit), phase: name("build") })
    }

    /// Event N happened in second N.
    fn by_the_second(mut self) -> Self {
        for recorded in &mut self.0 {
            recorded.at = second(recorded.generation.0.cast_signed());
        }
        self
    }
}

#[test]
fn what_the_verified_run_built_counts_whatever_happened_later() {
    let story = JournalBuilder::default().run('a').builds(1, "1").succeeds("1", 'a').by_the_second();
    let build = history(&story, 'a').build().unwrap();
    assert_eq!((build.images, build.phases), (images("web:1", "1"), vec![name("build")]));
    assert_eq!(build.time, Some((second(2), second(4))), "from the start of the attempt to its end");
    let again = story.repeats_build('a').builds(2, "2");
    let failed = again.clone().deploys('a').attempt("verify", 2, failed()).end("1", RunOutcome::Failed);
    assert_eq!(built(&history(&failed, 'a')).1, images("web:1", "1"), "a repeated run that failed");
    let verified =
        again.deploys('a').attempt("verify", 2, Outcome::Succeeded).end("1", RunOutcome::Succeeded);
    assert_eq!(built(&history(&verified, 'a')).1, images("web:1", "2"), "a repeated run that succeeded");
}

#[test]
fn without_a_verified_run_the_last_run_that_built_counts() {
    let story = JournalBuilder::default().run('a').builds(1, "1");
    assert_eq!(built(&history(&story, 'a')), ("1".to_owned(), images("web:1", "1")), "it has not ended");
    let cancelled = story.clone().end("1", RunOutcome::Superseded).run('b');
    assert_eq!(built(&history(&cancelled, 'a')).1, images("web:1", "1"), "another commit runs");
    assert_eq!(history(&cancelled, 'b').build().unwrap().images, ImageDigests::new());
    let again = story.end("1", RunOutcome::Superseded).run('a').attempt("build", 1, failed());
    assert_eq!(built(&history(&again, 'a')).0, "1", "a later run whose build failed");
    assert!(history(&again, 'c').build().is_none());
}

#[test]
fn digests_of_a_registry_are_not_of_a_build() {
    let story = JournalBuilder::default().run('a').builds(1, "1");
    let of_registry = DigestSource::Registry;
    let story = story.images("build", of_registry, images("redis:7", "7"));
    let story = story.images("build", of_registry, images("web:1", "9")).succeeds("1", 'a');
    let build = history(&story, 'a').build().unwrap();
    assert_eq!((build.images, build.found), (images("web:1", "1"), images("redis:7", "7")));
}

#[test]
fn a_phase_that_a_later_run_keeps_was_built_when_it_ran() {
    let story = JournalBuilder::default().run('a').builds(1, "1").succeeds("1", 'a').by_the_second();
    let story = story.asked(RequestKind::Retry { sha: sha('a'), phase: name("smoke") });
    let phase = |text: &str, order, kept| RunPhase {
        name: name(text),
        order,
        deployment: text == "deploy",
        skipped: false,
        kept,
        reused: None,
    };
    let run = RunId((story.0.len() + 1).to_string());
    let phases = vec![phase("build", 0, true), phase("deploy", 1, true), phase("smoke", 2, false)];
    let kept =
        story.run_with('a', (RunReason::Retry, "edited"), phases).attempt("smoke", 1, Outcome::Succeeded);
    let build = history(&kept.end(&run.0, RunOutcome::Succeeded), 'a').build().unwrap();
    assert_eq!((build.run, build.images), (run, images("web:1", "1")));
    assert_eq!(build.time, Some((second(2), second(4))));
}

#[test]
fn evidence_is_withdrawn_for_a_reason() {
    let live = JournalBuilder::live('a').all_the_way('b').all_the_way('c');
    let reason = |story: &JournalBuilder, digit| {
        let history = history(story, digit);
        assert_eq!(history.evidence().is_some(), story.verified().contains(digit));
        history.withdrawal().cloned()
    };
    assert_eq!(reason(&live, 'c'), None);
    let back = live.clone().asked(RequestKind::Rollback { from: sha('c'), to: sha('a') }).quarantine('c');
    assert_eq!(reason(&back, 'b'), Some(Withdrawal::PassedOver));
    assert_eq!(reason(&back, 'c'), Some(Withdrawal::RolledBack { why: "it broke".to_owned() }));
    assert_eq!(reason(&back.all_the_way('b'), 'b'), None, "it was verified again");
    let failed = live.clone().repeats_build('c').attempt("build", 2, failed()).end("29", RunOutcome::Failed);
    assert_eq!(reason(&failed, 'c'), Some(Withdrawal::RunFailed));
    let digits = ('0'..='9').chain(['d']);
    let long = digits.fold(live, |story, digit| story.all_the_way(digit));
    assert_eq!(reason(&long, 'a'), Some(Withdrawal::Superseded));
}

#[test]
fn a_cut_keeps_what_its_base_says() {
    let story = JournalBuilder::default().run('a').builds(1, "1").succeeds("1", 'a').by_the_second();
    let base = fold(&story.0).unwrap();
    let later = story.all_the_way('b');
    assert_eq!(behind(base.clone(), &later, 'a').build(), history(&later, 'a').build());
    assert!(behind(base, &later, 'b').build().is_some());
    let gone = fold(&later.0).unwrap();
    assert!(behind(gone, &later.run('c'), 'a').build().is_none(), "its run was cut");
}
