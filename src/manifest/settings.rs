//! `[state]`, `[blobs]`, `[cache]` and `[fleets]`: where katkit keeps its own things, and where it runs phases.

use std::path::{Component, Path, PathBuf};

use super::diagnostic::Diagnostic;
use super::model::{BlobsConfig, FleetConfig, FleetKind, StateConfig};
use super::reader::{At, Reader};
use super::source::Span;
use super::suggest::quoted;
use super::tables::{BlobsKeys, CacheKeys, FleetKeys, StateKeys};
use super::words::Backend;

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

fn place<T>(key: Option<&At<T>>) -> Option<Span> {
    key.map(|key| key.span)
}

/// Reports an empty text; returns any other.
fn filled<'i>(text: At<&'i str>, reader: &Reader<'_>) -> Option<&'i str> {
    if text.value.trim().is_empty() {
        reader.error(text.span, "an empty text", "something must stand here");
        return None;
    }
    Some(text.value)
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
                region: region.and_then(text),
                endpoint: endpoint.and_then(text),
            })
        }
    }
}

pub(super) fn blobs(keys: Option<At<BlobsKeys<'_>>>, reader: &Reader<'_>) -> Option<BlobsConfig> {
    let url = keys.and_then(|keys| keys.value.url);
    let Some(url) = url else { return Some(BlobsConfig::Directory(joined(reader.root, ".katkit/blobs"))) };
    let text = filled(url, reader)?;
    if let Some(rest) = text.strip_prefix("s3://") {
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            reader.error_with_help(url.span, "no bucket", "no bucket", "write `s3://bucket/prefix`");
            return None;
        }
        let prefix = prefix.trim_matches('/').to_owned();
        return Some(BlobsConfig::S3 { bucket: bucket.to_owned(), prefix });
    }
    if let Some(path) = text.strip_prefix("file://").filter(|path| path.starts_with('/')) {
        return Some(BlobsConfig::Directory(PathBuf::from(path)));
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
    Some(BlobsConfig::Directory(joined(reader.root, text)))
}

pub(super) fn cache(keys: Option<At<CacheKeys<'_>>>, reader: &Reader<'_>) -> Option<PathBuf> {
    let path = keys.and_then(|keys| keys.value.path);
    let Some(path) = path else { return Some(joined(reader.root, ".katkit/cache")) };
    Some(joined(reader.root, filled(path, reader)?))
}

pub(super) fn fleet(keys: FleetKeys<'_>, reader: &Reader<'_>) -> Option<FleetConfig> {
    let FleetKeys { kind, docker_socket, caches, image } = keys;
    let kind = kind?.value;
    if kind == FleetKind::Process {
        let why = "the phases of a `process` fleet are not containers";
        misplaced("docker-socket", place(docker_socket.as_ref()), why, reader);
        misplaced("caches", place(caches.as_ref()), why, reader);
        misplaced("image", place(image.as_ref()), why, reader);
    }
    let caches = caches.map(|caches| caches.value).unwrap_or_default();
    for cache in caches.iter().filter(|cache| !sound_mount(cache.value)) {
        let message = format!("{} is not an absolute path", quoted(cache.value));
        reader.error_with_help(cache.span, message, "inside the container", "a cache looks like `/root/.m2`");
    }
    Some(FleetConfig {
        kind,
        docker_socket: docker_socket.is_some_and(|socket| socket.value),
        caches: caches.iter().map(|cache| cache.value.to_owned()).collect(),
        image: image.map(|image| image.value.0.to_owned()),
    })
}

/// Absolute, below the root, without `..`, and without the colon that separates the parts of a mount.
fn sound_mount(path: &str) -> bool {
    let segments = path.split('/').filter(|segment| !segment.is_empty());
    path.starts_with('/')
        && !path.contains(':')
        && segments.clone().all(|segment| segment != "..")
        && segments.count() > 0
}
