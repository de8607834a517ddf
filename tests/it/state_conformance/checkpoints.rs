//! The log of checkpoints.

use futures::future::join_all;

use super::fixture::Store;

pub async fn checkpoints_are_kept_in_order_of_their_numbers(state: Store) {
    assert_eq!(state.checkpoints().await.unwrap(), []);
    let text =
        |number: u64| format!("{{\"checkpoint\":{number}}}\n\nkatkit\n{number}\n\u{2014} katkit AA==\n");
    for number in 1..=12 {
        assert!(state.add_checkpoint(number, &text(number)).await.unwrap());
    }
    let expected: Vec<_> = (1..=12).map(|number| (number, text(number))).collect();
    assert_eq!(state.checkpoints().await.unwrap(), expected);
}

pub async fn of_racing_checkpoints_of_one_number_one_is_added(state: Store) {
    let texts: Vec<_> = (0..8).map(|text| text.to_string()).collect();
    let added = join_all(texts.iter().map(|text| state.add_checkpoint(1, text))).await;
    let added: Vec<_> = texts.iter().zip(added).filter(|(_, added)| *added.as_ref().unwrap()).collect();
    assert_eq!(added.len(), 1);
    assert_eq!(state.checkpoints().await.unwrap(), [(1, added[0].0.clone())]);
}

pub async fn adding_the_same_checkpoint_again_is_harmless(state: Store) {
    for _ in 0..2 {
        assert!(state.add_checkpoint(1, "first").await.unwrap());
    }
    assert!(!state.add_checkpoint(1, "other").await.unwrap());
    assert_eq!(state.checkpoints().await.unwrap(), [(1, "first".to_owned())]);
}
