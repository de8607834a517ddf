//! Errors in one line: what happened, and what caused it.

use std::error::Error;

/// The error's own text and that of each of its causes, joined by colons.
pub fn in_one_line(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}
