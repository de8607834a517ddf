//! A Docker Engine, shared by its fleet and its platform: connects, negotiates the API version, and pulls images with
//! the user's own credentials. Also supports Podman, which serves the same API (`podman`).
//!
//! Connects on first use: an unreachable engine only affects links that use it.
//!
//! Whatever listens at the address may not be an engine, and may be malicious. So each call has its own connection,
//! with limits on size and time of the whole response (`call`, `wire`); names from responses are checked before they
//! become part of a path (`names`); and texts from responses are cut.

mod call;
mod containers;
mod credentials;
mod images;
mod names;
pub mod podman;
mod pull;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use backon::{ConstantBuilder, Retryable as _};
use bollard::errors::Error;
use bollard::{API_DEFAULT_VERSION, BollardRequest, ClientVersion, Docker};
use tokio::sync::{Mutex, OnceCell};

use self::call::{ANSWER, Call, Limits};
use self::podman::Podman;
use self::wire::{Address, exchange};
use crate::causes;
use crate::domain::Check;

pub use self::credentials::Credentials;
pub use self::pull::registry_of;

/// The default engine address.
pub const SOCKET: &str = "unix:///var/run/docker.sock";

/// Label: the katkit installation that owns a container. Installations that share an engine leave each other's alone.
pub const OWNER: &str = "katkit.owner";

/// Label: where the owner stores its logs, for people who inspect the engine.
pub const STORE: &str = "katkit.store";

/// Why a call to an engine failed.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// No connection, a broken connection, or a response that cannot be parsed.
    #[error("the Docker Engine at {host} cannot be reached")]
    Unreachable {
        /// The engine's address.
        host: String,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The response cannot be from an engine, or exceeded a limit.
    #[error("the response of the Docker Engine at {host} to `{call}` {what}")]
    Implausible {
        /// The engine's address.
        host: String,
        /// The call, such as `list containers`.
        call: &'static str,
        /// What is wrong with the response.
        what: String,
    },
    /// The engine returned an error, or katkit refused to send the call.
    #[error("{message}")]
    Refused {
        /// The HTTP status: 404 missing, 409 conflict, other 4xx invalid request, 5xx engine failure.
        status: u16,
        /// The engine's own message.
        message: String,
    },
}

impl EngineError {
    /// Whether the requested object does not exist.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        let fix = match self {
            Self::Unreachable { .. } => {
                "start it, give the user who runs katkit access to its socket, or set another `host`"
            }
            Self::Implausible { .. } => {
                "`docker version` shows whether an engine answers there, and which; restart it, or set another `host`"
            }
            Self::Refused { .. } => return None,
        };
        Some(fix.to_owned())
    }

    /// Whether the current state of the object conflicts with the call.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Refused { status: 409, .. })
    }
}

/// A Docker Engine or Podman.
#[derive(Debug)]
pub struct Engine {
    host: String,
    credentials: Credentials,
    limits: Limits,
    connected: OnceCell<Connected>,
    /// One lock per image: a concurrent second pull waits and then finds the image.
    pulls: Mutex<HashMap<String, Arc<Mutex<()>>>>,
}

#[derive(Debug)]
struct Connected {
    /// The negotiated API version.
    version: ClientVersion,
    architecture: String,
    /// Set if the engine is Podman.
    podman: Option<Podman>,
}

impl Engine {
    /// The engine at `host` (`unix://…` or `tcp://…`). Does not connect yet.
    pub fn new(host: Option<String>, credentials: Credentials) -> Self {
        let host = host.unwrap_or_else(|| SOCKET.to_owned());
        Self { host, credentials, limits: ANSWER, connected: OnceCell::new(), pulls: Mutex::default() }
    }

    /// The engine's address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The path of the engine's socket on its own machine.
    pub fn socket(&self) -> &str {
        let path = self.host.strip_prefix("unix://");
        path.unwrap_or(&SOCKET["unix://".len()..])
    }

    /// The architecture of its containers, as Go names it: `amd64`, `arm64`.
    pub async fn architecture(&self) -> Result<&str, EngineError> {
        Ok(&self.connected().await?.architecture)
    }

    /// Set if the engine is Podman and katkit has connected to it.
    fn podman(&self) -> Option<&Podman> {
        self.connected.get()?.podman.as_ref()
    }

    /// Repeats a call that Podman fails only because something else changes at that moment: up to 50 times, 50 ms apart.
    async fn repeated<T, F>(
        &self,
        passes: impl Fn(&EngineError) -> bool,
        ask: impl FnMut() -> F,
    ) -> Result<T, EngineError>
    where
        F: Future<Output = Result<T, EngineError>>,
    {
        let pauses = ConstantBuilder::default().with_delay(Duration::from_millis(50)).with_max_times(50);
        ask.retry(pauses).when(|error| self.is_podman() && passes(error)).await
    }

    fn is_podman(&self) -> bool {
        self.podman().is_some()
    }

    /// Whether `shown`, from a container list, is the engine's name for the image that users call `image`.
    pub fn shows(&self, shown: &str, image: &str) -> bool {
        shown == image || self.is_podman() && podman::shows(shown, image)
    }

    /// Checks that the engine responds.
    pub async fn verify(&self) -> Check {
        let what = format!("docker engine at {}", self.host);
        match self.connected().await {
            Ok(Connected { architecture, podman: None, .. }) => {
                Check::good(what, format!("responds, architecture {architecture}"))
            }
            Ok(Connected { architecture, podman: Some(Podman { version, .. }), .. }) => {
                Check::good(what, format!("responds, Podman {version}, architecture {architecture}"))
            }
            Err(error) => Check::bad(what, causes::in_one_line(&error), error.hint()),
        }
    }

    /// Checks that a network exists.
    pub async fn verify_network(&self, name: &str) -> Check {
        let what = format!("network `{name}`");
        match self.has_network(name).await {
            Ok(true) => Check::good(what, "exists"),
            Ok(false) => {
                let program = if self.is_podman() { "podman" } else { "docker" };
                let fix = format!("`{program} network create {name}`, or name another one in the manifest");
                Check::bad(what, format!("does not exist on the engine at {}", self.host), fix)
            }
            Err(error) => Check::bad(what, causes::in_one_line(&error), error.hint()),
        }
    }

    /// Whether the engine has the image, so that no pull is needed.
    pub async fn has_image(&self, image: &str) -> Result<bool, EngineError> {
        Ok(self.image(image).await?.is_some())
    }

    /// Starts a call with the default limits.
    async fn begin(&self, call: &'static str) -> Result<Call<'_>, EngineError> {
        self.begin_within(call, self.limits).await
    }

    async fn begin_within(&self, call: &'static str, limits: Limits) -> Result<Call<'_>, EngineError> {
        let version = &self.connected().await?.version;
        self.call(call, limits, version)
    }

    fn call(
        &self,
        call: &'static str,
        limits: Limits,
        version: &ClientVersion,
    ) -> Result<Call<'_>, EngineError> {
        Call::new(self, call, limits, |meter, time| {
            let address = Address::parse(&self.host)?;
            let url = address.url();
            let send = move |request: BollardRequest| exchange(address.clone(), Arc::clone(&meter), request);
            Docker::connect_with_custom_transport(send, Some(url), time.as_secs().max(1), version)
        })
    }

    async fn connected(&self) -> Result<&Connected, EngineError> {
        self.connected.get_or_try_init(|| self.connect()).await
    }

    async fn connect(&self) -> Result<Connected, EngineError> {
        let call = self.call("negotiate the version", self.limits, API_DEFAULT_VERSION)?;
        let docker = call.run(call.docker.clone().negotiate_version()).await?;
        let answer = call.run(docker.version()).await?;
        Ok(Connected {
            version: docker.client_version(),
            podman: podman::of_version(&answer),
            architecture: causes::cut(&answer.arch.unwrap_or_default()),
        })
    }

    /// Translates an error of the client.
    fn error(&self, error: Error) -> EngineError {
        match error {
            Error::DockerResponseServerError { status_code: status, message } => {
                let status = if self.is_podman() { podman::status(status, &message) } else { status };
                let message = match message.trim() {
                    // The response has no body.
                    "" => format!("the Docker Engine at {} refused the call with status {status}", self.host),
                    message => causes::cut(message),
                };
                EngineError::Refused { status, message }
            }
            Error::DockerStreamError { error } => {
                EngineError::Refused { status: 500, message: causes::cut(error.trim()) }
            }
            error => {
                // A parse error may quote the response, at any length.
                let source = causes::short(error);
                EngineError::Unreachable { host: self.host.clone(), source }
            }
        }
    }
}

/// Turns a missing object into `None`.
fn absent_if_missing<T>(answer: Result<T, EngineError>) -> Result<Option<T>, EngineError> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Treats a missing or stopped container as success.
fn harmless(answer: Result<(), EngineError>) -> Result<(), EngineError> {
    match answer {
        Err(error) if error.is_missing() || error.is_conflict() => Ok(()),
        other => other,
    }
}
