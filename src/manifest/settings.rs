//! `[state]`, `[blobs]`, `[cache]` and `[fleets]`: where katkit keeps its own things, and where it runs phases.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Component, Path, PathBuf};

use super::diagnostic::Diagnostic;
use super::ecs;
use super::model::{BlobsConfig, CacheConfig, DockerConfig, FleetConfig, FleetKind, StateConfig};
use super::reader::{At, Reader};
use super::source::Span;
use super::suggest::quoted;
use super::tables::{BlobsKeys, CacheKeys, FleetKeys, StateKeys};
use super::url::{Instead, has_credentials};
use super::words::Backend;

const FOR_AWS: Instead =
    Instead { answers: "let the environment or a profile of AWS say who you are", of_users: "" };

const FOR_DOCKER: Instead =
    Instead { answers: "reach the engine through a socket, or a tunnel that asks for it", of_users: "" };

/// `path` as seen from `directory`, without needless dots. Links in the file system are not looked at, so `..` stays.
pub(super) fn joined(directory: &Path, path: impl AsRef<Path>) -> PathBuf {
    let whole: PathBuf =
        directory.join(path).components().filter(|part| *part != Component::CurDir).collect();
    if whole.as_os_str().is_empty() { PathBuf::from(".") } else { whole }
}

/// Reports that `key` makes no sense where it stands.
pub(super) fn misplaced(key: &str, at: Option<Span>, why: &str, reader: &Reader<'_>) {
    if let Some(span) = at {
        reader.error(span, format!("`{key}` makes no sense here: {why}"), "take it away");
    }
}

pub(super) fn place<T>(key: Option<&At<T>>) -> Option<Span> {
    key.map(|key| key.span)
}

/// Reports an empty text; returns any other.
pub(super) fn filled<'i>(text: At<&'i str>, reader: &Reader<'_>) -> Option<&'i str> {
    if text.value.trim().is_empty() {
        reader.error(text.span, "an empty text", "something must stand here");
        return None;
    }
    Some(text.value)
}

/// Where a service of AWS is that is not AWS's own, if that is a URL.
pub(super) fn endpoint(text: At<&str>, reader: &Reader<'_>) -> Option<String> {
    let url = filled(text, reader)?;
    if has_credentials(text, FOR_AWS, reader) {
        return None;
    }
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    if host.is_none_or(|host| host.is_empty() || host.starts_with('/')) {
        let help = "write `https://host`, or `http://localhost:4566` for one on this machine";
        let label = "neither `https://` nor `http://` and a host";
        reader.error_with_help(
            text.span,
            format!("{} is not the URL of a service", quoted(url)),
            label,
            help,
        );
        return None;
    }
    if url.starts_with("http://") && !on_this_machine(host.unwrap_or_default()) {
        unencrypted(text.span, "`http://`", "use `https://`", reader);
    }
    Some(url.to_owned())
}

/// Whether a URL's authority is a loopback address.
fn on_this_machine(authority: &str) -> bool {
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Warns of a connection on which anyone on the way reads and changes what is said.
fn unencrypted(at: Span, what: &str, help: &str, reader: &Reader<'_>) {
    let item = Diagnostic::warning(at, format!("{what} is not encrypted"));
    reader.report.add(item.label("anyone on the way reads it, and can answer instead").help(help));
}

/// The name of a region, which becomes a part of a host's name.
pub(super) fn region(text: At<&str>, reader: &Reader<'_>) -> Option<String> {
    let name = filled(text, reader)?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !name.bytes().all(plain) || name.len() > 63 || name.starts_with('-') || name.ends_with('-') {
        let message = format!("{} is not a region", quoted(name));
        reader.error_with_help(
            text.span,
            message,
            "not the name of one",
            "a region looks like `eu-central-1`",
        );
        return None;
    }
    Some(name.to_owned())
}

pub(super) fn state(keys: Option<At<StateKeys<'_>>>, reader: &Reader<'_>) -> Option<StateConfig> {
    let sqlite = |path, patience| StateConfig::Sqlite { path: joined(reader.root, path), patience };
    let usual = ".katkit/state.db";
    let Some(At { value: keys, span }) = keys else { return Some(sqlite(usual, None)) };
    let StateKeys { backend, path, patience, table, region, endpoint } = keys;
    match backend.map(|backend| backend.value).unwrap_or_default() {
        Backend::Sqlite => {
            for (key, at) in [
                ("table", place(table.as_ref())),
                ("region", place(region.as_ref())),
                ("endpoint", place(endpoint.as_ref())),
            ] {
                misplaced(key, at, "it belongs to `backend = \"dynamodb\"`", reader);
            }
            let path = path.map_or(Some(usual), |path| filled(path, reader))?;
            Some(sqlite(path, patience.map(|key| key.value.0)))
        }
        Backend::Dynamodb => {
            for (key, at) in [("path", place(path.as_ref())), ("patience", place(patience.as_ref()))] {
                misplaced(key, at, "it belongs to `backend = \"sqlite\"`", reader);
            }
            let Some(table) = table else {
                let item =
                    Diagnostic::error(span, "missing key `table`").label("the dynamodb backend needs it");
                reader.report.absent(item);
                return None;
            };
            let text = |key: At<&str>| filled(key, reader).map(str::to_owned);
            Some(StateConfig::Dynamodb {
                table: text(table)?,
                region: region.and_then(|name| self::region(name, reader)),
                endpoint: endpoint.and_then(|url| self::endpoint(url, reader)),
            })
        }
    }
}

pub(super) fn blobs(keys: Option<At<BlobsKeys<'_>>>, reader: &Reader<'_>) -> Option<BlobsConfig> {
    let default = || BlobsConfig::Directory(joined(reader.root, ".katkit/blobs"));
    let Some(keys) = keys else { return Some(default()) };
    let BlobsKeys { url, region, endpoint } = keys.value;
    let places = [("region", place(region.as_ref())), ("endpoint", place(endpoint.as_ref()))];
    let in_directory = |directory| {
        for (key, at) in places {
            misplaced(key, at, "it belongs to `url = \"s3://…\"`", reader);
        }
        Some(BlobsConfig::Directory(directory))
    };
    let Some(url) = url else { return in_directory(joined(reader.root, ".katkit/blobs")) };
    let text = filled(url, reader)?;
    if has_credentials(url, FOR_AWS, reader) {
        return None;
    }
    if let Some(rest) = text.strip_prefix("s3://") {
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if !bucket.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
            || bucket.is_empty()
        {
            let what = if bucket.is_empty() { "no bucket" } else { "not the name of a bucket" };
            reader.error_with_help(url.span, what, what, "write `s3://bucket/prefix`");
            return None;
        }
        return Some(BlobsConfig::S3 {
            bucket: bucket.to_owned(),
            prefix: prefix.trim_matches('/').to_owned(),
            region: region.and_then(|name| self::region(name, reader)),
            endpoint: endpoint.and_then(|url| self::endpoint(url, reader)),
        });
    }
    if let Some(path) = text.strip_prefix("file://").filter(|path| path.starts_with('/')) {
        return in_directory(PathBuf::from(path));
    }
    if text.contains("://") {
        let help = "write a directory, or `s3://bucket/prefix`";
        reader.error_with_help(
            url.span,
            format!("blobs cannot be kept at {}", quoted(text)),
            "unknown",
            help,
        );
        return None;
    }
    in_directory(joined(reader.root, text))
}

pub(super) fn cache(keys: Option<At<CacheKeys<'_>>>, reader: &Reader<'_>) -> Option<CacheConfig> {
    let Some(path) = keys.and_then(|keys| keys.value.path) else { return Some(CacheConfig::Users) };
    Some(CacheConfig::Directory(joined(reader.root, filled(path, reader)?)))
}

pub(super) fn fleet(keys: FleetKeys<'_>, at: Span, reader: &Reader<'_>) -> Option<FleetConfig> {
    let ecs = ecs::fleet(&keys, at, reader);
    let FleetKeys { kind, docker_socket, caches, image, cpu, memory, host, network, agent, env, .. } = keys;
    let kind = kind?.value;
    if kind == FleetKind::Process {
        let why = "the phases of a `process` fleet are not containers";
        misplaced("docker-socket", place(docker_socket.as_ref()), why, reader);
        misplaced("caches", place(caches.as_ref()), why, reader);
        misplaced("image", place(image.as_ref()), why, reader);
        misplaced("cpu", place(cpu.as_ref()), why, reader);
        misplaced("memory", place(memory.as_ref()), why, reader);
        misplaced("env", place(env.as_ref()), why, reader);
    }
    if kind != FleetKind::Docker {
        let why = "it belongs to `kind = \"docker\"`";
        misplaced("host", place(host.as_ref()), why, reader);
        misplaced("network", place(network.as_ref()), why, reader);
        misplaced("agent", place(agent.as_ref()), why, reader);
    }
    let caches = caches.map(|caches| caches.value).unwrap_or_default();
    for cache in caches.iter().filter(|cache| !sound_mount(cache.value)) {
        let message = format!("{} is not an absolute path", quoted(cache.value));
        reader.error_with_help(cache.span, message, "inside the container", "a cache looks like `/root/.m2`");
    }
    let mut mounts = BTreeSet::new();
    for cache in caches.iter().filter(|cache| sound_mount(cache.value)) {
        if !mounts.insert(segments(cache.value).collect::<Vec<_>>()) {
            let message = format!("{} is there twice", quoted(cache.value));
            reader.error_with_help(cache.span, message, "one mount is enough", "leave one of them out");
        }
    }
    Some(FleetConfig {
        kind,
        docker_socket: docker_socket.is_some_and(|socket| socket.value),
        caches: caches.iter().map(|cache| cache.value.to_owned()).collect(),
        image: image.map(|image| image.value.0.to_owned()),
        cpu: cpu.map(|cpu| cpu.value.0),
        memory: memory.map(|memory| memory.value.0),
        env: env.map(|env| env.value.to_map()).unwrap_or_default(),
        docker: DockerConfig {
            host: host.and_then(|host| docker_host(host, reader)),
            network: network.and_then(|network| filled(network, reader)).map(str::to_owned),
            agent: agent.and_then(|agent| filled(agent, reader)).map(|path| joined(reader.directory, path)),
        },
        ecs: if kind == FleetKind::Ecs { Some(ecs?) } else { None },
    })
}

/// Where a docker engine is, if that is a place that can be spoken to.
pub(super) fn docker_host(host: At<&str>, reader: &Reader<'_>) -> Option<String> {
    let text = filled(host, reader)?;
    if has_credentials(host, FOR_DOCKER, reader) {
        return None;
    }
    let local = text.strip_prefix("unix://").is_some_and(|path| path.starts_with('/'));
    let remote = text.strip_prefix("tcp://").is_some_and(|rest| !rest.is_empty());
    if !local && !remote {
        let help = "write `unix:///var/run/docker.sock` or `tcp://host:2375`";
        let message = format!("{} is not the place of a docker engine", quoted(text));
        reader.error_with_help(host.span, message, "neither a socket nor a host", help);
        return None;
    }
    if text.strip_prefix("tcp://").is_some_and(|rest| !on_this_machine(rest)) {
        unencrypted(
            host.span,
            "`tcp://`",
            "reach it through a tunnel (`ssh -L`) that ends on this machine",
            reader,
        );
    }
    Some(text.to_owned())
}

/// Absolute, below the root, without `..`, and without the colon that separates the parts of a mount.
fn sound_mount(path: &str) -> bool {
    path.starts_with('/')
        && !path.contains(':')
        && segments(path).all(|segment| segment != "..")
        && segments(path).count() > 0
}

/// The parts of a path, however many slashes lie between them.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|segment| !matches!(*segment, "" | "."))
}
