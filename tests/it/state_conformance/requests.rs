//! Requests.

use std::collections::BTreeSet;

use futures::future::join_all;
use katkit::domain::{Epoch, RequestId};
use katkit::state::StateError;

use super::fixture::{Store, append_consuming, lease, link, retry};

async fn open(state: &Store) -> Vec<String> {
    state.requests(None).await.unwrap().into_iter().map(|request| request.why.unwrap()).collect()
}

pub async fn requests_keep_the_order_in_which_they_were_recorded(state: Store) {
    let (shop, api) = (link("dev/shop"), link("a/api"));
    let mut recorded = Vec::new();
    for n in 0..12 {
        let link = if n % 2 == 0 { &shop } else { &api };
        recorded.push(state.submit(retry(link, &format!("because {n} \u{1F980}"))).await.unwrap());
    }
    assert!(recorded.is_sorted_by(|a, b| a.id < b.id));
    assert_eq!(state.requests(None).await.unwrap(), recorded);
    assert_eq!(state.requests(Some(&[shop.clone(), api, shop.clone()])).await.unwrap(), recorded);
    let of_shop: Vec<_> = recorded.iter().filter(|request| request.link == shop).cloned().collect();
    assert_eq!(state.requests(Some(&[shop])).await.unwrap(), of_shop);
    assert_eq!(state.requests(Some(&[])).await.unwrap(), []);
}

pub async fn concurrent_requests_get_different_ids(state: Store) {
    let tasks = (0..50).map(|n| {
        let state = state.clone();
        tokio::spawn(async move { state.submit(retry(&link("dev/shop"), &n.to_string())).await.unwrap().id })
    });
    let ids: BTreeSet<_> = join_all(tasks).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(ids.len(), 50);
}

pub async fn an_append_consumes_its_requests(state: Store) {
    let shop = link("dev/shop");
    let epoch = lease(&state, &shop).await;
    let taken = [
        state.submit(retry(&shop, "a")).await.unwrap().id,
        state.submit(retry(&shop, "b")).await.unwrap().id,
    ];
    state.submit(retry(&shop, "left")).await.unwrap();
    append_consuming(&state, &shop, 0, epoch, &taken).await.unwrap();
    assert_eq!(open(&state).await, ["left"]);
}

pub async fn a_failed_append_consumes_nothing(state: Store) {
    let shop = link("dev/shop");
    let epoch = lease(&state, &shop).await;
    let id = [state.submit(retry(&shop, "kept")).await.unwrap().id];
    let early = append_consuming(&state, &shop, 3, epoch, &id).await;
    assert!(matches!(early, Err(StateError::Conflict { .. })), "{early:?}");
    let foreign = append_consuming(&state, &shop, 0, Epoch(9), &id).await;
    assert!(matches!(foreign, Err(StateError::LeaseLost { .. })), "{foreign:?}");
    assert_eq!(open(&state).await, ["kept"]);
}

pub async fn a_missing_request_does_not_fail_an_append(state: Store) {
    let shop = link("dev/shop");
    let epoch = lease(&state, &shop).await;
    let gone = state.submit(retry(&shop, "gone")).await.unwrap().id;
    state.submit(retry(&shop, "left")).await.unwrap();
    append_consuming(&state, &shop, 0, epoch, std::slice::from_ref(&gone)).await.unwrap();
    // Texts that look like the remaining request's number, but are not its id.
    let odd = ["2", "+00000000002", "", "\0", "r2"].map(|odd| RequestId(odd.to_owned()));
    append_consuming(&state, &shop, 1, epoch, &[&[gone][..], &odd].concat()).await.unwrap();
    assert_eq!(open(&state).await, ["left"]);
}

pub async fn a_request_id_is_never_reused(state: Store) {
    let shop = link("dev/shop");
    let epoch = lease(&state, &shop).await;
    let first = state.submit(retry(&shop, "first")).await.unwrap().id;
    append_consuming(&state, &shop, 0, epoch, std::slice::from_ref(&first)).await.unwrap();
    let second = state.submit(retry(&shop, "second")).await.unwrap().id;
    assert!(first < second, "{first} {second}");
}
