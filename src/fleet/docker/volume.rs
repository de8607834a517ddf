//! The agent on the engine: sent once per content, into a volume that every container mounts and none can write.
//!
//! Who finds the volume without its last file, [`COMPLETE`], fills it by way of a container that is never started and
//! whose name is the right to do so: of several processes one creates it, and the others wait. If that one dies half-way,
//! its container stays; the next takes it away and begins again, at once where it can see that the process is gone.

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

/// The label of such volumes, with the digest as its value.
const LABEL: &str = "katkit.agent";
/// How the names of such volumes begin.
const NAME: &str = "katkit-agent-";
/// The label of the container that fills one: the process that created it.
const FILLER: &str = "katkit.filler";
/// The file that is written last.
const COMPLETE: &str = "complete";
/// How long another process may take to fill the volume, as far as this one sees.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often it is looked whether it is done.
const LOOK: Duration = Duration::from_millis(50);
/// How old a volume is removed that nobody uses, in seconds: one day.
const OLD: i64 = 24 * 3600;
/// How much is sent at a time.
const PIECE: usize = 1024 * 1024;

/// The volume as a mount.
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

/// Fills the volume that `container` mounts and that it was created with, unless it is filled.
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
        // Somebody else is at it, or died at it.
        if let Some(filler) = engine.inspect(&name(program)).await? {
            let id = filler.id.unwrap_or_default();
            let owner = filler.config.and_then(|config| config.labels?.remove(FILLER)).unwrap_or_default();
            let first =
                seen.as_ref().filter(|(other, _)| *other == id).map_or_else(Instant::now, |(_, at)| *at);
            if is_dead(&owner) || first.elapsed() > PATIENCE {
                engine.remove(&id, &[FILLER.to_owned()], false).await?;
            }
            seen = Some((id, first));
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

async fn is_complete(engine: &Engine, container: &str) -> Result<bool, EngineError> {
    engine.has_file(container, &format!("{PLACE}/{COMPLETE}")).await
}

/// Fills the volume as the only one that does.
async fn take(engine: &Engine, program: &Arc<Program>, image: &str) -> Result<(), EngineError> {
    let host = HostConfig { mounts: Some(vec![mount(program, false)]), ..Default::default() };
    let body = ContainerCreateBody {
        image: Some(image.to_owned()),
        // It is never started, but an image that names no command needs one.
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
    // Between the look and the taking another may have come to its end.
    if is_complete(engine, filler).await? {
        return Ok(());
    }
    let began = Instant::now();
    engine.unpack(filler, PLACE, archive(program)).await?;
    let mut last = tar::header(COMPLETE, 0, 0o644).to_vec();
    last.extend(tar::END);
    engine.unpack_small(filler, PLACE, last).await?;
    let seconds = began.elapsed().as_secs_f32();
    tracing::info!(volume = name(program), seconds, "sent the agent to the engine");
    Ok(())
}

/// The program as an archive, piece by piece: it is never in memory as a whole.
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
            let mut piece =
                if offset == 0 { tar::header(&name, file.size, 0o755).to_vec() } else { Vec::new() };
            let begin = piece.len();
            piece.resize(begin + PIECE, 0);
            let left = usize::try_from(file.size - offset).unwrap_or(usize::MAX).min(PIECE);
            let length = file.read_at(offset, &mut piece[begin..begin + left])?;
            if length == 0 && file.size > offset {
                return Err(io::Error::other("the agent became shorter while it was sent"));
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

/// Removes the agents of other versions that were not used for long. What is in use, the engine keeps.
async fn collect(engine: &Engine, program: &Program) {
    let volumes = engine.volumes(LABEL).await.unwrap_or_default();
    let old = |created: Option<String>| {
        let created: Option<jiff::Timestamp> = created.and_then(|created| created.parse().ok());
        created.is_some_and(|created| jiff::Timestamp::now().as_second() - created.as_second() > OLD)
    };
    for volume in volumes {
        let ours = volume.name.starts_with(NAME) && volume.name != name(program);
        if ours && old(volume.created_at) {
            // Somebody uses it, or somebody else removed it.
            let _ = engine.remove_volume(&volume.name).await;
        }
    }
}

/// Process table and process: only who shares the first can say whether the second is gone.
fn this_process() -> String {
    format!("{}/{}", liveness::process_table().unwrap_or_default(), std::process::id())
}

fn is_dead(owner: &str) -> bool {
    let Some((table, pid)) = owner.rsplit_once('/') else { return false };
    Some(table) == liveness::process_table().as_deref() && pid.parse().is_ok_and(liveness::is_gone)
}
