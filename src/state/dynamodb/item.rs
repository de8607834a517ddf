//! Items: writing and reading their attributes.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::de::DeserializeOwned;

use super::layout::Key;
use crate::state::decode::{Unreadable, decode};

/// A DynamoDB item.
pub type Item = HashMap<String, AttributeValue>;

/// A string attribute.
pub fn s(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

/// A number attribute. Every `u64` fits into the 38 digits that a number may have.
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

/// A string attribute of an item.
pub fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

/// The bytes of text in an item.
pub fn size(item: &Item) -> usize {
    let texts = item.values().filter_map(|value| value.as_s().ok());
    texts.map(String::len).sum()
}

/// A counter of an item.
pub fn number(item: &Item, name: &str) -> Option<u64> {
    any_number(item, name).filter(|number| *number <= MOST)
}

/// A duration of an item, which is stored in seconds.
pub fn duration(item: &Item, name: &str) -> Option<Duration> {
    any_number(item, name).map(Duration::from_secs)
}

fn any_number(item: &Item, name: &str) -> Option<u64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

/// No counter gets this far by counting, and from here it could count as far again.
pub const MOST: u64 = u64::MAX / 2;

/// A JSON value of an item; the error says what is wrong with it.
pub fn json<T: DeserializeOwned>(item: &Item, name: &str) -> Result<T, Unreadable> {
    let text = text(item, name).ok_or_else(|| format!("has no text `{name}`"))?;
    decode(text)
}
