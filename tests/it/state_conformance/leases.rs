//! Leases.

use std::time::Duration;

use futures::future::join_all;
use katkit::domain::{Epoch, Lease, LinkId};
use katkit::state::StateError;

use super::fixture::{LEASE, Store, append, generation, lease, link, owner};

async fn recorded(state: &Store, link: &LinkId) -> Lease {
    state.leases(Some(std::slice::from_ref(link))).await.unwrap().remove(0).1
}

fn held_by(result: Result<Lease, StateError>) -> Lease {
    match result {
        Err(StateError::LeaseHeld { lease, .. }) => *lease,
        other => panic!("{other:?}"),
    }
}

pub async fn an_epoch_rises_with_each_owner(state: Store) {
    let (shop, duration) = (link("dev/shop"), Duration::from_secs(u64::MAX));
    for epoch in 1..4 {
        let name = format!("owner {epoch} \u{1F980}");
        let lease = state.acquire(&shop, &owner(&name), duration, None).await.unwrap();
        let expected = Lease { epoch: Epoch(epoch), beat: 0, owner: Some(owner(&name)), duration };
        assert_eq!((&lease, &recorded(&state, &shop).await), (&expected, &expected));
        state.release(&shop, lease.epoch).await.unwrap();
        assert_eq!(recorded(&state, &shop).await, Lease { owner: None, ..expected });
    }
}

pub async fn of_concurrent_requests_for_a_free_lease_one_wins(state: Store) {
    let shop = link("dev/shop");
    for round in 1..=5 {
        let tasks = (0..32).map(|n| {
            let (state, shop) = (state.clone(), shop.clone());
            tokio::spawn(async move { state.acquire(&shop, &owner(&n.to_string()), LEASE, None).await })
        });
        let results: Vec<_> = join_all(tasks).await.into_iter().map(Result::unwrap).collect();
        let (won, lost): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
        let winner = won.into_iter().next().unwrap().unwrap();
        assert_eq!((winner.epoch, lost.len()), (Epoch(round), 31));
        for refusal in lost {
            assert_eq!(held_by(refusal), winner);
        }
        state.release(&shop, winner.epoch).await.unwrap();
    }
}

pub async fn a_lease_holder_cannot_acquire_its_lease_again(state: Store) {
    let shop = link("dev/shop");
    let first = state.acquire(&shop, &owner("ann"), LEASE, None).await.unwrap();
    assert_eq!(held_by(state.acquire(&shop, &owner("ann"), LEASE, None).await), first);
}

pub async fn an_unchanged_lease_can_be_taken_over(state: Store) {
    let shop = link("dev/shop");
    let dead = state.acquire(&shop, &owner("dead"), LEASE, None).await.unwrap();
    append(&state, &shop, 0, dead.epoch).await.unwrap();
    let new = state.acquire(&shop, &owner("new"), 2 * LEASE, Some(&dead)).await.unwrap();
    assert_eq!(new, Lease { epoch: Epoch(2), beat: 0, owner: Some(owner("new")), duration: 2 * LEASE });
    let late = append(&state, &shop, 1, dead.epoch).await;
    assert!(matches!(late, Err(StateError::LeaseLost { .. })), "{late:?}");
    append(&state, &shop, 1, new.epoch).await.unwrap();
}

pub async fn a_renewed_lease_cannot_be_taken_over(state: Store) {
    let shop = link("dev/shop");
    let seen = state.acquire(&shop, &owner("alive"), LEASE, None).await.unwrap();
    state.renew(&shop, seen.epoch).await.unwrap();
    state.renew(&shop, seen.epoch).await.unwrap();
    let now = held_by(state.acquire(&shop, &owner("new"), LEASE, Some(&seen)).await);
    assert_eq!(now, Lease { beat: 2, ..seen.clone() });
    // Nor does an observation of an earlier owner justify taking the lease from a later one.
    state.release(&shop, seen.epoch).await.unwrap();
    let later = state.acquire(&shop, &owner("later"), LEASE, None).await.unwrap();
    assert_eq!(held_by(state.acquire(&shop, &owner("new"), LEASE, Some(&now)).await), later);
}

pub async fn of_many_observers_of_a_dead_owner_one_takes_over(state: Store) {
    let shop = link("dev/shop");
    let dead = state.acquire(&shop, &owner("dead"), LEASE, None).await.unwrap();
    let tasks = (0..32).map(|n| {
        let (state, shop, dead) = (state.clone(), shop.clone(), dead.clone());
        tokio::spawn(async move { state.acquire(&shop, &owner(&n.to_string()), LEASE, Some(&dead)).await })
    });
    let results = join_all(tasks).await;
    assert_eq!(results.iter().filter(|result| matches!(result, Ok(Ok(_)))).count(), 1);
    assert_eq!(recorded(&state, &shop).await.epoch, Epoch(2));
}

pub async fn a_released_epoch_neither_writes_nor_renews(state: Store) {
    let shop = link("dev/shop");
    let epoch = lease(&state, &shop).await;
    state.release(&shop, epoch).await.unwrap();
    let write = append(&state, &shop, 0, epoch).await;
    assert!(matches!(write, Err(StateError::LeaseLost { .. })), "{write:?}");
    let renewal = state.renew(&shop, epoch).await;
    assert!(matches!(renewal, Err(StateError::LeaseLost { .. })), "{renewal:?}");
    assert_eq!(generation(&state, &shop).await, 0);
    state.release(&shop, epoch).await.unwrap();
}

pub async fn a_former_owner_does_not_release_its_successors_lease(state: Store) {
    let shop = link("dev/shop");
    let old = lease(&state, &shop).await;
    state.release(&shop, old).await.unwrap();
    let new = state.acquire(&shop, &owner("new"), LEASE, None).await.unwrap();
    state.release(&shop, old).await.unwrap();
    let renewal = state.renew(&shop, old).await;
    assert!(matches!(renewal, Err(StateError::LeaseLost { .. })), "{renewal:?}");
    assert_eq!(recorded(&state, &shop).await, new);
}

pub async fn a_broken_lease_is_free_and_its_owner_cannot_write(state: Store) {
    let shop = link("dev/shop");
    let held = state.acquire(&shop, &owner("hung"), LEASE, None).await.unwrap();
    assert_eq!(state.break_lease(&shop).await.unwrap(), Some(held.clone()));
    assert_eq!(recorded(&state, &shop).await, Lease { epoch: Epoch(2), owner: None, ..held.clone() });
    let late = append(&state, &shop, 0, held.epoch).await;
    assert!(matches!(late, Err(StateError::LeaseLost { .. })), "{late:?}");
    state.release(&shop, held.epoch).await.unwrap();
    // Nobody holds the epoch that broke it.
    assert!(append(&state, &shop, 0, Epoch(2)).await.is_err());
    let next = state.acquire(&shop, &owner("next"), LEASE, None).await.unwrap();
    assert_eq!(next.epoch, Epoch(3));
    append(&state, &shop, 0, next.epoch).await.unwrap();
}

pub async fn a_lease_that_never_existed_is_not_broken(state: Store) {
    let shop = link("dev/shop");
    assert_eq!(state.break_lease(&shop).await.unwrap(), None);
    state.release(&shop, Epoch(1)).await.unwrap();
    assert!(matches!(state.renew(&shop, Epoch(1)).await, Err(StateError::LeaseLost { .. })));
    assert_eq!(state.leases(None).await.unwrap(), []);
}

pub async fn leases_are_listed_in_order_of_their_ids(state: Store) {
    for id in ["b/a", "a-b/x", "a/y"] {
        lease(&state, &link(id)).await;
    }
    let ids = |leases: Vec<(_, _)>| leases.into_iter().map(|(link, _)| link).collect::<Vec<_>>();
    assert_eq!(ids(state.leases(None).await.unwrap()), ["a/y", "a-b/x", "b/a"].map(link));
    let asked = ["b/a", "nobody/here", "a/y"].map(link);
    assert_eq!(ids(state.leases(Some(&asked)).await.unwrap()), ["a/y", "b/a"].map(link));
}
