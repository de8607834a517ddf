//! Copies the agent to the engine, once per content, into a volume that every container mounts read-only.
//!
//! A volume without its last file, [`COMPLETE`], is filled through a container that is never started. The name of that
//! container acts as a lock: one process creates it, and the others wait. If the process dies half-way, its container
//! remains; the next process removes it and starts over, at once if it can tell that the first one is dead.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bollard::models::{ContainerCreateBody, HostConfig, Mount, MountType, MountVolumeOptions};
use futures::stream;
use tokio::task::spawn_blocking;

use super::program::{PLACE, Program};
use super::tar;
use crate::docker::{Engine, EngineError};
use crate::liveness;

/// Label of agent volumes; its value is the digest.
const LABEL: &str = "katkit.agent";
/// Name prefix of agent volumes.
const NAME: &str = "katkit-agent-";
/// Label of the filling container; its value is the process that created it.
const FILLER: &str = "katkit.filler";
/// Name of the file written last.
const COMPLETE: &str = "complete";
/// How long to wait for another process to fill the volume.
const FILL_TIMEOUT: Duration = Duration::from_mins(1);
/// Poll interval while another process fills the volume.
const POLL: Duration = Duration::from_millis(50);
/// Age in seconds at which an unused volume is removed: one day.
const OLD: i64 = 24 * 3600;
/// Bytes sent at a time.
const PIECE: usize = 1024 * 1024;

/// The mount of the agent volume.
pub fn mount(program: &Program, read_only: bool) -> Mount {
    let labels = HashMap::from([(LABEL.to_owned(), program.digest.clone())]);
    let options = MountVolumeOptions { no_copy: Some(true), labels: Some(labels), ..Default::default() };
    Mount {
        target: Some(PLACE.to_owned()),
        source: Some(name(program)),
        typ: Some(MountType::VOLUME),
        read_only: Some(read_only),
        volume_options: Some(options),
        ..Default::default()
    }
}

fn name(program: &Program) -> String {
    format!("{NAME}{}", program.digest)
}

/// Fills the volume that `container` was created with, unless it is complete.
pub async fn ensure(
    engine: &Engine,
    program: &Arc<Program>,
    container: &str,
    image: &str,
) -> Result<(), EngineError> {
    let mut seen: Option<(String, Instant)> = None;
    while !is_complete(engine, container).await? {
        let Err(error) = take(engine, program, image).await else { continue };
        if !error.is_conflict() {
            return Err(error);
        }
        // Another process is filling it, or died doing so.
        if let Some(filler) = engine.inspect(&name(program)).await? {
            let id = filler.id.unwrap_or_default();
            let owner = filler.config.and_then(|config| config.labels?.remove(FILLER)).unwrap_or_default();
            let first =
                seen.as_ref().filter(|(other, _)| *other == id).map_or_else(Instant::now, |(_, at)| *at);
            if is_dead(&owner) || first.elapsed() > FILL_TIMEOUT {
                engine.remove(&id, &[FILLER.to_owned()], false).await?;
            }
            seen = Some((id, first));
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

async fn is_complete(engine: &Engine, container: &str) -> Result<bool, EngineError> {
    engine.has_file(container, &format!("{PLACE}/{COMPLETE}")).await
}

/// Fills the volume as its only writer.
async fn take(engine: &Engine, program: &Arc<Program>, image: &str) -> Result<(), EngineError> {
    let host = HostConfig { mounts: Some(vec![mount(program, false)]), ..Default::default() };
    let body = ContainerCreateBody {
        image: Some(image.to_owned()),
        // Never started, but Docker requires a command if the image has none.
        cmd: Some(vec!["-".to_owned()]),
        labels: Some(HashMap::from([(FILLER.to_owned(), this_process())])),
        host_config: Some(host),
        ..Default::default()
    };
    let filler = engine.create(&name(program), body).await?;
    let filled = fill(engine, program, &filler).await;
    engine.remove(&filler, &[FILLER.to_owned()], false).await?;
    filled?;
    collect(engine, program).await;
    Ok(())
}

async fn fill(engine: &Engine, program: &Arc<Program>, filler: &str) -> Result<(), EngineError> {
    // Another process may have finished between the check and the lock.
    if is_complete(engine, filler).await? {
        return Ok(());
    }
    let began = Instant::now();
    engine.unpack(filler, PLACE, archive(program)).await?;
    let last = tar::header(COMPLETE, 0, 0o644).map(|header| [header.as_slice(), &tar::END].concat());
    let last = last.map_err(|error| EngineError::Refused { status: 400, message: error.to_string() })?;
    engine.unpack_small(filler, PLACE, last).await?;
    let seconds = began.elapsed().as_secs_f32();
    tracing::info!(volume = name(program), seconds, "sent the agent to the engine");
    Ok(())
}

/// The program as an archive, streamed in pieces: it is never in memory as a whole.
fn archive(program: &Arc<Program>) -> impl futures::Stream<Item = io::Result<bytes::Bytes>> + Send + 'static {
    let names: Vec<String> = program.files.keys().cloned().collect();
    stream::try_unfold((Arc::clone(program), names, 0, 0_u64), async |(program, names, at, offset)| {
        let Some(name) = names.get(at).cloned() else {
            let end = (at == names.len()).then(|| bytes::Bytes::from_static(&tar::END));
            return Ok(end.map(|end| (end, (program, names, at + 1, 0))));
        };
        let (source, file) = (Arc::clone(&program), name.clone());
        let read = spawn_blocking(move || {
            let file = &source.files[&file];
            let mut piece = if offset == 0 { tar::header(&name, file.size, 0o755)? } else { Vec::new() };
            let begin = piece.len();
            piece.resize(begin + PIECE, 0);
            let left = usize::try_from(file.size - offset).unwrap_or(usize::MAX).min(PIECE);
            let length = file.read_at(offset, &mut piece[begin..begin + left])?;
            if length == 0 && file.size > offset {
                return Err(io::Error::other("the agent's file shrank while it was being sent"));
            }
            piece.truncate(begin + length);
            let offset = offset + length as u64;
            if offset == file.size {
                piece.extend(tar::padding(file.size));
            }
            Ok((piece, (offset < file.size).then_some(offset)))
        });
        let (piece, next) = read.await.map_err(io::Error::other)??;
        let (at, offset) = next.map_or((at + 1, 0), |offset| (at, offset));
        Ok(Some((piece.into(), (program, names, at, offset))))
    })
}

/// Removes old volumes with other versions of the agent. The engine keeps those in use.
async fn collect(engine: &Engine, program: &Program) {
    let volumes = engine.volumes(LABEL).await.unwrap_or_default();
    let old = |created: Option<String>| {
        let created: Option<jiff::Timestamp> = created.and_then(|created| created.parse().ok());
        created.is_some_and(|created| jiff::Timestamp::now().as_second() - created.as_second() > OLD)
    };
    for volume in volumes {
        let ours = volume.name.starts_with(NAME) && volume.name != name(program);
        if ours && old(volume.created_at) {
            // Fails if it is in use, or if someone else removed it.
            let _ = engine.remove_volume(&volume.name).await;
        }
    }
}

/// Identifies this process: only a process with the same process table can tell whether the pid is dead.
fn this_process() -> String {
    format!("{}/{}", liveness::process_table().unwrap_or_default(), std::process::id())
}

fn is_dead(owner: &str) -> bool {
    let Some((table, pid)) = owner.rsplit_once('/') else { return false };
    Some(table) == liveness::process_table().as_deref() && pid.parse().is_ok_and(liveness::is_gone)
}
