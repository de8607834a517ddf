//! The state of links, from the record and from a plan.

use std::collections::BTreeSet;

use super::world::{adopted, estate, id, record, sha, targets};
use crate::domain::Event;
use crate::estate::Estate;
use crate::plan::Arrival;
use crate::queries::{RecordedLinks, StatusDepth, StatusFacts, StatusQuestion};
use crate::views::LinkStateKind;

async fn status(estate: &Estate, question: StatusQuestion) -> StatusFacts {
    RecordedLinks::read(estate).await.unwrap().status(estate, question).await.unwrap()
}

fn states(facts: &StatusFacts) -> Vec<(String, LinkStateKind)> {
    facts.links().iter().map(|link| (link.id.to_string(), link.link_state().kind)).collect()
}

#[tokio::test]
async fn links_in_the_manifest_are_listed_before_anything_is_recorded() {
    let estate = estate("");
    let facts = status(&estate, StatusQuestion::default()).await;
    assert!(facts.is_blank());
    let never = |link: &str| (link.to_owned(), LinkStateKind::NeverRan);
    assert_eq!(states(&facts), [never("dev/shop"), never("prod/shop")]);
    record(&estate, "dev/shop", 1, adopted('a')).await;
    let facts =
        status(&estate, StatusQuestion { targets: targets("dev"), ..StatusQuestion::default() }).await;
    assert!(!facts.is_blank());
    assert_eq!(states(&facts), [("dev/shop".to_owned(), LinkStateKind::UpToDate)]);
}

#[tokio::test]
async fn a_forgotten_link_is_counted_unless_it_is_named() {
    let estate = estate("");
    record(&estate, "old/shop", 1, adopted('a')).await;
    record(&estate, "old/shop", 2, Event::Forgotten).await;
    let known = RecordedLinks::read(&estate).await.unwrap().ids();
    assert!(known.contains(&id("old/shop")), "a pattern may match it");
    let listed = |question| {
        let estate = &estate;
        async move {
            let facts = status(estate, question).await;
            (facts.links().iter().any(|link| *link.id == id("old/shop")), facts.forgotten)
        }
    };
    assert_eq!(listed(StatusQuestion::default()).await, (false, 1));
    assert_eq!(listed(StatusQuestion { forgotten: true, ..StatusQuestion::default() }).await, (true, 0));
    let named = BTreeSet::from([id("old/shop")]);
    assert_eq!(listed(StatusQuestion { named, ..StatusQuestion::default() }).await, (true, 0));
}

#[tokio::test]
async fn a_link_is_under_its_new_name_before_its_record_moves() {
    let estate = estate("[[moved]]\nfrom = \"old/shop\"\nto = \"dev/shop\"\n");
    record(&estate, "old/shop", 1, adopted('a')).await;
    let record = RecordedLinks::read(&estate).await.unwrap();
    assert_eq!(record.ids(), BTreeSet::from([id("dev/shop"), id("prod/shop")]));
    let facts = record.status(&estate, StatusQuestion::default()).await.unwrap();
    let links = facts.links();
    assert_eq!(links[0].recorded_as, Some(&id("old/shop")));
    assert!(links[0].head.runs(&sha('a')));
    assert_eq!(links[1].recorded_as, None);
}

#[tokio::test]
async fn a_check_says_whether_everything_is_live() {
    let mut estate = estate("");
    record(&estate, "dev/shop", 1, adopted('a')).await;
    let question =
        || StatusQuestion { targets: targets("dev"), depth: StatusDepth::Plan, ..StatusQuestion::default() };
    let checked = status(&estate, question()).await.checked.unwrap();
    assert!(checked.is_all_live && !checked.is_held, "{checked:?}");
    assert_eq!(checked.wants.get(&id("dev/shop")), Some(&sha('a')));
    // As in a build without its platform.
    estate.platforms.clear();
    let checked = status(&estate, question()).await.checked.unwrap();
    assert!(!checked.is_all_live && checked.is_held, "{checked:?}");
    assert!(matches!(checked.findings.as_slice(), [(_, Arrival::Held(hold))] if hold.reason.is_error()));
}
