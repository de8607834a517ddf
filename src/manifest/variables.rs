//! Variables and secrets: which names may be set, and which katkit sets itself.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::reader::{Definitions, Located, Raw, Reader, Value};
use super::secret_ref::{SecretRef, secret};
use super::suggest::quoted;
use super::values::between_quotes;
use crate::domain::PhaseSpec;

/// Environment variables: names and values.
#[derive(Clone, Debug, Default)]
pub(super) struct VariablePairs<'i>(pub Vec<(Located<&'i str>, Located<&'i str>)>);

/// The variables that katkit sets in every phase, and how to change their values.
const RESERVED: &[(&str, &str)] = &[
    ("GIT_REPO", "it follows from the link's `repo`"),
    ("GIT_SHA", "it follows from the link's `sha` or `branch`"),
    ("CODE_PATH", "it follows from the link's `folder`"),
    ("ENV", "set the tenant's `environment`"),
    ("REPLICA_ID", "it is the number of the replica"),
    ("LOG_PATH", "it is where the phase's log goes"),
    ("LOG_FILE", "it is where the phase's log goes"),
    ("S3_BUCKET", "it is where the phase's log goes"),
];

impl<'i> Value<'i> for VariablePairs<'i> {
    fn read(raw: &'i Raw<'i>, reader: &Reader<'_>) -> Option<Self> {
        let mut pairs = Vec::new();
        for (key, raw) in reader.table(raw)? {
            let name = Located { value: key.get_ref().as_ref(), span: reader.span_of(key) };
            let good = check_name(name, reader);
            let Some(text) = raw.get_ref().as_str() else {
                reader.wrong_type(raw, "a string", between_quotes(raw));
                continue;
            };
            let value = Located { value: text, span: reader.span_of(raw) };
            if text.contains('\0') {
                reader.error(value.span, "a variable cannot contain a NUL character", "contains one");
            } else if name.value.len() + 1 + text.len() > PhaseSpec::LONGEST_VARIABLE {
                let most = PhaseSpec::LONGEST_VARIABLE;
                let message = format!("{} is longer than any system allows", quoted(name.value));
                let label =
                    format!("{} bytes; at most {most} are allowed, with its name and the `=`", text.len());
                reader.error(value.span, message, label);
            } else if good {
                pairs.push((name, value));
            }
        }
        Some(Self(pairs))
    }

    fn schema(_: &mut Definitions) -> Json {
        let names = json!({ "pattern": "^[A-Za-z_][A-Za-z0-9_]*$" });
        json!({ "type": "object", "propertyNames": names, "additionalProperties": { "type": "string" } })
    }
}

fn check_name(name: Located<&str>, reader: &Reader<'_>) -> bool {
    let Located { value, span } = name;
    let valid = |(at, c): (usize, char)| c == '_' || c.is_ascii_alphabetic() || at > 0 && c.is_ascii_digit();
    if value.is_empty() || value.len() > 255 || !value.char_indices().all(valid) {
        let message = format!("{} cannot be the name of a variable", quoted(value));
        let help = "allowed are letters, digits and `_`, beginning with a letter or `_`";
        reader.error_with_help(span, message, "not a name", help);
        return false;
    }
    let reason = RESERVED.iter().find(|(reserved, _)| *reserved == value).map(|(_, reason)| *reason);
    let reason =
        reason.or(value.starts_with("KATKIT_").then_some("names that begin with `KATKIT_` are reserved"));
    if let Some(reason) = reason {
        reader.error_with_help(span, format!("`{value}` is set by katkit"), "cannot be set here", reason);
    }
    reason.is_none()
}

impl<'i> VariablePairs<'i> {
    /// The pairs as phases get them.
    pub fn to_map(&self) -> BTreeMap<String, String> {
        self.0.iter().map(|(name, text)| (name.value.to_owned(), text.value.to_owned())).collect()
    }

    /// The names, with their positions.
    pub fn names(&self) -> impl Iterator<Item = Located<&'i str>> + '_ {
        self.0.iter().map(|(name, _)| *name)
    }

    /// The pairs as secrets; reports invalid ones.
    pub fn to_secrets(&self, reader: &Reader<'_>) -> BTreeMap<String, SecretRef> {
        let secret = |(name, text): &(Located<&str>, Located<&str>)| {
            Some((name.value.to_owned(), secret(*text, reader)?))
        };
        self.0.iter().filter_map(secret).collect()
    }
}
