//! What lives in processes and files of this machine.

use std::path::PathBuf;
use std::sync::Arc;

use crate::config;
use crate::description;
use crate::fleet::ProcessFleet;
use crate::manifest::{BlobsConfig, FleetKind, Manifest, PlatformConfig};
use crate::platform::FilePlatform;

use super::{Engines, OpenError, Places};

/// Adds what lives in processes and files of this machine.
pub(super) fn on_this_machine(
    manifest: &Manifest,
    places: &Places,
    engines: &mut Engines,
) -> Result<(), OpenError> {
    for (name, config) in &manifest.fleets {
        if config.kind != FleetKind::Process {
            continue;
        }
        let executable = std::env::current_exe().map_err(OpenError::Executable)?;
        let directory = places.services.join(name.as_str());
        let fleet = match &manifest.blobs {
            BlobsConfig::Directory(_) => ProcessFleet::new(directory, small_agent(executable)),
            // The agent is the person's own process, and writes to the bucket in their name. It closes its environment to
            // others as the first thing it does.
            BlobsConfig::S3 { .. } => {
                ProcessFleet::new(directory, executable).with_environment(config::of_aws())
            }
        };
        engines.fleets.insert(name.to_string(), Arc::new(fleet));
    }
    for (name, tenant) in &manifest.tenants {
        if let PlatformConfig::File { path } = &tenant.platform {
            let read = |text: &str| description::images(text).map_err(|error| error.to_string());
            engines.platforms.insert(name.clone(), Arc::new(FilePlatform::new(path.clone(), read)));
        }
    }
    Ok(())
}

/// The agent that knows no store but a directory, where it lies beside katkit; else katkit itself, which is one as well.
fn small_agent(katkit: PathBuf) -> PathBuf {
    let small = katkit.with_file_name("katkit-agent");
    if small.is_file() { small } else { katkit }
}
