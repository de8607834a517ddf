//! A Docker Engine, as its fleet and its platform both need it: found, spoken to in a version that it knows, and asked
//! for images with the user's own credentials.
//!
//! Nothing is asked before something is needed: an engine that is away stops only those who use it.

mod credentials;
mod pull;

use std::collections::HashMap;
use std::sync::Arc;

use bollard::errors::Error;
use bollard::models::{ContainerInspectResponse, ContainerSummary};
use bollard::query_parameters::{
    InspectContainerOptions, InspectNetworkOptions, KillContainerOptionsBuilder,
    ListContainersOptionsBuilder, LogsOptionsBuilder, RemoveContainerOptionsBuilder,
};
use bollard::{API_DEFAULT_VERSION, Docker};
use futures::StreamExt;
use tokio::sync::{Mutex, OnceCell};

pub use self::credentials::Credentials;

use crate::causes;
use crate::domain::Check;

/// Where an engine listens unless something else is said.
pub const SOCKET: &str = "unix:///var/run/docker.sock";

/// Seconds that an answer may take. Waiting and pulling are answered bit by bit, and have limits of their own.
const TIMEOUT: u64 = 120;

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
        source: Box<Error>,
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
        let fix = "start it, let whoever runs katkit use its socket, or name another one as `host`";
        matches!(self, Self::Unreachable { .. }).then(|| fix.to_owned())
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
    connected: OnceCell<Connected>,
    /// One pull of an image at a time; whoever comes second finds it there.
    pulls: Mutex<HashMap<String, Arc<Mutex<()>>>>,
}

#[derive(Debug)]
struct Connected {
    docker: Docker,
    architecture: String,
}

impl Engine {
    /// The engine at `host` (`unix://…` or `tcp://…`), which is not asked anything yet.
    pub fn new(host: Option<String>, credentials: Credentials) -> Self {
        let host = host.unwrap_or_else(|| SOCKET.to_owned());
        Self { host, credentials, connected: OnceCell::new(), pulls: Mutex::default() }
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

    /// The client, in a version of the interface that both sides know.
    pub async fn docker(&self) -> Result<&Docker, EngineError> {
        Ok(&self.connected().await?.docker)
    }

    /// The processor that its containers are for, as Go names it: `amd64`, `arm64`.
    pub async fn architecture(&self) -> Result<&str, EngineError> {
        Ok(&self.connected().await?.architecture)
    }

    /// Whether it answers.
    pub async fn verify(&self) -> Check {
        let what = format!("docker engine at {}", self.host);
        match self.architecture().await {
            Ok(architecture) => Check::good(what, format!("answers, for {architecture}")),
            Err(error) => Check::bad(what, causes::in_one_line(&error), error.hint()),
        }
    }

    /// Whether it has a network of that name.
    pub async fn verify_network(&self, name: &str) -> Check {
        let what = format!("network `{name}`");
        let asked = async {
            let found = self.docker().await?.inspect_network(name, None::<InspectNetworkOptions>).await;
            absent_if_missing(found.map_err(|error| self.error(error)))
        };
        match asked.await {
            Ok(Some(_)) => Check::good(what, "is there"),
            Ok(None) => {
                let fix = format!("`docker network create {name}`, or name another one in the manifest");
                Check::bad(what, format!("the engine at {} has none of that name", self.host), fix)
            }
            Err(error) => Check::bad(what, causes::in_one_line(&error), error.hint()),
        }
    }

    /// Whether it has the image, so that nothing need be pulled.
    pub async fn has_image(&self, image: &str) -> Result<bool, EngineError> {
        let found = self.docker().await?.inspect_image(image).await.map_err(|error| self.error(error));
        Ok(absent_if_missing(found)?.is_some())
    }

    async fn connected(&self) -> Result<&Connected, EngineError> {
        self.connected.get_or_try_init(|| self.connect()).await.map_err(|error| self.error(error))
    }

    async fn connect(&self) -> Result<Connected, Error> {
        let docker = match self.host.strip_prefix("unix://") {
            Some(path) => Docker::connect_with_unix(path, TIMEOUT, API_DEFAULT_VERSION)?,
            None if self.host.starts_with("tcp://") => {
                Docker::connect_with_http(&self.host, TIMEOUT, API_DEFAULT_VERSION)?
            }
            None => return Err(Error::UnsupportedURISchemeError { uri: self.host.clone() }),
        };
        let docker = docker.negotiate_version().await?;
        let architecture = docker.version().await?.arch.unwrap_or_default();
        Ok(Connected { docker, architecture })
    }

    /// What an error of the client means.
    pub fn error(&self, error: Error) -> EngineError {
        match error {
            Error::DockerResponseServerError { status_code: status, message } => {
                EngineError::Refused { status, message: message.trim().to_owned() }
            }
            Error::DockerStreamError { error } => {
                EngineError::Refused { status: 500, message: error.trim().to_owned() }
            }
            source => EngineError::Unreachable { host: self.host.clone(), source: Box::new(source) },
        }
    }

    /// Every container, running or not, that has all of these labels (`key` or `key=value`).
    pub async fn containers(&self, labels: Vec<String>) -> Result<Vec<ContainerSummary>, EngineError> {
        let filters = HashMap::from([("label", labels)]);
        let filters: HashMap<String, Vec<String>> =
            filters.into_iter().map(|(key, values)| (key.to_owned(), values)).collect();
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        self.docker().await?.list_containers(Some(options)).await.map_err(|error| self.error(error))
    }

    /// Everything about a container; `None` if it does not exist.
    pub async fn inspect(&self, container: &str) -> Result<Option<ContainerInspectResponse>, EngineError> {
        let inspected = self.docker().await?.inspect_container(container, None::<InspectContainerOptions>);
        absent_if_missing(inspected.await.map_err(|error| self.error(error)))
    }

    /// Sends a signal to a container. Harmless if it does not run.
    pub async fn signal(&self, container: &str, signal: &str) -> Result<(), EngineError> {
        let options = KillContainerOptionsBuilder::new().signal(signal).build();
        let killed = self.docker().await?.kill_container(container, Some(options)).await;
        harmless(killed.map_err(|error| self.error(error)))
    }

    /// Ends a container by force and removes it, its anonymous volumes too if these are not wanted any more. Harmless
    /// if it is gone; returns when it is.
    pub async fn remove(&self, container: &str, volumes: bool) -> Result<(), EngineError> {
        for _ in 0..100 {
            let options = RemoveContainerOptionsBuilder::new().force(true).v(volumes).build();
            let removed = self.docker().await?.remove_container(container, Some(options)).await;
            match removed.map_err(|error| self.error(error)) {
                // Somebody else is removing it.
                Err(error) if error.is_conflict() => {
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
                other => return absent_if_missing(other).map(drop),
            }
        }
        let message = "it is being removed, and does not go away".to_owned();
        Err(EngineError::Refused { status: 409, message })
    }

    /// The last lines that a container printed, joined by `; `. Perhaps empty, for whatever reason.
    pub async fn last_words(&self, container: &str) -> String {
        let Ok(docker) = self.docker().await else { return String::new() };
        let options = LogsOptionsBuilder::new().stdout(true).stderr(true).tail("3").build();
        let mut output = std::pin::pin!(docker.logs(container, Some(options)));
        let mut text = String::new();
        while let Some(Ok(part)) = output.next().await {
            text.push_str(&String::from_utf8_lossy(&part.into_bytes()));
        }
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        lines.join("; ").chars().filter(|c| !c.is_control()).take(1000).collect()
    }
}

/// `None` where the engine said that there is no such thing.
pub fn absent_if_missing<T>(answer: Result<T, EngineError>) -> Result<Option<T>, EngineError> {
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
