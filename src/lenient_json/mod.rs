//! Reads the files that are called `.js` but are data.
//!
//! People wrote these files by hand for a lenient reader, so comments, trailing commas, a byte-order mark, tabs and line
//! breaks inside of texts, single quotes, names without quotes and JavaScript's ways of writing numbers are all accepted:
//! whatever strict JSON is, and more. What is not accepted is anything that would have to be executed in order to
//! know its value, and a comma that is missing between two values, which is nearly always a value that was lost.
//!
//! Every value knows the bytes it was written with, so that an edit touches those bytes and no others, and a mistake
//! can be shown where it is. Hostile input is refused: over [`LIMIT`] bytes, or nested over [`DEEPEST`] levels.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod error;
mod parse;

use std::borrow::Cow;
use std::ops::Range;

pub use error::{FormatError, Place, is_meant, shown};

/// The largest file that is read, in bytes: a hundred times the largest that is known.
pub const LIMIT: usize = 1 << 20;

/// How deeply lists and objects may be nested: what strict JSON readers allow too, and safe on a small stack.
pub const DEEPEST: usize = 128;

/// A text that was read as data.
#[derive(Debug)]
pub struct Document<'a> {
    text: &'a str,
    root: Json<'a>,
}

/// A value, and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Json<'a> {
    /// The bytes it is written with, of the whole text; for a text its quotes are included.
    pub span: Range<usize>,
    /// What it is.
    pub value: Value<'a>,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number as it is written: none is too large or too precise.
    Number(&'a str),
    /// A text, its escapes resolved.
    Text(Cow<'a, str>),
    /// A list.
    List(Vec<Json<'a>>),
    /// An object.
    Object(Object<'a>),
}

/// Named values, in the order of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Object<'a> {
    /// All of them, also where two have the same name.
    pub fields: Vec<Field<'a>>,
}

/// A named value.
#[derive(Clone, Debug, PartialEq)]
pub struct Field<'a> {
    /// The name, its escapes resolved.
    pub name: Cow<'a, str>,
    /// Where the name stands.
    pub span: Range<usize>,
    /// The value.
    pub json: Json<'a>,
}

/// The text of a file's bytes, if they are UTF-8 and not more than [`LIMIT`].
pub fn decode(bytes: &[u8]) -> Result<&str, FormatError> {
    check_size(bytes.len())?;
    std::str::from_utf8(bytes).map_err(|error| {
        let wide = matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]);
        let what = if wide { "the file is UTF-16, not UTF-8" } else { "the file is not UTF-8" };
        let at = error.valid_up_to();
        // The bytes before the wrong one are UTF-8, which is what the place is counted in.
        let before = std::str::from_utf8(&bytes[..at]).unwrap_or_default();
        FormatError::new(what).at(before, at..at).hint("save it as UTF-8")
    })
}

fn check_size(size: usize) -> Result<(), FormatError> {
    if size <= LIMIT {
        return Ok(());
    }
    Err(FormatError::new(format!("the file has {size} bytes; at most {LIMIT} are read")))
}

impl<'a> Document<'a> {
    /// Reads `text` as one value.
    pub fn read(text: &'a str) -> Result<Self, FormatError> {
        check_size(text.len())?;
        Ok(Self { text, root: parse::parse(text)? })
    }

    /// The whole text, as it was given.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The one value that the text is.
    pub fn root(&self) -> &Json<'a> {
        &self.root
    }

    /// What is wrong with the bytes at `span`.
    pub fn error(&self, span: &Range<usize>, what: impl Into<String>) -> FormatError {
        FormatError::new(what).at(self.text, span.clone())
    }

    /// The line and column of the bytes at `span`.
    pub fn place(&self, span: &Range<usize>) -> Place {
        Place::new(self.text, span.clone())
    }

    /// The value of that name, if there is one. That there are two is an error: readers disagree on which one counts.
    pub fn field<'o>(&self, object: &'o Object<'a>, name: &str) -> Result<Option<&'o Json<'a>>, FormatError> {
        let mut found = object.fields.iter().filter(|field| field.name == name);
        match (found.next(), found.next()) {
            (first, None) => Ok(first.map(|field| &field.json)),
            (_, Some(second)) => Err(self
                .error(&second.span, format!("`{name}` is given twice"))
                .hint("remove one of the two")),
        }
    }
}

impl Json<'_> {
    /// What a person would call it, with its value where that is short.
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
