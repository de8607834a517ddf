//! Stores deployed services as files: the description of a link is `<directory>/<link>.json`.
//!
//! Editing the file changes what is deployed, and katkit detects that as drift. A revision holds the content's digest
//! and the file's size, mtime and inode: an untouched file is recognized by its metadata alone, and a merely touched
//! one by its content. Beside it, `.<link>.link` names the link that wrote it: directories may be shared, and two links
//! of the same name would share the file.

mod mark;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::causes;
use crate::domain::{Check, DeployOutcome, DeploymentName, FormerName, Images, LinkId};

use super::{
    FencingCheck, InFlight, Observation, Platform, PlatformError, RollEnd, Running, Target, Upgrade,
};

/// Size limit of a service description: 16 MiB.
const LARGEST: u64 = 16 * 1024 * 1024;

/// Directories inspected at once, across all tenants: with a thread for each, a hundred tenants spend more time and
/// memory on threads than on the inspection.
static TURNS: Semaphore = Semaphore::const_new(4);

/// Extracts the image of every role from a service description, or reports what is wrong with it.
pub type ReadImages = fn(&str) -> Result<Images, String>;

/// Stores the services of one tenant as files in a directory.
#[derive(Clone, Debug)]
pub struct FilePlatform {
    directory: PathBuf,
    read_images: ReadImages,
}

impl FilePlatform {
    /// Files in `directory`, which is created with the first file.
    pub fn new(directory: PathBuf, read_images: ReadImages) -> Self {
        Self { directory, read_images }
    }

    fn path(&self, link: &LinkId) -> PathBuf {
        self.directory.join(format!("{}.json", link.link))
    }

    fn observe_one(
        &self,
        link: &LinkId,
        formerly: &[FormerName],
        known: Option<&str>,
    ) -> Result<Observation, PlatformError> {
        let path = self.path(link);
        let unreadable = |what: String| unreadable(link, &path, what);
        let metadata = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                mark::check(&path, link, formerly)?;
                return Ok(Observation::Absent);
            }
            Err(error) => return Err(unavailable(&path, "read", error)),
        };
        if !metadata.is_file() {
            let what = if metadata.is_symlink() {
                "a symbolic link, which katkit does not follow"
            } else {
                "not a file"
            };
            return Err(unreadable(format!("it is {what}")));
        }
        if known.is_some_and(|known| stamp_of(known) == Some(&stamp(&metadata))) {
            return Ok(Observation::AsKnown);
        }
        mark::check(&path, link, formerly)?;
        let (text, metadata) = read(link, &path)?;
        let revision = revision(&text, &metadata);
        if known.is_some_and(|known| digest_of(known) == digest_of(&revision)) {
            return Ok(Observation::AsKnown);
        }
        let description = String::from_utf8(text).map_err(|_| unreadable("it is not UTF-8".to_owned()))?;
        let images = (self.read_images)(&description).map_err(unreadable)?;
        Ok(Observation::Running(Running {
            revision,
            images,
            description: Some(description),
            left: Vec::new(),
        }))
    }

    fn write(&self, upgrade: &Upgrade) -> Result<(), PlatformError> {
        let path = self.path(&upgrade.link);
        let refused = |error: io::Error| PlatformError::Refused {
            place: path.display().to_string(),
            action: "written",
            source: error.into(),
        };
        let existing = match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                fs::create_dir_all(&self.directory).map_err(refused)?;
                None
            }
            Err(error) => return Err(refused(error)),
            Ok(metadata) if !metadata.is_file() => {
                let what = "it is not a file, and katkit does not replace anything else".to_owned();
                return Err(unreadable(&upgrade.link, &path, what));
            }
            Ok(metadata) => Some(metadata),
        };
        mark::set(&path, &upgrade.link, &upgrade.formerly)?;
        let expected = upgrade.description.as_bytes();
        if existing.is_some() && read(&upgrade.link, &path).is_ok_and(|(text, _)| text == expected) {
            return Ok(());
        }
        remove_unfinished(&path, &upgrade.link).map_err(refused)?;
        replace(&path, upgrade, existing.as_ref()).map_err(refused)
    }

    fn read_back(&self, upgrade: &Upgrade) -> Result<RollEnd, PlatformError> {
        let path = self.path(&upgrade.link);
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let by = format!("someone who removed {}", path.display());
                return Ok(RollEnd { outcome: DeployOutcome::Superseded { by }, revision: String::new() });
            }
            _ => {}
        }
        let (text, metadata) = read(&upgrade.link, &path)?;
        let outcome = if text == upgrade.description.as_bytes() {
            DeployOutcome::Deployed
        } else {
            DeployOutcome::Superseded { by: format!("someone who wrote {}", path.display()) }
        };
        Ok(RollEnd { outcome, revision: revision(&text, &metadata) })
    }
}

#[async_trait]
impl Platform for FilePlatform {
    async fn observe(&self, targets: &[Target<'_>]) -> Vec<Result<Observation, PlatformError>> {
        // Never closed; even if it were, more parallelism would do no harm.
        let _turn = TURNS.acquire().await;
        let own = |target: &Target<'_>| {
            (target.link.clone(), target.formerly.to_vec(), target.known.map(str::to_owned))
        };
        let owned: Vec<_> = targets.iter().map(own).collect();
        let platform = self.clone();
        // One thread hop for all: each observation is a single system call, cheaper than the hop.
        let observed = spawn_blocking(move || {
            let all = owned
                .iter()
                .map(|(link, formerly, known)| platform.observe_one(link, formerly, known.as_deref()));
            all.collect::<Vec<_>>()
        });
        match observed.await {
            Ok(observed) => observed,
            Err(error) => {
                let each = |target: &Target<'_>| Err(crashed(&self.path(target.link), "read", &error));
                targets.iter().map(each).collect()
            }
        }
    }

    async fn upgrade(
        &self,
        upgrade: &Upgrade,
        fencing: &dyn FencingCheck,
    ) -> Result<DeploymentName, PlatformError> {
        fencing.check().await?;
        let (platform, order) = (self.clone(), upgrade.clone());
        let written = spawn_blocking(move || platform.write(&order)).await;
        written.map_err(|error| crashed(&self.path(&upgrade.link), "written", &error))??;
        Ok(DeploymentName(upgrade.token.to_string()))
    }

    fn goes_on_alone(&self) -> bool {
        true
    }

    async fn watch(
        &self,
        upgrade: &Upgrade,
        _deployment: &DeploymentName,
        _fencing: &dyn FencingCheck,
    ) -> Result<RollEnd, PlatformError> {
        let (platform, order) = (self.clone(), upgrade.clone());
        let read = spawn_blocking(move || platform.read_back(&order)).await;
        read.map_err(|error| crashed(&self.path(&upgrade.link), "read", &error))?
    }

    async fn resume(
        &self,
        left: InFlight<'_>,
        _fencing: &dyn FencingCheck,
    ) -> Result<Option<RollEnd>, PlatformError> {
        let (link, formerly) = (left.link, left.formerly);
        let target = Target { link, formerly, roles: Vec::new(), images: Cow::default(), known: None };
        let observed = self.observe(&[target]).await.into_iter().next().transpose()?;
        let Some(Observation::Running(running)) = observed else { return Ok(None) };
        let took_effect = left.images.iter().all(|(role, image)| running.images.get(role) == Some(image));
        Ok(took_effect.then_some(RollEnd { outcome: DeployOutcome::Deployed, revision: running.revision }))
    }

    async fn verify(&self, target: &Target<'_>) -> Vec<Check> {
        let what = format!("service description `{}`", self.path(target.link).display());
        let observed = self.observe(std::slice::from_ref(target)).await.into_iter();
        observed.map(|observed| checked(what.clone(), observed)).collect()
    }
}

/// Removes temporary files of a process that died while writing. Only the lease holder writes for a link, so none is in
/// use.
fn remove_unfinished(path: &Path, link: &LinkId) -> io::Result<()> {
    let Some(directory) = path.parent() else { return Ok(()) };
    let prefix = format!(".{}.", link.link);
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        let token = name.to_str().and_then(|name| name.strip_prefix(&prefix));
        if token.is_some_and(|token| token.bytes().all(|byte| byte.is_ascii_hexdigit())) {
            match fs::remove_file(directory.join(&name)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}

/// Writes a temporary file and renames it: readers see the old or the new description, even after a power loss.
fn replace(path: &Path, upgrade: &Upgrade, existing: Option<&Metadata>) -> io::Result<()> {
    // Named after the token: a process presumed dead that wakes up late never renames another one's file.
    let temporary = path.with_file_name(format!(".{}.{}", upgrade.link.link, upgrade.token));
    let mut options = File::options();
    // Does not follow a symbolic link under that name.
    options
        .write(true)
        .create(true)
        .truncate(true)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed());
    let written = options.open(&temporary).and_then(|mut file| {
        file.write_all(upgrade.description.as_bytes())?;
        if let Some(existing) = existing {
            file.set_permissions(fs::Permissions::from_mode(existing.permissions().mode()))?;
        }
        file.sync_all()
    });
    if let Err(error) = written.and_then(|()| fs::rename(&temporary, path)) {
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    match path.parent() {
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

fn read(link: &LinkId, path: &Path) -> Result<(Vec<u8>, Metadata), PlatformError> {
    let mut options = File::options();
    let file = options.read(true).custom_flags(mark::no_follow()).open(path);
    let file = file.map_err(|error| unavailable(path, "read", error))?;
    let metadata = file.metadata().map_err(|error| unavailable(path, "read", error))?;
    if !metadata.is_file() {
        return Err(unreadable(link, path, "it is not a file".to_owned()));
    }
    let mut text = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut text).map_err(|error| unavailable(path, "read", error))?;
    if text.len() as u64 > LARGEST {
        return Err(unreadable(link, path, format!("it is larger than {} MiB", LARGEST >> 20)));
    }
    Ok((text, metadata))
}

/// `<digest>;<size>;<mtime in ns>;<inode>`.
fn revision(text: &[u8], metadata: &Metadata) -> String {
    let digest = Sha256::digest(text);
    let digest: String = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{digest};{}", stamp(metadata))
}

fn stamp(metadata: &Metadata) -> String {
    let time = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
    format!("{};{time};{}", metadata.len(), metadata.ino())
}

fn stamp_of(revision: &str) -> Option<&str> {
    revision.split_once(';').map(|(_, stamp)| stamp)
}

fn digest_of(revision: &str) -> Option<&str> {
    revision.split_once(';').map(|(digest, _)| digest)
}

fn unreadable(link: &LinkId, path: &Path, what: String) -> PlatformError {
    let hint = Some("fix it, or move it away: `katkit apply` restores what was deployed");
    PlatformError::Unreadable { link: link.clone(), place: path.display().to_string(), what, hint }
}

fn unavailable(path: &Path, action: &'static str, error: io::Error) -> PlatformError {
    PlatformError::Unavailable { place: path.display().to_string(), action, source: error.into() }
}

fn crashed(path: &Path, action: &'static str, error: &tokio::task::JoinError) -> PlatformError {
    unavailable(path, action, io::Error::other(error.to_string()))
}

/// Turns an observation into a check that the file can be replaced.
fn checked(what: String, observed: Result<Observation, PlatformError>) -> Check {
    match observed {
        Ok(Observation::Running(Running { images, .. })) => {
            let images: Vec<_> = images.values().map(String::as_str).collect();
            Check::good(what, format!("runs {}", images.join(", ")))
        }
        Ok(Observation::AsKnown) => Check::good(what, "is unchanged since its deployment"),
        Ok(Observation::Absent) => Check::good(what, "does not exist yet"),
        Err(error) => Check::bad(what, causes::in_one_line(&error), error.hint()),
    }
}
