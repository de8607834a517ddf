//! Registry credentials from the user's Docker configuration: stored by `docker login`, or from credential helpers.
//!
//! Format: `~/.docker/config.json` with `auths`, `credHelpers` and `credsStore`; helpers are programs named
//! `docker-credential-<name>` that read a registry's name and answer with JSON
//! (<https://docs.docker.com/reference/cli/docker/login/#credential-helpers>).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bollard::auth::DockerCredentials;
use serde::Deserialize;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Timeout for a credential helper.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Where to find registry credentials.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    /// The path of `config.json`; `None` means no credentials.
    pub file: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Configuration {
    auths: BTreeMap<String, Login>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Login {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HelperOutput {
    username: String,
    secret: String,
}

impl Credentials {
    /// The credentials for a registry. Logs what cannot be read; `None` means an anonymous pull.
    pub async fn of(&self, registry: &str) -> Option<DockerCredentials> {
        let file = self.file.as_ref()?;
        let text = match tokio::fs::read(file).await {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            Err(error) => return nothing(registry, &format!("{}: {error}", file.display())),
        };
        let configuration: Configuration = match serde_json::from_slice(&text) {
            Ok(configuration) => configuration,
            Err(error) => return nothing(registry, &format!("{}: {error}", file.display())),
        };
        let Configuration { auths, cred_helpers, creds_store } = configuration;
        let same = |name: &&String| host(name) == host(registry);
        let helper = cred_helpers.iter().find(|(name, _)| same(name)).map(|(_, helper)| helper.clone());
        if let Some(helper) = helper.or(creds_store) {
            match ask(&helper, registry).await {
                Ok(found) => return Some(found),
                Err(why) => drop(nothing(registry, &format!("docker-credential-{helper}: {why}"))),
            }
        }
        let login = auths.into_iter().find(|(name, _)| same(&name)).map(|(_, login)| login)?;
        from_login(login, registry)
    }
}

fn nothing(registry: &str, why: &str) -> Option<DockerCredentials> {
    tracing::warn!(registry, why, "registry credentials could not be read");
    None
}

/// `https://index.docker.io/v1/` and `index.docker.io` are the same registry.
fn host(registry: &str) -> &str {
    let rest = registry.split_once("://").map_or(registry, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

fn from_login(login: Login, registry: &str) -> Option<DockerCredentials> {
    let Login { auth, username, password, identitytoken } = login;
    let decoded = auth.and_then(|auth| STANDARD.decode(auth.trim()).ok());
    let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    let pair = decoded.as_deref().and_then(|text| text.split_once(':'));
    let (username, password) = match pair {
        Some((name, secret)) => (Some(name.to_owned()), Some(secret.trim_end_matches('\0').to_owned())),
        None => (username, password),
    };
    if username.is_none() && identitytoken.is_none() {
        return None;
    }
    let serveraddress = Some(registry.to_owned());
    Some(DockerCredentials { username, password, serveraddress, identitytoken, ..Default::default() })
}

async fn ask(helper: &str, registry: &str) -> Result<DockerCredentials, String> {
    if !helper.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
        return Err("not a valid helper name".to_owned());
    }
    let mut child = Command::new(format!("docker-credential-{helper}"))
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| error.to_string())?;
    if let Some(mut input) = child.stdin.take() {
        // A helper that does not read its input reports why in its output.
        let _ = input.write_all(registry.as_bytes()).await;
    }
    let output = tokio::time::timeout(TIMEOUT, child.wait_with_output()).await;
    let output = output.map_err(|_| "it timed out".to_owned())?.map_err(|error| error.to_string())?;
    if !output.status.success() {
        // Helpers report errors on standard output.
        let message = [output.stdout, output.stderr].concat();
        return Err(String::from_utf8_lossy(&message).trim().to_owned());
    }
    let HelperOutput { username, secret } =
        serde_json::from_slice(&output.stdout).map_err(|_| "its output is not valid JSON".to_owned())?;
    let serveraddress = Some(registry.to_owned());
    let empty = DockerCredentials { serveraddress, ..Default::default() };
    // This user name marks an identity token.
    Ok(if username == "<token>" {
        DockerCredentials { identitytoken: Some(secret), ..empty }
    } else {
        DockerCredentials { username: Some(username), password: Some(secret), ..empty }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn of(configuration: &str, registry: &str) -> Option<DockerCredentials> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("config.json");
        std::fs::write(&file, configuration).unwrap();
        Credentials { file: Some(file) }.of(registry).await
    }

    #[tokio::test]
    async fn a_docker_login_is_used_only_for_its_registry() {
        let configuration = r#"{ "auths": { "ghcr.io": { "auth": "YW5hOnM6M2NyZXQ=" } }, "unknown": 1 }"#;
        let found = of(configuration, "ghcr.io").await.unwrap();
        assert_eq!((found.username.as_deref(), found.password.as_deref()), (Some("ana"), Some("s:3cret")));
        assert_eq!(found.serveraddress.as_deref(), Some("ghcr.io"));
        assert_eq!(of(configuration, "quay.io").await, None);
        assert_eq!(of("{ not json", "ghcr.io").await, None);
        assert_eq!(of(r#"{ "auths": { "ghcr.io": { "auth": "???" } } }"#, "ghcr.io").await, None);
    }

    #[tokio::test]
    async fn the_hub_is_found_under_each_of_its_names() {
        let configuration = r#"{ "auths": { "index.docker.io": { "username": "ana", "password": "x" } } }"#;
        assert!(of(configuration, "https://index.docker.io/v1/").await.is_some());
    }

    #[tokio::test]
    async fn a_missing_helper_does_not_hide_a_login() {
        assert_eq!(ask("../../bin/sh", "ghcr.io").await.unwrap_err(), "not a valid helper name");
        let configuration = r#"{
            "credHelpers": { "ghcr.io": "katkit-of-no-machine" },
            "auths": { "ghcr.io": { "auth": "YTpi" } }
        }"#;
        assert_eq!(of(configuration, "ghcr.io").await.unwrap().username.as_deref(), Some("a"));
    }
}
