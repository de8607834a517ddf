//! The images of a link's roles.

use litemap::LiteMap;
use serde::{Deserialize, Deserializer};

/// The image of every role, by role name. Nearly every link has one or two roles, and a flat map with one takes a tenth
/// of a B-tree node.
pub type Images = LiteMap<String, String>;

/// Images without spare capacity; see `exact` in `head.rs`.
pub(super) fn exact<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Images, D::Error> {
    let mut images = Images::deserialize(deserializer)?.into_tuple_vec();
    images.shrink_to_fit();
    Ok(Images::from_sorted_store_unchecked(images))
}
