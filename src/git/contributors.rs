//! Whose work commits are.

use git2::{Commit, Repository};

use super::history::between;
use super::object::Objects;
use super::repository_location::RepositoryLocation;
use super::{GitError, open};
use crate::domain::{CommitSha, Contributors};

/// See [`super::Repositories::contributors`].
pub(super) fn contributors(
    repository: &Repository,
    place: &RepositoryLocation,
    from: Option<&CommitSha>,
    to: &CommitSha,
) -> Result<(String, Contributors), GitError> {
    let objects = Objects::new(repository, place)?;
    let to = open::commit(repository, place, to)?;
    let from = match from {
        Some(from) => Some(open::commit(repository, place, from)?),
        None => to.parent_ids().next().map(|parent| objects.commit(parent)).transpose()?,
    };
    let mut found = Contributors::default();
    // Without a parent, only the commit itself.
    let ids = if from.is_none() { vec![to.id()] } else { between(&objects, from.as_slice(), &to)? };
    for id in ids {
        add(&mut found, &objects.commit(id)?);
    }
    Ok((to.tree_id().to_string(), found))
}

fn add(found: &mut Contributors, commit: &Commit<'_>) {
    let address = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_lowercase();
    let author = address(commit.author().email_bytes());
    found.committers.insert(address(commit.committer().email_bytes()));
    if commit.parent_count() > 1 {
        found.mergers.insert(author);
        return;
    }
    found.authors.insert(author);
    // Every such line counts, not only those in the last paragraph: libgit2 ends a message at a line `---`, and what is
    // missed would let co-authors approve their own work.
    // A line that begins with a blank continues the one before it.
    let message = String::from_utf8_lossy(commit.message_bytes()).replace("\r\n", "\n");
    let message = message.replace("\n ", " ").replace("\n\t", " ");
    for (key, who) in message.lines().filter_map(|line| line.split_once(':')) {
        // A trailer without an address names nobody whom an approver could be compared with.
        if key.trim().eq_ignore_ascii_case("co-authored-by")
            && let Some((_, rest)) = who.rsplit_once('<')
            && let Some((email, _)) = rest.split_once('>')
        {
            found.authors.insert(address(email.as_bytes()));
        }
    }
}
