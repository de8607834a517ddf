//! Checks that several tables share.

use super::reader::{Located, Reader};
use super::source::Span;
use super::suggest::quoted;
use super::url::{ANYONE, CredentialAdvice, has_credentials, on_this_machine, unencrypted};

/// Reports a `key` that makes no sense in its table.
pub(super) fn misplaced(key: &str, at: Option<Span>, why: &str, reader: &Reader<'_>) {
    if let Some(span) = at {
        reader.error(span, format!("`{key}` makes no sense here: {why}"), "remove it");
    }
}

pub(super) fn place<T>(key: Option<&Located<T>>) -> Option<Span> {
    key.map(|key| key.span)
}

/// Reports an empty string; returns any other.
pub(super) fn filled<'i>(text: Located<&'i str>, reader: &Reader<'_>) -> Option<&'i str> {
    if text.value.trim().is_empty() {
        reader.error(text.span, "an empty string", "a value is required");
        return None;
    }
    Some(text.value)
}

/// The URL of an endpoint to use instead of AWS's, if it is valid.
pub(super) fn endpoint(text: Located<&str>, reader: &Reader<'_>) -> Option<String> {
    let url = filled(text, reader)?;
    if has_credentials(text, FOR_AWS, reader) {
        return None;
    }
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    if host.is_none_or(|host| host.is_empty() || host.starts_with('/')) {
        let help = "write `https://host`, or `http://localhost:4566` for one on this machine";
        let label = "neither `https://` nor `http://` and a host";
        reader.error_with_help(
            text.span,
            format!("{} is not the URL of a service", quoted(url)),
            label,
            help,
        );
        return None;
    }
    if url.starts_with("http://") && !on_this_machine(host.unwrap_or_default()) {
        unencrypted(text.span, ("`http://`", ANYONE), "use `https://`", reader);
    }
    Some(url.to_owned())
}

/// The name of a region. It becomes part of a host name.
pub(super) fn region(text: Located<&str>, reader: &Reader<'_>) -> Option<String> {
    let name = filled(text, reader)?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !name.bytes().all(plain) || name.len() > 63 || name.starts_with('-') || name.ends_with('-') {
        let message = format!("{} is not a region", quoted(name));
        reader.error_with_help(text.span, message, "not a region name", "a region looks like `eu-central-1`");
        return None;
    }
    Some(name.to_owned())
}

pub(super) const FOR_AWS: CredentialAdvice =
    CredentialAdvice { answers: "use AWS credentials from the environment or a profile", of_users: "" };
