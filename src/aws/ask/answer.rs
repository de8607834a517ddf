//! What a service answers: the fields of XML that are looked for, and its words when it refuses. Pure.

use std::fmt;

use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, OrchestratorError};
use aws_smithy_types::error::ErrorMetadata;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_xml::decode::{Document, ScopedDecoder, XmlDecodeError, try_data};

/// What a service answered in place of what it was asked for.
#[derive(Debug)]
pub struct Refusal(ErrorMetadata);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.message().or(self.0.code()).unwrap_or("no reason was given"))
    }
}

impl std::error::Error for Refusal {}

impl ProvideErrorMetadata for Refusal {
    fn meta(&self) -> &ErrorMetadata {
        &self.0
    }
}

/// The text of an answer, or the refusal that it is.
pub fn read(response: &HttpResponse) -> Result<String, OrchestratorError<Refusal>> {
    let text = String::from_utf8_lossy(response.body().bytes().unwrap_or_default());
    match response.status().is_success() {
        true => Ok(text.into_owned()),
        false => Err(OrchestratorError::operation(refusal(&text))),
    }
}

/// Services say it in JSON or in XML, and what stands in front of them may do it in either.
fn refusal(text: &str) -> Refusal {
    let (code, message) = match serde_json::from_str::<serde_json::Value>(text) {
        Ok(document) => {
            let field = |name: &str| document[name].as_str().unwrap_or_default().to_owned();
            let lower = field("message");
            (field("__type"), if lower.is_empty() { field("Message") } else { lower })
        }
        Err(_) => {
            let nested = records(text, &["Errors", "Error"], ["Code", "Message"]);
            let found = nested.into_iter().chain(records(text, &["Error"], ["Code", "Message"])).next();
            found.map(|[code, message]| (code, message)).unwrap_or_default()
        }
    };
    // `com.amazonaws.ssm#ThrottlingException`, perhaps with a URL behind a colon.
    let code = code.rsplit('#').next().and_then(|code| code.split(':').next()).unwrap_or_default();
    let mut metadata = ErrorMetadata::builder();
    if !code.is_empty() {
        metadata = metadata.code(code);
    }
    if !message.is_empty() {
        metadata = metadata.message(message);
    }
    Refusal(metadata.build())
}

/// The `fields` of every element at the end of `path`, which begins below the root; empty where one is missing. What is no
/// XML holds none.
pub fn records<const N: usize>(text: &str, path: &[&str], fields: [&str; N]) -> Vec<[String; N]> {
    let mut found = Vec::new();
    let mut document = Document::new(text);
    if let Ok(mut root) = document.root_element() {
        // What was read before a mistake is of no use.
        if collect(&mut root, path, fields, &mut found).is_err() {
            found.clear();
        }
    }
    found
}

fn collect<const N: usize>(
    element: &mut ScopedDecoder<'_, '_>,
    path: &[&str],
    fields: [&str; N],
    found: &mut Vec<[String; N]>,
) -> Result<(), XmlDecodeError> {
    if let Some((first, rest)) = path.split_first() {
        while let Some(mut child) = element.next_tag() {
            if child.start_el().matches(first) {
                collect(&mut child, rest, fields, found)?;
            }
        }
        return Ok(());
    }
    let mut record = [const { String::new() }; N];
    while let Some(mut child) = element.next_tag() {
        if let Some(at) = fields.iter().position(|field| child.start_el().matches(field)) {
            record[at] = try_data(&mut child)?.into_owned();
        }
    }
    found.push(record);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_where_they_are_looked_for_and_nowhere_else() {
        let text = "<?xml version=\"1.0\"?>\n<R xmlns=\"http://x/\"><other><id>no</id></other>\n<set>\
                    <item><id> a&amp;b</id><tags><id>no</id></tags><vpc>v1</vpc></item><item><vpc/><id>c</id></item></set></R>";
        let found = records(text, &["set", "item"], ["id", "vpc"]);
        assert_eq!(found, [[" a&b".to_owned(), "v1".to_owned()], ["c".to_owned(), String::new()]]);
        for none in ["", "no xml", "<R", "<R><set></R>", "{}"] {
            assert_eq!(records(none, &["set", "item"], ["id"]), Vec::<[String; 1]>::new(), "{none}");
        }
    }

    #[test]
    fn a_refusal_is_read_in_every_language() {
        for text in [
            r#"{"__type":"com.amazonaws.x#NoSuchEntity","message":"gone"}"#,
            r#"{"__type":"NoSuchEntity:http://x/","Message":"gone"}"#,
            "<ErrorResponse><Error><Type>Sender</Type><Code>NoSuchEntity</Code><Message>gone</Message></Error></ErrorResponse>",
            "<Response><Errors><Error><Code>NoSuchEntity</Code><Message>gone</Message></Error></Errors></Response>",
        ] {
            let refusal = refusal(text);
            assert_eq!((refusal.code(), refusal.message()), (Some("NoSuchEntity"), Some("gone")), "{text}");
        }
        assert_eq!(refusal("<html>").code(), None);
        assert_eq!(refusal("").to_string(), "no reason was given");
    }
}
