//! Items: attributes put in and taken out.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::de::DeserializeOwned;

use super::layout::Key;
use crate::state::decode::{Unreadable, decode};

/// What DynamoDB calls an item.
pub type Item = HashMap<String, AttributeValue>;

/// A text.
pub fn s(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

/// A counter. Every `u64` has fewer digits than the 38 that a number may have.
pub fn n(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// The key as attributes.
pub fn key(key: &Key) -> Item {
    [("pk".to_owned(), s(&*key.pk)), ("sk".to_owned(), s(&*key.sk))].into()
}

/// A key with further attributes.
pub fn item<const N: usize>(at: &Key, attributes: [(&str, AttributeValue); N]) -> Item {
    let mut item = key(at);
    item.extend(attributes.into_iter().map(|(name, value)| (name.to_owned(), value)));
    item
}

/// A text of an item.
pub fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

/// How much text an item has.
pub fn size(item: &Item) -> usize {
    let texts = item.values().filter_map(|value| value.as_s().ok());
    texts.map(String::len).sum()
}

/// A counter of an item.
pub fn number(item: &Item, name: &str) -> Option<u64> {
    seconds(item, name).filter(|number| *number <= MOST)
}

/// A duration of an item.
pub fn seconds(item: &Item, name: &str) -> Option<u64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

/// No counter gets so far by counting, and from here one can go on for as long again.
pub const MOST: u64 = u64::MAX / 2;

/// A JSON value of an item; the error says what is wrong with it.
pub fn json<T: DeserializeOwned>(item: &Item, name: &str) -> Result<T, Unreadable> {
    let text = text(item, name).ok_or_else(|| format!("has no text `{name}`"))?;
    decode(text)
}
