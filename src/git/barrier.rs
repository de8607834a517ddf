//! Finds commits that say that they must not be undone.

use git2::{Commit, Repository};

use super::history::between;
use super::object::Objects;
use super::repository_location::RepositoryLocation;
use super::{GitError, object, open};
use crate::domain::CommitSha;

/// What the line begins with.
const KEY: &[u8] = b"katkit-rollback";

/// See [`super::Repositories::barrier`].
pub(super) fn barrier(
    repository: &Repository,
    place: &RepositoryLocation,
    from: &CommitSha,
    to: &CommitSha,
) -> Result<Option<CommitSha>, GitError> {
    let objects = Objects::new(repository, place)?;
    let (from, to) = (open::commit(repository, place, from)?, open::commit(repository, place, to)?);
    for id in between(&objects, &[from], &to)? {
        if says_no(&objects.commit(id)?) {
            return Ok(Some(object::sha(id)));
        }
    }
    Ok(None)
}

/// Every line counts, not only those of the last paragraph: a squash moves the messages of its commits into the middle,
/// and what is missed would be undone.
fn says_no(commit: &Commit<'_>) -> bool {
    commit.message_bytes().split(|byte| *byte == b'\n').any(|line| {
        // A squash makes a list of messages.
        let line = line.trim_ascii();
        let line = line.strip_prefix(b"* ").or(line.strip_prefix(b"- ")).unwrap_or(line);
        let mut parts = line.splitn(2, |byte| *byte == b':').map(<[u8]>::trim_ascii);
        let is_key = parts.next().is_some_and(|key| key.eq_ignore_ascii_case(KEY));
        // Something may follow the word.
        let word = parts.next().and_then(|value| value.split(|byte| !byte.is_ascii_alphanumeric()).next());
        is_key && word.is_some_and(|word| word.eq_ignore_ascii_case(b"no"))
    })
}
