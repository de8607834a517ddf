//! Reads the values of secrets: on the machine where `apply` runs, when a phase is launched, only those of its tenant.

use std::path::Path;
use std::{fs, io};

use futures::future::BoxFuture;
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use crate::config;
use crate::fleet::{SecretError, Secrets};
use crate::manifest::{SecretRef, Tenant};

/// The values of a tenant's secrets that are on this machine. Fails on the first that cannot be read.
pub fn of_tenant(tenant: &Tenant) -> BoxFuture<'static, Result<Secrets, SecretError>> {
    let secrets = tenant.secrets.clone();
    // Reading may hang, on a pipe or a dead disk, and must not block anything else.
    let reading = spawn_blocking(move || {
        let mut values = Secrets::default();
        for (name, from) in &secrets {
            if let Some(value) = read(name, from) {
                values.0.insert(name.clone(), value?);
            }
        }
        Ok(values)
    });
    let failed = |error| Err(SecretError::Unreadable(format!("secrets cannot be read: {error}")));
    Box::pin(async move { reading.await.unwrap_or_else(failed) })
}

/// The private key that signs checkpoints, in PEM.
pub async fn signing_key(from: &SecretRef) -> Result<Zeroizing<String>, SecretError> {
    let unreadable = |why: String| SecretError::Unreadable(format!("the signing key: {why}"));
    match from.clone() {
        SecretRef::Environment(variable) => config::secret(&variable)
            .map(Zeroizing::new)
            .ok_or_else(|| unreadable(format!("the environment variable `{variable}` is not set"))),
        SecretRef::File(path) => {
            let reading = path.clone();
            let read = spawn_blocking(move || read_file(&reading)).await;
            let read = read.unwrap_or_else(|error| Err(io::Error::other(error)));
            let key = read.map(Zeroizing::new);
            key.map_err(|error| unreadable(format!("{} cannot be read: {error}", path.display())))
        }
        SecretRef::SecretsManager(arn) | SecretRef::ParameterStore(arn) => {
            Err(unreadable(format!("katkit does not fetch it from {arn}")))
        }
    }
}

fn read(name: &str, from: &SecretRef) -> Option<Result<String, SecretError>> {
    let unreadable = |why: String| SecretError::Unreadable(format!("secret `{name}`: {why}"));
    let value = match from {
        SecretRef::Environment(variable) => config::secret(variable)
            .ok_or_else(|| unreadable(format!("the environment variable `{variable}` is not set"))),
        SecretRef::File(path) => match fs::metadata(path) {
            Ok(found) if !found.is_file() => {
                // A pipe delivers its content only once.
                let path = path.display();
                Err(unreadable(format!("{path} is not a regular file, but it is read for every attempt")))
            }
            // Allows for a trailing line break. Too large to read: it may be of any size.
            Ok(found) if SecretError::check_size(name, found.len().saturating_sub(2)).is_err() => {
                SecretError::check_size(name, found.len()).map(|()| String::new())
            }
            Ok(_) | Err(_) => read_file(path)
                .map_err(|error| unreadable(format!("{} cannot be read: {error}", path.display()))),
        },
        SecretRef::SecretsManager(_) | SecretRef::ParameterStore(_) => return None,
    };
    Some(value.and_then(|value| SecretError::check_size(name, value.len() as u64).map(|()| value)))
}

/// A file's content without its trailing line break.
fn read_file(path: &Path) -> io::Result<String> {
    let text = Zeroizing::new(fs::read_to_string(path)?);
    Ok(text.strip_suffix('\n').map_or(&**text, |text| text.trim_end_matches('\r')).to_owned())
}
