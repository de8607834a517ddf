//! Tables with a name: where they are defined, and the errors about names that are wrong, unknown or defined twice.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::diagnostic::Diagnostic;
use super::reader::{Keys, Located, Raw, Reader};
use super::source::Span;
use super::suggest::{did_you_mean, listed, nearest, quoted};
use crate::domain::NameError;

/// A named table that is not read yet, with the reader of its file.
#[derive(Clone, Copy)]
pub(super) struct NamedTable<'i, 'r> {
    pub reader: Reader<'r>,
    pub key: Span,
    pub raw: &'i Raw<'i>,
}

impl<'i> NamedTable<'i, '_> {
    /// Reads the table.
    pub fn read<T: Keys<'i>>(&self) -> Option<T> {
        Some(T::read_keys(self.reader.table(self.raw)?, self.key, &self.reader))
    }
}

/// The named tables of one kind, from all files.
pub(super) type Definitions<'i, 'r> = BTreeMap<&'i str, NamedTable<'i, 'r>>;

/// Reports a second definition.
pub(super) fn twice(called: &str, name: &str, second: Span, first: Span, reader: &Reader<'_>) {
    let item = Diagnostic::error(second, format!("the {called} {} is defined twice", quoted(name)));
    reader.report.add(item.label("the second").related(first, "the first"));
}

/// The name, parsed; `None` if it is invalid, which is reported.
pub(super) fn checked<N: FromStr<Err = NameError>>(name: &str, it: &NamedTable<'_, '_>) -> Option<N> {
    match name.parse() {
        Ok(name) => Some(name),
        Err(error) => {
            it.reader.error(it.key, error.to_string(), "not a name");
            None
        }
    }
}

/// Reports an unknown name.
pub(super) fn unknown<'a>(
    called: &str,
    name: Located<&str>,
    names: impl Iterator<Item = &'a str> + Clone,
    reader: &Reader<'_>,
) {
    let guess = if reader.report.is_full() { None } else { nearest(name.value, names.clone()) };
    let message = format!("there is no {called} {}{}", quoted(name.value), did_you_mean(guess));
    let item = Diagnostic::error(name.span, message).label("not defined");
    let help = match names.clone().count() {
        _ if guess.is_some() => None,
        0 => Some(format!("no {called} is defined")),
        1 => Some(format!("there is only {}", listed(names))),
        _ => Some(format!("there are {}", listed(names))),
    };
    reader.report.absent(Diagnostic { help, ..item });
}
