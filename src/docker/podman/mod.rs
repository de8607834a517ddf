//! Podman support.
//!
//! Podman serves Docker's API, but some of its responses differ, and its create call rejects some of its own values.
//! This module translates them right behind the wire, so that the rest of the code does not depend on the engine:
//! errors (`status`), states (`plain_states`), containers and images (`inspected`), and create requests in the other
//! direction (`order`).
//!
//! All differences were observed with Podman 4.3.1.

mod inspected;
mod order;
mod unshown;

use bollard::models::SystemVersion;
use serde_json::Value;

use crate::causes;

pub use self::inspected::{container, health_check_of_image, image};
pub use self::order::{STOP_TIMEOUT, of_body, volumes};
pub use self::unshown::options as unshown_options;

/// The name of Podman's component in a version response.
const ENGINE: &str = "Podman Engine";

/// A Podman service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Podman {
    /// Podman's version, such as `4.3.1`.
    pub version: String,
    /// The path prefix of Podman's own API.
    pub own: String,
}

/// Recognizes Podman by its version response.
pub fn of_version(answer: &SystemVersion) -> Option<Podman> {
    let engine = answer.components.iter().flatten().find(|part| part.name == ENGINE)?;
    let own = engine.details.as_ref().and_then(|details| details.get("APIVersion"));
    // It becomes part of a path.
    let own = own.filter(|own| !own.is_empty() && own.bytes().all(|b| b.is_ascii_digit() || b == b'.'));
    let own = own.map_or("4.0.0", String::as_str);
    Some(Podman { version: causes::cut(&engine.version), own: format!("/v{own}/libpod") })
}

/// The status that Docker would return. Podman returns 500 for many errors, and names the cause at the end of the
/// message.
pub fn status(status: u16, message: &str) -> u16 {
    let because = |cause: &str| message.trim_end().ends_with(cause);
    if status != 500 {
        return status;
    }
    if ["no such container", "container has already been removed", "network not found"]
        .iter()
        .any(|c| because(c))
    {
        return 404;
    }
    if ["that name is already in use", "container state improper", "volume already exists"]
        .iter()
        .any(|c| because(c))
    {
        return 409;
    }
    status
}

/// Translates the states in a container list or an inspected container to Docker's.
pub fn plain_states(answer: &mut Value) {
    match answer {
        Value::Array(listed) => listed.iter_mut().filter_map(|one| one.get_mut("State")).for_each(plain),
        inspected => {
            let Some(state) = inspected.get_mut("State") else { return };
            // A stopping container still runs.
            if state.get("Status").and_then(Value::as_str) == Some("stopping") {
                state["Running"] = true.into();
            }
            if let Some(status) = state.get_mut("Status") {
                plain(status);
            }
        }
    }
}

fn plain(state: &mut Value) {
    let plain = match state.as_str() {
        Some("configured" | "initialized") => "created",
        // Was asked to stop.
        Some("stopping") => "running",
        // Has stopped, and is not cleaned up yet.
        Some("stopped") => "exited",
        Some("created" | "running" | "paused" | "restarting" | "exited" | "removing" | "dead" | "")
        | None => return,
        Some(_) => "dead",
    };
    *state = plain.into();
}

/// An image name as Docker shows it: without the default registry.
pub fn familiar(image: &str) -> &str {
    let Some(rest) = image.strip_prefix("docker.io/") else { return image };
    rest.strip_prefix("library/").filter(|name| !name.contains('/')).unwrap_or(rest)
}

/// Whether `shown` is Podman's name for `image`. Podman puts images without a registry under `localhost/`.
pub fn shows(shown: &str, image: &str) -> bool {
    let is_shown =
        |image: &str| familiar(shown) == familiar(image) || shown.strip_prefix("localhost/") == Some(image);
    // Of a tag and a digest, it shows one.
    let either = |(name, digest): (&str, &str)| {
        let tag = name.rfind(':').filter(|colon| !name[*colon..].contains('/'));
        is_shown(name) || is_shown(&format!("{}@{digest}", &name[..tag.unwrap_or(name.len())]))
    };
    is_shown(image) || image.split_once('@').is_some_and(either)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn podman_is_recognized_by_its_component() {
        let answer = |name: &str, interface: &str| {
            let part =
                format!(r#"{{"Name":"{name}","Version":"4.3.1","Details":{{"APIVersion":"{interface}"}}}}"#);
            of_version(&serde_json::from_str(&format!(r#"{{"Components":[{part}]}}"#)).unwrap())
        };
        let podman = |own: &str| Some(Podman { version: "4.3.1".into(), own: own.into() });
        assert_eq!(answer("Podman Engine", "4.3.1"), podman("/v4.3.1/libpod"));
        assert_eq!(answer("Podman Engine", "4/../../x"), podman("/v4.0.0/libpod"));
        assert_eq!(answer("Engine", "1.41"), None);
        assert_eq!(of_version(&SystemVersion::default()), None);
    }

    #[test]
    fn an_error_has_the_status_that_docker_returns() {
        for (message, expected) in [
            ("container 0123 does not exist in database: no such container", 404),
            ("container create: unable to find network with name or ID x: network not found", 404),
            (
                "container create: the container name \"a\" is already in use by 01: that name is already in use",
                409,
            ),
            ("can only kill running containers. 01 is in state exited: container state improper", 409),
            ("adding volume to state: name a is in use: volume already exists", 409),
            ("write /x: no space left on device", 500),
        ] {
            assert_eq!(status(500, message), expected, "{message}");
        }
        assert_eq!(status(400, "no such container"), 400);
    }

    #[test]
    fn an_image_is_shown_with_its_tag_or_with_its_digest() {
        let pinned = "host:5000/acme/web:1@sha256:ab";
        for shown in [pinned, "host:5000/acme/web:1", "host:5000/acme/web@sha256:ab"] {
            assert!(shows(shown, pinned), "{shown}");
        }
        for other in ["host:5000/acme/web:2", "host:5000/acme/web@sha256:cd", "host:5000/acme/web"] {
            assert!(!shows(other, pinned), "{other}");
        }
        assert!(shows("docker.io/library/redis:7", "redis:7@sha256:ab"));
        assert!(shows("host:5000/web@sha256:ab", "host:5000/web@sha256:ab"));
        assert!(!shows("host@sha256:ab", "host:5000/web@sha256:ab"));
    }

    #[test]
    fn every_state_becomes_one_of_dockers() {
        let mut listed = serde_json::json!([
            {"State": "configured"}, {"State": "stopping"}, {"State": "stopped"}, {"State": "unknown"}, {"Id": "x"},
        ]);
        plain_states(&mut listed);
        let states: Vec<_> = listed.as_array().unwrap().iter().map(|one| one["State"].as_str()).collect();
        assert_eq!(states, [Some("created"), Some("running"), Some("exited"), Some("dead"), None]);
        let seen = |status: &str| {
            let mut one = serde_json::json!({"State": {"Status": status, "Running": false}});
            plain_states(&mut one);
            (one["State"]["Status"].as_str().unwrap().to_owned(), one["State"]["Running"].as_bool().unwrap())
        };
        assert_eq!(seen("stopping"), ("running".to_owned(), true));
        assert_eq!(seen("stopped"), ("exited".to_owned(), false));
        for odd in [serde_json::json!(null), serde_json::json!(7), serde_json::json!({"State": 7})] {
            let mut same = odd.clone();
            plain_states(&mut same);
            assert_eq!(same, odd);
        }
    }

    #[test]
    fn an_image_is_recognized_under_podmans_name() {
        assert_eq!(familiar("docker.io/library/redis:7"), "redis:7");
        assert_eq!(familiar("docker.io/acme/web:1"), "acme/web:1");
        assert_eq!(familiar("localhost/acme/web:1"), "localhost/acme/web:1");
        for (shown, image) in [
            ("docker.io/acme/web:1", "acme/web:1"),
            ("acme/web:1", "docker.io/acme/web:1"),
            ("localhost/acme/web:1", "acme/web:1"),
            ("ghcr.io/acme/web:1", "ghcr.io/acme/web:1"),
        ] {
            assert!(shows(shown, image), "{shown} {image}");
        }
        assert!(!shows("ghcr.io/acme/web:1", "acme/web:1") && !shows("acme/web:1", "localhost/acme/web:1"));
    }
}
