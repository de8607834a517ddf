//! The only reader of environment variables.

use std::env;

/// What katkit takes from its environment.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// `KATKIT_ACTOR`, `USER`, `LOGNAME`, or the name of the user whose process it is: on whose behalf things are recorded.
    pub actor: String,
    /// It is `KATKIT_ACTOR`, which goes before a name that somebody vouches for.
    pub actor_is_named: bool,
    /// `CI` is set, as CI systems do.
    pub is_job: bool,
    /// `KATKIT_LOG`: which of katkit's own diagnostics are shown, as `tracing` filters are written.
    pub log: Option<String>,
    /// `NO_COLOR` is set to anything (<https://no-color.org>).
    pub no_color: bool,
    /// `TERM`: which kind of terminal it is.
    pub terminal: Option<String>,
    /// `COLUMNS`: the width to write for, where the terminal does not say.
    pub columns: Option<usize>,
    /// The working directory: paths below it are shown relative to it.
    pub directory: Option<std::path::PathBuf>,
    /// `XDG_CACHE_HOME`, or `.cache` in the home directory: where the user's programs keep what can be made again.
    pub cache_home: Option<std::path::PathBuf>,
    /// `DOCKER_HOST`: the engine of the fleets and platforms that name none.
    pub docker_host: Option<String>,
    /// `config.json` in `DOCKER_CONFIG`, or in `.docker` in the home directory: what `docker login` left.
    pub docker_login: Option<std::path::PathBuf>,
}

/// What `katkit agent` is given by its fleet.
#[derive(Clone, Debug)]
pub struct AgentEnvironment {
    /// `LOG_PATH`: the attempt's place in the blob store.
    pub log_path: Option<String>,
    /// `KATKIT_REPLICA`: which replica it is, from 0.
    pub replica: u32,
    /// `KATKIT_SERVICE`: the service's own directory, on fleets that have one.
    pub service: Option<std::path::PathBuf>,
    /// The variables of the container that the agent is in, its own left out. Empty unless `KATKIT_CONTAINER` is set:
    /// outside of a container nothing of the agent's surroundings is the code's.
    pub inherited: std::collections::BTreeMap<String, std::ffi::OsString>,
}

/// What a fleet tells the agent, and nobody else.
const AGENTS_OWN: [&str; 5] = ["LOG_PATH", "KATKIT_REPLICA", "KATKIT_SERVICE", "KATKIT_TOKEN", CONTAINER];

/// Says that the environment is that of a container: the image's, and what the manifest adds.
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
            // A relative path is to be ignored (XDG Base Directory Specification).
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

/// The certificates that were brought along with the agent are for it alone: an image may have its own.
fn is_the_agents(name: &str, value: &std::ffi::OsStr) -> bool {
    AGENTS_OWN.contains(&name) || name == "SSL_CERT_FILE" && value.to_string_lossy().starts_with("/.katkit/")
}

/// The value of a variable that a manifest names as the place of a secret.
pub fn secret(name: &str) -> Option<String> {
    env::var(name).ok()
}

/// Whether `AWS_ENDPOINT_URL_S3` is set, which the SDK follows.
pub fn s3_endpoint() -> bool {
    text("AWS_ENDPOINT_URL_S3").is_some()
}

/// `AWS_PROFILE`: the name under which the SDK looks for credentials.
pub fn aws_profile() -> Option<String> {
    text("AWS_PROFILE")
}

/// What the SDK of AWS takes from its environment: every `AWS_…` variable, and the home directory with the profiles.
pub fn of_aws() -> Vec<(std::ffi::OsString, std::ffi::OsString)> {
    let named = |name: &std::ffi::OsString| name == "HOME" || name.as_encoded_bytes().starts_with(b"AWS_");
    env::vars_os().filter(|(name, _)| named(name)).collect()
}

/// Who runs this process, where no variable says so, as in containers and services: by name, if the user has one.
fn user() -> String {
    whoami::username().unwrap_or_else(|_| format!("user {}", rustix::process::getuid().as_raw()))
}

/// A variable that is set to something.
fn text(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}
