//! The services in a description, and the positions of their images.

use std::ops::Range;

use crate::lenient_json::{Document, FormatError, Json, Object, Value, decode, is_meant, shown};

use super::image::{self, HUBTAG};

/// A parsed service description.
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
    /// Its image, with escapes resolved; may contain `<hubtag>`.
    pub image: String,
    /// The byte range of the image in the description's text, including quotes.
    pub(super) span: Range<usize>,
}

impl Role {
    /// Whether a deployment rolls this service: its image contains `<hubtag>`.
    pub fn is_tagged(&self) -> bool {
        self.image.contains(HUBTAG)
    }
}

impl ServiceDescription {
    /// Parses a description from a repository: every role needs a unique name, and the image of each role that a
    /// deployment rolls needs a tag. A role without `<hubtag>` is not deployed, so its image is not checked.
    pub fn parse(text: &str) -> Result<Self, FormatError> {
        let document = Document::read(text)?;
        let roles = read_roles(&document)?;
        // A lone `<` is a misspelt `<hubtag>`.
        for role in roles.iter().filter(|role| role.image.contains(['<', '>'])) {
            image::check(&role.image).map_err(|mistake| {
                let (image, role_name) = (shown(&role.image), shown(&role.name));
                let what = format!("the image `{image}` of role `{role_name}` {}", mistake.what);
                let error = document.error(&role.span, what);
                match mistake.hint {
                    Some(hint) => error.hint(hint),
                    None => error,
                }
            })?;
        }
        Ok(Self { text: text.to_owned(), roles })
    }

    /// Like [`Self::parse`], from the bytes of a file.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FormatError> {
        Self::parse(decode(bytes)?)
    }

    /// The original text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The services, in file order.
    pub fn roles(&self) -> &[Role] {
        &self.roles
    }

    /// The role with that name.
    pub fn role(&self, name: &str) -> Option<&Role> {
        self.roles.iter().find(|role| role.name == name)
    }
}

/// Reads the roles that have an image, from any description; in a live one, images can be anything.
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
        let name = read_name(document, element, object)?;
        if !names.insert(name.to_owned()) {
            let what = format!("two roles are named `{}`", shown(name));
            return Err(document.error(&element.span, what).hint("a deployment finds a service by its name"));
        }
        if let Some((image, span)) = read_image(document, element, object, name)? {
            roles.push(Role { name: name.to_owned(), image: image.to_owned(), span });
        }
    }
    Ok(roles)
}

fn read_name<'o, 'a>(
    document: &Document<'a>,
    element: &Json<'_>,
    object: &'o Object<'a>,
) -> Result<&'o str, FormatError> {
    match document.field(object, "Name")? {
        None => Err(document.error(&element.span, "a role has no `Name`")),
        Some(json) => match &json.value {
            Value::Text(name) if !name.trim().is_empty() && !name.chars().any(char::is_control) => Ok(name),
            _ => {
                let what = format!("`Name` of a role is {}, not the name of a service", json.shown());
                Err(document.error(&json.span, what))
            }
        },
    }
}

/// The image of a role and its position; `None` if the role has no image and is not deployed.
fn read_image<'o, 'a>(
    document: &Document<'a>,
    element: &Json<'_>,
    object: &'o Object<'a>,
    role: &str,
) -> Result<Option<(&'o str, Range<usize>)>, FormatError> {
    const KEY: &str = "DockerImage";
    let owner = shown(role);
    let Some(json) = document.field(object, KEY)? else {
        return match object.fields.iter().find(|field| is_meant(&field.name, KEY)) {
            None => Ok(None),
            Some(field) => Err(document
                .error(&element.span, format!("role `{owner}` has no `{KEY}`"))
                .hint(format!("did you mean `{KEY}` where it says `{}`?", shown(&field.name)))),
        };
    };
    match &json.value {
        Value::Null => Ok(None),
        Value::Text(image) => Ok(Some((image, json.span.clone()))),
        _ => {
            let what = format!("`{KEY}` of role `{owner}` is {}, not an image", json.shown());
            Err(document.error(&json.span, what))
        }
    }
}
