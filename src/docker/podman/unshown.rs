//! Options of a container that Podman does not show through the Docker API, so that katkit cannot copy them.
//!
//! Podman keeps the command line of containers created with it. The options of other containers cannot be determined.

use serde_json::Value;

use super::shows;

/// The options that no response shows.
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

/// The unshown options a container was created with, from a response of Podman's own API.
pub fn options(own: &Value) -> Vec<String> {
    let command = own.get("Config").and_then(|config| config.get("CreateCommand")?.as_array());
    let words: Vec<&str> = command.into_iter().flatten().filter_map(Value::as_str).collect();
    let image = own.get("ImageName").and_then(Value::as_str).unwrap_or_default();
    let begin = words.iter().position(|word| ["run", "create"].contains(word)).unwrap_or(words.len());
    let given = own.get("Config").and_then(|config| config.get("Cmd")?.as_array());
    let given: Vec<&str> = given.into_iter().flatten().filter_map(Value::as_str).collect();
    let ours = &words[begin..end_of_options(&words, image, &given).max(begin)];
    let mut found: Vec<String> = Vec::new();
    let mut add = |name: &str| {
        if !found.iter().any(|known| known == name) {
            found.push(name.to_owned());
        }
    };
    for (at, word) in ours.iter().enumerate() {
        let (name, value) = word.split_once('=').map_or((*word, None), |(name, value)| (name, Some(value)));
        if OPTIONS.contains(&name) {
            add(name);
        }
        if ["--network", "--net"].contains(&name) {
            let value = value.or(ours.get(at + 1).copied()).unwrap_or_default();
            let settings = value.split_once(':').map(|(_, settings)| settings.split(','));
            if settings.into_iter().flatten().any(|it| it.starts_with("ip=") || it.starts_with("mac=")) {
                add("--network …:ip=");
            }
        }
    }
    found
}

/// Where the options end: at the image, which is followed by the command for the container. The image may be written
/// without registry and tag.
fn end_of_options(words: &[&str], image: &str, given: &[&str]) -> usize {
    let is_image = |word: &str| word == image || shows(image, word) || repository(word) == repository(image);
    let all: Vec<usize> = (0..words.len()).filter(|at| is_image(words[*at])).collect();
    let fits = |at: &&usize| words[**at + 1..] == *given || words.len() == **at + 1;
    all.iter().find(fits).or(all.first()).copied().unwrap_or(words.len())
}

/// An image's name without its registry, tag and digest.
fn repository(image: &str) -> &str {
    let name = image.split('@').next().unwrap_or(image);
    let (registry, rest) = name.split_once('/').unwrap_or(("", name));
    let is_registry = registry == "localhost" || registry.contains(['.', ':']);
    let name = if is_registry { rest } else { name };
    let name = name.strip_prefix("library/").unwrap_or(name);
    match name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => name,
    }
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
    fn only_unshown_options_of_the_container_itself_are_found() {
        let command =
            "podman run -d --sysctl a=1 --sysctl=b=2 --env IP=1 --ip=192.0.2.4 acme/web:1 serve --tz x";
        assert_eq!(of(command), ["--sysctl", "--ip"]);
        assert_eq!(of("podman run --network shop:ip=192.0.2.4,mac=0:0 acme/web:1"), ["--network …:ip="]);
        assert_eq!(of("podman create --name web localhost/acme/web:1 --secret x"), Vec::<String>::new());
        // The image in several spellings, and a command with options of the same names.
        for image in ["acme/web", "docker.io/acme/web", "localhost/acme/web", "acme/web:1"] {
            let command =
                format!("podman run -d --name acme/web2 --ip=192.0.2.4 {image} --timeout 30 --umask 7");
            assert_eq!(of(&command), ["--ip"], "{image}");
        }
        // Values of other options that resemble network settings.
        assert_eq!(of("podman run -e hmac=1 --label a,ip=b --network=shop acme/web:1"), Vec::<String>::new());
        // Created through the API: the command line is the service's.
        assert_eq!(of("podman --tmpdir x system service --timeout 0"), Vec::<String>::new());
        for odd in [serde_json::json!(null), serde_json::json!({"Config": {"CreateCommand": 7}})] {
            assert_eq!(options(&odd), Vec::<String>::new());
        }
    }
}
