//! `[audit]`: what signs checkpoints.

use super::model::AuditConfig;
use super::reader::{Located, Reader};
use super::root_tables::AuditKeys;
use super::secret_ref;
use super::secret_ref::SecretRef;
use super::suggest::quoted;
use crate::audit::check_name;

pub(super) fn audit(keys: Option<Located<AuditKeys<'_>>>, reader: &Reader<'_>) -> Option<AuditConfig> {
    let AuditKeys { origin, signing_key } = keys?.value;
    let origin = origin.filter(|origin| {
        let is_valid = check_name(origin.value).is_ok();
        if !is_valid {
            let message = format!("{} cannot be an origin", quoted(origin.value));
            let help = "write a URL without scheme, such as `katkit.example.com/prod`";
            reader.error_with_help(origin.span, message, "contains a space or `+`, or is empty", help);
        }
        is_valid
    });
    let signing_key = signing_key.and_then(|key| Some((secret_ref::secret(key, reader)?, key.span)));
    let signing_key = signing_key.and_then(|(key, span)| match key {
        SecretRef::Environment(_) | SecretRef::File(_) => Some(key),
        SecretRef::SecretsManager(_) | SecretRef::ParameterStore(_) => {
            let help = "pass it to the job that makes checkpoints, and write `env:NAME` or `file:PATH`";
            reader.error_with_help(span, "a signing key in AWS", "katkit does not fetch it from there", help);
            None
        }
    });
    Some(AuditConfig { origin: origin?.value.to_owned(), signing_key: signing_key? })
}
