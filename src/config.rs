//! The only reader of environment variables.

use std::env;

/// Settings from katkit's environment.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// `KATKIT_ACTOR`, `USER`, `LOGNAME`, or the name of the process's user: the actor to record.
    pub actor: String,
    /// Whether `actor` comes from `KATKIT_ACTOR`, which takes precedence over an authenticated name.
    pub actor_is_named: bool,
    /// Whether `CI` is set, as in CI systems.
    pub is_job: bool,
    /// `KATKIT_LOG`: which of katkit's own diagnostics to show, as a `tracing` filter.
    pub log: Option<String>,
    /// Whether `NO_COLOR` is set to anything (<https://no-color.org>).
    pub no_color: bool,
    /// `TERM`: the type of the terminal.
    pub terminal: Option<String>,
    /// `COLUMNS`: the output width, if the terminal does not report one.
    pub columns: Option<usize>,
    /// The working directory: paths below it are shown relative to it.
    pub directory: Option<std::path::PathBuf>,
    /// `XDG_CACHE_HOME`, or `.cache` in the home directory: for data that can be recreated.
    pub cache_home: Option<std::path::PathBuf>,
    /// `DOCKER_HOST`: the engine for fleets and platforms that name none.
    pub docker_host: Option<String>,
    /// `config.json` in `DOCKER_CONFIG`, or in `.docker` in the home directory: credentials from `docker login`.
    pub docker_login: Option<std::path::PathBuf>,
}

/// Settings that `katkit agent` gets from its fleet.
#[derive(Clone, Debug)]
pub struct AgentEnvironment {
    /// `LOG_PATH`: the attempt's path in the blob store.
    pub log_path: Option<String>,
    /// `KATKIT_REPLICA`: the replica's number, from 0.
    pub replica: u32,
    /// `KATKIT_SERVICE`: the service's own directory, on fleets that provide one.
    pub service: Option<std::path::PathBuf>,
    /// The variables of the agent's container, without the agent's own. Empty unless `KATKIT_CONTAINER` is set: outside
    /// of a container, code inherits nothing from the agent's environment.
    pub inherited: std::collections::BTreeMap<String, std::ffi::OsString>,
}

/// Variables from the fleet for the agent alone.
const AGENTS_OWN: [&str; 5] = ["LOG_PATH", "KATKIT_REPLICA", "KATKIT_SERVICE", "KATKIT_TOKEN", CONTAINER];

/// Set if the environment is a container's: the image's variables plus the manifest's.
const CONTAINER: &str = "KATKIT_CONTAINER";

impl Config {
    /// Reads the environment of this process.
    pub fn from_environment() -> Self {
        let named = text("KATKIT_ACTOR");
        Self {
            actor_is_named: named.is_some(),
            actor: named.or_else(|| text("USER")).or_else(|| text("LOGNAME")).unwrap_or_else(user),
            is_job: text("CI").is_some_and(|ci| !["false", "0"].contains(&ci.as_str())),
            log: text("KATKIT_LOG"),
            no_color: text("NO_COLOR").is_some(),
            terminal: text("TERM"),
            columns: text("COLUMNS").and_then(|columns| columns.parse().ok()),
            directory: env::current_dir().ok(),
            // A relative path must be ignored (XDG Base Directory Specification).
            cache_home: env::var_os("XDG_CACHE_HOME")
                .map(std::path::PathBuf::from)
                .filter(|path| path.is_absolute())
                .or_else(|| env::home_dir().map(|home| home.join(".cache")))
                .filter(|path| path.is_absolute()),
            docker_host: text("DOCKER_HOST"),
            docker_login: env::var_os("DOCKER_CONFIG")
                .map(std::path::PathBuf::from)
                .or_else(|| env::home_dir().map(|home| home.join(".docker")))
                .map(|directory| directory.join("config.json")),
        }
    }
}

impl AgentEnvironment {
    /// Reads the environment of this process.
    pub fn from_environment() -> Self {
        Self {
            log_path: text("LOG_PATH"),
            replica: text("KATKIT_REPLICA").and_then(|replica| replica.parse().ok()).unwrap_or(0),
            service: env::var_os("KATKIT_SERVICE").filter(|path| !path.is_empty()).map(Into::into),
            inherited: match text(CONTAINER) {
                None => std::collections::BTreeMap::new(),
                Some(_) => env::vars_os()
                    .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
                    .filter(|(name, value)| !is_the_agents(name, value))
                    .collect(),
            },
        }
    }
}

/// Whether a variable is for the agent alone. That includes the agent's bundled certificates: an image may have its
/// own.
fn is_the_agents(name: &str, value: &std::ffi::OsStr) -> bool {
    AGENTS_OWN.contains(&name) || name == "SSL_CERT_FILE" && value.to_string_lossy().starts_with("/.katkit/")
}

/// The value of a variable that a manifest names as the source of a secret.
pub fn secret(name: &str) -> Option<String> {
    env::var(name).ok()
}

/// Whether `AWS_ENDPOINT_URL_S3` is set, which the SDK follows.
pub fn s3_endpoint() -> bool {
    text("AWS_ENDPOINT_URL_S3").is_some()
}

/// `AWS_PROFILE`: the profile from which the SDK takes credentials.
pub fn aws_profile() -> Option<String> {
    text("AWS_PROFILE")
}

/// The environment of the AWS SDK: every `AWS_…` variable, and the home directory with the profiles.
pub fn of_aws() -> Vec<(std::ffi::OsString, std::ffi::OsString)> {
    let named = |name: &std::ffi::OsString| name == "HOME" || name.as_encoded_bytes().starts_with(b"AWS_");
    env::vars_os().filter(|(name, _)| named(name)).collect()
}

/// The user of this process, by name if it has one: for containers and services, where no variable names it.
fn user() -> String {
    whoami::username().unwrap_or_else(|_| format!("user {}", rustix::process::getuid().as_raw()))
}

/// The value of a variable, unless it is unset or empty.
fn text(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}
