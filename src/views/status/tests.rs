//! The output of `status`.

use insta::assert_snapshot;

use super::*;
use crate::domain::{
    DeployPurpose, Event, Head, LinkId, Outcome, PhaseName, Request, RequestId, RequestKind, RunOutcome,
};
use crate::manifest::Wanted;
use crate::plan::Holder;
use crate::views::fixture::{JournalBuilder, after, beginning, owner, sha};
use crate::views::{Document, Style};

fn main_branch() -> Wanted {
    Wanted::Branch("main".to_owned())
}

type LinkRow<'a> = (&'a str, Option<Wanted>, Head, Holder, Vec<Request>);

fn show(links: &[LinkRow<'_>]) -> String {
    show_with(links, false)
}

fn show_with(links: &[LinkRow<'_>], most_urgent_first: bool) -> String {
    show_as(links, most_urgent_first, Style::default())
}

fn show_as(links: &[LinkRow<'_>], most_urgent_first: bool, style: Style) -> String {
    let ids: Vec<LinkId> = links.iter().map(|(id, ..)| id.parse().unwrap()).collect();
    let links = links.iter().zip(&ids).map(|((_, asks, head, holder, requests), id)| LinkStatus {
        recorded_as: None,
        contained: None,
        id,
        asks: asks.as_ref(),
        want: asks.as_ref().and_then(Wanted::sha),
        head,
        holder,
        has_policy: false,
        gate: None,
        requests,
        damage: None,
    });
    let links: Vec<_> = links.collect();
    let now = after(4000);
    StatusText { links: &links, forgotten: 0, most_urgent_first, now, style }.to_string()
}

fn held() -> Holder {
    Holder::Other(Box::new(owner("ana")))
}

#[test]
fn every_state_has_its_text() {
    let request = Request {
        id: RequestId("1".into()),
        link: "dev/retried".parse().unwrap(),
        at: after(3900),
        by: "bob\u{1b}[2J".into(),
        why: Some("the network was down".into()),
        ask: RequestKind::Retry { sha: sha('b'), phase: PhaseName::new("verify").unwrap() },
    };
    let good = || JournalBuilder::default().good_run('a');
    let cut = |phase: &str| JournalBuilder::default().run('a').begins(phase, 1, 1);
    let quarantined = good().bad_run('b').then(Event::Quarantined {
        sha: sha('b'),
        why: "it broke".into(),
        good: None,
        alone: false,
    });
    let rolling = quarantined.head();
    let rolling_back = {
        let mut story = good().bad_run('b').deploys('a', DeployPurpose::Rollback);
        story.events.pop();
        story.head()
    };
    let none = Vec::new;
    let links = [
        (
            "dev/adopted",
            Some(main_branch()),
            {
                let (images, revision) = (crate::domain::Images::new(), "r".to_owned());
                JournalBuilder::default().then(Event::Adopted { sha: sha('c'), images, revision }).head()
            },
            Holder::Nobody,
            none(),
        ),
        (
            "dev/cancelled",
            Some(main_branch()),
            cut("build").ends("build", 1, Outcome::Cancelled).over(RunOutcome::Cancelled).head(),
            Holder::Nobody,
            none(),
        ),
        (
            "dev/interrupted",
            Some(main_branch()),
            cut("build").head(),
            Holder::Dead(Box::new(owner("ana"))),
            none(),
        ),
        ("dev/new", Some(main_branch()), Head::default(), Holder::Nobody, none()),
        ("dev/pending", Some(Wanted::Sha(sha('d'))), good().head(), Holder::Nobody, none()),
        ("dev/quarantined", Some(Wanted::Sha(sha('b'))), rolling, Holder::Nobody, none()),
        ("dev/retried", Some(main_branch()), good().bad_run('b').head(), Holder::Nobody, vec![request]),
        ("dev/rolling", Some(main_branch()), rolling_back, held(), none()),
        ("dev/running", Some(main_branch()), cut("build").head(), held(), none()),
        ("dev/shop", Some(Wanted::Sha(sha('a'))), good().head(), Holder::Nobody, none()),
        ("old/forgotten", None, good().then(Event::Forgotten).head(), Holder::Nobody, none()),
    ];
    assert_snapshot!(show(&links), @r"
    LINK             DEPLOYED    STATE                 SINCE
    dev/adopted      cccccccccc  up to date            1h ago
    dev/cancelled    -           cancelled             1h ago
        the run for aaaaaaaaaa was cancelled
    dev/interrupted  -           interrupted at build  1h ago
        left by ana (process 123 on builder), which is gone; `katkit apply` takes
          over
    dev/new          -           never ran             -
    dev/pending      aaaaaaaaaa  pending               1h ago
    dev/quarantined  bbbbbbbbbb  quarantined           1h ago
    dev/retried      bbbbbbbbbb  failed at verify      1h ago
        bob␛[2J asked to retry bbbbbbbbbb from `verify` (the network was down), 1m
          ago
    dev/rolling      bbbbbbbbbb  rolling back          1h ago
        held by ana (process 123 on builder)
    dev/running      -           running build         1h ago
        held by ana (process 123 on builder)
    dev/shop         aaaaaaaaaa  up to date            1h ago
    old/forgotten    aaaaaaaaaa  left the manifest     -

    11 links: 1 failed, 1 interrupted, 1 quarantined, 1 cancelled, 1 rolling back, 1
    running, 1 pending, 1 never ran, 2 up to date, 1 left the manifest.
    This is the recorded state; `katkit plan` shows new commits on branches.
    ");
}

#[test]
fn a_state_about_another_commit_names_it() {
    let quarantined = JournalBuilder::default()
        .good_run('a')
        .bad_run('b')
        .deploys('a', DeployPurpose::Rollback)
        .then(Event::Quarantined { sha: sha('b'), why: "it broke".into(), good: None, alone: false });
    let cancelled = JournalBuilder::default()
        .good_run('a')
        .run('b')
        .then(Event::Requested {
            ask: RequestKind::Cancel { sha: sha('b') },
            from: "bob".into(),
            why: Some("wrong branch".into()),
        })
        .over(RunOutcome::Cancelled);
    let links = [
        ("dev/api", Some(main_branch()), quarantined.head(), Holder::Nobody, Vec::new()),
        ("dev/shop", Some(main_branch()), cancelled.head(), Holder::Nobody, Vec::new()),
    ];
    assert_snapshot!(show(&links), @r"
    LINK      DEPLOYED    STATE                    SINCE
    dev/api   aaaaaaaaaa  quarantined: bbbbbbbbbb  1h ago
    dev/shop  aaaaaaaaaa  cancelled                1h ago
        the run for bbbbbbbbbb was cancelled by bob (wrong branch)

    2 links: 1 quarantined, 1 cancelled.
    ");
    let narrow = Style { colour: false, width: 40 };
    assert_snapshot!(show_as(&links, false, narrow), @r"
    dev/api
      quarantined: bbbbbbbbbb, 1h ago
      deployed: aaaaaaaaaa
    dev/shop
      cancelled, 1h ago
      deployed: aaaaaaaaaa
        the run for bbbbbbbbbb was
          cancelled by bob (wrong branch)

    2 links: 1 quarantined, 1 cancelled.
    ");
}

#[test]
fn links_that_need_attention_come_first_on_request() {
    let good = || JournalBuilder::default().good_run('a');
    let links = [
        ("dev/a", Some(main_branch()), good().head(), Holder::Nobody, Vec::new()),
        (
            "dev/b",
            Some(main_branch()),
            JournalBuilder::default().run('a').begins("build", 1, 1).head(),
            held(),
            Vec::new(),
        ),
        ("dev/c", Some(main_branch()), good().bad_run('b').head(), Holder::Nobody, Vec::new()),
    ];
    assert_snapshot!(show_with(&links, true), @r"
    3 links: 1 failed, 1 running, 1 up to date.

    LINK   DEPLOYED    STATE             SINCE
    dev/c  bbbbbbbbbb  failed at verify  1h ago
    dev/b  -           running build     1h ago
        held by ana (process 123 on builder)
    dev/a  aaaaaaaaaa  up to date        1h ago
    ");
}

#[test]
fn an_id_too_long_for_its_column_gets_its_own_line() {
    let long = format!("{}/{}", "t".repeat(40), "l".repeat(30));
    let head = JournalBuilder::default().good_run('a').head();
    let links = [
        (long.as_str(), Some(main_branch()), head.clone(), Holder::Nobody, Vec::new()),
        ("dev/shop", Some(main_branch()), head, Holder::Nobody, Vec::new()),
    ];
    assert_snapshot!(show(&links), @r"
    LINK      DEPLOYED    STATE       SINCE
    tttttttttttttttttttttttttttttttttttttttt/llllllllllllllllllllllllllllll
              aaaaaaaaaa  up to date  1h ago
    dev/shop  aaaaaaaaaa  up to date  1h ago

    2 links: 2 up to date.
    This is the recorded state; `katkit plan` shows new commits on branches.
    ");
}

#[test]
fn no_line_is_wider_than_the_terminal_with_many_links() {
    let head = JournalBuilder::default().bad_run('b').head();
    let ids: Vec<_> = (0..500).map(|number| format!("tenant-{number}/service-with-a-name")).collect();
    let links: Vec<_> =
        ids.iter().map(|id| (id.as_str(), Some(main_branch()), head.clone(), held(), Vec::new())).collect();
    let shown = show(&links);
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    assert_eq!(shown.lines().last(), Some("500 links: 500 failed."));
}

#[test]
fn no_links_is_a_sentence() {
    assert_eq!(show(&[]), "There are no links.\n");
}

#[test]
fn json_has_the_same_content() {
    let (id, asks, head, holder) =
        ("dev/shop".parse().unwrap(), main_branch(), JournalBuilder::default().bad_run('b').head(), held());
    let status = LinkStatus {
        recorded_as: None,
        contained: None,
        id: &id,
        asks: Some(&asks),
        want: None,
        head: &head,
        holder: &holder,
        has_policy: false,
        gate: None,
        requests: &[],
        damage: None,
    };
    assert!(head.run.as_ref().is_some_and(|run| run.started == beginning()));
    assert_snapshot!(Document::new(&StatusJson::of(&[status], 0)), @r#"
    {
      "format_version": "2.4",
      "katkit_version": "0.1.0",
      "links": [
        {
          "link": "dev/shop",
          "formerly": [],
          "recorded_as": null,
          "in_manifest": true,
          "branch": "main",
          "pipeline": null,
          "wanted": null,
          "contained": null,
          "state": "failed",
          "phase": "verify",
          "since": "2026-01-02T09:00:32Z",
          "generation": 17,
          "deployed": {
            "sha": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
            "at": "2026-01-02T09:00:14Z"
          },
          "previous": null,
          "run": {
            "id": "1",
            "sha": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
            "started": "2026-01-02T09:00:00Z",
            "ended": "2026-01-02T09:00:32Z",
            "outcome": "failed",
            "test": null
          },
          "holder": {
            "actor": "ana",
            "host": "builder",
            "pid": 123,
            "dead": false
          },
          "requests": [],
          "quarantined": [],
          "damage": null
        }
      ],
      "forgotten": 0
    }
    "#);
}
