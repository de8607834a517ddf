//! Finds `<hubtag>` in values where a deployment does not replace it.

use std::fmt;

use crate::lenient_json::{Document, FilePosition, Json, Value, shown};

use super::image::HUBTAG;
use super::roles::ServiceDescription;

/// The most values to list in a message.
const NAMED: usize = 3;

/// Values that contain `<hubtag>` and keep it, because they are not the image of a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptTags {
    /// The first of them: the path of keys to the value, and its position.
    first: Vec<(String, FilePosition)>,
    more: usize,
}

impl ServiceDescription {
    /// Finds `<hubtag>` outside the images of roles. Comments and keys do not count.
    pub fn kept_tags(&self) -> Option<KeptTags> {
        let document = Document::read(&self.text).ok()?;
        let mut kept = KeptTags { first: Vec::new(), more: 0 };
        self.search(&document, document.root(), &mut String::new(), &mut kept);
        (!kept.first.is_empty()).then_some(kept)
    }

    fn search(&self, document: &Document<'_>, json: &Json<'_>, keys: &mut String, kept: &mut KeptTags) {
        let length = keys.len();
        match &json.value {
            Value::Text(text) if text.contains(HUBTAG) => {
                let is_image = self.roles.iter().any(|role| role.span == json.span);
                match kept.first.len() {
                    _ if is_image => {}
                    NAMED.. => kept.more += 1,
                    _ => kept.first.push((keys.clone(), document.place(&json.span))),
                }
            }
            Value::List(elements) => {
                for (at, element) in elements.iter().enumerate() {
                    keys.push_str(&format!("[{at}]"));
                    self.search(document, element, keys, kept);
                    keys.truncate(length);
                }
            }
            Value::Object(object) => {
                for field in &object.fields {
                    let dot = if keys.is_empty() { "" } else { "." };
                    keys.push_str(&format!("{dot}{}", shown(&field.name)));
                    self.search(document, &field.json, keys, kept);
                    keys.truncate(length);
                }
            }
            Value::Text(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

impl fmt::Display for KeptTags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, more } = self;
        let values: Vec<_> = first.iter().map(|(keys, position)| format!("`{keys}` ({position})")).collect();
        write!(f, "`{HUBTAG}` is left as is in {}", values.join(", "))?;
        if *more > 0 {
            write!(f, " and {more} more")?;
        }
        f.write_str("; a deployment replaces it only in the `DockerImage` of a role")
    }
}
