//! Where the value of a secret is.

use std::fmt;
use std::path::PathBuf;

use super::files::joined;
use super::reader::{Located, Reader};
use super::source::Span;

/// The source of a secret's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretRef {
    /// `env:NAME`: in a variable of katkit's own environment.
    Environment(String),
    /// `file:PATH`: the content of a file without its last line break; already joined with the manifest's directory.
    File(PathBuf),
    /// `arn:aws:secretsmanager:…`
    SecretsManager(String),
    /// `arn:aws:ssm:…`
    ParameterStore(String),
}

impl SecretRef {
    /// Its ARN, if it is stored in AWS.
    pub fn arn(&self) -> Option<&str> {
        match self {
            Self::SecretsManager(arn) | Self::ParameterStore(arn) => Some(arn),
            Self::Environment(_) | Self::File(_) => None,
        }
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::SecretsManager(arn) | Self::ParameterStore(arn) => f.write_str(arn),
        }
    }
}

/// Where a secret is; reports a text that does not say so.
pub(super) fn secret(text: Located<&str>, reader: &Reader<'_>) -> Option<SecretRef> {
    let Located { value, span } = text;
    if let Some(name) = value.strip_prefix("env:") {
        let valid = !name.is_empty() && !name.contains(['=', '\n']);
        return if valid { Some(SecretRef::Environment(name.to_owned())) } else { none_after(span, reader) };
    }
    if let Some(path) = value.strip_prefix("file:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        let found = SecretRef::File(joined(reader.root, path));
        return if path.is_empty() { none_after(span, reader) } else { Some(found) };
    }
    // `arn:PARTITION:SERVICE:…`, with a partition like `aws` or `aws-cn`.
    let mut arn = value.splitn(4, ':');
    if arn.next() == Some("arn") && arn.next().is_some_and(|partition| partition.starts_with("aws")) {
        match (arn.next(), arn.next()) {
            (Some("secretsmanager"), Some(_)) => return Some(SecretRef::SecretsManager(value.to_owned())),
            (Some("ssm"), Some(_)) => return Some(SecretRef::ParameterStore(value.to_owned())),
            _ => {}
        }
    }
    // The value may well be the secret itself.
    reader.report.mask(span);
    let help = "write where its value is: `env:NAME`, `file:PATH`, `arn:aws:secretsmanager:…` or `arn:aws:ssm:…`; \
                the value itself never belongs in a manifest";
    reader.error_with_help(span, "this does not say where the secret is", "no known scheme", help);
    None
}

fn none_after(span: Span, reader: &Reader<'_>) -> Option<SecretRef> {
    reader.error(span, "this does not say where the secret is", "something is missing after the colon");
    None
}
