//! The text of a prune.

use insta::assert_snapshot;

use super::{PrunedText, PruningText};
use crate::report::{Amount, LinkPruning, PruneResult, Pruning};
use crate::views::Style;

fn link(name: &str, blobs: usize, events: u64) -> LinkPruning {
    let bytes = blobs as u64 * 1100;
    LinkPruning {
        link: name.parse().unwrap(),
        left: Amount { things: blobs.div_ceil(4), blobs, bytes },
        events,
        through: None,
        finishes: false,
        result: PruneResult::Planned,
    }
}

fn pruning(links: Vec<LinkPruning>) -> Pruning {
    let packs = Amount { things: 2, blobs: 4, bytes: 3_400_000 };
    Pruning { before: "2026-01-02T03:04:05Z".parse().unwrap(), links, packs, ..Pruning::default() }
}

#[test]
fn a_prune_is_listed_by_link_and_in_total() {
    let mut pruning =
        pruning(vec![link("dev/shop", 12, 120), link("prod/billing", 1, 0), link("prod/web", 0, 1)]);
    pruning.links[1].finishes = true;
    pruning.left = vec![("qa/shop".parse().unwrap(), "ana on laptop (process 42)".to_owned())];
    assert_snapshot!(PruningText { pruning: &pruning, style: Style::default() }, @r"
    To remove, older than 2026-01-02 03:04 UTC:
      - dev/shop      3 attempts (12 blobs, 13.2 kB), 120 events
      - prod/billing  1 attempt (1 blob, 1.1 kB), finishes an interrupted prune
      - prod/web      1 event
      - packs         2 commits (4 blobs, 3.4 MB), rebuilt when needed
    Skipped, because another process is handling them:
      · qa/shop  ana on laptop (process 42)
    3.4 MB in 17 blobs, and 121 events, from 3 links.
    ");
    let done = |link: &mut LinkPruning| link.result = PruneResult::Done;
    pruning.links.iter_mut().for_each(done);
    pruning.packs_result = PruneResult::Done;
    assert_snapshot!(PrunedText { pruning: &pruning, style: Style::default() }, @"Removed 3.4 MB in 17 blobs and 121 events.");
    pruning.links[0].result =
        PruneResult::Failed { error: "`dev/shop/x` could not be removed in s3://x".to_owned(), hint: None };
    pruning.links[1].result = PruneResult::Changed;
    pruning.links[2].result = PruneResult::Left { by: "ana on laptop (process 42)".to_owned() };
    assert_snapshot!(PrunedText { pruning: &pruning, style: Style::default() }, @r"
    dev/shop  `dev/shop/x` could not be removed in s3://x
    Skipped, because another process is handling them:
      · prod/web  ana on laptop (process 42)
    Skipped, because they changed meanwhile; prune again:
      · prod/billing
    Removed 3.4 MB in 4 blobs.
    ");
}

#[test]
fn hundreds_of_links_fit_on_a_screen() {
    let links = (0..300).map(|n| link(&format!("tenant-{}/link-{n}", n % 5), n, 3)).collect();
    let text = PruningText { pruning: &pruning(links), style: Style::default() }.to_string();
    assert_snapshot!(text, @r"
    To remove, older than 2026-01-02 03:04 UTC:
      - tenant-0  60 links, 2235 attempts (8850 blobs, 9.7 MB), 180 events
      - tenant-1  60 links, 2250 attempts (8910 blobs, 9.8 MB), 180 events
      - tenant-2  60 links, 2265 attempts (8970 blobs, 9.9 MB), 180 events
      - tenant-3  60 links, 2280 attempts (9030 blobs, 9.9 MB), 180 events
      - tenant-4  60 links, 2295 attempts (9090 blobs, 10.0 MB), 180 events
      - packs     2 commits (4 blobs, 3.4 MB), rebuilt when needed
    52.7 MB in 44854 blobs, and 900 events, from 300 links.
    ");
    let links = (0..300).map(|n| link(&format!("tenant-{n}/shop"), n, 3)).collect();
    let text = PruningText { pruning: &pruning(links), style: Style::default() }.to_string();
    assert!(text.lines().count() <= 25 && text.contains("… and 280 more"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn a_damaged_link_is_named_with_a_fix_and_the_packs_are_kept() {
    let error = "the state at .katkit/state.db, link `qa/shop` is damaged: its head cannot be parsed";
    let pruning = Pruning {
        packs: Amount::default(),
        damaged: vec![("qa/shop".parse().unwrap(), error.to_owned())],
        keeps_packs: true,
        ..pruning(vec![link("dev/shop", 12, 0)])
    };
    assert_snapshot!(PruningText { pruning: &pruning, style: Style::default() }, @r"
    To remove, older than 2026-01-02 03:04 UTC:
      - dev/shop  3 attempts (12 blobs, 13.2 kB)
    Skipped, because their record is damaged:
      · qa/shop  the state at .katkit/state.db, link `qa/shop` is damaged: its head
                 cannot be parsed; `katkit doctor qa/shop` shows how to fix it
    No packs are removed, because a damaged link may need them.
    13.2 kB in 12 blobs, from 1 link.
    ");
}

#[test]
fn an_empty_prune_is_one_sentence() {
    let pruning = Pruning { before: "2026-01-02T03:04:05Z".parse().unwrap(), ..Pruning::default() };
    assert_snapshot!(PruningText { pruning: &pruning, style: Style::default() }, @"Nothing to remove that is older than 2026-01-02 03:04 UTC.");
}
