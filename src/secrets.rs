//! Reads the values of secrets: where `apply` runs, when a phase is launched, and those of its tenant alone.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use futures::future::BoxFuture;
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use crate::config;
use crate::fleet::{SecretError, Secrets};
use crate::manifest::{SecretRef, Tenant};

/// The values of those of a tenant's secrets that are on this machine; an error about the first that cannot be had.
pub fn of_tenant(tenant: &Tenant) -> BoxFuture<'static, Result<Secrets, SecretError>> {
    let secrets = tenant.secrets.clone();
    // A file may be a pipe, or on a disk that does not answer: nothing else waits for it.
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

/// The ARNs of the others: only a fleet in AWS gets at their values, and katkit itself never does.
pub fn arns_of_tenant(tenant: &Tenant) -> BTreeMap<String, String> {
    let arn = |(name, from): (&String, &SecretRef)| Some((name.clone(), from.arn()?.to_owned()));
    tenant.secrets.iter().filter_map(arn).collect()
}

fn read(name: &str, from: &SecretRef) -> Option<Result<String, SecretError>> {
    let unreadable = |why: String| SecretError::Unreadable(format!("secret `{name}`: {why}"));
    let value = match from {
        SecretRef::Environment(variable) => config::secret(variable)
            .ok_or_else(|| unreadable(format!("the environment variable `{variable}` is not set"))),
        SecretRef::File(path) => match fs::metadata(path) {
            Ok(found) if !found.is_file() => {
                // What a pipe gave the first time, it does not give the second time.
                let path = path.display();
                Err(unreadable(format!("{path} is not a regular file, and it is read anew for each attempt")))
            }
            // With room for the line break behind the value. Not read, as it may be of any size.
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

/// What a file holds, without the line break at its end.
fn read_file(path: &Path) -> io::Result<String> {
    let text = Zeroizing::new(fs::read_to_string(path)?);
    Ok(text.strip_suffix('\n').map_or(&**text, |text| text.trim_end_matches('\r')).to_owned())
}
