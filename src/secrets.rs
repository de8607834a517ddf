//! Reads the values of secrets: where `apply` runs, when a phase is launched, and those of its tenant alone.

use std::collections::BTreeMap;
use std::fs;

use futures::future::BoxFuture;
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use crate::config;
use crate::fleet::Secrets;
use crate::manifest::{SecretRef, Tenant};

/// The values of those of a tenant's secrets that are on this machine; a sentence about the first that cannot be had.
pub fn of_tenant(tenant: &Tenant) -> BoxFuture<'static, Result<Secrets, String>> {
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
    Box::pin(async { reading.await.unwrap_or_else(|error| Err(format!("secrets cannot be read: {error}"))) })
}

/// The ARNs of the others: only a fleet in AWS gets at their values, and katkit itself never does.
pub fn arns_of_tenant(tenant: &Tenant) -> BTreeMap<String, String> {
    let arn = |(name, from): (&String, &SecretRef)| Some((name.clone(), from.arn()?.to_owned()));
    tenant.secrets.iter().filter_map(arn).collect()
}

fn read(name: &str, from: &SecretRef) -> Option<Result<String, String>> {
    Some(match from {
        SecretRef::Environment(variable) => config::secret(variable)
            .ok_or_else(|| format!("secret `{name}`: the environment variable `{variable}` is not set")),
        SecretRef::File(path) if fs::metadata(path).is_ok_and(|found| !found.is_file()) => {
            // What a pipe gave the first time, it does not give the second time.
            let path = path.display();
            Err(format!(
                "secret `{name}`: {path} is not a regular file, and it is read anew for each attempt"
            ))
        }
        SecretRef::File(path) => match fs::read_to_string(path) {
            Ok(text) => {
                let text = Zeroizing::new(text);
                Ok(text.strip_suffix('\n').map_or(&**text, |text| text.trim_end_matches('\r')).to_owned())
            }
            Err(error) => Err(format!("secret `{name}`: {} cannot be read: {error}", path.display())),
        },
        SecretRef::SecretsManager(_) | SecretRef::ParameterStore(_) => return None,
    })
}
