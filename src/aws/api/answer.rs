//! Parses service responses: fields in XML, and error codes and messages. Pure.

use std::fmt;

use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, OrchestratorError};
use aws_smithy_types::error::ErrorMetadata;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_xml::decode::{Document, ScopedDecoder, XmlDecodeError, try_data};

/// An error response.
#[derive(Debug)]
pub struct ServiceAnswer(ErrorMetadata);

impl fmt::Display for ServiceAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.message().or(self.0.code()).unwrap_or("no reason was given"))
    }
}

impl std::error::Error for ServiceAnswer {}

impl ProvideErrorMetadata for ServiceAnswer {
    fn meta(&self) -> &ErrorMetadata {
        &self.0
    }
}

/// The body of a successful response, or the error.
pub fn read(response: &HttpResponse) -> Result<String, OrchestratorError<ServiceAnswer>> {
    let text = String::from_utf8_lossy(response.body().bytes().unwrap_or_default());
    match response.status().is_success() {
        true => Ok(text.into_owned()),
        false => Err(OrchestratorError::operation(refusal(&text))),
    }
}

/// Services return errors as JSON or XML, and proxies in front of them may use either.
fn refusal(text: &str) -> ServiceAnswer {
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
    ServiceAnswer(metadata.build())
}

/// The `fields` of every element at `path`, which starts below the root. Missing fields are empty; text that is not XML
/// has no records.
pub fn records<const N: usize>(text: &str, path: &[&str], fields: [&str; N]) -> Vec<[String; N]> {
    let mut found = Vec::new();
    let mut document = Document::new(text);
    if let Ok(mut root) = document.root_element() {
        // Records before a syntax error are useless.
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
    fn only_fields_at_the_path_are_found() {
        let text = "<?xml version=\"1.0\"?>\n<R xmlns=\"http://x/\"><other><id>no</id></other>\n<set>\
                    <item><id> a&amp;b</id><tags><id>no</id></tags><vpc>v1</vpc></item><item><vpc/><id>c</id></item></set></R>";
        let found = records(text, &["set", "item"], ["id", "vpc"]);
        assert_eq!(found, [[" a&b".to_owned(), "v1".to_owned()], ["c".to_owned(), String::new()]]);
        for none in ["", "no xml", "<R", "<R><set></R>", "{}"] {
            assert_eq!(records(none, &["set", "item"], ["id"]), Vec::<[String; 1]>::new(), "{none}");
        }
    }

    #[test]
    fn errors_are_read_from_json_and_xml() {
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
