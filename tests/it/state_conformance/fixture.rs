//! Sample links, owners and writes.

use std::sync::Arc;
use std::time::Duration;

use katkit::domain::{
    Actor, ActorKind, Assurance, CommitSha, ConsentId, Door, EntryDigest, Epoch, Event, Generation, Head,
    LinkId, Owner, Quarantine, RecordedEvent, RequestId, RequestKind,
};
use katkit::state::{Append, NewRequest, State, StateError};

pub type Store = Arc<dyn State>;

/// How long a lease lasts without a renewal.
pub const LEASE: Duration = Duration::from_secs(30);

pub fn link(id: &str) -> LinkId {
    id.parse().unwrap()
}

pub fn sha() -> CommitSha {
    CommitSha::new("3f2a9c1e".repeat(5)).unwrap()
}

pub fn owner(name: &str) -> Owner {
    Owner {
        id: name.to_owned(),
        host: "laptop".to_owned(),
        boot: Some("b0075".to_owned()),
        pid: 42,
        started_ticks: Some(u64::MAX),
        actor: "ann".to_owned(),
    }
}

/// An actor with every field set.
pub fn actor(name: &str) -> Actor {
    Actor {
        name: name.to_owned(),
        kind: ActorKind::Job,
        door: Door::Webhook(format!("delivery to {name}")),
        subject: Some(format!("subject of {name}")),
        assurance: Assurance::Oidc,
    }
}

/// An event and a head that contain `text`.
pub fn event(generation: u64, text: &str) -> RecordedEvent {
    let event = Event::Quarantined { sha: sha(), why: text.to_owned(), good: None, alone: false };
    let at = "2026-01-02T03:04:05.000000006Z".parse().unwrap();
    let by = Actor { name: format!("ann of {text}"), ..actor("ann") };
    let previous = (generation > 1).then(|| EntryDigest::of(&generation.to_be_bytes()));
    RecordedEvent { generation: Generation(generation), at, by, event, previous }
}

pub fn head(generation: u64, text: &str) -> Head {
    let since = "1969-12-31T23:59:59.999999999Z".parse().unwrap();
    let quarantined = vec![Quarantine {
        sha: sha(),
        since,
        why: text.to_owned(),
        good: Some(sha()),
        alone: true,
        cleared: vec![sha()],
    }];
    let chain = Some(EntryDigest::of(text.as_bytes()));
    Head { generation: Generation(generation), chain, quarantined, ..Head::default() }
}

/// Acquires the lease for a new owner.
pub async fn lease(state: &Store, link: &LinkId) -> Epoch {
    state.acquire(link, &owner("first"), LEASE, None).await.unwrap().epoch
}

/// Appends one event of generation `expected + 1`.
pub async fn append(state: &Store, link: &LinkId, expected: u64, epoch: Epoch) -> Result<(), StateError> {
    append_consuming(state, link, expected, epoch, &[]).await
}

/// Appends one event that is based on the consents up to `known`.
pub async fn append_knowing(
    state: &Store,
    link: &LinkId,
    expected: u64,
    epoch: Epoch,
    known: u64,
) -> Result<(), StateError> {
    write(state, link, expected, epoch, (&[], Some(ConsentId(known)))).await
}

pub async fn append_consuming(
    state: &Store,
    link: &LinkId,
    expected: u64,
    epoch: Epoch,
    consumes: &[RequestId],
) -> Result<(), StateError> {
    write(state, link, expected, epoch, (consumes, None)).await
}

async fn write(
    state: &Store,
    link: &LinkId,
    expected: u64,
    epoch: Epoch,
    (consumes, consents): (&[RequestId], Option<ConsentId>),
) -> Result<(), StateError> {
    let next = expected.saturating_add(1);
    let (events, head) = ([event(next, "text")], head(next, "text"));
    let expected = Generation(expected);
    state.append(Append { link, expected, epoch, events: &events, head: &head, consumes, consents }).await
}

pub async fn generation(state: &Store, link: &LinkId) -> u64 {
    let heads = state.heads(Some(std::slice::from_ref(link))).await.unwrap();
    let generation = heads.first().map_or(0, |(_, head)| head.generation.0);
    let journal = state.journal(link, None, usize::MAX).await.unwrap();
    let generations: Vec<_> = journal.iter().map(|recorded| recorded.generation.0).collect();
    assert_eq!(
        generations,
        (1..=generation).collect::<Vec<_>>(),
        "the journal of {link} is what its head folds"
    );
    generation
}

pub fn retry(link: &LinkId, why: &str) -> NewRequest {
    NewRequest {
        link: link.clone(),
        at: "2026-01-02T03:04:05Z".parse().unwrap(),
        by: actor("ann"),
        why: Some(why.to_owned()),
        ask: RequestKind::Retry { sha: sha(), phase: "POST DEPLOY (1)".parse().unwrap() },
    }
}
