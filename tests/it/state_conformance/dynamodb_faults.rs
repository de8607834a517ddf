//! A table that throttles and loses answers, and the number of calls to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::join_all;
use katkit::domain::{Epoch, Generation};
use katkit::state::StateError;

use super::fixture::{LEASE, Store, append, append_consuming, generation, lease, link, owner, retry};
use crate::engines::Account;
use crate::engines::proxy::{Fault, Proxy};

/// How long a write to a link is retried: longer than the SDK alone would.
const PATIENCE: Duration = Duration::from_secs(20);

/// A new table behind a proxy.
async fn through_a_proxy() -> (Proxy, Store) {
    let (proxy, state, _) = beside_a_proxy().await;
    (proxy, state)
}

/// A store behind a proxy, and the same store without it.
async fn beside_a_proxy() -> (Proxy, Store, Store) {
    let (proxy, account) = (Proxy::start().await, Account::new().await);
    let direct = account.state().await;
    let state = account.through(&proxy.endpoint).await.state_again().with_patience(PATIENCE);
    // The version is read once per process, and written with the first write.
    state.begin().await.unwrap();
    (proxy, Arc::new(state), Arc::new(direct))
}

/// Loses the answer to the first call of that name.
fn lose_first(proxy: &Proxy, name: &'static str) {
    let seen = AtomicU64::new(0);
    proxy.fault(move |called, _| {
        (called == name && seen.fetch_add(1, Ordering::Relaxed) == 0).then_some(Fault::LoseAnswer)
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_concurrent_links_do_not_notice_throttling_of_one_call_in_five() {
    let (proxy, state) = through_a_proxy().await;
    proxy.fault(|_, number| (number % 5 == 0).then_some(Fault::Throttle));
    let tasks = (0..200).map(|n| {
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let link = link(&format!("tenant-{}/link-{n}", n % 9));
            let epoch = lease(&state, &link).await;
            for expected in 0..5 {
                append(&state, &link, expected, epoch).await.unwrap();
            }
            state.renew(&link, epoch).await.unwrap();
            state.release(&link, epoch).await.unwrap();
        })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
    let heads = state.heads(None).await.unwrap();
    assert!(heads.len() == 200 && heads.iter().all(|(_, head)| head.generation == Generation(5)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_write_whose_answer_was_lost_is_written_once() {
    let (proxy, state) = through_a_proxy().await;
    let shop = link("dev/shop");
    lose_first(&proxy, "PutItem");
    let taken = state.acquire(&shop, &owner("ann"), LEASE, None).await.unwrap();
    assert_eq!(taken.epoch, Epoch(1));
    lose_first(&proxy, "TransactWriteItems");
    append(&state, &shop, 0, taken.epoch).await.unwrap();
    assert_eq!(generation(&state, &shop).await, 1);
    lose_first(&proxy, "PutItem");
    state.submit(retry(&shop, "once")).await.unwrap();
    assert_eq!(state.requests(None).await.unwrap().len(), 1);
    lose_first(&proxy, "UpdateItem");
    state.renew(&shop, taken.epoch).await.unwrap();
    lose_first(&proxy, "PutItem");
    assert_eq!(state.break_lease(&shop).await.unwrap().unwrap().epoch, taken.epoch);
    assert_eq!(state.leases(None).await.unwrap()[0].1.epoch, Epoch(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_write_that_never_arrived_says_so_and_changes_nothing() {
    let (proxy, state) = through_a_proxy().await;
    let shop = link("dev/shop");
    let epoch = lease(&state, &shop).await;
    proxy.fault(|name, _| (name == "TransactWriteItems").then_some(Fault::Refuse));
    proxy.reset();
    let error = append(&state, &shop, 0, epoch).await.unwrap_err();
    assert!(matches!(error, StateError::Unavailable { .. }) && error.is_retryable(), "{error:?}");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.starts_with("AWS did not answer `dynamodb:TransactWriteItems` on table"), "{cause}");
    assert!(proxy.calls()["TransactWriteItems"] > SDK, "{:?}", proxy.calls());
    proxy.fault(|_, _| None);
    assert_eq!(generation(&state, &shop).await, 0);
    append(&state, &shop, 0, epoch).await.unwrap();
}

/// The SDK's maximum number of attempts for one call.
const SDK: u64 = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_write_is_retried_by_time_and_not_by_number_of_refusals() {
    let tried = async |fault| {
        let (proxy, state) = through_a_proxy().await;
        let shop = link("dev/shop");
        let epoch = lease(&state, &shop).await;
        let sent = AtomicU64::new(0);
        proxy.fault(move |name, _| {
            let write = name == "TransactWriteItems";
            (write && sent.fetch_add(1, Ordering::Relaxed) <= SDK).then_some(fault)
        });
        append(&state, &shop, 0, epoch).await.unwrap();
        assert_eq!(generation(&state, &shop).await, 1);
    };
    join_all([Fault::Throttle, Fault::Refuse, Fault::Meet].map(tried)).await;
}

/// Another owner took over during the retries: the write is refused with that reason.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_write_that_loses_its_lease_during_retries_is_refused() {
    let (proxy, state) = through_a_proxy().await;
    let shop = link("dev/shop");
    let epoch = lease(&state, &shop).await;
    proxy.fault(|name, _| (name == "TransactWriteItems").then_some(Fault::Throttle));
    proxy.reset();
    let trying = {
        let (state, shop) = (Arc::clone(&state), shop.clone());
        tokio::spawn(async move { append(&state, &shop, 0, epoch).await })
    };
    crate::phase::eventually("it is tried for longer than the SDK alone would", async || {
        (proxy.calls().get("TransactWriteItems").is_some_and(|sent| *sent > SDK)).then_some(())
    })
    .await;
    state.break_lease(&shop).await.unwrap().unwrap();
    proxy.fault(|_, _| None);
    let refused = trying.await.unwrap().unwrap_err();
    assert!(matches!(refused, StateError::LeaseLost { .. }), "{refused:?}");
    assert_eq!(generation(&state, &shop).await, 0);
}

/// An owner renews its lease while it writes: on AWS, the two may collide at the lease's item.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_write_that_collides_with_another_is_retried() {
    let (proxy, state) = through_a_proxy().await;
    let shop = link("dev/shop");
    let epoch = lease(&state, &shop).await;
    let meets = |times: u64| {
        let met = AtomicU64::new(0);
        proxy.fault(move |_, _| (met.fetch_add(1, Ordering::Relaxed) < times).then_some(Fault::Meet));
    };
    meets(3);
    append(&state, &shop, 0, epoch).await.unwrap();
    assert_eq!(generation(&state, &shop).await, 1);
    meets(3);
    state.renew(&shop, epoch).await.unwrap();
    let beat = state.leases(None).await.unwrap()[0].1.beat;
    meets(1);
    state.release(&shop, epoch).await.unwrap();
    let lease = state.leases(None).await.unwrap().remove(0).1;
    assert!(lease.owner.is_none() && lease.beat >= beat, "{lease:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_survey_of_a_thousand_links_takes_a_few_calls() {
    let (proxy, state) = through_a_proxy().await;
    let links: Vec<_> = (0..1000).map(|n| link(&format!("tenant-{:02}/link-{n:04}", n % 20))).collect();
    join_all(links.iter().map(async |link| {
        let epoch = lease(&state, link).await;
        append(&state, link, 0, epoch).await.unwrap();
    }))
    .await;
    proxy.reset();
    let survey = state.survey().await.unwrap();
    assert_eq!((survey.heads.len(), survey.leases.len()), (1000, 1000));
    assert!(survey.damaged.is_empty());
    let calls = proxy.calls();
    assert!(calls.values().sum::<u64>() <= 10 && calls.keys().eq(["Query"]), "{calls:?}");
    proxy.reset();
    assert_eq!(state.heads(Some(&links)).await.unwrap().len(), 1000);
    assert_eq!(proxy.calls(), [("BatchGetItem".to_owned(), 10)].into());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn unprocessed_keys_of_a_batch_are_requested_again() {
    let (proxy, state) = through_a_proxy().await;
    let shop = link("dev/shop");
    let epoch = lease(&state, &shop).await;
    append(&state, &shop, 0, epoch).await.unwrap();
    let batches = AtomicU64::new(0);
    proxy.fault(move |name, _| {
        (name == "BatchGetItem" && batches.fetch_add(1, Ordering::Relaxed) < 3).then_some(Fault::Unprocessed)
    });
    proxy.reset();
    assert_eq!(state.heads(Some(std::slice::from_ref(&shop))).await.unwrap().len(), 1);
    assert_eq!(proxy.calls()["BatchGetItem"], 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_late_write_detects_a_faster_one() {
    let (proxy, state) = through_a_proxy().await;
    let shop = link("dev/shop");
    let epoch = lease(&state, &shop).await;
    let writes = AtomicU64::new(0);
    proxy.fault(move |name, _| {
        let first = name == "TransactWriteItems" && writes.fetch_add(1, Ordering::Relaxed) == 0;
        first.then_some(Fault::Delay(Duration::from_millis(300)))
    });
    let late = {
        let (state, shop) = (Arc::clone(&state), shop.clone());
        tokio::spawn(async move { append(&state, &shop, 0, epoch).await })
    };
    crate::phase::eventually("the late write is on its way", async || {
        proxy.calls().contains_key("TransactWriteItems").then_some(())
    })
    .await;
    append(&state, &shop, 0, epoch).await.unwrap();
    let late = late.await.unwrap();
    assert!(matches!(late, Err(StateError::Conflict { .. })), "{late:?}");
    assert_eq!(generation(&state, &shop).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_write_is_one_call() {
    let (proxy, state) = through_a_proxy().await;
    let shop = link("dev/shop");
    let epoch = lease(&state, &shop).await;
    proxy.reset();
    append(&state, &shop, 0, epoch).await.unwrap();
    state.renew(&shop, epoch).await.unwrap();
    state.release(&shop, epoch).await.unwrap();
    let calls = [("TransactWriteItems".to_owned(), 1), ("UpdateItem".to_owned(), 2)];
    assert_eq!(proxy.calls(), calls.into());
}

/// An owner consumed it before its sender retried after a lost answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_retried_request_does_not_reappear_after_it_was_consumed() {
    let (proxy, state, direct) = beside_a_proxy().await;
    let writes = AtomicU64::new(0);
    proxy.fault(move |name, _| {
        let write = (name == "TransactWriteItems").then(|| writes.fetch_add(1, Ordering::Relaxed));
        match write? {
            0 => Some(Fault::LoseAnswer),
            1 => Some(Fault::Delay(Duration::from_secs(1))),
            _ => None,
        }
    });
    let asking = {
        let state = Arc::clone(&state);
        tokio::spawn(async move { state.submit(retry(&link("dev/shop"), "once")).await })
    };
    let taken =
        crate::phase::eventually("it is there", async || state.requests(None).await.unwrap().pop()).await;
    let shop = link("dev/shop");
    let epoch = lease(&direct, &shop).await;
    append_consuming(&direct, &shop, 0, epoch, std::slice::from_ref(&taken.id)).await.unwrap();
    assert_eq!(asking.await.unwrap().unwrap(), taken);
    assert_eq!(proxy.calls()["TransactWriteItems"], 2);
    assert_eq!(state.requests(None).await.unwrap(), []);
}
