//! Wires the process fleets and file platforms of this machine.

use std::path::PathBuf;
use std::sync::Arc;

use crate::config;
use crate::description;
use crate::fleet::ProcessFleet;
use crate::manifest::{BlobsConfig, FleetKind, Manifest, PlatformConfig};
use crate::platform::FilePlatform;

use super::OpenError;
use super::adapters::Adapters;
use super::local_paths::LocalPaths;
use super::wiring::{Backends, Installation};

/// Adds the process fleets and file platforms.
pub(super) fn on_this_machine(
    adapters: &Adapters,
    manifest: &Manifest,
    paths: &LocalPaths,
    backends: &mut Backends,
) -> Result<(), OpenError> {
    for (name, config) in &manifest.fleets {
        if config.kind != FleetKind::Process {
            continue;
        }
        let directory = paths.services.join(name.as_str());
        let is_local = matches!(manifest.blobs, BlobsConfig::Directory(_));
        let agent = if is_local { "small agent" } else { "katkit" };
        let installation =
            Installation { identity: agent.to_owned(), store: directory.display().to_string() };
        let fleet = adapters.fleets.get((name.clone(), config.clone(), installation), || {
            let executable = std::env::current_exe().map_err(OpenError::Executable)?;
            Ok::<_, OpenError>(Arc::new(match is_local {
                true => ProcessFleet::new(directory, small_agent(executable)),
                // The agent runs as the user and writes to the bucket with the user's credentials. It first makes its
                // environment unreadable for others.
                false => ProcessFleet::new(directory, executable).with_environment(config::of_aws()),
            }))
        })?;
        backends.fleets.insert(name.clone(), fleet);
    }
    for (name, tenant) in &manifest.tenants {
        if let PlatformConfig::File { path } = &tenant.platform {
            let read = |text: &str| description::images(text).map_err(|error| error.to_string());
            backends.platforms.insert(name.clone(), Arc::new(FilePlatform::new(path.clone(), read)));
        }
    }
    Ok(())
}

/// The small agent, which supports only a directory as its store, if it is installed next to katkit; otherwise katkit
/// itself, which is also an agent.
fn small_agent(katkit: PathBuf) -> PathBuf {
    let small = katkit.with_file_name("katkit-agent");
    if small.is_file() { small } else { katkit }
}
