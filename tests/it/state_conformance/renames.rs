//! A renamed link: its record continues under the new name.

use katkit::domain::{Epoch, Event, Generation, Head, LinkId, RecordedEvent, Request};
use katkit::journal;
use katkit::state::{Append, Rename, StateError};

use super::fixture::{Store, append, event, lease, link, retry};

async fn head(state: &Store, link: &LinkId) -> Head {
    let heads = state.heads(Some(std::slice::from_ref(link))).await.unwrap();
    heads.into_iter().next().map(|(_, head)| head).unwrap_or_default()
}

fn recorded(generation: u64, event: Event) -> RecordedEvent {
    let at = "2026-01-02T03:04:05Z".parse().unwrap();
    RecordedEvent {
        generation: Generation(generation),
        at,
        by: super::fixture::actor("ann"),
        event,
        previous: None,
    }
}

/// Writes an event that changes the head.
async fn quarantine(state: &Store, link: &LinkId, text: &str) {
    let epoch = lease(state, link).await;
    let before = head(state, link).await;
    let events = [event(before.generation.0 + 1, text)];
    let after = journal::step(&before, &events[0]).unwrap();
    let (expected, consumes) = (before.generation, &[]);
    state
        .append(Append { link, expected, epoch, events: &events, head: &after, consumes, consents: None })
        .await
        .unwrap();
    state.release(link, epoch).await.unwrap();
}

/// Renames a link whose recorded state is as given.
async fn rename_from(
    state: &Store,
    (from, to): (&LinkId, &LinkId),
    (old, new): (&Head, &Head),
    (old_epoch, new_epoch): (Epoch, Epoch),
    requests: &[Request],
) -> Result<(), StateError> {
    let record = old.digest();
    let next = old.generation.max(new.generation).0 + 1;
    let away = recorded(old.generation.0 + 1, Event::MovedTo { to: to.clone(), record: record.clone() });
    let here = recorded(next, Event::MovedFrom { from: from.clone(), record });
    let (left, goes_on) = (journal::step(old, &away).unwrap(), journal::step(old, &here).unwrap());
    let write = |link, expected, epoch, events, head| Append {
        link,
        expected,
        epoch,
        events,
        head,
        consumes: &[],
        consents: None,
    };
    let from = write(from, old.generation, old_epoch, std::slice::from_ref(&away), &left);
    let to = write(to, new.generation, new_epoch, std::slice::from_ref(&here), &goes_on);
    state.rename(Rename { from, to, requests }).await
}

async fn rename(state: &Store, from: &LinkId, to: &LinkId) {
    let epochs = (lease(state, from).await, lease(state, to).await);
    let heads = (head(state, from).await, head(state, to).await);
    let requests = state.requests(Some(std::slice::from_ref(from))).await.unwrap();
    rename_from(state, (from, to), (&heads.0, &heads.1), epochs, &requests).await.unwrap();
    state.release(from, epochs.0).await.unwrap();
    state.release(to, epochs.1).await.unwrap();
}

/// The whole journal, which must equal its pages and fold into the head.
async fn journal_of(state: &Store, link: &LinkId) -> Vec<String> {
    let whole = state.journal(link, None, usize::MAX).await.unwrap();
    let folded = journal::fold(&whole).unwrap();
    assert_eq!(folded, head(state, link).await, "the journal of {link} folds into its head");
    for page in 1..=whole.len() {
        let (mut pages, mut before) = (Vec::new(), None);
        loop {
            let read = state.journal(link, before, page).await.unwrap();
            let Some(first) = read.first() else { break };
            assert!(read.len() <= page);
            before = Some(first.generation);
            pages.push(read);
        }
        let paged: Vec<_> = pages.into_iter().rev().flatten().collect();
        assert_eq!(paged, whole, "in pages of {page}");
    }
    let tell = |recorded: &RecordedEvent| match &recorded.event {
        Event::Quarantined { why, .. } => why.clone(),
        Event::MovedFrom { from, .. } => format!("from {from}"),
        Event::MovedTo { to, .. } => format!("to {to}"),
        other => other.word().to_owned(),
    };
    whole.iter().map(tell).collect()
}

pub async fn a_link_keeps_its_history_under_another_name(state: Store) {
    let (dev, prod) = (link("dev/shop"), link("prod/shop"));
    quarantine(&state, &dev, "one").await;
    quarantine(&state, &dev, "two").await;
    let before = head(&state, &dev).await;
    rename(&state, &dev, &prod).await;
    let now = head(&state, &prod).await;
    assert_eq!((now.quarantined.clone(), now.generation), (before.quarantined, Generation(3)));
    assert_eq!(now.former_names(), std::slice::from_ref(&dev));
    let left = head(&state, &dev).await;
    assert!(left.is_blank() && left.forgotten && left.moved_to.as_ref() == Some(&prod));
    quarantine(&state, &prod, "three").await;
    assert_eq!(journal_of(&state, &prod).await, ["one", "two", "from dev/shop", "three"]);
    assert_eq!(journal_of(&state, &dev).await, ["one", "two", "to prod/shop"]);
}

pub async fn a_link_renamed_again_and_back_keeps_its_history(state: Store) {
    let [a, b, c] = ["a/x", "b/x", "c/x"].map(link);
    quarantine(&state, &a, "one").await;
    rename(&state, &a, &b).await;
    quarantine(&state, &b, "two").await;
    rename(&state, &b, &c).await;
    rename(&state, &c, &a).await;
    quarantine(&state, &a, "three").await;
    let history = ["one", "from a/x", "two", "from b/x", "from c/x", "three"];
    assert_eq!(journal_of(&state, &a).await, history);
    assert_eq!(head(&state, &a).await.former_names(), [a.clone(), b.clone(), c.clone()]);
    // Another link gets a name that this one had.
    quarantine(&state, &b, "another").await;
    rename(&state, &a, &c).await;
    assert_eq!(journal_of(&state, &c).await, [&history[..], &["from a/x"]].concat());
    rename(&state, &b, &a).await;
    assert_eq!(journal_of(&state, &c).await, [&history[..], &["from a/x"]].concat());
    // It keeps its own earlier record of that name, and does not get the other link's names.
    let other = ["one", "from a/x", "two", "to c/x", "another", "from b/x"];
    assert_eq!(journal_of(&state, &a).await, other);
    assert_eq!(journal_of(&state, &b).await.last().unwrap(), "to a/x");
    assert_eq!(head(&state, &a).await.former_names(), std::slice::from_ref(&b));
    assert_eq!(head(&state, &c).await.former_names(), [&a, &b, &c, &a].map(Clone::clone));
}

pub async fn an_earlier_record_of_the_new_name_is_not_part_of_the_history(state: Store) {
    let (dev, prod) = (link("dev/shop"), link("prod/shop"));
    quarantine(&state, &dev, "one").await;
    let epoch = lease(&state, &prod).await;
    let mut blank = Head::default();
    for generation in 1..=5 {
        let unlocked = [recorded(generation, Event::Unlocked { from: "ann".to_owned(), why: None })];
        let next = journal::step(&blank, &unlocked[0]).unwrap();
        let (expected, events) = (blank.generation, &unlocked);
        let write =
            Append { link: &prod, expected, epoch, events, head: &next, consumes: &[], consents: None };
        state.append(write).await.unwrap();
        blank = next;
    }
    state.release(&prod, epoch).await.unwrap();
    rename(&state, &dev, &prod).await;
    assert_eq!(head(&state, &prod).await.generation, Generation(6));
    quarantine(&state, &prod, "two").await;
    assert_eq!(journal_of(&state, &prod).await, ["one", "from dev/shop", "two"]);
}

pub async fn requests_move_with_a_renamed_link(state: Store) {
    let (dev, prod, other) = (link("dev/shop"), link("prod/shop"), link("dev/other"));
    quarantine(&state, &dev, "one").await;
    let mut asked = Vec::new();
    for (at, why) in [(&dev, "first"), (&other, "second"), (&dev, "third")] {
        asked.push(state.submit(retry(at, why)).await.unwrap());
    }
    rename(&state, &dev, &prod).await;
    assert_eq!(state.requests(Some(std::slice::from_ref(&dev))).await.unwrap(), []);
    let moved = |request: &Request| Request { link: prod.clone(), ..request.clone() };
    let theirs = [moved(&asked[0]), moved(&asked[2])];
    assert_eq!(state.requests(Some(std::slice::from_ref(&prod))).await.unwrap(), theirs);
    assert_eq!(
        state.survey().await.unwrap().requests,
        [moved(&asked[0]), asked[1].clone(), moved(&asked[2])]
    );
    // The next owner consumes them.
    let epoch = lease(&state, &prod).await;
    let ids = theirs.map(|request| request.id);
    super::fixture::append_consuming(&state, &prod, 2, epoch, &ids).await.unwrap();
    assert_eq!(state.requests(None).await.unwrap(), [asked[1].clone()]);
}

pub async fn a_refused_rename_changes_nothing(state: Store) {
    let (dev, prod) = (link("dev/shop"), link("prod/shop"));
    quarantine(&state, &dev, "one").await;
    let asked = state.submit(retry(&dev, "flaky")).await.unwrap();
    let requests = std::slice::from_ref(&asked);
    let (old, new) = (head(&state, &dev).await, Head::default());
    let epochs = (lease(&state, &dev).await, lease(&state, &prod).await);
    let (names, heads) = ((&dev, &prod), (&old, &new));
    let late = |epoch: Epoch| Epoch(epoch.0 + 1);
    let refused = rename_from(&state, names, heads, (late(epochs.0), epochs.1), requests).await;
    assert!(matches!(&refused, Err(StateError::LeaseLost { link, .. }) if *link == dev), "{refused:?}");
    let refused = rename_from(&state, names, heads, (epochs.0, late(epochs.1)), requests).await;
    assert!(matches!(&refused, Err(StateError::LeaseLost { link, .. }) if *link == prod), "{refused:?}");
    let newer = Head { generation: Generation(7), ..old.clone() };
    let refused = rename_from(&state, names, (&newer, &new), epochs, requests).await;
    assert!(matches!(&refused, Err(StateError::Conflict { link, .. }) if *link == dev), "{refused:?}");
    let newer = Head { generation: Generation(3), ..Head::default() };
    let refused = rename_from(&state, names, (&old, &newer), epochs, requests).await;
    assert!(matches!(&refused, Err(StateError::Conflict { link, .. }) if *link == prod), "{refused:?}");
    let strange = [Request { link: link("dev/other"), ..asked.clone() }];
    let refused = rename_from(&state, names, heads, epochs, &strange).await;
    assert!(matches!(refused, Err(StateError::Unsound { .. })), "{refused:?}");

    assert_eq!(state.heads(None).await.unwrap(), [(dev.clone(), old.clone())]);
    assert_eq!(journal_of(&state, &dev).await, ["one"]);
    assert_eq!(state.journal(&prod, None, 10).await.unwrap(), []);
    assert_eq!(state.requests(None).await.unwrap(), requests);
    // It leaves no obstacle.
    rename_from(&state, names, heads, epochs, requests).await.unwrap();
    let again = rename_from(&state, names, heads, epochs, &[]).await;
    assert!(matches!(again, Err(StateError::Conflict { .. })), "{again:?}");
    append(&state, &prod, 2, epochs.1).await.unwrap();
}
