//! The progress of links towards a goal.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

use super::world::{adopted, estate, id, owner, phase, record, sha, start_build, targets};
use crate::clock::Clock;
use crate::domain::{Owner, RequestKind};
use crate::plan::{Arrival, Goal};
use crate::queries::{activity, arrivals};
use crate::state::NewRequest;

/// A clock that stands still until the test sets its seconds.
#[derive(Debug, Default)]
struct ManualClock(AtomicU64);

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn elapsed(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::Relaxed))
    }
}

#[tokio::test]
async fn a_link_arrives_once_its_wanted_commit_is_live() {
    let estate = estate("");
    record(&estate, "dev/shop", 1, adopted('a')).await;
    let there = BTreeMap::from([(id("dev/shop"), Arrival::Arrived(Some(sha('a'))))]);
    let found = arrivals(&estate, &targets("dev"), &Goal::Live).await.unwrap();
    assert_eq!(found.links, there);
    let goal = Goal::Commit("aaaa".to_owned());
    let found = arrivals(&estate, &targets("dev"), &goal).await.unwrap();
    assert_eq!(found.links, there);
}

#[tokio::test]
async fn a_link_whose_platform_cannot_be_inspected_may_still_arrive() {
    let mut estate = estate("");
    record(&estate, "dev/shop", 1, adopted('a')).await;
    estate.platforms.clear();
    let found = arrivals(&estate, &targets("dev"), &Goal::Live).await.unwrap();
    let arrival = &found.links[&id("dev/shop")];
    assert!(arrival.may_pass() && !arrival.is_there(), "{arrival:?}");
}

#[tokio::test]
async fn the_fingerprint_changes_with_every_event_and_every_lease() {
    let (estate, dev) = (estate(""), targets("dev"));
    let look = || async { activity(&estate, &dev).await.unwrap().fingerprint };
    let before = look().await;
    assert!(before.is_empty());
    record(&estate, "prod/shop", 1, adopted('a')).await;
    assert_eq!(look().await, before, "another link");
    record(&estate, "dev/shop", 1, adopted('a')).await;
    let recorded = look().await;
    assert_ne!(recorded, before);
    let lease = estate.state.acquire(&id("dev/shop"), &owner(), Duration::from_secs(30), None).await.unwrap();
    assert_ne!(look().await, recorded);
    estate.state.release(&id("dev/shop"), lease.epoch).await.unwrap();
    assert_eq!(look().await, recorded);
}

#[tokio::test]
async fn the_fingerprint_changes_with_every_request() {
    let (estate, dev) = (estate(""), targets("dev"));
    let look = || async { activity(&estate, &dev).await.unwrap().fingerprint };
    let cancel = |link: &str| NewRequest {
        link: id(link),
        at: Timestamp::UNIX_EPOCH,
        by: "ana".into(),
        why: None,
        ask: RequestKind::Cancel { sha: sha('a') },
    };
    let before = look().await;
    estate.state.submit(cancel("prod/shop")).await.unwrap();
    assert_eq!(look().await, before, "another link");
    estate.state.submit(cancel("dev/shop")).await.unwrap();
    let first = look().await;
    assert!(first != before && !first.is_empty());
    estate.state.submit(cancel("dev/shop")).await.unwrap();
    assert_ne!(look().await, first);
}

#[tokio::test]
async fn the_fingerprint_changes_when_an_owner_elsewhere_is_found_dead() {
    let (mut estate, dev, clock) = (estate(""), targets("dev"), Arc::new(ManualClock::default()));
    estate.clock = clock.clone();
    let look = || async { activity(&estate, &dev).await.unwrap().fingerprint };
    let elsewhere = Owner { boot: Some("elsewhere".to_owned()), ..owner() };
    estate.state.acquire(&id("dev/shop"), &elsewhere, Duration::from_secs(30), None).await.unwrap();
    let alive = look().await;
    clock.0.store(29, Ordering::Relaxed);
    assert_eq!(look().await, alive);
    clock.0.store(30, Ordering::Relaxed);
    assert_ne!(look().await, alive);
}

#[tokio::test]
async fn a_phase_is_active_while_a_process_holds_its_link() {
    let (estate, dev) = (estate(""), targets("dev"));
    start_build(&estate, "dev/shop", 'a').await;
    assert!(activity(&estate, &dev).await.unwrap().running.is_empty(), "nobody works on it");
    estate.state.acquire(&id("dev/shop"), &owner(), Duration::from_secs(30), None).await.unwrap();
    let running = activity(&estate, &dev).await.unwrap().running;
    let names: Vec<_> = running.iter().map(|active| (&active.link, &active.name)).collect();
    assert_eq!(names, [(&id("dev/shop"), &phase("build"))]);
    let found = arrivals(&estate, &dev, &Goal::Live).await.unwrap();
    let arrival = &found.links[&id("dev/shop")];
    assert_eq!(*arrival, Arrival::OnTheWay("`build` is running for aaaaaaaaaa".to_owned()));
}
