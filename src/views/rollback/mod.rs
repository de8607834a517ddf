//! What links can be rolled back to.

mod json;
mod text;

pub use json::{WayBackJson, WaysBackJson, WaysBackOfLinkJson};
pub use text::WaysBackText;
