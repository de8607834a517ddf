//! Container images, which need a tag or a digest.

use serde_json::{Value as Json, json};

use super::reader::{Definitions, Raw, Reader, Value};
use super::suggest::quoted;

/// An image with a tag or a digest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Image<'i>(pub &'i str);

impl<'i> Value<'i> for Image<'i> {
    fn read(raw: &'i Raw<'i>, reader: &Reader<'_>) -> Option<Self> {
        let image = <&str>::read(raw, reader)?;
        let span = reader.span_of(raw);
        let valid = !image.is_empty() && !image.starts_with('-') && !image.contains(char::is_whitespace);
        if !valid {
            let help = "an image looks like `zbuilder:v7` or `registry.example.com/team/zbuilder:v7`";
            reader.error_with_help(span, format!("{} is not an image", quoted(image)), "not an image", help);
            return None;
        }
        match version(image) {
            Some(version) if !version.is_empty() => Some(Self(image)),
            _ => {
                let name = image.trim_end_matches([':', '@']);
                let message = format!("the image {} has no tag", quoted(image));
                let help = format!(
                    "add a version, like `{name}:v7`: without one, the same phase may run something \
                     else tomorrow"
                );
                reader.error_with_help(span, message, "no tag and no digest", help);
                None
            }
        }
    }

    fn schema(_: &mut Definitions) -> Json {
        json!({ "type": "string", "pattern": "[:@][^/]+$" })
    }
}

/// The tag or digest of an image; may be empty. A colon before the last slash belongs to the registry's port.
fn version(image: &str) -> Option<&str> {
    if let Some((_, digest)) = image.split_once('@') {
        return Some(digest);
    }
    let last = image.rsplit('/').next().unwrap_or(image);
    last.split_once(':').map(|(_, tag)| tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_of_a_registry_is_not_a_tag() {
        assert_eq!(version("zbuilder:v7"), Some("v7"));
        assert_eq!(version("localhost:5000/zbuilder"), None);
        assert_eq!(version("localhost:5000/zbuilder:v7"), Some("v7"));
        assert_eq!(version("zbuilder@sha256:00"), Some("sha256:00"));
        assert_eq!(version("zbuilder:"), Some(""));
        assert_eq!(version("zbuilder"), None);
    }
}
