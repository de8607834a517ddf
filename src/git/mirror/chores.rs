//! What keeps a mirror fast, once a fetch is done: references and packs are merged when there are many.

use std::fs::File;
use std::io::{self, ErrorKind};

use super::Mirror;
use crate::causes::in_one_line;
use crate::git::command::{FETCH, Git};
use crate::git::{GitError, RemoteProblem, bare, blocking, repack};

/// How many references may be loose before they are packed.
const LOOSE: usize = 1000;

impl Mirror {
    /// Does what is due, if the caller has fetched and so holds the lock. Problems are only logged.
    ///
    /// The caller waits: its process may end next, and nothing would limit the time of a `git` that outlives it. Others
    /// wait only if they need the lock.
    pub(super) async fn tidy(&self, git: &Git, lock: Option<File>) {
        let Some(lock) = lock else { return };
        if let Err(error) = self.pack_references(git, &lock).await {
            let error = in_one_line(&error);
            tracing::warn!(mirror = %self.directory.display(), %error, "could not pack the references of a mirror");
        }
        if let Err(error) = self.repack(git, &lock).await {
            let error = in_one_line(&error);
            tracing::warn!(mirror = %self.directory.display(), %error, "could not repack a mirror");
        }
    }

    /// Packs references into one file if there are many. A fetch writes one file for each, which costs 4 KiB and an
    /// inode.
    async fn pack_references(&self, git: &Git, lock: &File) -> Result<(), GitError> {
        let directory = self.directory.clone();
        let many = blocking(move || {
            bare::has_more_references(&directory, LOOSE)
                .map_err(|error| GitError::io("read", &directory, error))
        })
        .await?;
        if !many {
            return Ok(());
        }
        self.run(git, &["pack-refs", "--all"], lock, FETCH).await
    }

    /// Merges packs if there are many; see [`repack`].
    async fn repack(&self, git: &Git, lock: &File) -> Result<(), GitError> {
        let (directory, schedule) = (self.directory.clone(), self.schedule);
        let failed = |error| GitError::io("repacked", &self.directory, error);
        if !blocking(move || repack::is_due(&directory, schedule)).await.map_err(failed)? {
            return Ok(());
        }
        tracing::info!(mirror = %self.directory.display(), "repacking a mirror");
        match self.run(git, repack::COMMAND, lock, repack::LONGEST).await {
            Err(GitError::Remote { problem: RemoteProblem::TimedOut, .. }) => {
                let limit = format!("git took longer than {:?}", repack::LONGEST);
                Err(failed(io::Error::new(ErrorKind::TimedOut, limit)))
            }
            done => done,
        }
    }
}
