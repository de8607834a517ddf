//! The cases that every fleet passes.

use std::time::Duration;

use futures::future::join_all;
use katkit::domain::Handle;
use katkit::fleet::{Fleet, ServiceState};

use super::fixture::{Does, Yard};

async fn states(fleet: &dyn Fleet, handles: &[&Handle]) -> Vec<ServiceState> {
    let handles: Vec<_> = handles.iter().map(|handle| (*handle).clone()).collect();
    fleet.observe(&handles).await.unwrap()
}

async fn runs(fleet: &dyn Fleet, handle: &Handle) -> bool {
    states(fleet, &[handle]).await == [ServiceState::Running]
}

fn is_gone(state: &ServiceState) -> bool {
    matches!(state, ServiceState::Gone { .. })
}

/// Stops a service that has only just started, and returns its state once it is gone. The first process of a container
/// ignores a signal until it has a handler for it (`pid_namespaces(7)`), so it may have to be asked again.
async fn stopped(fleet: &dyn Fleet, handle: &Handle) -> ServiceState {
    loop {
        fleet.stop(handle).await.unwrap();
        if let Ok(gone) = tokio::time::timeout(Duration::from_secs(10), fleet.gone(handle)).await {
            return gone.unwrap();
        }
    }
}

async fn listed(fleet: &dyn Fleet) -> Vec<Handle> {
    let mut handles: Vec<_> = fleet.list().await.unwrap().into_iter().map(|found| found.handle).collect();
    handles.sort();
    handles
}

pub async fn a_token_is_one_service_whoever_launches_it(yard: &impl Yard) {
    let fleets = [yard.fleet(), yard.fleet()];
    let order = yard.order(Does::Wait, 0);
    let first = fleets[0].launch(&order).await.unwrap();
    let again = join_all(fleets.iter().map(|fleet| fleet.launch(&order))).await;
    for handle in again {
        assert_eq!(handle.unwrap(), first);
    }
    for fleet in &fleets {
        assert!(runs(&**fleet, &first).await);
        assert_eq!(listed(&**fleet).await, std::slice::from_ref(&first));
    }
    fleets[1].remove(&first).await.unwrap();
}

pub async fn a_service_is_listed_until_it_is_removed(yard: &impl Yard) {
    let fleet = yard.fleet();
    assert_eq!(fleet.list().await.unwrap(), []);
    let order = yard.order(Does::End, 1);
    let handle = fleet.launch(&order).await.unwrap();
    assert!(is_gone(&fleet.gone(&handle).await.unwrap()));
    // Ending alone removes nothing, except on ECS the task from the list of running tasks.
    for found in fleet.list().await.unwrap() {
        assert_eq!((&found.handle, &found.token), (&handle, &order.token));
        assert!(found.link.as_ref().is_none_or(|link| *link == order.link), "{found:?}");
    }
    let order = yard.order(Does::Wait, 2);
    let waiting = fleet.launch(&order).await.unwrap();
    let all = fleet.list().await.unwrap();
    let found = all.iter().find(|found| found.handle == waiting).unwrap();
    assert_eq!((&found.token, found.link.as_ref()), (&order.token, Some(&order.link)));
    for handle in [&handle, &waiting] {
        fleet.remove(handle).await.unwrap();
    }
    assert_eq!(fleet.list().await.unwrap(), []);
}

pub async fn a_service_that_ended_is_gone_without_a_cause_and_is_not_started_again(yard: &impl Yard) {
    let fleet = yard.fleet();
    let order = yard.order(Does::End, 1);
    let handle = fleet.launch(&order).await.unwrap();
    let clean = ServiceState::Gone { cause: None, evidence: String::new() };
    assert_eq!(fleet.gone(&handle).await.unwrap(), clean);
    assert!(fleet.saw_end(&handle));
    // As after a controller died before it recorded its launch.
    let other = yard.fleet();
    assert_eq!(other.launch(&order).await.unwrap(), handle);
    assert_eq!(other.gone(&handle).await.unwrap(), clean);
    other.remove(&handle).await.unwrap();
}

pub async fn a_stopped_service_ends(yard: &impl Yard) {
    let fleet = yard.fleet();
    let handle = fleet.launch(&yard.order(Does::Wait, 0)).await.unwrap();
    assert!(runs(&*fleet, &handle).await);
    let gone = stopped(&*fleet, &handle).await;
    assert!(is_gone(&gone));
    assert!(!runs(&*fleet, &handle).await);
    fleet.remove(&handle).await.unwrap();
}

pub async fn a_missing_service_can_be_stopped_and_removed_again(yard: &impl Yard) {
    let fleet = yard.fleet();
    let handle = fleet.launch(&yard.order(Does::Wait, 0)).await.unwrap();
    for _ in 0..2 {
        fleet.remove(&handle).await.unwrap();
        fleet.stop(&handle).await.unwrap();
        assert!(is_gone(&fleet.gone(&handle).await.unwrap()));
        assert!(!runs(&*fleet, &handle).await);
    }
    let nobody = yard.nobody();
    fleet.stop(&nobody).await.unwrap();
    assert!(!runs(&*fleet, &nobody).await);
}

pub async fn states_are_returned_in_the_requested_order(yard: &impl Yard) {
    let fleet = yard.fleet();
    assert_eq!(states(&*fleet, &[]).await, []);
    let waiting = fleet.launch(&yard.order(Does::Wait, 0)).await.unwrap();
    let ended = fleet.launch(&yard.order(Does::End, 1)).await.unwrap();
    fleet.gone(&ended).await.unwrap();
    let nobody = yard.nobody();
    let order = [&ended, &waiting, &nobody, &waiting, &ended];
    let gone: Vec<_> = states(&*fleet, &order).await.iter().map(is_gone).collect();
    assert_eq!(gone, [true, false, true, false, true]);
    for handle in [&waiting, &ended] {
        fleet.remove(handle).await.unwrap();
    }
}

pub async fn removing_one_service_leaves_the_others(yard: &impl Yard) {
    let fleet = yard.fleet();
    let orders = [0, 2].map(|number| yard.order(Does::Wait, number));
    let handles = join_all(orders.iter().map(|order| fleet.launch(order))).await;
    let [first, second] = &handles[..] else { unreachable!() };
    let (first, second) = (first.as_ref().unwrap(), second.as_ref().unwrap());
    assert_ne!(first, second);
    fleet.remove(first).await.unwrap();
    assert!(runs(&*fleet, second).await);
    assert_eq!(listed(&*fleet).await, std::slice::from_ref(second));
    fleet.remove(second).await.unwrap();
}

pub async fn a_waiting_caller_may_give_up(yard: &impl Yard) {
    let fleet = yard.fleet();
    let handle = fleet.launch(&yard.order(Does::Wait, 0)).await.unwrap();
    for _ in 0..2 {
        let waited = tokio::time::timeout(Duration::from_millis(300), fleet.gone(&handle)).await;
        assert!(waited.is_err(), "{waited:?}");
    }
    assert!(runs(&*fleet, &handle).await);
    let (gone, stopped) = futures::join!(fleet.gone(&handle), stopped(&*fleet, &handle));
    assert!(is_gone(&gone.unwrap()) && is_gone(&stopped));
    fleet.remove(&handle).await.unwrap();
}

pub async fn another_process_finds_a_launched_service_and_ends_it(yard: &impl Yard) {
    let order = yard.order(Does::Wait, 0);
    let handle = yard.fleet().launch(&order).await.unwrap();
    let next = yard.fleet();
    let found = next.list().await.unwrap().remove(0);
    assert_eq!((&found.handle, &found.token), (&handle, &order.token));
    assert!(runs(&*next, &found.handle).await);
    assert!(is_gone(&stopped(&*next, &found.handle).await));
    next.remove(&found.handle).await.unwrap();
    assert_eq!(yard.fleet().list().await.unwrap(), []);
}

pub async fn another_katkit_does_not_see_the_services(yard: &impl Yard) {
    let fleet = yard.fleet();
    let handle = fleet.launch(&yard.order(Does::Wait, 0)).await.unwrap();
    assert_eq!(yard.strangers().list().await.unwrap(), []);
    assert!(runs(&*fleet, &handle).await);
    fleet.remove(&handle).await.unwrap();
}

pub async fn verifying_a_launch_starts_nothing(yard: &impl Yard) {
    let fleet = yard.fleet();
    assert!(!fleet.verify().await.is_empty());
    let check = fleet.verify_launch(&yard.order(Does::Wait, 0)).await;
    assert!(check.as_ref().is_none_or(|check| !check.is_bad()), "{check:?}");
    fleet.verify_needs(&yard.order(Does::Wait, 0)).await;
    assert_eq!(fleet.list().await.unwrap(), []);
}
