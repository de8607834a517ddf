//! Facts that appear once, and outcomes that stay distinct.

use insta::assert_snapshot;

use super::*;
use crate::domain::{Event, RequestKind, RunOutcome};

#[test]
fn a_contained_commit_is_mentioned_once() {
    let mut case = Case::of(Journal::default().good_run('a'));
    case.contained =
        Some(Contained { tip: sha('b'), live: sha('a'), paths: vec!["services/shop".to_owned()] });
    assert_snapshot!(case.text(), @r"
    dev/shop
    aaaaaaaaaa is live: every phase is done. bbbbbbbbbb is contained in aaaaaaaaaa:
    it changes nothing in services/shop.

      wanted      bbbbbbbbbb, the tip of `main`
      deployed    aaaaaaaaaa since 2026-01-02 09:00 UTC, 1m ago
      run         for aaaaaaaaaa, started 1m ago, succeeded 1m ago

      build   succeeded after 4.0s
      deploy  deployed after 4.0s
      verify  succeeded after 4.0s, in 2 replicas
    ");
}

#[test]
fn an_interrupted_attempt_differs_from_a_cancelled_one() {
    let stopped = || {
        let journal = Journal::default().run('a').begins("build", 1, 1);
        journal.ends("build", 1, Outcome::Cancelled)
    };
    let lines = |case: &Case| {
        let text = case.text();
        let facts = text.lines().filter(|line| ["  run ", "  build "].iter().any(|it| line.starts_with(it)));
        facts.collect::<Vec<_>>().join("\n")
    };
    assert_snapshot!(lines(&Case::of(stopped())), @r"
    run         for aaaaaaaaaa, started 1m ago, has not ended
    build   interrupted after 4.0s
    ");
    let cancelled = stopped()
        .then(Event::Requested {
            ask: RequestKind::Cancel { sha: sha('a') },
            from: "bob".into(),
            why: Some("wrong branch".into()),
        })
        .over(RunOutcome::Cancelled);
    assert_snapshot!(lines(&Case::of(cancelled)), @"
    run         for aaaaaaaaaa, started 1m ago, was cancelled by bob (wrong
    build   cancelled after 4.0s
    ");
}
