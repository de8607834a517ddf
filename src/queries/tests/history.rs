//! Merged journals, and runs found in them.

use super::world::{adopted, estate, id, record, start_build, taken_over, targets};
use crate::queries::journal_pages::events;
use crate::queries::{EventRange, KnownLinks, MergedEvents, deployments, history, past_run, past_runs};

const ALL: EventRange =
    EventRange { before: None, since: None, until: None, limit: usize::MAX, deployments: false };

#[tokio::test]
async fn the_last_events_of_several_links_are_merged_by_time() {
    let estate = estate("");
    record(&estate, "dev/shop", 10, adopted('a')).await;
    record(&estate, "prod/shop", 20, adopted('b')).await;
    record(&estate, "dev/shop", 30, taken_over()).await;
    let links = [id("dev/shop"), id("prod/shop")];
    let all = history(&estate, &links, ALL).await.unwrap();
    let times = |merged: &MergedEvents| -> Vec<_> {
        merged.events.iter().map(|(link, event)| (link.to_string(), event.at.as_second())).collect()
    };
    let at = |link: &str, second: i64| (link.to_owned(), second);
    assert_eq!(times(&all), [at("dev/shop", 10), at("prod/shop", 20), at("dev/shop", 30)]);
    assert!(!all.has_more);
    let last = history(&estate, &links, EventRange { limit: 2, ..ALL }).await.unwrap();
    assert_eq!(times(&last), [at("prod/shop", 20), at("dev/shop", 30)]);
    assert!(last.has_more);
    let range = EventRange { limit: 1, deployments: true, ..ALL };
    let (last, has_more) = deployments(history(&estate, &links, range).await.unwrap().events, 1);
    assert_eq!(last.iter().map(|(link, _)| link.to_string()).collect::<Vec<_>>(), ["prod/shop"]);
    assert!(has_more);
}

#[tokio::test]
async fn a_run_is_found_behind_many_other_events() {
    let estate = estate("");
    for second in 0..300 {
        record(&estate, "dev/shop", second, taken_over()).await;
    }
    let run = start_build(&estate, "dev/shop", 'a').await;
    let link = id("dev/shop");
    let found = past_run(&estate, &link, &run).await.unwrap().unwrap();
    assert_eq!(found.phases[0].attempts.len(), 1);
    assert_eq!(past_runs(&estate, &link).await.unwrap(), [found]);
    let last = events(&estate, &link, EventRange { limit: 290, ..ALL }).await.unwrap();
    let first = last.first().unwrap().generation.0;
    assert_eq!((last.len(), first), (290, 303 - 290 + 1));
}

#[tokio::test]
async fn links_outside_the_manifest_keep_their_history() {
    let estate = estate("");
    record(&estate, "old/shop", 10, adopted('a')).await;
    let known = KnownLinks::read(&estate).await.unwrap();
    let (links, damaged) = known.narrowed(&targets("*/shop"));
    assert_eq!(links, [id("dev/shop"), id("old/shop"), id("prod/shop")]);
    assert!(damaged.is_empty());
}
