//! The only reader of environment variables.

use std::env;

/// What katkit takes from its environment.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// `KATKIT_ACTOR`, or the user's name: on whose behalf things are recorded.
    pub actor: String,
    /// `KATKIT_LOG`: which of katkit's own diagnostics are shown, as `tracing` filters are written.
    pub log: Option<String>,
    /// `NO_COLOR` is set to anything (<https://no-color.org>).
    pub no_color: bool,
    /// `COLUMNS`: the width to write for, where the terminal does not say.
    pub columns: Option<usize>,
    /// The working directory: paths below it are shown relative to it.
    pub directory: Option<std::path::PathBuf>,
}

/// What `katkit agent` is given by its fleet.
#[derive(Clone, Debug)]
pub struct AgentEnvironment {
    /// `LOG_PATH`: the attempt's place in the blob store.
    pub log_path: Option<String>,
    /// `KATKIT_REPLICA`: which replica it is, from 0.
    pub replica: u32,
    /// `KATKIT_SERVICE`: the service's own directory, on the process fleet.
    pub service: Option<std::path::PathBuf>,
}

impl Config {
    /// Reads the environment of this process.
    pub fn from_environment() -> Self {
        let actor = ["KATKIT_ACTOR", "USER", "LOGNAME"].into_iter().find_map(text);
        Self {
            actor: actor.unwrap_or_else(|| "unknown".to_owned()),
            log: text("KATKIT_LOG"),
            no_color: text("NO_COLOR").is_some(),
            columns: text("COLUMNS").and_then(|columns| columns.parse().ok()),
            directory: env::current_dir().ok(),
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
        }
    }
}

/// The value of a variable that a manifest names as the place of a secret.
pub fn secret(name: &str) -> Option<String> {
    env::var(name).ok()
}

/// A variable that is set to something.
fn text(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}
