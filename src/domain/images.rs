//! Which image each role of a link has.

use litemap::LiteMap;
use serde::{Deserialize, Deserializer};

/// The image of every role, by the role's name. Nearly every link has one or two roles: a flat map of one is a tenth of a
/// B-tree's node.
pub type Images = LiteMap<String, String>;

/// Images without room for more; see `exact` of heads.
pub(super) fn exact<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Images, D::Error> {
    let mut images = Images::deserialize(deserializer)?.into_tuple_vec();
    images.shrink_to_fit();
    Ok(Images::from_sorted_store_unchecked(images))
}
