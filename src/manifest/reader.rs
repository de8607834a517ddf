//! Turns the parsed text into typed values, and describes the same types to editors.
//!
//! Every table of the manifest is declared once, with [`keys!`]. A declaration is both the code that reads the table
//! and the schema that editors check it with, so neither can have a key that the other lacks.

use std::marker::PhantomData;
use std::ops::Range;
use std::path::Path;

use serde_json::{Map, Value as Json, json};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::diagnostic::{Diagnostic, Report};
use super::source::Span;
use super::suggest::{did_you_mean, listed, nearest, quoted};

/// A parsed value with its position.
pub(super) type Raw<'i> = Spanned<DeValue<'i>>;

/// The context for reading one file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'r> {
    /// The number of the file.
    pub file: u32,
    /// The directory of the file.
    pub directory: &'r Path,
    /// The directory of the root file.
    pub root: &'r Path,
    /// Collects mistakes.
    pub report: &'r Report,
}

/// A value with its position.
#[derive(Clone, Copy, Debug)]
pub(super) struct Located<T> {
    pub value: T,
    pub span: Span,
}

/// The named parts of a schema that others refer to.
pub(super) type Definitions = Map<String, Json>;

/// A type that can be the value of a key.
pub(super) trait Value<'i>: Sized {
    /// Reads it, or reports why it cannot be read.
    fn read(raw: &'i Raw<'i>, reader: &Reader<'_>) -> Option<Self>;

    /// The JSON Schema of the value.
    fn schema(definitions: &mut Definitions) -> Json;
}

/// A table whose keys are known.
pub(super) trait Keys<'i>: Sized {
    /// Reads the valid keys and reports the rest. Missing keys are reported at `at`.
    fn read_keys(table: &'i DeTable<'i>, at: Span, reader: &Reader<'_>) -> Self;
}

/// The name of a key, and whether it is required.
pub(super) struct Key {
    pub name: &'static str,
    pub required: bool,
}

/// A table whose keys are names chosen by users, read one by one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Section<'i, T> {
    pub table: &'i DeTable<'i>,
    of: PhantomData<fn() -> T>,
}

impl Reader<'_> {
    pub(super) fn span(&self, range: &Range<usize>) -> Span {
        Span::new(self.file, range)
    }

    pub(super) fn span_of<T>(&self, spanned: &Spanned<T>) -> Span {
        self.span(&spanned.span())
    }

    pub(super) fn error(&self, span: Span, message: impl Into<String>, label: impl Into<String>) {
        self.report.add(Diagnostic::error(span, message).label(label));
    }

    /// Reports an error and how to fix it.
    pub(super) fn error_with_help(
        &self,
        span: Span,
        message: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.report.add(Diagnostic::error(span, message).label(label).help(help));
    }

    /// Reports a value that is not of the `expected` type.
    pub(super) fn wrong_type(&self, raw: &Raw<'_>, expected: &str, help: Option<String>) {
        let found = match raw.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a float",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "an array",
            DeValue::Table(_) => "a table",
        };
        let item = Diagnostic::error(self.span_of(raw), format!("expected {expected}, found {found}"));
        let item = item.label(format!("not {expected}"));
        self.report.add(Diagnostic { help, ..item });
    }

    /// `raw` as a table.
    pub(super) fn table<'i>(&self, raw: &'i Raw<'i>) -> Option<&'i DeTable<'i>> {
        let table = raw.get_ref().as_table();
        if table.is_none() {
            self.wrong_type(raw, "a table", None);
        }
        table
    }

    /// Reports a key that `keys` lacks; returns the one that was probably intended.
    pub(super) fn unknown_key(
        &self,
        key: &Spanned<DeString<'_>>,
        called: &str,
        keys: &[Key],
    ) -> Option<&'static str> {
        let word = key.get_ref().as_ref();
        let names = || keys.iter().map(|key| key.name);
        let guess = if self.report.is_full() { None } else { nearest(word, names()) };
        if guess.is_none() && self.report.has_broken(self.file) {
            return None;
        }
        let message = format!("unknown key {}{}", quoted(word), did_you_mean(guess));
        let item = Diagnostic::error(self.span_of(key), message).label(format!("not a key of {called}"));
        let help = guess.is_none().then(|| format!("the keys of {called} are {}", listed(names())));
        self.report.add(Diagnostic { help, ..item });
        guess
    }

    /// Reports the required keys that `table` lacks. A misspelled key was reported already.
    pub(super) fn missing_keys(
        &self,
        table: &DeTable<'_>,
        at: Span,
        called: &str,
        keys: &[Key],
        guessed: &[&'static str],
    ) {
        for Key { name, .. } in keys.iter().filter(|key| key.required && !guessed.contains(&key.name)) {
            if !table.contains_key(*name) {
                let message = format!("missing key `{name}`");
                self.report.absent(Diagnostic::error(at, message).label(format!("{called} needs it")));
            }
        }
    }
}

impl<'i, T: Value<'i>> Value<'i> for Located<T> {
    fn read(raw: &'i Raw<'i>, reader: &Reader<'_>) -> Option<Self> {
        Some(Self { value: T::read(raw, reader)?, span: reader.span_of(raw) })
    }

    fn schema(definitions: &mut Definitions) -> Json {
        T::schema(definitions)
    }
}

impl<'i, T: Value<'i>> Value<'i> for Vec<T> {
    fn read(raw: &'i Raw<'i>, reader: &Reader<'_>) -> Option<Self> {
        let Some(items) = raw.get_ref().as_array() else {
            let help = raw.get_ref().is_str().then(|| "put it in brackets: `[…]`".to_owned());
            reader.wrong_type(raw, "an array", help);
            return None;
        };
        // An invalid item is reported and does not affect the others.
        Some(items.iter().filter_map(|item| T::read(item, reader)).collect())
    }

    fn schema(definitions: &mut Definitions) -> Json {
        json!({ "type": "array", "items": T::schema(definitions) })
    }
}

impl<'i, T: Value<'i>> Value<'i> for Section<'i, T> {
    fn read(raw: &'i Raw<'i>, reader: &Reader<'_>) -> Option<Self> {
        Some(Self { table: reader.table(raw)?, of: PhantomData })
    }

    fn schema(definitions: &mut Definitions) -> Json {
        let names = json!({ "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" });
        json!({ "type": "object", "propertyNames": names, "additionalProperties": T::schema(definitions) })
    }
}

/// Declares tables of the manifest, each with its keys; see the module.
///
/// A key is written `field: Type, "name"`, and may end with `, required` or with `, default` and a value. The default
/// is only shown in editors.
macro_rules! keys {
    ($($(#[doc = $about:literal])+ $table:ident, $definition:ident, $called:literal, $rules:expr => {
        $($(#[doc = $doc:literal])+ $field:ident: $type:ty, $name:literal $(, $how:ident $($default:literal)?)?;)+
    })+) => {$(
        $(#[doc = $about])+
        #[derive(Clone, Debug, Default)]
        pub(super) struct $table<'i> {
            $($(#[doc = $doc])+ pub $field: Option<Located<$type>>,)+
        }

        impl<'i> Keys<'i> for $table<'i> {
            fn read_keys(table: &'i toml::de::DeTable<'i>, at: Span, reader: &Reader<'_>) -> Self {
                const KEYS: &[Key] =
                    &[$(Key { name: $name, required: keys!(@required $($how)?) }),+];
                let mut keys = Self::default();
                let mut guessed = Vec::new();
                for (key, raw) in table {
                    match key.get_ref().as_ref() {
                        $($name => keys.$field = Value::read(raw, reader),)+
                        _ => guessed.extend(reader.unknown_key(key, $called, KEYS)),
                    }
                }
                reader.missing_keys(table, at, $called, KEYS, &guessed);
                keys
            }
        }

        impl<'i> Value<'i> for $table<'i> {
            fn read(raw: &'i Raw<'i>, reader: &Reader<'_>) -> Option<Self> {
                Some(Self::read_keys(reader.table(raw)?, reader.span_of(raw), reader))
            }

            fn schema(definitions: &mut Definitions) -> Json {
                let name = stringify!($definition);
                if !definitions.contains_key(name) {
                    let mut properties = Definitions::new();
                    let mut required: Vec<&str> = Vec::new();
                    $(
                        let mut property = <$type as Value>::schema(definitions);
                        property["description"] = describe(&[$($doc),+]);
                        $($(property["default"] = json!($default);)?)?
                        properties.insert($name.to_owned(), property);
                        if keys!(@required $($how)?) {
                            required.push($name);
                        }
                    )+
                    let mut schema = $rules;
                    schema["type"] = json!("object");
                    schema["description"] = describe(&[$($about),+]);
                    schema["properties"] = properties.into();
                    schema["required"] = required.into();
                    schema["additionalProperties"] = false.into();
                    definitions.insert(name.to_owned(), schema);
                }
                json!({ "$ref": format!("#/$defs/{name}") })
            }
        }
    )+};
    (@required required) => { true };
    (@required default) => { false };
    (@required) => { false };
}

pub(super) use keys;

/// Joins the lines of a doc comment.
pub(super) fn describe(lines: &[&str]) -> Json {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ").into()
}
