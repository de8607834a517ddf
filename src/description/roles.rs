//! Which services a description holds, and where in its text their images stand.

use std::ops::Range;

use crate::lenient_json::{Document, FormatError, Json, Object, Value, decode, shown};

use super::image::{self, HUBTAG};

/// A service description that was read.
#[derive(Clone, Debug)]
pub struct ServiceDescription {
    pub(super) text: String,
    pub(super) roles: Vec<Role>,
}

/// One service of a description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Unique in the description.
    pub name: String,
    /// Its image, escapes resolved; perhaps with `<hubtag>` in it.
    pub image: String,
    /// The bytes of the image in the description's text, quotes included.
    pub(super) span: Range<usize>,
}

impl Role {
    /// Whether a deployment rolls this service: its image holds `<hubtag>`.
    pub fn is_tagged(&self) -> bool {
        self.image.contains(HUBTAG)
    }
}

impl ServiceDescription {
    /// Reads the description as it stands in a repository: every role has a name of its own and an image with a tag.
    pub fn parse(text: &str) -> Result<Self, FormatError> {
        let document = Document::read(text)?;
        let roles = read_roles(&document)?;
        for role in &roles {
            image::check(&role.image).map_err(|mistake| {
                let image =
                    if role.image.is_empty() { String::new() } else { format!(" `{}`", shown(&role.image)) };
                let what = format!("the image{image} of role `{}` {}", shown(&role.name), mistake.what);
                let error = document.error(&role.span, what);
                match mistake.hint {
                    Some(hint) => error.hint(hint),
                    None => error,
                }
            })?;
        }
        Ok(Self { text: text.to_owned(), roles })
    }

    /// The same, from the bytes of a file.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FormatError> {
        Self::parse(decode(bytes)?)
    }

    /// The text that was read.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The services, in the order of the file.
    pub fn roles(&self) -> &[Role] {
        &self.roles
    }

    /// The role of that name.
    pub fn role(&self, name: &str) -> Option<&Role> {
        self.roles.iter().find(|role| role.name == name)
    }
}

/// The roles of any description, also of a live one, whose images are whatever they are.
pub(super) fn read_roles(document: &Document<'_>) -> Result<Vec<Role>, FormatError> {
    let root = document.root();
    let Value::Object(object) = &root.value else {
        let what = format!("the file holds {}, not a service description", root.shown());
        return Err(document.error(&root.span, what).hint("write `{ \"Roles\": [ … ] }`"));
    };
    let Some(json) = document.field(object, "Roles")? else {
        return Err(document.error(&root.span, "the service description has no `Roles`"));
    };
    let elements = match &json.value {
        Value::List(elements) if elements.is_empty() => {
            return Err(document.error(&json.span, "`Roles` is empty: there is no service to deploy"));
        }
        Value::List(elements) => elements,
        _ => return Err(document.error(&json.span, format!("`Roles` is {}, not a list", json.shown()))),
    };
    let mut roles: Vec<Role> = Vec::with_capacity(elements.len());
    let mut names = std::collections::BTreeSet::new();
    for element in elements {
        let Value::Object(object) = &element.value else {
            return Err(
                document.error(&element.span, format!("a role is an object, not {}", element.shown()))
            );
        };
        let role = read_role(document, element, object)?;
        if !names.insert(role.name.clone()) {
            let what = format!("two roles are named `{}`", shown(&role.name));
            return Err(document.error(&element.span, what).hint("a deployment finds a service by its name"));
        }
        roles.push(role);
    }
    Ok(roles)
}

fn read_role(document: &Document<'_>, element: &Json<'_>, object: &Object<'_>) -> Result<Role, FormatError> {
    let name = match document.field(object, "Name")? {
        None => return Err(document.error(&element.span, "a role has no `Name`")),
        Some(json) => match &json.value {
            Value::Text(name) if !name.trim().is_empty() && !name.chars().any(char::is_control) => name,
            _ => {
                let what = format!("`Name` of a role is {}, not the name of a service", json.shown());
                return Err(document.error(&json.span, what));
            }
        },
    };
    let owner = shown(name);
    let Some(json) = document.field(object, "DockerImage")? else {
        let hint = format!("write it as `\"DockerImage\": \"acme/{owner}:{HUBTAG}\"`");
        return Err(document.error(&element.span, format!("role `{owner}` has no `DockerImage`")).hint(hint));
    };
    let Value::Text(image) = &json.value else {
        let what = format!("`DockerImage` of role `{owner}` is {}, not an image", json.shown());
        return Err(document.error(&json.span, what));
    };
    Ok(Role { name: name.to_string(), image: image.to_string(), span: json.span.clone() })
}
