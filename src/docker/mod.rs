//! A Docker Engine, as its fleet and its platform both need it: found, spoken to in a version that it knows, and asked
//! for images with the user's own credentials. Or Podman, which has the same interface (`podman`).
//!
//! Nothing is asked before something is needed: an engine that is away stops only those who use it.
//!
//! Who answers need not be an engine, nor mean well. So each call has a connection of its own, and limits of size and time
//! for the whole answer (`call`, `wire`); names out of an answer are checked before they become part of a path (`names`);
//! and texts out of one are cut.

mod call;
mod containers;
mod credentials;
mod names;
mod others;
pub mod podman;
mod pull;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::HashMap;
use std::sync::Arc;

use bollard::errors::Error;
use bollard::{API_DEFAULT_VERSION, BollardRequest, ClientVersion, Docker};
use tokio::sync::{Mutex, OnceCell};

use self::call::{ANSWER, Call, Limits};
use self::podman::Podman;
use self::wire::{Address, exchange};
use crate::causes;
use crate::domain::Check;

pub use self::credentials::Credentials;

/// Where an engine listens unless something else is said.
pub const SOCKET: &str = "unix:///var/run/docker.sock";

/// The label that says which katkit a container belongs to. Two that share an engine leave each other's alone.
pub const OWNER: &str = "katkit.owner";

/// The label that says where that katkit keeps its logs, for people who look at an engine.
pub const STORE: &str = "katkit.store";

/// Why an engine did not do as it was asked.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// It is not there, went away, or is not understood.
    #[error("the docker engine at {host} cannot be reached")]
    Unreachable {
        /// Where it should be.
        host: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It answered what no engine answers, or did not come to an end.
    #[error("the answer of the docker engine at {host} to the call to {call} {what}")]
    Implausible {
        /// Where it is.
        host: String,
        /// What it was asked to do.
        call: &'static str,
        /// What is wrong with the answer.
        what: String,
    },
    /// It said no.
    #[error("{message}")]
    Refused {
        /// The status of HTTP: 404 not there, 409 in the way, 4xx wrong, 5xx could not.
        status: u16,
        /// The engine's own sentence.
        message: String,
    },
}

impl EngineError {
    /// Whether the engine said that what was asked for does not exist.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }

    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        let fix = match self {
            Self::Unreachable { .. } => {
                "start it, let whoever runs katkit use its socket, or name another one as `host`"
            }
            Self::Implausible { .. } => {
                "`docker version` shows whether an engine answers there, and which; restart it, or name another one as `host`"
            }
            Self::Refused { .. } => return None,
        };
        Some(fix.to_owned())
    }

    /// Whether the engine said that the state of things is in the way.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Refused { status: 409, .. })
    }
}

/// A Docker Engine.
#[derive(Debug)]
pub struct Engine {
    host: String,
    credentials: Credentials,
    limits: Limits,
    connected: OnceCell<Connected>,
    /// One pull of an image at a time; whoever comes second finds it there.
    pulls: Mutex<HashMap<String, Arc<Mutex<()>>>>,
}

#[derive(Debug)]
struct Connected {
    /// A version of the interface that both sides know.
    version: ClientVersion,
    architecture: String,
    /// If it is one.
    podman: Option<Podman>,
}

impl Engine {
    /// The engine at `host` (`unix://…` or `tcp://…`), which is not asked anything yet.
    pub fn new(host: Option<String>, credentials: Credentials) -> Self {
        let host = host.unwrap_or_else(|| SOCKET.to_owned());
        Self { host, credentials, limits: ANSWER, connected: OnceCell::new(), pulls: Mutex::default() }
    }

    /// Where it is.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The path of its socket on its own machine.
    pub fn socket(&self) -> &str {
        let path = self.host.strip_prefix("unix://");
        path.unwrap_or(&SOCKET["unix://".len()..])
    }

    /// The processor that its containers are for, as Go names it: `amd64`, `arm64`.
    pub async fn architecture(&self) -> Result<&str, EngineError> {
        Ok(&self.connected().await?.architecture)
    }

    /// Podman, if it is one and was asked anything.
    fn podman(&self) -> Option<&Podman> {
        self.connected.get()?.podman.as_ref()
    }

    fn is_podman(&self) -> bool {
        self.podman().is_some()
    }

    /// Whether `shown`, out of a list of its containers, is how it shows the image that people call `image`.
    pub fn shows(&self, shown: &str, image: &str) -> bool {
        shown == image || self.is_podman() && podman::shows(shown, image)
    }

    /// Whether it answers.
    pub async fn verify(&self) -> Check {
        let what = format!("docker engine at {}", self.host);
        match self.connected().await {
            Ok(Connected { architecture, podman: None, .. }) => {
                Check::good(what, format!("answers, for {architecture}"))
            }
            Ok(Connected { architecture, podman: Some(Podman { version, .. }), .. }) => {
                Check::good(what, format!("Podman {version} answers, for {architecture}"))
            }
            Err(error) => Check::bad(what, causes::in_one_line(&error), error.hint()),
        }
    }

    /// Whether it has a network of that name.
    pub async fn verify_network(&self, name: &str) -> Check {
        let what = format!("network `{name}`");
        match self.has_network(name).await {
            Ok(true) => Check::good(what, "is there"),
            Ok(false) => {
                let program = if self.is_podman() { "podman" } else { "docker" };
                let fix = format!("`{program} network create {name}`, or name another one in the manifest");
                Check::bad(what, format!("the engine at {} has none of that name", self.host), fix)
            }
            Err(error) => Check::bad(what, causes::in_one_line(&error), error.hint()),
        }
    }

    /// Whether it has the image, so that nothing need be pulled.
    pub async fn has_image(&self, image: &str) -> Result<bool, EngineError> {
        Ok(self.image(image).await?.is_some())
    }

    /// A call with the limits of most.
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
        let call = self.call("tell its version", self.limits, API_DEFAULT_VERSION)?;
        let docker = call.run(call.docker.clone().negotiate_version()).await?;
        let answer = call.run(docker.version()).await?;
        Ok(Connected {
            version: docker.client_version(),
            podman: podman::of_version(&answer),
            architecture: causes::cut(&answer.arch.unwrap_or_default()),
        })
    }

    /// What an error of the client means.
    fn error(&self, error: Error) -> EngineError {
        match error {
            Error::DockerResponseServerError { status_code: status, message } => {
                let status = if self.is_podman() { podman::status(status, &message) } else { status };
                let message = match message.trim() {
                    // An answer without a body.
                    "" => format!("the docker engine at {} refused, with status {status}", self.host),
                    message => causes::cut(message),
                };
                EngineError::Refused { status, message }
            }
            Error::DockerStreamError { error } => {
                EngineError::Refused { status: 500, message: causes::cut(error.trim()) }
            }
            error => {
                // What could not be understood may be quoted, however long it is.
                let source = causes::short(error);
                EngineError::Unreachable { host: self.host.clone(), source }
            }
        }
    }
}

/// `None` where the engine said that there is no such thing.
fn absent_if_missing<T>(answer: Result<T, EngineError>) -> Result<Option<T>, EngineError> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Not there, and not running, is as good as done.
fn harmless(answer: Result<(), EngineError>) -> Result<(), EngineError> {
    match answer {
        Err(error) if error.is_missing() || error.is_conflict() => Ok(()),
        other => other,
    }
}
