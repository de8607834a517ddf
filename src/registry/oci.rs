//! Registries with the API of the Open Container Initiative, which all but the oldest have, Docker Hub among them.
//!
//! Source: <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests>

use std::time::Duration;

use async_trait::async_trait;
use backon::{ExponentialBuilder, Retryable};
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::{OciDistributionError, OciErrorCode};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};
use tokio::sync::OnceCell;

use super::{Registry, RegistryError, digest_in};
use crate::docker::{Credentials, registry_of};
use crate::domain::ImageDigest;

/// Timeout for opening a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Timeout between two parts of an answer.
const READ: Duration = Duration::from_secs(20);
/// How often a registry is asked again that does not answer or has a problem of its own, and the first pause, which
/// doubles.
const RETRIES: usize = 3;
const PAUSE: Duration = Duration::from_millis(200);

/// Registries with credentials from the user's Docker configuration.
#[derive(Debug, Default)]
pub struct OciRegistry {
    /// Where the credentials are.
    pub credentials: Credentials,
    clients: OnceCell<Clients>,
}

struct Clients {
    https: Client,
    /// For this machine: Docker trusts a registry on a loopback address without TLS, too.
    http: Client,
}

impl std::fmt::Debug for Clients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clients")
    }
}

impl OciRegistry {
    /// Registries with these credentials. Connects to nothing.
    pub fn new(credentials: Credentials) -> Self {
        Self { credentials, clients: OnceCell::new() }
    }

    async fn auth(&self, image: &str) -> Result<RegistryAuth, RegistryError> {
        let Some(found) = self.credentials.of(registry_of(image)).await else {
            return Ok(RegistryAuth::Anonymous);
        };
        match (found.username, found.password) {
            (Some(name), Some(secret)) => Ok(RegistryAuth::Basic(name, secret)),
            _ => Err(RegistryError {
                hint: Some("log in with a user name and a password or an access token".to_owned()),
                ..RegistryError::new(image, "its credentials are an identity token, which katkit cannot use")
            }),
        }
    }
}

fn clients() -> Result<Clients, OciDistributionError> {
    let client = |protocol| {
        Client::try_from(ClientConfig {
            protocol,
            connect_timeout: Some(CONNECT),
            read_timeout: Some(READ),
            user_agent: concat!("katkit/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        })
    };
    Ok(Clients { https: client(ClientProtocol::Https)?, http: client(ClientProtocol::Http)? })
}

#[async_trait]
impl Registry for OciRegistry {
    async fn digest(&self, image: &str) -> Result<Option<ImageDigest>, RegistryError> {
        let reference: Reference = image.parse().map_err(|error| RegistryError::new(image, error))?;
        let clients = self.clients.get_or_try_init(async || clients()).await;
        let clients = clients.map_err(|error| RegistryError::new(image, error))?;
        let client = if is_loopback(reference.resolve_registry()) { &clients.http } else { &clients.https };
        let auth = self.auth(image).await?;
        let ask = async || client.fetch_manifest_digest(&reference, &auth).await;
        let asked = ask
            .retry(ExponentialBuilder::default().with_min_delay(PAUSE).with_max_times(RETRIES))
            .when(is_passing)
            .await;
        match asked {
            Ok(answer) => digest_in(image, answer).map(Some),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => {
                Err(RegistryError { hint: hint(image, &error), ..RegistryError::new(image, error) })
            }
        }
    }
}

/// Whether the registry, `HOST` or `HOST:PORT`, is on this machine.
fn is_loopback(registry: &str) -> bool {
    let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
    host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

fn is_absent(error: &OciDistributionError) -> bool {
    match error {
        OciDistributionError::ImageManifestNotFoundError(_) => true,
        OciDistributionError::RegistryError { envelope, .. } => envelope.errors.iter().any(|error| {
            matches!(
                error.code,
                OciErrorCode::ManifestUnknown | OciErrorCode::NameUnknown | OciErrorCode::NotFound
            )
        }),
        _ => false,
    }
}

/// Whether the next try may succeed.
fn is_passing(error: &OciDistributionError) -> bool {
    match error {
        OciDistributionError::RequestError(error) => error.is_request() || error.is_timeout(),
        OciDistributionError::ServerError { code, .. } => *code >= 500 || *code == 429,
        OciDistributionError::RegistryError { envelope, .. } => {
            envelope.errors.iter().any(|error| error.code == OciErrorCode::Toomanyrequests)
        }
        _ => false,
    }
}

fn hint(image: &str, error: &OciDistributionError) -> Option<String> {
    let registry = registry_of(image);
    match error {
        OciDistributionError::UnauthorizedError { .. } | OciDistributionError::AuthenticationFailure(_) => {
            // What Docker calls its own registry.
            let named = if registry.starts_with("https://") { String::new() } else { format!(" {registry}") };
            Some(format!(
                "check the name of the image; if it is private, `docker login{named}` stores credentials for katkit"
            ))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_on_this_machine_is_recognized() {
        for here in ["localhost", "localhost:5000", "127.0.0.1:5000", "127.1.2.3"] {
            assert!(is_loopback(here), "{here}");
        }
        for other in ["ghcr.io", "localhost.example.com", "10.0.0.1:5000", "registry:5000"] {
            assert!(!is_loopback(other), "{other}");
        }
    }
}
