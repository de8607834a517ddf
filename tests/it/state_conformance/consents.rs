//! Consents.

use std::collections::BTreeSet;

use futures::future::join_all;
use katkit::domain::{
    CheckOutcome, CommitReview, CommitSha, Consent, ConsentId, ConsentKind, Entry as _, LinkPatterns,
};
use katkit::state::{NewConsent, StandingConsents, StateError};

use super::fixture::{Store, actor, append, append_knowing, generation, lease, link};

fn new(what: ConsentKind, ends: &[u64]) -> NewConsent {
    NewConsent {
        at: "2026-01-02T03:04:05.000000006Z".parse().unwrap(),
        by: actor("ann"),
        why: Some("because \u{1F980}".to_owned()),
        what,
        ends: ends.iter().map(|id| ConsentId(*id)).collect(),
    }
}

fn freeze() -> ConsentKind {
    ConsentKind::Freeze {
        links: LinkPatterns::try_from(vec!["prod-*".to_owned(), "dev/shop".to_owned()]).unwrap(),
        until: "2026-02-03T04:05:06Z".parse().unwrap(),
        zone: "Europe/Berlin".to_owned(),
        holds_rollbacks: true,
    }
}

fn sha(number: usize) -> CommitSha {
    CommitSha::new(format!("{number:040x}")).unwrap()
}

fn evidence(number: usize, by: &str) -> ConsentKind {
    let review = CommitReview {
        pull_request: Some("https://example.org/shop/pull/7".to_owned()),
        approved_by: [by.parse().unwrap()].into(),
        checks: [("build (linux, \u{1F980})".parse().unwrap(), CheckOutcome::Failure)].into(),
    };
    ConsentKind::Evidence { sha: sha(number), review: Box::new(review) }
}

async fn give(state: &Store, what: ConsentKind, ends: &[u64]) -> Consent {
    state.consent(new(what, ends)).await.unwrap()
}

fn ids<'c>(consents: impl IntoIterator<Item = &'c Consent>) -> Vec<u64> {
    consents.into_iter().map(|consent| consent.id.0).collect()
}

pub async fn a_record_without_consents_has_none(state: Store) {
    assert_eq!(state.consents().await.unwrap(), StandingConsents::default());
    assert_eq!(state.consent_journal(None, 10).await.unwrap(), []);
    assert_eq!(state.survey().await.unwrap().consents, StandingConsents::default());
}

pub async fn consents_are_numbered_and_read_back_unchanged(state: Store) {
    let (first, second) = (give(&state, freeze(), &[]).await, give(&state, freeze(), &[]).await);
    assert_eq!((first.id, second.id), (ConsentId(1), ConsentId(2)));
    let NewConsent { at, by, why, what, ends } = new(freeze(), &[]);
    assert_eq!(second.previous, Some(first.digest(None)), "they are chained");
    assert_eq!(first, Consent { id: ConsentId(1), at, by, why, what, ends, previous: None });
    let standing = StandingConsents { last: ConsentId(2), standing: vec![first.clone(), second.clone()] };
    assert_eq!(state.consents().await.unwrap(), standing);
    assert_eq!(state.survey().await.unwrap().consents, standing);
    assert_eq!(state.consent_journal(None, 10).await.unwrap(), [first, second]);
}

pub async fn an_ended_consent_stays_in_the_journal(state: Store) {
    for _ in 0..3 {
        give(&state, freeze(), &[]).await;
    }
    let thaw = give(&state, ConsentKind::Thaw, &[1, 3]).await;
    assert_eq!(thaw.ends, [ConsentId(1), ConsentId(3)]);
    let StandingConsents { last, standing } = state.consents().await.unwrap();
    assert_eq!((last, ids(&standing)), (ConsentId(4), vec![2]));
    // What replaces another, and one that is gone already.
    give(&state, freeze(), &[1, 2]).await;
    assert_eq!(ids(&state.consents().await.unwrap().standing), [5]);
    assert_eq!(ids(&state.consent_journal(None, 10).await.unwrap()), [1, 2, 3, 4, 5]);
}

pub async fn evidence_is_found_by_its_commit_and_does_not_stand(state: Store) {
    assert_eq!(state.evidence(&[sha(1)]).await.unwrap(), []);
    let first = give(&state, evidence(1, "ben"), &[]).await;
    give(&state, freeze(), &[]).await;
    let other = give(&state, evidence(2, "ben"), &[]).await;
    let second = give(&state, evidence(1, "cem"), &[]).await;
    assert_eq!(ids(&state.consents().await.unwrap().standing), [2], "only the freeze stands");
    let found = |commits: &'static [usize]| {
        let commits: Vec<_> = commits.iter().map(|number| sha(*number)).collect();
        let state = &state;
        async move { state.evidence(&commits).await.unwrap() }
    };
    assert_eq!(found(&[1, 3]).await, [first.clone(), second.clone()]);
    assert_eq!(found(&[2, 1, 2, 1]).await, [first, other.clone(), second], "in their order, each once");
    assert_eq!(found(&[]).await, []);
    let with = state.consents_with_evidence(&[sha(2)]).await.unwrap();
    assert_eq!((with.last, ids(&with.standing)), (ConsentId(4), vec![2, 3]));
}

pub async fn withdrawn_evidence_stays_in_the_journal_alone(state: Store) {
    for by in ["ben", "cem"] {
        give(&state, evidence(1, by), &[]).await;
    }
    let other = give(&state, evidence(2, "ben"), &[]).await;
    for number in [1, 3] {
        give(&state, ConsentKind::EvidenceWithdrawal { sha: sha(number) }, &[]).await;
    }
    assert_eq!(state.evidence(&[sha(1), sha(2), sha(3)]).await.unwrap(), [other]);
    assert_eq!(ids(&state.consent_journal(None, 10).await.unwrap()), [1, 2, 3, 4, 5]);
    let again = give(&state, evidence(1, "dora"), &[]).await;
    assert_eq!(state.evidence(&[sha(1)]).await.unwrap(), [again]);
}

pub async fn evidence_for_many_commits_is_found_at_once(state: Store) {
    let commits: Vec<_> = (0..150).map(sha).collect();
    for number in [3, 120] {
        give(&state, evidence(number, "ben"), &[]).await;
    }
    assert_eq!(ids(&state.evidence(&commits).await.unwrap()), [1, 2]);
}

pub async fn concurrent_evidence_for_one_commit_is_kept(state: Store) {
    let reviewers: Vec<_> = (0..8).map(|number| format!("reviewer-{number}")).collect();
    let given = reviewers.iter().map(|by| give(&state, evidence(1, by), &[]));
    join_all(given).await;
    assert_eq!(ids(&state.evidence(&[sha(1)]).await.unwrap()), (1..=8).collect::<Vec<_>>());
}

pub async fn the_journal_of_consents_is_read_in_pages_from_its_end(state: Store) {
    for _ in 0..7 {
        give(&state, freeze(), &[]).await;
    }
    let page = async |before: Option<u64>, limit| {
        ids(&state.consent_journal(before.map(ConsentId), limit).await.unwrap())
    };
    assert_eq!(page(None, 3).await, [5, 6, 7]);
    assert_eq!(page(Some(5), 3).await, [2, 3, 4]);
    assert_eq!(page(Some(2), 3).await, [1]);
    assert_eq!((page(Some(1), 3).await, page(None, 0).await), (vec![], vec![]));
}

pub async fn concurrent_consents_get_different_numbers(state: Store) {
    let tasks = (0..20).map(|_| {
        let state = state.clone();
        tokio::spawn(async move { give(&state, freeze(), &[]).await.id.0 })
    });
    let given: BTreeSet<_> = join_all(tasks).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(given, (1..=20).collect());
    assert_eq!(ids(&state.consents().await.unwrap().standing), (1..=20).collect::<Vec<_>>());
}

pub async fn an_append_that_does_not_know_the_last_consent_changes_nothing(state: Store) {
    let shop = link("dev/shop");
    let epoch = lease(&state, &shop).await;
    append_knowing(&state, &shop, 0, epoch, 0).await.unwrap();
    give(&state, freeze(), &[]).await;
    let late = append_knowing(&state, &shop, 1, epoch, 0).await.unwrap_err();
    assert!(
        matches!(&late, StateError::ConsentGiven { link, known } if *link == shop && *known == ConsentId(0)),
        "{late:?}"
    );
    assert_eq!(generation(&state, &shop).await, 1);
    append_knowing(&state, &shop, 1, epoch, 1).await.unwrap();
    // What only ends another counts, too.
    give(&state, ConsentKind::Thaw, &[1]).await;
    let late = append_knowing(&state, &shop, 2, epoch, 1).await.unwrap_err();
    assert!(matches!(late, StateError::ConsentGiven { .. }), "{late:?}");
    append(&state, &shop, 2, epoch).await.unwrap();
    append_knowing(&state, &shop, 3, epoch, 2).await.unwrap();
    assert_eq!(generation(&state, &shop).await, 4);
}

pub async fn a_conflict_is_reported_before_a_new_consent(state: Store) {
    let shop = link("dev/shop");
    let epoch = lease(&state, &shop).await;
    give(&state, freeze(), &[]).await;
    let late = append_knowing(&state, &shop, 5, epoch, 0).await.unwrap_err();
    assert!(matches!(late, StateError::Conflict { .. }), "{late:?}");
}
