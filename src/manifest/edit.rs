//! Changes a manifest in place, touching nothing but what is meant.

use toml::de::{DeTable, DeValue};

use super::Want;
use crate::domain::LinkId;

/// Why a manifest was not edited.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The text is not TOML.
    #[error("the manifest cannot be parsed: {0}")]
    Syntax(String),
    /// The link says neither which commit nor which branch.
    #[error("link `{0}` has neither `sha` nor `branch`")]
    Nothing(LinkId),
    /// Both stand there, so it is not clear which of them to replace.
    #[error("link `{0}` has both `sha` and `branch`")]
    Both(LinkId),
    /// What would come out is not what was meant.
    #[error("the commit of link `{0}` cannot be set where it stands")]
    Misplaced(LinkId),
}

impl EditError {
    /// What a person can do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Syntax(_) => "`katkit validate` shows where".to_owned(),
            Self::Nothing(_) => "write `sha = \"…\"` into its table".to_owned(),
            Self::Both(_) => "take one of them away".to_owned(),
            Self::Misplaced(_) => "edit the file by hand".to_owned(),
        }
    }
}

/// The text with `want` set for a link, where `sha` or `branch` stood before; `None` if the text does not define the link.
///
/// Only the bytes of the value change, and those of the key where it was the other one: the rest, with its comments, order,
/// blanks and line breaks, stays as it is, because it is never taken apart.
pub fn set_want(text: &str, link: &LinkId, want: &Want) -> Result<Option<String>, EditError> {
    let document = DeTable::parse(text).map_err(|error| EditError::Syntax(error.message().to_owned()))?;
    let Some(table) = find(document.get_ref(), link) else { return Ok(None) };
    let (key, value) = match (table.get_key_value("sha"), table.get_key_value("branch")) {
        (Some(_), Some(_)) => return Err(EditError::Both(link.clone())),
        (Some(found), None) | (None, Some(found)) => found,
        (None, None) => return Err(EditError::Nothing(link.clone())),
    };
    let (name, new) = named(want);
    if key.get_ref() == name && matches!(value.get_ref(), DeValue::String(old) if old == new) {
        return Ok(Some(text.to_owned()));
    }
    let (key_span, value_span) = (key.span(), value.span());
    let mut edited = text.to_owned();
    // The value comes first: it stands behind the key, whose place it does not move.
    edited.replace_range(value_span, &toml_edit::Value::from(new).to_string());
    if key.get_ref() != name {
        edited.replace_range(key_span, name);
    }
    if says(&edited, link, want) { Ok(Some(edited)) } else { Err(EditError::Misplaced(link.clone())) }
}

/// The key of a wanted commit and its value.
fn named(want: &Want) -> (&'static str, &str) {
    match want {
        Want::Sha(sha) => ("sha", sha.as_str()),
        Want::Branch(branch) => ("branch", branch),
    }
}

fn find<'t>(document: &'t DeTable<'t>, link: &LinkId) -> Option<&'t DeTable<'t>> {
    let tenants = document.get("tenants")?.get_ref().as_table()?;
    let tenant = tenants.get(link.tenant.as_str())?.get_ref().as_table()?;
    let links = tenant.get("links")?.get_ref().as_table()?;
    links.get(link.link.as_str())?.get_ref().as_table()
}

/// Whether the edited text still parses and says what it should.
fn says(text: &str, link: &LinkId, want: &Want) -> bool {
    let (name, value) = named(want);
    let other = if name == "sha" { "branch" } else { "sha" };
    DeTable::parse(text).is_ok_and(|document| {
        find(document.get_ref(), link).is_some_and(|table| {
            let found = table.get(name).map(toml::Spanned::get_ref);
            matches!(found, Some(DeValue::String(found)) if found == value) && !table.contains_key(other)
        })
    })
}
