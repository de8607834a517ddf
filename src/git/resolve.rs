//! Resolves text that a user typed to a commit.

use std::collections::BTreeSet;

use git2::{ErrorCode, ObjectType, Reference, Repository};

use super::object::Objects;
use super::repository_location::RepositoryLocation;
use super::{GitError, object, open, tips};
use crate::domain::CommitSha;

/// A full sha takes precedence over any name. A branch, a tag and a prefix that match must all mean the same commit.
pub(super) fn resolve(
    repository: &Repository,
    place: &RepositoryLocation,
    text: &str,
) -> Result<CommitSha, GitError> {
    let full = CommitSha::new(text.to_ascii_lowercase());
    if let Ok(sha) = &full {
        match open::commit(repository, place, sha) {
            Ok(_) => return Ok(sha.clone()),
            Err(GitError::NotACommit { commit: Some(commit), .. }) => return Ok(commit),
            Err(GitError::Missing { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let mut meanings: Vec<(String, CommitSha)> = Vec::new();
    for (kind, space) in [("branch", "refs/heads/"), ("tag", "refs/tags/")] {
        if let Some(sha) = named(repository, place, &format!("{space}{text}"))? {
            meanings.push((format!("the {kind} `{text}`"), sha));
        }
    }
    if text == "HEAD"
        && matches!(place, RepositoryLocation::Local(_))
        && let Some(sha) = named(repository, place, text)?
    {
        return Ok(sha);
    }
    if text.len() < 40 && text.len() >= 4 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        let objects = Objects::new(repository, place)?;
        match objects.by_prefix(text) {
            Ok(id) => match objects.peeled(id)? {
                Some(id) => {
                    let sha = object::sha(id);
                    meanings.push((format!("the commit {sha}"), sha));
                }
                None if meanings.is_empty() => {
                    return Err(GitError::NotACommit {
                        text: text.to_owned(),
                        kind: "a file or folder",
                        commit: None,
                    });
                }
                None => {}
            },
            Err(error) if error.code() == ErrorCode::Ambiguous => {
                let all = candidates(&objects, text).map_err(|error| GitError::unreadable(place, error))?;
                match all.as_slice() {
                    // Files and folders share the digits, but only one commit does.
                    [only] => meanings.push((format!("the commit {only}"), only.clone())),
                    _ => meanings.extend(all.into_iter().map(|sha| (format!("the commit {sha}"), sha))),
                }
            }
            Err(error) if error.code() == ErrorCode::NotFound => {}
            Err(error) => return Err(GitError::unreadable(place, error)),
        }
    }
    match meanings.as_slice() {
        [] => Err(match full {
            Ok(sha) => GitError::Missing { place: place.to_string(), sha, shallow: repository.is_shallow() },
            Err(_) => GitError::Unknown {
                place: place.to_string(),
                text: text.to_owned(),
                near: tips::near(text, names(repository).iter().map(String::as_str)),
            },
        }),
        [(_, first), rest @ ..] if rest.iter().all(|(_, sha)| sha == first) => Ok(first.clone()),
        several => Err(GitError::Ambiguous {
            place: place.to_string(),
            text: text.to_owned(),
            meanings: several.iter().map(|(what, _)| what.clone()).collect(),
        }),
    }
}

/// The commit that a reference leads to; `None` if there is no such reference.
fn named(
    repository: &Repository,
    place: &RepositoryLocation,
    name: &str,
) -> Result<Option<CommitSha>, GitError> {
    if !Reference::is_valid_name(name) {
        return Ok(None);
    }
    match repository.find_reference(name).and_then(|reference| reference.resolve()) {
        Ok(reference) => Objects::new(repository, place)?.named(&reference).map(Some),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(GitError::unreadable(place, error)),
    }
}

/// Up to five commits whose ids begin with these digits.
fn candidates(objects: &Objects<'_>, prefix: &str) -> Result<Vec<CommitSha>, git2::Error> {
    let prefix = prefix.to_ascii_lowercase();
    // An object may be in several packs.
    let mut found = BTreeSet::new();
    objects.odb().foreach(|id| {
        let id = *id;
        if id.to_string().starts_with(&prefix)
            && objects.kind(id).is_ok_and(|kind| kind == ObjectType::Commit)
        {
            found.insert(object::sha(id));
        }
        found.len() < 5
    })?;
    Ok(found.into_iter().collect())
}

fn names(repository: &Repository) -> Vec<String> {
    let Ok(references) = repository.references() else { return Vec::new() };
    references
        .flatten()
        .filter(|reference| reference.is_branch() || reference.is_tag())
        .filter_map(|reference| reference.shorthand().ok().map(str::to_owned))
        .collect()
}
