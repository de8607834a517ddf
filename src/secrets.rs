//! Reads the values of secrets, where `apply` runs and at no other time.

use std::fs;

use crate::config;
use crate::fleet::Secrets;
use crate::manifest::{SecretRef, Tenant};

/// The values of a tenant's secrets; a sentence about the first that cannot be had.
pub fn of_tenant(tenant: &Tenant) -> Result<Secrets, String> {
    let value = |(name, from): (&String, &SecretRef)| read(name, from).map(|value| (name.clone(), value));
    tenant.secrets.iter().map(value).collect::<Result<_, _>>().map(Secrets)
}

fn read(name: &str, from: &SecretRef) -> Result<String, String> {
    match from {
        SecretRef::Environment(variable) => config::secret(variable)
            .ok_or_else(|| format!("secret `{name}`: the environment variable `{variable}` is not set")),
        SecretRef::File(path) => match fs::read_to_string(path) {
            Ok(text) => {
                Ok(text.strip_suffix('\n').map_or(&*text, |text| text.trim_end_matches('\r')).to_owned())
            }
            Err(error) => Err(format!("secret `{name}`: {} cannot be read: {error}", path.display())),
        },
        SecretRef::SecretsManager(_) | SecretRef::ParameterStore(_) => Err(format!(
            "secret `{name}`: `{from}` can only be given to a phase by an ECS fleet, not by one on this machine"
        )),
    }
}
