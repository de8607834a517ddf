//! Typed access to the keys of an object, with errors that name the object.

use std::borrow::Cow;

use crate::lenient_json::{Document, FormatError, Json, Object, Value};

/// An object in the file, and the name of what it describes.
pub(super) struct Fields<'d, 'a> {
    pub document: &'d Document<'a>,
    pub object: &'d Object<'a>,
    /// The owner of the values, as written in errors: ``phase `X` of environment `dev` ``.
    pub owner: String,
}

impl<'d, 'a> Fields<'d, 'a> {
    /// The value of a key; `null` counts as absent.
    pub fn get(&self, key: &str) -> Result<Option<&'d Json<'a>>, FormatError> {
        let json = self.document.field(self.object, key)?;
        Ok(json.filter(|json| json.value != Value::Null))
    }

    /// A boolean, possibly written as a string.
    pub fn flag(&self, key: &str) -> Result<Option<bool>, FormatError> {
        let Some(json) = self.get(key)? else { return Ok(None) };
        match &json.value {
            Value::Bool(value) => Ok(Some(*value)),
            Value::Text(text) if text.trim().eq_ignore_ascii_case("true") => Ok(Some(true)),
            Value::Text(text) if text.trim().eq_ignore_ascii_case("false") => Ok(Some(false)),
            _ => Err(self.wrong(key, json, "\"true\" or \"false\"")),
        }
    }

    /// A whole number, possibly written as a string.
    pub fn number(&self, key: &str) -> Result<Option<(i64, &'d Json<'a>)>, FormatError> {
        let Some(json) = self.get(key)? else { return Ok(None) };
        let digits = match &json.value {
            Value::Number(digits) => digits,
            Value::Text(text) => text.trim(),
            _ => "",
        };
        match digits.parse() {
            Ok(number) => Ok(Some((number, json))),
            Err(_) => Err(self.wrong(key, json, "a whole number")),
        }
    }

    /// A string.
    pub fn text(&self, key: &str) -> Result<Option<(&'d Cow<'a, str>, &'d Json<'a>)>, FormatError> {
        let Some(json) = self.get(key)? else { return Ok(None) };
        match &json.value {
            Value::Text(text) => Ok(Some((text, json))),
            _ => Err(self.wrong(key, json, "a string")),
        }
    }

    /// The error for a value of the wrong type.
    pub fn wrong(&self, key: &str, json: &Json<'_>, expected: &str) -> FormatError {
        let Self { document, object: _, owner } = self;
        document.error(&json.span, format!("`{key}` of {owner} is {}, not {expected}", json.shown()))
    }
}
