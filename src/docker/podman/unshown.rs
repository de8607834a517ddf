//! Options of a container that Podman does not show through the Docker API, so that katkit cannot copy them.
//!
//! Podman keeps the command line of containers made with it. For other containers there is no way to tell.

use serde_json::Value;

use super::shows;

/// The options that no answer shows.
const OPTIONS: [&str; 16] = [
    "--cgroupns",
    "--gidmap",
    "--ip",
    "--ip6",
    "--ipc",
    "--mac-address",
    "--pod",
    "--requires",
    "--rootfs",
    "--secret",
    "--sysctl",
    "--timeout",
    "--tz",
    "--uidmap",
    "--umask",
    "--userns",
];

/// The options that the container was made with, from the answer of Podman's own API.
pub fn options(own: &Value) -> Vec<String> {
    let command = own.get("Config").and_then(|config| config.get("CreateCommand")?.as_array());
    let words: Vec<&str> = command.into_iter().flatten().filter_map(Value::as_str).collect();
    let image = own.get("ImageName").and_then(Value::as_str).unwrap_or_default();
    let begin = words.iter().position(|word| ["run", "create"].contains(word)).unwrap_or(words.len());
    // What comes after the image is the container's own.
    let ours = words[begin..].iter().take_while(|word| !(**word == image || shows(image, word)));
    let mut found = Vec::new();
    for word in ours {
        let name = word.split_once('=').map_or(*word, |(name, _)| name);
        let in_network = word.contains(":ip=") || word.contains(",ip=") || word.contains("mac=");
        let name = if in_network { "--network …:ip=" } else { name };
        if (in_network || OPTIONS.contains(&name)) && !found.iter().any(|known| known == name) {
            found.push(name.to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(command: &str) -> Vec<String> {
        let words: Vec<&str> = command.split(' ').collect();
        options(&serde_json::json!({
            "ImageName": "localhost/acme/web:1", "Config": { "CreateCommand": words }
        }))
    }

    #[test]
    fn options_are_found_that_no_answer_shows_and_not_those_of_the_command_within() {
        let command =
            "podman run -d --sysctl a=1 --sysctl=b=2 --env IP=1 --ip=192.0.2.4 acme/web:1 serve --tz x";
        assert_eq!(of(command), ["--sysctl", "--ip"]);
        assert_eq!(of("podman run --network shop:ip=192.0.2.4,mac=0:0 acme/web:1"), ["--network …:ip="]);
        assert_eq!(of("podman create --name web localhost/acme/web:1 --secret x"), Vec::<String>::new());
        // Made through the interface: the command is the service's.
        assert_eq!(of("podman --tmpdir x system service --timeout 0"), Vec::<String>::new());
        for odd in [serde_json::json!(null), serde_json::json!({"Config": {"CreateCommand": 7}})] {
            assert_eq!(options(&odd), Vec::<String>::new());
        }
    }
}
