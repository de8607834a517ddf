//! Heads and journals.

use futures::future::join_all;
use katkit::domain::{Epoch, Generation};
use katkit::state::{Append, StateError};

use super::fixture::{Store, append, event, generation, head, lease, link};

pub async fn a_link_that_was_never_written_has_no_head_and_no_journal(state: Store) {
    let shop = link("dev/shop");
    lease(&state, &shop).await;
    assert_eq!(state.heads(None).await.unwrap(), []);
    assert_eq!(state.heads(Some(std::slice::from_ref(&shop))).await.unwrap(), []);
    assert_eq!(state.heads(Some(&[])).await.unwrap(), []);
    assert_eq!(state.journal(&shop, None, 10).await.unwrap(), []);
}

pub async fn written_events_and_heads_are_read_back_unchanged(state: Store) {
    let shop = link("dev/shop");
    let epoch = lease(&state, &shop).await;
    let texts =
        ["", "naïve 日本 \u{1F980} '; DROP TABLE link; --", "\0\t\n\u{1b}[31m\"\\", &"long ".repeat(200_000)];
    let events: Vec<_> = texts.iter().zip(1..).map(|(text, generation)| event(generation, text)).collect();
    for (text, event) in texts.iter().zip(&events) {
        let generation = event.generation.0;
        let head = head(generation, text);
        let write = Append {
            link: &shop,
            expected: Generation(generation - 1),
            epoch,
            events: std::slice::from_ref(event),
            head: &head,
            consumes: &[],
            consents: None,
        };
        state.append(write).await.unwrap();
        assert_eq!(state.heads(None).await.unwrap(), [(shop.clone(), head)]);
    }
    assert_eq!(state.journal(&shop, None, 10).await.unwrap(), events);

    let more: Vec<_> = (5..8).map(|generation| event(generation, "one of three")).collect();
    let head = head(7, "three at once");
    let expected = Generation(4);
    state
        .append(Append {
            link: &shop,
            expected,
            epoch,
            events: &more,
            head: &head,
            consumes: &[],
            consents: None,
        })
        .await
        .unwrap();
    assert_eq!(state.journal(&shop, None, 3).await.unwrap(), more);
    assert_eq!(generation(&state, &shop).await, 7);
}

pub async fn an_append_from_another_generation_changes_nothing(state: Store) {
    let shop = link("dev/shop");
    let epoch = lease(&state, &shop).await;
    for stale in [1, 7] {
        let refused = append(&state, &shop, stale, epoch).await;
        assert!(matches!(refused, Err(StateError::Conflict { .. })), "{refused:?}");
    }
    append(&state, &shop, 0, epoch).await.unwrap();
    append(&state, &shop, 1, epoch).await.unwrap();
    for stale in [0, 1, 3, u64::MAX - 1] {
        match append(&state, &shop, stale, epoch).await {
            Err(StateError::Conflict { link, expected }) => {
                assert_eq!((link, expected.0), (shop.clone(), stale));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(generation(&state, &shop).await, 2);
}

pub async fn an_append_under_another_epoch_changes_nothing(state: Store) {
    let shop = link("dev/shop");
    let old = lease(&state, &shop).await;
    append(&state, &shop, 0, old).await.unwrap();
    state.release(&shop, old).await.unwrap();
    let new = lease(&state, &shop).await;
    for wrong in [old, Epoch(0), Epoch(new.0 + 1), Epoch(u64::MAX)] {
        match append(&state, &shop, 1, wrong).await {
            Err(StateError::LeaseLost { link, epoch }) => assert_eq!((link, epoch), (shop.clone(), wrong)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(generation(&state, &shop).await, 1);
    append(&state, &shop, 1, new).await.unwrap();
}

pub async fn an_append_without_a_lease_is_refused(state: Store) {
    let (shop, other) = (link("dev/shop"), link("dev/other"));
    let epoch = lease(&state, &other).await;
    let refused = append(&state, &shop, 0, epoch).await;
    assert!(matches!(refused, Err(StateError::LeaseLost { .. })), "{refused:?}");
    assert_eq!(generation(&state, &shop).await, 0);
}

pub async fn a_lost_lease_is_reported_before_a_conflict(state: Store) {
    let shop = link("dev/shop");
    let old = lease(&state, &shop).await;
    state.break_lease(&shop).await.unwrap();
    let new = lease(&state, &shop).await;
    append(&state, &shop, 0, new).await.unwrap();
    let refused = append(&state, &shop, 0, old).await;
    assert!(matches!(refused, Err(StateError::LeaseLost { .. })), "{refused:?}");
}

pub async fn events_that_leave_a_gap_are_refused(state: Store) {
    let shop = link("dev/shop");
    let epoch = lease(&state, &shop).await;
    let cases: [(&[u64], u64, &str); 6] = [
        (&[], 0, "it holds no event"),
        (&[2], 2, "an event of generation 2 follows generation 0"),
        (&[1, 3], 3, "an event of generation 3 follows generation 1"),
        (&[1, 1], 1, "an event of generation 1 follows generation 1"),
        (&[1, 2], 1, "its head is of generation 1, its last event of generation 2"),
        (&[1], 2, "its head is of generation 2, its last event of generation 1"),
    ];
    for (generations, last, sentence) in cases {
        let events: Vec<_> = generations.iter().map(|generation| event(*generation, "")).collect();
        let (head, expected) = (head(last, ""), Generation(0));
        let write = Append {
            link: &shop,
            expected,
            epoch,
            events: &events,
            head: &head,
            consumes: &[],
            consents: None,
        };
        match state.append(write).await {
            Err(StateError::Unsound { link, what }) => {
                assert_eq!((link, what.as_str()), (shop.clone(), sentence));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(generation(&state, &shop).await, 0);
}

pub async fn of_racing_appends_exactly_one_wins(state: Store) {
    let shop = link("dev/shop");
    let epoch = lease(&state, &shop).await;
    for round in 0..25 {
        let tasks = (0..8).map(|_| {
            let (state, shop) = (state.clone(), shop.clone());
            tokio::spawn(async move { append(&state, &shop, round, epoch).await })
        });
        let results: Vec<_> = join_all(tasks).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        let lost = |result: &Result<_, _>| matches!(result, Err(StateError::Conflict { .. }));
        assert_eq!(results.iter().filter(|result| lost(result)).count(), 7);
    }
    assert_eq!(generation(&state, &shop).await, 25);
}

pub async fn concurrent_writes_to_links_do_not_disturb_each_other(state: Store) {
    let tasks = (0..100).map(|n| {
        let state = state.clone();
        tokio::spawn(async move {
            let link = link(&format!("tenant-{}/link-{n}", n % 7));
            let epoch = lease(&state, &link).await;
            for expected in 0..5 {
                append(&state, &link, expected, epoch).await.unwrap();
                assert_eq!(generation(&state, &link).await, expected + 1, "a read sees the write before it");
            }
            // The stale write shares its transaction with valid ones.
            append(&state, &link, 3, epoch).await.unwrap_err();
            state.renew(&link, epoch).await.unwrap();
        })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
    let heads = state.heads(None).await.unwrap();
    assert_eq!(heads.len(), 100);
    assert!(heads.iter().all(|(_, head)| head.generation == Generation(5)));
}

pub async fn a_journal_is_read_in_pages_from_its_end(state: Store) {
    let (shop, other) = (link("dev/shop"), link("dev/shop-2"));
    for link in [&shop, &other] {
        let epoch = lease(&state, link).await;
        for expected in 0..10 {
            append(&state, link, expected, epoch).await.unwrap();
        }
    }
    let page = async |before: Option<u64>, limit| -> Vec<u64> {
        let events = state.journal(&shop, before.map(Generation), limit).await.unwrap();
        events.iter().map(|recorded| recorded.generation.0).collect()
    };
    assert_eq!(page(None, 4).await, [7, 8, 9, 10]);
    assert_eq!(page(Some(7), 4).await, [3, 4, 5, 6]);
    assert_eq!(page(Some(3), 4).await, [1, 2]);
    assert_eq!(page(Some(1), 4).await, [0; 0]);
    assert_eq!(page(Some(0), 4).await, [0; 0]);
    assert_eq!(page(None, 0).await, [0; 0]);
    assert_eq!(page(Some(u64::MAX), usize::MAX).await, (1..=10).collect::<Vec<_>>());
}

pub async fn heads_are_listed_once_each_in_order_of_their_ids(state: Store) {
    let written = ["b/a", "a-b/x", "a/y", "a/b.c", "a/b-c", "A/z", "a/b"];
    for id in written {
        let link = link(id);
        let epoch = lease(&state, &link).await;
        append(&state, &link, 0, epoch).await.unwrap();
    }
    let mut sorted: Vec<_> = written.iter().map(|id| link(id)).collect();
    sorted.sort();
    let ids = |heads: Vec<(_, _)>| heads.into_iter().map(|(link, _)| link).collect::<Vec<_>>();
    assert_eq!(ids(state.heads(None).await.unwrap()), sorted);

    let asked = ["b/a", "a/b", "nobody/here", "b/a", "A/z"].map(link);
    assert_eq!(ids(state.heads(Some(&asked)).await.unwrap()), ["A/z", "a/b", "b/a"].map(link));
}

pub async fn a_thousand_links_are_read_at_once(state: Store) {
    let links: Vec<_> = (0..1000).map(|n| link(&format!("tenant-{:02}/link-{n:04}", n % 20))).collect();
    join_all(links.iter().map(async |link| {
        let epoch = lease(&state, link).await;
        append(&state, link, 0, epoch).await.unwrap();
    }))
    .await;
    let all = state.heads(None).await.unwrap();
    assert_eq!(all.len(), 1000);
    assert_eq!(state.heads(Some(&links)).await.unwrap(), all);
    assert_eq!(state.heads(Some(&links[..500])).await.unwrap().len(), 500);
    assert_eq!(state.leases(Some(&links)).await.unwrap().len(), 1000);
}

pub async fn a_record_has_one_name(state: Store) {
    let name = state.identity().await.unwrap();
    let shop = link("dev/shop");
    let epoch = lease(&state, &shop).await;
    append(&state, &shop, 0, epoch).await.unwrap();
    assert_eq!(state.identity().await.unwrap(), name);
    assert!(!name.is_empty());
}
