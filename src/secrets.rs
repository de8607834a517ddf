//! Reads the values of secrets, where `apply` runs and at no other time.

use std::collections::BTreeMap;
use std::fs;

use crate::config;
use crate::fleet::Secrets;
use crate::manifest::{SecretRef, Tenant};

/// The values of those of a tenant's secrets that are on this machine; a sentence about the first that cannot be had.
pub fn of_tenant(tenant: &Tenant) -> Result<Secrets, String> {
    let value =
        |(name, from): (&String, &SecretRef)| Some(read(name, from)?.map(|value| (name.clone(), value)));
    tenant.secrets.iter().filter_map(value).collect::<Result<_, _>>().map(Secrets)
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
        SecretRef::File(path) => match fs::read_to_string(path) {
            Ok(text) => {
                Ok(text.strip_suffix('\n').map_or(&*text, |text| text.trim_end_matches('\r')).to_owned())
            }
            Err(error) => Err(format!("secret `{name}`: {} cannot be read: {error}", path.display())),
        },
        SecretRef::SecretsManager(_) | SecretRef::ParameterStore(_) => return None,
    })
}
