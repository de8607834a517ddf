//! Failures specific to a table.

use std::collections::HashMap;
use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use katkit::aws::AwsLocation;
use katkit::domain::ConsentKind;
use katkit::state::{Links, NewConsent, StateError};

use super::fixture::{Store, append, generation, lease, link};
use crate::engines::{Account, TABLE};

fn s(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

#[tokio::test]
async fn a_table_of_a_newer_version_is_left_alone() {
    let account = Account::new().await;
    account.state().await;
    let client = account.aws.dynamodb(&AwsLocation::default()).await.unwrap();
    let newer = client.put_item().table_name(TABLE).item("pk", s("meta")).item("sk", s("schema"));
    newer.item("version", AttributeValue::N("3".to_owned())).send().await.unwrap();
    let state: Store = Arc::new(account.state_again());
    for error in [
        state.heads(None).await.unwrap_err(),
        state.survey().await.unwrap_err(),
        state.break_lease(&link("dev/shop")).await.unwrap_err(),
    ] {
        assert!(matches!(error, StateError::Newer { found: 3, known: 2, .. }), "{error:?}");
    }
}

#[tokio::test]
async fn the_first_consent_keeps_older_builds_out_of_an_older_table() {
    let account = Account::new().await;
    let state: Store = Arc::new(account.state().await);
    let client = account.aws.dynamodb(&AwsLocation::default()).await.unwrap();
    let older = client.put_item().table_name(TABLE).item("pk", s("meta")).item("sk", s("schema"));
    older.item("version", AttributeValue::N("1".to_owned())).send().await.unwrap();
    let version = async || {
        let key = HashMap::from([("pk".to_owned(), s("meta")), ("sk".to_owned(), s("schema"))]);
        let item = client.get_item().table_name(TABLE).set_key(Some(key)).send().await.unwrap().item.unwrap();
        item["version"].as_n().unwrap().clone()
    };
    let shop = link("dev/shop");
    let epoch = lease(&state, &shop).await;
    append(&state, &shop, 0, epoch).await.unwrap();
    assert_eq!(version().await, "1");
    let thaw = || NewConsent {
        at: jiff::Timestamp::UNIX_EPOCH,
        by: "ana".into(),
        why: None,
        what: ConsentKind::Thaw,
        ends: Vec::new(),
    };
    state.consent(thaw()).await.unwrap();
    assert_eq!(version().await, "2");
    // A newer build has taken the table over since this one opened it.
    let newer = client.put_item().table_name(TABLE).item("pk", s("meta")).item("sk", s("schema"));
    newer.item("version", AttributeValue::N("3".to_owned())).send().await.unwrap();
    let refused = state.consent(thaw()).await.unwrap_err();
    assert!(matches!(refused, StateError::Newer { found: 3, known: 2, .. }), "{refused:?}");
}

#[tokio::test]
async fn a_missing_table_is_reported() {
    let error = Account::new().await.state_again().heads(None).await.unwrap_err();
    assert_eq!(error.to_string(), "there is no DynamoDB table `katkit`");
    assert!(error.hint().unwrap().contains("katkit bootstrap"));
}

#[tokio::test]
async fn damage_to_one_link_does_not_hide_the_others() {
    let account = Account::new().await;
    let state: Store = Arc::new(account.state().await);
    let links = ["a/head", "b/lease", "c/request", "d/sound"];
    for id in links {
        let epoch = lease(&state, &link(id)).await;
        append(&state, &link(id), 0, epoch).await.unwrap();
        state.submit(super::fixture::retry(&link(id), "a reason")).await.unwrap();
    }
    let client = account.aws.dynamodb(&AwsLocation::default()).await.unwrap();
    let found = client.scan().table_name(TABLE).send().await.unwrap();
    for (key, value, attribute) in
        [("sk", "head#a/head", "head"), ("sk", "lease#b/lease", "owner"), ("link", "c/request", "request")]
    {
        let item = found.items().iter().find(|item| item.get(key) == Some(&s(value))).unwrap().clone();
        let damaged = client.put_item().table_name(TABLE).set_item(Some(item)).item(attribute, s("{"));
        damaged.send().await.unwrap();
    }
    let survey = state.survey().await.unwrap();
    let heads: Vec<_> = survey.heads.iter().map(|(link, _)| link.to_string()).collect();
    let leases: Vec<_> = survey.leases.iter().map(|(link, _)| link.to_string()).collect();
    let requests: Vec<_> = survey.requests.iter().map(|request| request.link.to_string()).collect();
    assert_eq!(heads, links[1..]);
    assert_eq!(leases, [links[0], links[2], links[3]]);
    assert_eq!(requests, [links[0], links[1], links[3]]);
    let damaged: Vec<_> = survey.damaged.keys().map(ToString::to_string).collect();
    assert_eq!(damaged, links[..3]);
    // Readers of requests for healthy links keep working.
    let asked = state.requests(Some(&[link("a/head"), link("d/sound")])).await.unwrap();
    assert_eq!(asked.len(), 2);
    assert!(state.requests(Some(&[link("c/request")])).await.is_err());
    for error in survey.damaged.values() {
        assert!(matches!(error, StateError::Corrupt { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_row_edited_by_hand_is_named_and_never_overwritten() {
    let account = Account::new().await;
    let state: Store = Arc::new(account.state().await);
    let shop = link("dev/shop");
    let epoch = lease(&state, &shop).await;
    append(&state, &shop, 0, epoch).await.unwrap();
    let client = account.aws.dynamodb(&AwsLocation::default()).await.unwrap();
    let found = client.scan().table_name(TABLE).send().await.unwrap();
    let row = |sk: &str| found.items().iter().find(|item| item["sk"] == s(sk)).unwrap().clone();
    let put = async |item: HashMap<String, AttributeValue>| {
        client.put_item().table_name(TABLE).set_item(Some(item)).send().await.unwrap();
    };
    let number = |text: &str| AttributeValue::N(text.to_owned());
    let truth = row("head#dev/shop");
    for (attribute, value, says) in [
        ("head", Some(number("1")), "its head has no text `head`"),
        ("head", None, "its head has no text `head`"),
        ("head", Some(s("[]")), "its head cannot be parsed"),
        ("generation", Some(s("1")), "its head is of generation 1, its item of none"),
        ("generation", Some(number("7")), "its head is of generation 1, its item of 7"),
        ("generation", Some(number("18446744073709551615")), "its head is of generation 1, its item of none"),
        ("parts", Some(number("1000000000000")), "its head claims to have 1000000000000 parts"),
        ("parts", Some(number("2")), "a part of its head is missing"),
    ] {
        let mut edited = truth.clone();
        match value {
            Some(value) => edited.insert(attribute.to_owned(), value),
            None => edited.remove(attribute),
        };
        put(edited.clone()).await;
        let error = state.heads(None).await.unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, StateError::Corrupt { .. }), "{attribute}: {error:?}");
        assert!(text.contains("link `dev/shop`") && text.contains(says), "{attribute}: {text}");
        let damaged = state.survey().await.unwrap().damaged;
        assert!(damaged[&shop].to_string().contains(says), "{attribute}: {damaged:?}");
    }
    put(truth.clone()).await;
    let lease_row = row("lease#dev/shop");
    for (attribute, value) in
        [("epoch", s("1")), ("epoch", number("18446744073709551615")), ("owner", s("{"))]
    {
        let edited = lease_row.clone().into_iter().chain([(attribute.to_owned(), value)]).collect();
        put(edited).await;
        let error = state.break_lease(&shop).await.unwrap_err();
        assert!(error.to_string().contains("link `dev/shop` is damaged: its lease "), "{error}");
    }
    put(lease_row).await;
    // Everything is unchanged: no edit was accepted or partly overwritten.
    assert_eq!(generation(&state, &shop).await, 1);
    append(&state, &shop, 1, epoch).await.unwrap();
    assert_eq!(state.journal(&shop, None, 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_head_of_several_items_becomes_small_again() {
    let account = Account::new().await;
    let state: Store = Arc::new(account.state().await);
    let shop = link("dev/shop");
    let epoch = lease(&state, &shop).await;
    for (expected, text) in [(0, "x".repeat(1_000_000)), (1, "small".to_owned()), (2, "y".repeat(700_000))] {
        let (event, head) =
            (super::fixture::event(expected + 1, &text), super::fixture::head(expected + 1, &text));
        let write = katkit::state::Append {
            link: &shop,
            expected: katkit::domain::Generation(expected),
            epoch,
            events: std::slice::from_ref(&event),
            head: &head,
            consumes: &[],
            consents: None,
        };
        state.append(write).await.unwrap();
        assert_eq!(state.heads(Some(std::slice::from_ref(&shop))).await.unwrap()[0].1, head);
        assert_eq!(state.survey().await.unwrap().heads[0].1, Box::new(head));
    }
    assert_eq!(generation(&state, &shop).await, 3);
}
