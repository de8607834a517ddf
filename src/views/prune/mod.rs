//! What a prune removes, and what became of that.

mod json;
mod text;

#[cfg(test)]
mod tests;

use crate::domain::LinkId;

pub use json::{AmountJson, DamagedJson, LinkPruningJson, PruneJson, PruneResultJson, WorkedOnJson};
pub use text::{PrunedText, PruningText};

/// What to do about a damaged record.
fn repair_hint(link: &LinkId) -> String {
    format!("`katkit doctor {link}` says how to fix it")
}
