//! The output of `history`.

mod narrow;

use insta::assert_snapshot;

use super::*;
use crate::domain::{DeployPurpose, Event, LinkId, PhaseName, RequestKind};
use crate::journal;
use crate::views::fixture::{JournalBuilder, sha};
use crate::views::{Document, Style};

fn show(story: &JournalBuilder, from: usize) -> String {
    let link = "dev/shop".parse().unwrap();
    let (has_earlier, is_bounded, style) = (true, false, Style::default());
    HistoryText { link: &link, events: &story.events[from..], has_earlier, cut: None, is_bounded, style }
        .to_string()
}

#[test]
fn a_journal_is_grouped_by_run() {
    let ask = RequestKind::Retry { sha: sha('b'), phase: PhaseName::new("verify").unwrap() };
    let story = JournalBuilder::default().good_run('a').bad_run('b').then(Event::Requested {
        ask,
        from: "bob\u{1b}[2J".into(),
        why: Some("flaky".into()),
    });
    assert_snapshot!(show(&story, 0), @"
    dev/shop: run for aaaaaaaaaa succeeded
      2026-01-02 09:00:00  ana  run for aaaaaaaaaa: `build`, `deploy`, `verify`
      2026-01-02 09:00:02  ana  `build` attempt 1 starting in fleet `local`
      2026-01-02 09:00:04  ana  `build` attempt 1 was launched
      2026-01-02 09:00:06  ana  `build` attempt 1 succeeded
      2026-01-02 09:00:08  ana  `build` attempt 1: its service was removed
      2026-01-02 09:00:10  ana  deployment of aaaaaaaaaa starting: `web`
      2026-01-02 09:00:12  ana  the platform accepted aaaaaaaaaa as `ecs-svc/7`
      2026-01-02 09:00:14  ana  aaaaaaaaaa was deployed
      2026-01-02 09:00:16  ana  `verify` attempt 1 starting in fleet `local`, 2
                                replicas
      2026-01-02 09:00:18  ana  `verify` attempt 1 was launched
      2026-01-02 09:00:20  ana  `verify` attempt 1 succeeded
      2026-01-02 09:00:22  ana  `verify` attempt 1: its service was removed
      2026-01-02 09:00:24  ana  the run for aaaaaaaaaa succeeded
      2026-01-02 09:00:26  ana  aaaaaaaaaa was verified

    dev/shop: run for bbbbbbbbbb
      2026-01-02 09:00:28  ana  run for bbbbbbbbbb: `build`, `deploy`, `verify`
      2026-01-02 09:00:30  ana  `build` attempt 1 starting in fleet `local`
      2026-01-02 09:00:32  ana  `build` attempt 1 was launched
      2026-01-02 09:00:34  ana  `build` attempt 1 succeeded
      2026-01-02 09:00:36  ana  `build` attempt 1: its service was removed
      2026-01-02 09:00:38  ana  deployment of bbbbbbbbbb starting: `web`
      2026-01-02 09:00:40  ana  the platform accepted bbbbbbbbbb as `ecs-svc/7`
      2026-01-02 09:00:42  ana  bbbbbbbbbb was deployed
      2026-01-02 09:00:44  ana  `verify` attempt 1 starting in fleet `local`, 2
                                replicas
      2026-01-02 09:00:46  ana  `verify` attempt 1 was launched
      2026-01-02 09:00:48  ana  `verify` attempt 1 failed: exit code 7
      2026-01-02 09:00:50  ana  `verify` attempt 1: its service was removed
      2026-01-02 09:00:52  ana  `verify` attempt 2 starting in fleet `local`, 2
                                replicas
      2026-01-02 09:00:54  ana  `verify` attempt 2 was launched
      2026-01-02 09:00:56  ana  `verify` attempt 2 failed: exit code 3 in replica 1:
                                ␛[2J2 of 40 tests failed
      2026-01-02 09:00:58  ana  `verify` attempt 2: its service was removed
      2026-01-02 09:01:00  ana  the run for bbbbbbbbbb failed
      2026-01-02 09:01:02  ana  bob␛[2J asked to retry bbbbbbbbbb from `verify`
                                (flaky)

    Times are in UTC.
    ");
}

#[test]
fn a_section_of_a_journal_shows_how_to_list_earlier_events() {
    let story = JournalBuilder::default().bad_run('a').deploys_back().then(Event::Quarantined {
        sha: sha('a'),
        why: "bad".into(),
        good: None,
        alone: false,
    });
    assert_snapshot!(show(&story, story.events.len() - 5), @"
    … 16 earlier events: katkit history dev/shop --before 17

    dev/shop: a run that started earlier failed
      2026-01-02 09:00:32  ana  the run failed
      2026-01-02 09:00:34  ana  repair to aaaaaaaaaa starting: `web`
      2026-01-02 09:00:36  ana  the platform accepted aaaaaaaaaa as `ecs-svc/7`
      2026-01-02 09:00:38  ana  aaaaaaaaaa was deployed
      2026-01-02 09:00:40  ana  aaaaaaaaaa was quarantined: bad

    Times are in UTC.
    ");
    assert_snapshot!(show(&JournalBuilder::default(), 0), @"No events recorded for dev/shop.");
}

impl JournalBuilder {
    fn deploys_back(self) -> Self {
        self.deploys('a', DeployPurpose::Repair)
    }
}

#[test]
fn json_has_every_detail() {
    let story = JournalBuilder::default().bad_run('a');
    let link: LinkId = "dev/shop".parse().unwrap();
    let events: Vec<_> = story.events[8..12].iter().map(|event| (link.clone(), event.clone())).collect();
    assert_snapshot!(Document::new(&HistoryJson::of(Some(&link), &events, true, None)), @r#"
    {
      "format_version": "2.3",
      "katkit_version": "0.1.0",
      "link": "dev/shop",
      "before": 9,
      "more": true,
      "events": [
        {
          "link": "dev/shop",
          "generation": 9,
          "at": "2026-01-02T09:00:16Z",
          "by": "ana",
          "actor": {
            "name": "ana",
            "kind": "person",
            "door": "cli",
            "delivery": null,
            "subject": null,
            "assurance": "asserted"
          },
          "event": {
            "kind": "attempt_intended",
            "phase": "verify",
            "attempt": 1,
            "token": "t",
            "replicas": 2,
            "fleet": "local",
            "saved_plan": null
          }
        },
        {
          "link": "dev/shop",
          "generation": 10,
          "at": "2026-01-02T09:00:18Z",
          "by": "ana",
          "actor": {
            "name": "ana",
            "kind": "person",
            "door": "cli",
            "delivery": null,
            "subject": null,
            "assurance": "asserted"
          },
          "event": {
            "kind": "attempt_launched",
            "phase": "verify",
            "attempt": 1,
            "handles": [
              "h-0",
              "h-1"
            ]
          }
        },
        {
          "link": "dev/shop",
          "generation": 11,
          "at": "2026-01-02T09:00:20Z",
          "by": "ana",
          "actor": {
            "name": "ana",
            "kind": "person",
            "door": "cli",
            "delivery": null,
            "subject": null,
            "assurance": "asserted"
          },
          "event": {
            "kind": "attempt_ended",
            "phase": "verify",
            "attempt": 1,
            "outcome": {
              "kind": "failed",
              "message": "exit code 7",
              "exit_code": 7
            }
          }
        },
        {
          "link": "dev/shop",
          "generation": 12,
          "at": "2026-01-02T09:00:22Z",
          "by": "ana",
          "actor": {
            "name": "ana",
            "kind": "person",
            "door": "cli",
            "delivery": null,
            "subject": null,
            "assurance": "asserted"
          },
          "event": {
            "kind": "service_removed",
            "phase": "verify",
            "attempt": 1
          }
        }
      ],
      "cut": null,
      "deployments": null
    }
    "#);
}

#[test]
fn events_of_several_links_are_merged() {
    let story = JournalBuilder::default().bad_run('a');
    let (short, long): (LinkId, LinkId) =
        ("dev/shop".parse().unwrap(), "production-europe/checkout-service".parse().unwrap());
    let events: Vec<_> = story.events[..4]
        .iter()
        .flat_map(|event| [(short.clone(), event.clone()), (long.clone(), event.clone())])
        .collect();
    let view = LinksHistoryText { events: &events[..6], has_more: true, style: Style::default() };
    assert_snapshot!(view, @"
    … earlier events: use `-n` to show more

      2026-01-02 09:00:00  dev/shop  ana  run for aaaaaaaaaa: `build`, `deploy`,
                                          `verify`
      2026-01-02 09:00:00  production-europe/checkout-service ana
                                          run for aaaaaaaaaa: `build`, `deploy`,
                                          `verify`
      2026-01-02 09:00:02  dev/shop  ana  `build` attempt 1 starting in fleet
                                          `local`
      2026-01-02 09:00:02  production-europe/checkout-service ana
                                          `build` attempt 1 starting in fleet
                                          `local`
      2026-01-02 09:00:04  dev/shop  ana  `build` attempt 1 was launched
      2026-01-02 09:00:04  production-europe/checkout-service ana
                                          `build` attempt 1 was launched

    Times are in UTC.
    ");
}

#[test]
fn each_deployment_has_one_line() {
    let story = JournalBuilder::default().good_run('a').bad_run('b').deploys('a', DeployPurpose::Rollback);
    let link: LinkId = "dev/shop".parse().unwrap();
    let mut releases = journal::releases(&story.events);
    releases[1].ended = None;
    let releases: Vec<_> = releases.into_iter().map(|release| (link.clone(), release)).collect();
    let view = DeploymentsText { deployments: &releases, has_more: false, style: Style::default() };
    assert_snapshot!(view, @r"
    TIME (UTC)           LINK      COMMIT      BY   OUTCOME
    2026-01-02 09:00:10  dev/shop  aaaaaaaaaa  ana  deployed after 4.0s
    2026-01-02 09:00:38  dev/shop  bbbbbbbbbb  ana  in progress
    2026-01-02 09:01:02  dev/shop  aaaaaaaaaa  ana  rollback: deployed after 4.0s
    ");
    assert_snapshot!(Document::new(&HistoryJson::of_deployments(None, &releases[1..2], true)), @r#"
    {
      "format_version": "2.3",
      "katkit_version": "0.1.0",
      "link": null,
      "before": null,
      "more": true,
      "events": [],
      "cut": null,
      "deployments": [
        {
          "link": "dev/shop",
          "sha": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
          "reason": "upgrade",
          "by": "ana",
          "actor": {
            "name": "ana",
            "kind": "person",
            "door": "cli",
            "delivery": null,
            "subject": null,
            "assurance": "asserted"
          },
          "authorization": null,
          "started": "2026-01-02T09:00:38Z",
          "ended": null,
          "outcome": null
        }
      ]
    }
    "#);
}
