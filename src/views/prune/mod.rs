//! What a prune removes, and its result.

mod json;
mod text;

#[cfg(test)]
mod tests;

use crate::domain::LinkId;

pub use json::{AmountJson, DamagedJson, LinkPruningJson, LockedLinkJson, PruneJson, PruneResultJson};
pub use text::{PrunedText, PruningText};

/// The hint for a damaged record.
fn repair_hint(link: &LinkId) -> String {
    format!("`katkit doctor {link}` shows how to fix it")
}
