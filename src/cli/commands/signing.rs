//! Reads the key of `[audit]`.

use crate::app::Opened;
use crate::audit::SigningKey;
use crate::cli::error::CommandError;
use crate::secrets;

/// The key that signs `what`: checkpoints or attestations.
pub(super) async fn signing_key(opened: &Opened, what: &str) -> Result<SigningKey, CommandError> {
    let Some(config) = &opened.estate.manifest().audit else {
        let hint = "create a key with `openssl genpkey -algorithm ed25519 -out audit.pem`, and add `[audit]` with \
                    `origin` and `signing-key = \"file:audit.pem\"`";
        return Err(CommandError::refused(
            format!("the manifest has no key to sign {what} with"),
            hint.to_owned(),
        ));
    };
    let pem = secrets::signing_key(&config.signing_key).await.map_err(|error| {
        let hint = format!("set the variable or write the file on the machine that makes {what}");
        CommandError::refused(error.to_string(), hint)
    })?;
    SigningKey::from_pem(&config.origin, &pem).map_err(|error| {
        let hint = "`openssl genpkey -algorithm ed25519 -out audit.pem` creates one".to_owned();
        CommandError::refused(
            format!("the signing key in {} cannot be used: {error}", config.signing_key),
            hint,
        )
    })
}
