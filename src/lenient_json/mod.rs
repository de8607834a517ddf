//! Reads `.js` files that contain data, not code.
//!
//! These files were written by hand for a lenient parser. So this one accepts all of strict JSON, and also comments,
//! trailing commas, a byte-order mark, tabs and line breaks in strings, single quotes, names without quotes, and
//! JavaScript number syntax. It rejects anything that must be executed to know its value, and a missing comma between
//! two values, which nearly always means that a value was lost.
//!
//! Every value has its byte range, so that an edit changes only those bytes and errors have a position. Rejects hostile
//! input: over [`LIMIT`] bytes, or nested over [`DEEPEST`] levels.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod error;
mod parse;

use std::borrow::Cow;
use std::ops::Range;

pub use error::{FilePosition, FormatError, is_meant, shown};

/// Maximum file size in bytes: a hundred times the largest known file.
pub const LIMIT: usize = 1 << 20;

/// Maximum nesting of lists and objects: a common limit of strict JSON parsers, and safe on a small stack.
pub const DEEPEST: usize = 128;

/// A parsed text.
#[derive(Debug)]
pub struct Document<'a> {
    text: &'a str,
    root: Json<'a>,
}

/// A value and its position.
#[derive(Clone, Debug, PartialEq)]
pub struct Json<'a> {
    /// The byte range in the whole text; for a string, including its quotes.
    pub span: Range<usize>,
    /// The value itself.
    pub value: Value<'a>,
}

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number as written, so none is too large or too precise.
    Number(&'a str),
    /// A string with escapes resolved.
    Text(Cow<'a, str>),
    /// A list.
    List(Vec<Json<'a>>),
    /// An object.
    Object(Object<'a>),
}

/// Named values, in the order of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Object<'a> {
    /// All fields, including duplicates.
    pub fields: Vec<Field<'a>>,
}

/// A named value.
#[derive(Clone, Debug, PartialEq)]
pub struct Field<'a> {
    /// The name with escapes resolved.
    pub name: Cow<'a, str>,
    /// The byte range of the name.
    pub span: Range<usize>,
    /// The value.
    pub json: Json<'a>,
}

/// Decodes a file. Fails if it is not UTF-8 or has more than [`LIMIT`] bytes.
pub fn decode(bytes: &[u8]) -> Result<&str, FormatError> {
    check_size(bytes.len())?;
    std::str::from_utf8(bytes).map_err(|error| {
        let wide = matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]);
        let what = if wide { "the file is UTF-16, not UTF-8" } else { "the file is not UTF-8" };
        let at = error.valid_up_to();
        // Positions count characters, and the bytes before the invalid one are valid UTF-8.
        let before = std::str::from_utf8(&bytes[..at]).unwrap_or_default();
        FormatError::new(what).at(before, at..at).hint("save it as UTF-8")
    })
}

fn check_size(size: usize) -> Result<(), FormatError> {
    if size <= LIMIT {
        return Ok(());
    }
    Err(FormatError::new(format!("the file has {size} bytes; the limit is {LIMIT}")))
}

impl<'a> Document<'a> {
    /// Parses `text` as a single value.
    pub fn read(text: &'a str) -> Result<Self, FormatError> {
        check_size(text.len())?;
        Ok(Self { text, root: parse::parse(text)? })
    }

    /// The whole text, unchanged.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The top-level value.
    pub fn root(&self) -> &Json<'a> {
        &self.root
    }

    /// An error at `span`.
    pub fn error(&self, span: &Range<usize>, what: impl Into<String>) -> FormatError {
        FormatError::new(what).at(self.text, span.clone())
    }

    /// The position of `span`.
    pub fn place(&self, span: &Range<usize>) -> FilePosition {
        FilePosition::new(self.text, span.clone())
    }

    /// The field `name`, if present. A duplicate is an error: parsers disagree on which one counts.
    pub fn field<'o>(&self, object: &'o Object<'a>, name: &str) -> Result<Option<&'o Json<'a>>, FormatError> {
        let mut found = object.fields.iter().filter(|field| field.name == name);
        match (found.next(), found.next()) {
            (first, None) => Ok(first.map(|field| &field.json)),
            (_, Some(second)) => {
                Err(self.error(&second.span, format!("`{name}` is given twice")).hint("remove one of them"))
            }
        }
    }
}

impl Json<'_> {
    /// A description for messages: short values as written, otherwise the kind.
    pub fn shown(&self) -> String {
        match &self.value {
            Value::Null => "null".to_owned(),
            Value::Bool(value) => value.to_string(),
            Value::Number(number) => shown(number),
            Value::Text(text) => format!("\"{}\"", shown(text)),
            Value::List(_) => "a list".to_owned(),
            Value::Object(_) => "an object".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
