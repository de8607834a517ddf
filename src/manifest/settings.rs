//! `[state]`, `[blobs]`, `[cache]` and `[fleets]`: where katkit stores its data, and where it runs phases.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::checks::{self, FOR_AWS, filled, misplaced, place};
use super::diagnostic::Diagnostic;
use super::ecs;
use super::files::joined;
use super::model::{BlobsConfig, CacheConfig, DockerConfig, FleetConfig, FleetKind, StateConfig};
use super::reader::{Located, Reader};
use super::root_tables::{BlobsKeys, CacheKeys, StateKeys};
use super::source::Span;
use super::suggest::quoted;
use super::tables::FleetKeys;
use super::url::{ANYONE, CredentialAdvice, has_credentials, on_this_machine, unencrypted};
use super::words::Backend;

const FOR_DOCKER: CredentialAdvice = CredentialAdvice {
    answers: "reach the engine through a socket, or a tunnel that authenticates",
    of_users: "",
};

pub(super) fn state(keys: Option<Located<StateKeys<'_>>>, reader: &Reader<'_>) -> Option<StateConfig> {
    let sqlite = |path, patience| StateConfig::Sqlite { path: joined(reader.root, path), patience };
    let default = ".katkit/state.db";
    let Some(Located { value: keys, span }) = keys else { return Some(sqlite(default, None)) };
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
            let path = path.map_or(Some(default), |path| filled(path, reader))?;
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
            let text = |key: Located<&str>| filled(key, reader).map(str::to_owned);
            Some(StateConfig::Dynamodb {
                table: text(table)?,
                region: region.and_then(|name| checks::region(name, reader)),
                endpoint: endpoint.and_then(|url| checks::endpoint(url, reader)),
            })
        }
    }
}

pub(super) fn blobs(keys: Option<Located<BlobsKeys<'_>>>, reader: &Reader<'_>) -> Option<BlobsConfig> {
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
            region: region.and_then(|name| checks::region(name, reader)),
            endpoint: endpoint.and_then(|url| checks::endpoint(url, reader)),
        });
    }
    if let Some(path) = text.strip_prefix("file://").filter(|path| path.starts_with('/')) {
        return in_directory(PathBuf::from(path));
    }
    if text.contains("://") {
        let help = "write a directory, or `s3://bucket/prefix`";
        reader.error_with_help(
            url.span,
            format!("cannot store blobs at {}", quoted(text)),
            "unknown scheme",
            help,
        );
        return None;
    }
    in_directory(joined(reader.root, text))
}

pub(super) fn cache(keys: Option<Located<CacheKeys<'_>>>, reader: &Reader<'_>) -> Option<CacheConfig> {
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
    for cache in caches.iter().filter(|cache| !is_valid_mount(cache.value)) {
        let message = format!("{} is not an absolute path", quoted(cache.value));
        reader.error_with_help(cache.span, message, "inside the container", "a cache looks like `/root/.m2`");
    }
    let mut mounts = BTreeSet::new();
    for cache in caches.iter().filter(|cache| is_valid_mount(cache.value)) {
        if !mounts.insert(segments(cache.value).collect::<Vec<_>>()) {
            let message = format!("{} is listed twice", quoted(cache.value));
            reader.error_with_help(cache.span, message, "one mount is enough", "remove one of them");
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

/// The address of a Docker Engine, if it is valid.
pub(super) fn docker_host(host: Located<&str>, reader: &Reader<'_>) -> Option<String> {
    let text = filled(host, reader)?;
    if has_credentials(host, FOR_DOCKER, reader) {
        return None;
    }
    let local = text.strip_prefix("unix://").is_some_and(|path| path.starts_with('/'));
    let remote = text.strip_prefix("tcp://").is_some_and(|rest| !rest.is_empty());
    if !local && !remote {
        let help = "write `unix:///var/run/docker.sock` or `tcp://host:2375`";
        let message = format!("{} is not the address of a Docker Engine", quoted(text));
        reader.error_with_help(host.span, message, "neither a socket nor a host", help);
        return None;
    }
    if text.strip_prefix("tcp://").is_some_and(|rest| !on_this_machine(rest)) {
        unencrypted(
            host.span,
            ("`tcp://`", ANYONE),
            "reach it through a tunnel (`ssh -L`) that ends on this machine",
            reader,
        );
    }
    Some(text.to_owned())
}

/// Whether a mount path is absolute, below the root, without `..`, and without the colon that separates the parts of a
/// mount.
fn is_valid_mount(path: &str) -> bool {
    path.starts_with('/')
        && !path.contains(':')
        && segments(path).all(|segment| segment != "..")
        && segments(path).count() > 0
}

/// The parts of a path, without empty parts and dots.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|segment| !matches!(*segment, "" | "."))
}
