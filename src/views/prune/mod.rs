//! What a prune removes, and what became of that.

mod json;
mod text;

#[cfg(test)]
mod tests;

pub use json::{AmountJson, LinkPruningJson, PruneJson, PruneResultJson, WorkedOnJson};
pub use text::{PrunedText, PruningText};
