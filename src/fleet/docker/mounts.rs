//! Mounts of a container: the part of the blob store that its replica needs, its tenant's caches in the fleet, and the
//! engine's socket if the manifest enables it.
//!
//! A store in a directory is never mounted as a whole, or a phase could read and write other tenants' data. A container
//! gets the pack of its commit, its attempt and the attempts that its inputs come from read-only, and its own replica's
//! directory read-write. Each is mounted at its host path, so that `LOG_PATH` means the same on both sides.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::DirBuilder;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use bollard::models::{Mount, MountType, MountVolumeOptions};

use super::{Settings, labels};
use crate::domain::{InputList, PhaseSpec, Source, TenantName, percent_decoded};
use crate::fleet::cache_name;

/// Path of the socket in a container.
const SOCKET: &str = "/var/run/docker.sock";

/// Segments in the attempt's key, at the end of a `LOG_PATH`: `tenant/link/sha/phase/run.attempt`.
const KEY: usize = 5;

/// The mounts of the blob store; none unless it is a directory.
pub fn of_store(log_path: &str, replica: u32) -> Result<Vec<Mount>, String> {
    let Some(path) = log_path.strip_prefix("file://") else { return Ok(Vec::new()) };
    let attempt = decode(path).ok_or_else(|| format!("`{log_path}` is not the URL of a directory"))?;
    let root = attempt.ancestors().nth(KEY).unwrap_or(Path::new("/")).to_owned();
    let own = attempt.join(format!("replica-{replica}"));
    // A mount point below a read-only mount must exist beforehand.
    DirBuilder::new()
        .recursive(true)
        .create(&own)
        .map_err(|error| format!("`{}` cannot be created: {error}", own.display()))?;
    let mut mounts = vec![bind(&attempt, true)?, bind(&own, false)?];
    let text = std::fs::read(attempt.join("phase.json")).unwrap_or_default();
    // If it is missing, the agent itself reports the problem.
    if let Ok(PhaseSpec { source: Source::Pack { key, .. }, .. }) = serde_json::from_slice(&text) {
        let pack = root.join(key);
        if pack.is_file() {
            mounts.push(bind(&pack, true)?);
        }
    }
    for input in inputs(&attempt) {
        mounts.push(bind(&root.join(input), true)?);
    }
    Ok(mounts)
}

/// The keys of the attempts whose artifacts the phase gets.
fn inputs(attempt: &Path) -> Vec<String> {
    let text = std::fs::read(attempt.join("inputs.json")).unwrap_or_default();
    let list = serde_json::from_slice(&text).unwrap_or(InputList { inputs: Vec::new() });
    let goes_down =
        |key: &String| Path::new(key).components().all(|part| matches!(part, Component::Normal(_)));
    list.inputs.into_iter().map(|input| input.attempt).filter(goes_down).collect()
}

/// The volumes of a tenant's caches in the fleet. They outlive the container.
pub fn of_caches(settings: &Settings, tenant: &TenantName) -> Vec<Mount> {
    let cache = |path: &String| Mount {
        target: Some(path.clone()),
        source: Some(volume(settings, tenant, path)),
        typ: Some(MountType::VOLUME),
        volume_options: Some(MountVolumeOptions {
            labels: Some(HashMap::from([
                (labels::OWNER.to_owned(), settings.owner.clone()),
                (labels::STORE.to_owned(), settings.store.clone()),
                (labels::FLEET.to_owned(), settings.name.clone()),
                (labels::TENANT.to_owned(), tenant.to_string()),
                (labels::CACHE.to_owned(), path.clone()),
            ])),
            ..Default::default()
        }),
        ..Default::default()
    };
    settings.caches.iter().map(cache).collect()
}

/// The volume name of a cache. Each katkit, fleet and tenant has its own, because phases execute what they find in a
/// cache.
fn volume(settings: &Settings, tenant: &TenantName, path: &str) -> String {
    let Settings { owner, name, .. } = settings;
    format!("katkit-{owner}-{name}-{tenant}-{}", cache_name(name, tenant, path))
}

/// The socket of the engine, at `host_path` on its host.
pub fn of_socket(host_path: &str) -> Mount {
    Mount {
        target: Some(SOCKET.to_owned()),
        source: Some(host_path.to_owned()),
        typ: Some(MountType::BIND),
        ..Default::default()
    }
}

/// An anonymous volume, removed together with the container.
pub fn private(target: &str) -> Mount {
    Mount { target: Some(target.to_owned()), typ: Some(MountType::VOLUME), ..Default::default() }
}

fn bind(path: &Path, read_only: bool) -> Result<Mount, String> {
    let text = path
        .to_str()
        .ok_or_else(|| format!("docker cannot mount `{}`: the path is not UTF-8", path.display()))?;
    Ok(Mount {
        target: Some(text.to_owned()),
        source: Some(text.to_owned()),
        typ: Some(MountType::BIND),
        read_only: Some(read_only),
        ..Default::default()
    })
}

/// Decodes a percent-encoded absolute path.
fn decode(text: &str) -> Option<PathBuf> {
    let path = PathBuf::from(OsString::from_vec(percent_decoded(text)?));
    path.is_absolute().then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caches_are_separate_per_katkit_fleet_and_tenant() {
        let volume = |owner: &str, fleet: &str, tenant: &str| {
            let (owner, name) = (owner.to_owned(), fleet.to_owned());
            let settings = Settings { owner, name, caches: vec!["/root/.m2".into()], ..Settings::default() };
            let mount = of_caches(&settings, &TenantName::new(tenant).unwrap()).remove(0);
            assert_eq!(mount.target.as_deref(), Some("/root/.m2"));
            mount.source.unwrap()
        };
        let own = volume("0a1b", "builds", "dev");
        assert!(own.starts_with("katkit-0a1b-builds-dev-root--m2-"), "{own}");
        let others = [
            volume("ffff", "builds", "dev"),
            volume("0a1b", "other", "dev"),
            volume("0a1b", "builds", "prod"),
            volume("0a1b", "builds-dev", "x"),
        ];
        assert!(!others.contains(&own), "{own} {others:?}");
        assert_ne!(volume("0a1b", "builds-dev", "x"), volume("0a1b", "builds", "dev-x"));
        // File names may have up to 255 bytes.
        let longest = volume("0123456789abcdef", &"n".repeat(64), &"n".repeat(64));
        assert!(longest.len() <= 255, "{longest}");
    }

    #[test]
    fn a_container_sees_only_its_attempt_its_replica_and_its_pack() {
        let store = tempfile::tempdir().unwrap();
        let store = store.path().join("a b");
        let attempt = store.join("dev/shop/0000/build/7.1");
        std::fs::create_dir_all(&attempt).unwrap();
        let url = format!("file://{}", attempt.display()).replace(' ', "%20");
        let seen = || {
            let mounts = of_store(&url, 2).unwrap().into_iter();
            let short = |mount: Mount| {
                let path = mount.source.unwrap();
                let path = path.strip_prefix(store.to_str().unwrap()).unwrap().to_owned();
                (path, mount.read_only.unwrap())
            };
            mounts.map(short).collect::<Vec<_>>()
        };
        let own =
            [("/dev/shop/0000/build/7.1".into(), true), ("/dev/shop/0000/build/7.1/replica-2".into(), false)];
        assert_eq!(seen(), own);
        std::fs::write(attempt.join("phase.json"), "{ broken").unwrap();
        assert_eq!(seen(), own);
        assert!(attempt.join("replica-2").is_dir());
        let input = r#"{ "inputs": [{ "phase": "x", "attempt": "KEY", "replicas": [] }] }"#;
        let key = "dev/shop/0000/compile/7.3";
        std::fs::create_dir_all(store.join(key)).unwrap();
        std::fs::write(attempt.join("inputs.json"), input.replace("KEY", key)).unwrap();
        assert_eq!(seen(), [&own[..], &[(format!("/{key}"), true)]].concat());
        std::fs::write(attempt.join("inputs.json"), input.replace("KEY", "../other")).unwrap();
        assert_eq!(seen(), own);
        assert_eq!(of_store("s3://bucket/dev/shop/0000/build/7.1", 0), Ok(Vec::new()));
        assert!(of_store("file:///a%zz", 0).is_err());
    }
}
