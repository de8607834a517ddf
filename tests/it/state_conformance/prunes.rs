//! Journals whose beginning is removed.

use katkit::domain::{Epoch, Event, Generation, Head, HistoryCut, LinkId, RecordedEvent};
use katkit::journal;
use katkit::state::{Append, Removal, StateError};

use super::fixture::{Store, actor, append, lease, link};

/// More than any store removes in one transaction.
const MANY: u64 = 230;

fn recorded(generation: u64, event: Event) -> RecordedEvent {
    let at = "2026-01-02T03:04:05Z".parse().unwrap();
    RecordedEvent { generation: Generation(generation), at, by: actor("ann"), event, previous: None }
}

async fn write(state: &Store, link: &LinkId, before: &Head, events: Vec<Event>, epoch: Epoch) -> Head {
    let events: Vec<_> = (before.generation.0 + 1..)
        .zip(events)
        .map(|(generation, event)| recorded(generation, event))
        .collect();
    let head = journal::fold_onto(before.clone(), &events).unwrap();
    let expected = before.generation;
    let write = Append { link, expected, epoch, events: &events, head: &head, consumes: &[], consents: None };
    state.append(write).await.unwrap();
    head
}

/// A link with this many events, one of them very long; what they fold into, and the epoch of its lease.
async fn written(state: &Store, link: &LinkId) -> (Head, Epoch) {
    let epoch = lease(state, link).await;
    let mut head = Head::default();
    let event = |number: u64| {
        let why = if number == 100 { "long ".repeat(200_000) } else { number.to_string() };
        Event::Unlocked { from: "ann".to_owned(), why: Some(why) }
    };
    for first in (1..=MANY).step_by(46) {
        let events = (first..=MANY.min(first + 45)).map(event).collect();
        head = write(state, link, &head, events, epoch).await;
    }
    (head, epoch)
}

/// Records that the events through `through` are cut. Returns the head, and what is to be removed.
async fn cut<'a>(
    state: &Store,
    link: &'a LinkId,
    (head, epoch): (&Head, Epoch),
    through: u64,
) -> (Head, Head, Removal<'a>) {
    let first = state.journal(link, Some(Generation(through + 1)), usize::MAX).await.unwrap();
    let base = journal::fold(&first).unwrap();
    let (before, keeps) = ("2026-01-01T00:00:00Z".parse().unwrap(), Vec::new());
    let history = Some(Box::new(HistoryCut { base: base.clone(), record: "0".repeat(64) }));
    let head =
        write(state, link, head, vec![Event::Pruned { blobs_before: before, keeps, history }], epoch).await;
    let removal = Removal { link, event: head.generation, through: Generation(through), epoch };
    (head, base, removal)
}

/// The first event on record, and the journal folded from there.
async fn folded(state: &Store, link: &LinkId, base: &Head) -> (u64, Head) {
    let events = state.journal(link, None, usize::MAX).await.unwrap();
    let first = events.first().map_or(0, |first| first.generation.0);
    assert_eq!(state.beginning(link).await.unwrap(), events.first().map(|first| first.generation));
    (first, journal::fold_behind(base, &events).unwrap())
}

pub async fn a_journal_begins_where_it_was_cut(state: Store) {
    let (shop, other) = (link("dev/shop"), link("dev/shop-2"));
    assert_eq!(state.beginning(&shop).await.unwrap(), None);
    let (head, epoch) = written(&state, &shop).await;
    let (untouched, _) = written(&state, &other).await;
    let (head, base, removal) = cut(&state, &shop, (&head, epoch), 220).await;
    state.prune(removal).await.unwrap();
    assert_eq!(folded(&state, &shop, &base).await, (221, head.clone()));
    assert_eq!(state.heads(Some(std::slice::from_ref(&shop))).await.unwrap(), [(shop.clone(), head.clone())]);
    assert_eq!(folded(&state, &other, &Head::default()).await, (1, untouched));
    let page = state.journal(&shop, Some(Generation(224)), 10).await.unwrap();
    assert_eq!(page.iter().map(|event| event.generation.0).collect::<Vec<_>>(), [221, 222, 223]);
    // Appending still works, and removing again is harmless.
    state.prune(removal).await.unwrap();
    let event = Event::Unlocked { from: "ann".to_owned(), why: None };
    let head = write(&state, &shop, &head, vec![event], epoch).await;
    assert_eq!(folded(&state, &shop, &base).await, (221, head));
}

pub async fn events_are_removed_only_after_an_event_records_the_cut(state: Store) {
    let shop = link("dev/shop");
    let (head, epoch) = written(&state, &shop).await;
    let of = |event, through| Removal { link: &shop, event, through: Generation(through), epoch };
    let refused = state.prune(of(head.generation, 10)).await;
    assert!(matches!(refused, Err(StateError::Unsound { .. })), "{refused:?}");
    let (head, _, removal) = cut(&state, &shop, (&head, epoch), 10).await;
    for other in [of(head.generation, 11), of(Generation(head.generation.0 + 1), 10), of(Generation(5), 10)] {
        let refused = state.prune(other).await;
        assert!(matches!(refused, Err(StateError::Unsound { .. })), "{other:?}: {refused:?}");
    }
    let late = Removal { epoch: Epoch(epoch.0 + 1), ..removal };
    let refused = state.prune(late).await;
    assert!(matches!(&refused, Err(StateError::LeaseLost { link, .. }) if *link == shop), "{refused:?}");
    state.release(&shop, epoch).await.unwrap();
    let refused = state.prune(removal).await;
    assert!(matches!(refused, Err(StateError::LeaseLost { .. })), "{refused:?}");
    assert_eq!(folded(&state, &shop, &Head::default()).await, (1, head));
}

/// A writer died before it removed what it had cut; readers do not see those events.
pub async fn cut_events_that_still_exist_do_not_appear_in_pages(state: Store) {
    let shop = link("dev/shop");
    let (head, epoch) = written(&state, &shop).await;
    let (_, base, removal) = cut(&state, &shop, (&head, epoch), 200).await;
    let page = state.journal(&shop, Some(Generation(203)), 10).await.unwrap();
    assert_eq!(page.iter().map(|event| event.generation.0).collect::<Vec<_>>(), [201, 202]);
    assert_eq!(state.beginning(&shop).await.unwrap(), Some(Generation(1)));
    state.prune(removal).await.unwrap();
    let (first, _) = folded(&state, &shop, &base).await;
    assert_eq!(first, 201);
    append(&state, &shop, MANY + 1, epoch).await.unwrap();
}
