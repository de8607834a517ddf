//! Edits the commit of a link in place and leaves every other byte as it is.

use toml::de::{DeTable, DeValue};

use super::Wanted;
use crate::domain::LinkId;

/// Why a manifest was not edited.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The text is not TOML.
    #[error("the manifest cannot be parsed: {0}")]
    Syntax(String),
    /// The link has several keys, so it is not clear which to replace.
    #[error("link `{0}` has several of `sha`, `branch` and `pipeline`")]
    Both(LinkId),
    /// The edited text would not say what was intended.
    #[error("cannot set the commit of link `{0}` in place")]
    Misplaced(LinkId),
}

impl EditError {
    /// How to fix it.
    pub fn hint(&self) -> String {
        match self {
            Self::Syntax(_) => "`katkit validate` shows where".to_owned(),
            Self::Both(_) => "keep one of them".to_owned(),
            Self::Misplaced(_) => "edit the file by hand".to_owned(),
        }
    }
}

/// The text with `want` set for a link; `None` if the text does not define the link.
///
/// If the link has one of `sha`, `branch` or `pipeline`, only the bytes of its value change, and of its key if the other key is needed.
/// The rest, with its comments, order, blanks and line breaks, stays as it is. A link that gets its commit from a
/// template gets the key in its own table, which is created if needed.
pub fn set_want(text: &str, link: &LinkId, want: &Wanted) -> Result<Option<String>, EditError> {
    let document = DeTable::parse(text).map_err(|error| EditError::Syntax(error.message().to_owned()))?;
    let Some(table) = find(document.get_ref(), link) else {
        return if is_from_template(document.get_ref(), link) {
            add(text, link, want).map(Some)
        } else {
            Ok(None)
        };
    };
    let found: Vec<_> = KEYS.into_iter().filter_map(|key| table.get_key_value(key)).collect();
    let (key, value) = match found.as_slice() {
        [found] => *found,
        // The template has the key.
        [] => return add(text, link, want).map(Some),
        _ => return Err(EditError::Both(link.clone())),
    };
    let (name, new) = named(want);
    if key.get_ref() == name && matches!(value.get_ref(), DeValue::String(old) if old == new) {
        return Ok(Some(text.to_owned()));
    }
    let (key_span, value_span) = (key.span(), value.span());
    let mut edited = text.to_owned();
    // Replace the value first: it comes after the key, so the key's span stays valid.
    edited.replace_range(value_span, &toml_edit::Value::from(new).to_string());
    if key.get_ref() != name {
        edited.replace_range(key_span, name);
    }
    if says(&edited, link, want) { Ok(Some(edited)) } else { Err(EditError::Misplaced(link.clone())) }
}

/// Adds the key to the link's own table, and creates the table if it is missing.
fn add(text: &str, link: &LinkId, want: &Wanted) -> Result<String, EditError> {
    let syntax = |error: toml_edit::TomlError| EditError::Syntax(error.message().to_owned());
    let mut document: toml_edit::DocumentMut = text.parse().map_err(syntax)?;
    let (name, value) = named(want);
    let misplaced = || EditError::Misplaced(link.clone());
    let mut table: &mut dyn toml_edit::TableLike = document.as_table_mut();
    for key in ["tenants", link.tenant.as_str(), "links", link.link.as_str()] {
        let is_new = !table.contains_key(key);
        let item = table.entry(key).or_insert_with(toml_edit::table);
        if let (true, Some(table)) = (is_new && key != link.link.as_str(), item.as_table_mut()) {
            table.set_implicit(true);
        }
        table = item.as_table_like_mut().ok_or_else(misplaced)?;
    }
    table.insert(name, toml_edit::value(value));
    let mut edited = document.to_string();
    // toml_edit writes neither `\r\n` nor a byte order mark.
    if text.contains("\r\n") {
        edited = edited.replace("\r\n", "\n").replace('\n', "\r\n");
    }
    if text.starts_with('\u{feff}') && !edited.starts_with('\u{feff}') {
        edited.insert(0, '\u{feff}');
    }
    if says(&edited, link, want) { Ok(edited) } else { Err(misplaced()) }
}

/// Whether the tenant gets the link from a template.
fn is_from_template(document: &DeTable<'_>, link: &LinkId) -> bool {
    let used = || {
        let tenants = document.get("tenants")?.get_ref().as_table()?;
        tenants.get(link.tenant.as_str())?.get_ref().as_table()?.get("use")?.get_ref().as_array()
    };
    let is_it = |name: &toml::Spanned<DeValue<'_>>| name.get_ref().as_str() == Some(link.link.as_str());
    used().is_some_and(|used| used.iter().any(is_it))
}

/// The keys that say what should run; a link has one of them.
const KEYS: [&str; 3] = ["sha", "branch", "pipeline"];

/// The key of a wanted commit and its value.
fn named(want: &Wanted) -> (&'static str, &str) {
    match want {
        Wanted::Sha(sha) => ("sha", sha.as_str()),
        Wanted::Branch(branch) => ("branch", branch),
        Wanted::Pipeline { name, pin: _ } => ("pipeline", name.as_str()),
    }
}

fn find<'t>(document: &'t DeTable<'t>, link: &LinkId) -> Option<&'t DeTable<'t>> {
    let tenants = document.get("tenants")?.get_ref().as_table()?;
    let tenant = tenants.get(link.tenant.as_str())?.get_ref().as_table()?;
    let links = tenant.get("links")?.get_ref().as_table()?;
    links.get(link.link.as_str())?.get_ref().as_table()
}

/// Whether the edited text still parses and sets the link to `want`.
fn says(text: &str, link: &LinkId, want: &Wanted) -> bool {
    let (name, value) = named(want);
    DeTable::parse(text).is_ok_and(|document| {
        find(document.get_ref(), link).is_some_and(|table| {
            let found = table.get(name).map(toml::Spanned::get_ref);
            let is_only = KEYS.into_iter().all(|key| key == name || !table.contains_key(key));
            matches!(found, Some(DeValue::String(found)) if found == value) && is_only
        })
    })
}
