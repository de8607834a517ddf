//! Narrow terminals, and who cancelled a run.

use insta::assert_snapshot;

use super::*;
use crate::domain::{Outcome, RunOutcome};

#[test]
fn without_room_for_columns_each_event_is_a_block() {
    let story = JournalBuilder::default().bad_run('a');
    let link: LinkId = "production/checkout".parse().unwrap();
    let style = Style { colour: false, width: 40 };
    let view = HistoryText {
        link: &link,
        events: &story.events[10..],
        has_earlier: true,
        cut: None,
        is_bounded: false,
        style,
    };
    assert_snapshot!(view, @"
    … 10 earlier events: katkit history
    production/checkout --before 11

    production/checkout: a run that started
    earlier failed
      2026-01-02 09:00:20  ana
        `verify` attempt 1 failed: exit code
        7
      2026-01-02 09:00:22  ana
        `verify` attempt 1: its service was
        removed
      2026-01-02 09:00:24  ana
        `verify` attempt 2 starting in fleet
        `local`, 2 replicas
      2026-01-02 09:00:26  ana
        `verify` attempt 2 was launched
      2026-01-02 09:00:28  ana
        `verify` attempt 2 failed: exit code
        3 in replica 1: ␛[2J2 of 40 tests
        failed
      2026-01-02 09:00:30  ana
        `verify` attempt 2: its service was
        removed
      2026-01-02 09:00:32  ana
        the run failed

    Times are in UTC.
    ");
    let events: Vec<_> = story.events[10..14].iter().map(|event| (link.clone(), event.clone())).collect();
    let view = |width| {
        let style = Style { colour: false, width };
        LinksHistoryText { events: &events, has_more: false, style }.to_string()
    };
    assert_snapshot!(view(80), @"
      2026-01-02 09:00:20  production/checkout  ana  `verify` attempt 1 failed: exit
                                                     code 7
      2026-01-02 09:00:22  production/checkout  ana  `verify` attempt 1: its service
                                                     was removed
      2026-01-02 09:00:24  production/checkout  ana  `verify` attempt 2 starting in
                                                     fleet `local`, 2 replicas
      2026-01-02 09:00:26  production/checkout  ana  `verify` attempt 2 was launched

    Times are in UTC.
    ");
    assert_snapshot!(view(40), @"
      2026-01-02 09:00:20
      production/checkout ana
        `verify` attempt 1 failed: exit code
        7
      2026-01-02 09:00:22
      production/checkout ana
        `verify` attempt 1: its service was
        removed
      2026-01-02 09:00:24
      production/checkout ana
        `verify` attempt 2 starting in fleet
        `local`, 2 replicas
      2026-01-02 09:00:26
      production/checkout ana
        `verify` attempt 2 was launched

    Times are in UTC.
    ");
    let mut releases = journal::releases(&story.events);
    releases[0].by.name = "release-bot-of-europe".to_owned();
    let releases: Vec<_> = releases.into_iter().map(|release| (link.clone(), release)).collect();
    let view = |width| {
        let style = Style { colour: false, width };
        DeploymentsText { deployments: &releases, has_more: true, style }.to_string()
    };
    assert_snapshot!(view(80), @r"
    … earlier deployments: use `-n` to show more

    2026-01-02 09:00:10  production/checkout release-bot-of-europe
        aaaaaaaaaa: deployed after 4.0s

    Times are in UTC.
    ");
    assert_snapshot!(view(40), @r"
    … earlier deployments: use `-n` to show
    more

    2026-01-02 09:00:10
      production/checkout
      release-bot-of-europe
        aaaaaaaaaa: deployed after 4.0s

    Times are in UTC.
    ");
}

#[test]
fn no_word_is_broken_however_narrow_the_terminal() {
    let story = JournalBuilder::default().good_run('a').bad_run('b');
    let link: LinkId = "production-europe/checkout".parse().unwrap();
    let events: Vec<_> = story.events.iter().map(|event| (link.clone(), event.clone())).collect();
    let releases = journal::releases(&story.events).into_iter().map(|release| (link.clone(), release));
    let releases: Vec<_> = releases.collect();
    let words =
        |text: &str| text.split_whitespace().map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
    let shown = |width| {
        let style = Style { colour: false, width };
        let one = HistoryText {
            link: &link,
            events: &story.events,
            has_earlier: true,
            cut: None,
            is_bounded: false,
            style,
        }
        .to_string();
        let all = LinksHistoryText { events: &events, has_more: true, style }.to_string();
        [one, all, DeploymentsText { deployments: &releases, has_more: true, style }.to_string()]
    };
    let wide = shown(200).map(|text| words(&text));
    for width in [120, 80, 60, 40] {
        for (text, wide) in shown(width).iter().zip(&wide) {
            assert!(text.lines().all(|line| line.chars().count() <= width), "{width}: {text}");
            // A table has in columns what a block has in a sentence.
            let broken: Vec<_> = words(text)
                .into_iter()
                .filter(|word| {
                    !wide.iter().any(|whole| whole.trim_end_matches(':') == word.trim_end_matches(':'))
                })
                .filter(|word| !["Times", "are", "in", "UTC."].contains(&word.as_str()))
                .collect();
            assert!(broken.is_empty(), "{width}: {broken:?}");
        }
    }
}

#[test]
fn the_heading_of_a_run_names_who_cancelled_it() {
    let ask = RequestKind::Cancel { sha: sha('a') };
    let story = JournalBuilder::default()
        .run('a')
        .begins("build", 1, 1)
        .ends("build", 1, Outcome::Cancelled)
        .then(Event::Requested { ask, from: "bob".into(), why: Some("wrong branch".into()) })
        .over(RunOutcome::Cancelled);
    assert_snapshot!(show(&story, 0), @"
    dev/shop: run for aaaaaaaaaa was cancelled by bob (wrong branch)
      2026-01-02 09:00:00  ana  run for aaaaaaaaaa: `build`, `deploy`, `verify`
      2026-01-02 09:00:02  ana  `build` attempt 1 starting in fleet `local`
      2026-01-02 09:00:04  ana  `build` attempt 1 was launched
      2026-01-02 09:00:06  ana  `build` attempt 1 was stopped
      2026-01-02 09:00:08  ana  `build` attempt 1: its service was removed
      2026-01-02 09:00:10  ana  bob asked to cancel the run for aaaaaaaaaa (wrong
                                branch)
      2026-01-02 09:00:12  ana  the run for aaaaaaaaaa was cancelled

    Times are in UTC.
    ");
}
