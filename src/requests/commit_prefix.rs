//! Finds a recorded commit by a prefix of its sha.

use crate::domain::{CommitSha, Head};

/// Why a text does not identify a commit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitPrefixError {
    /// Anything but 4 to 40 hex digits.
    #[error("`{0}` is not a commit")]
    Invalid(String),
    /// Several recorded commits begin with it.
    #[error("`{text}` is a prefix of several commits")]
    Ambiguous {
        /// The prefix.
        text: String,
        /// The commits that begin with it, sorted.
        commits: Vec<CommitSha>,
    },
}

impl CommitPrefixError {
    /// What to write instead.
    pub fn hint(&self) -> String {
        match self {
            Self::Invalid(_) => "name a commit by its sha, or by a prefix of at least four digits".to_owned(),
            Self::Ambiguous { text: _, commits } => {
                let names: Vec<_> = commits.iter().map(|sha| format!("`{sha}`")).collect();
                format!("name one of {}", names.join(", "))
            }
        }
    }
}

/// The commit that begins with `text`, in full, among those in `head` and `others`.
///
/// `None` if no such commit is known, unless `text` is a full sha itself: then that commit, known or not.
pub fn find_commit<'a>(
    text: &str,
    head: &'a Head,
    others: impl IntoIterator<Item = &'a CommitSha>,
) -> Result<Option<CommitSha>, CommitPrefixError> {
    let text = text.to_ascii_lowercase();
    if !(4..=40).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(CommitPrefixError::Invalid(text));
    }
    let mut known: Vec<&CommitSha> = others.into_iter().collect();
    known.extend(head.deployed.iter().map(|deployed| &deployed.sha));
    known.extend(head.verified.iter().map(|evidence| &evidence.sha));
    known.extend(head.quarantined.iter().map(|quarantine| &quarantine.sha));
    known.retain(|sha| sha.as_str().starts_with(&text));
    known.sort();
    known.dedup();
    match known.as_slice() {
        [] => Ok(CommitSha::new(text).ok()),
        [one] => Ok(Some((*one).clone())),
        several => {
            let commits = several.iter().map(|&sha| sha.clone()).collect();
            Err(CommitPrefixError::Ambiguous { text, commits })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_identifies_a_known_commit_if_only_one_begins_with_it() {
        let commits = ["3f2a".repeat(10), format!("3f2b{}", "0".repeat(36))];
        let commits = commits.map(|sha| CommitSha::new(sha).unwrap());
        let find = |text: &str| find_commit(text, &Head::default(), &commits);
        assert_eq!(find("3F2B").unwrap().as_ref(), Some(&commits[1]), "in either case");
        assert_eq!(find("3f2c").unwrap(), None);
        let unknown = "3f2c".repeat(10);
        assert_eq!(find(&unknown).unwrap(), CommitSha::new(&unknown).ok());
        let long = "3f2a".repeat(11);
        for text in ["3f2", "main", "", long.as_str()] {
            assert_eq!(find(text), Err(CommitPrefixError::Invalid(text.to_owned())));
        }
    }

    #[test]
    fn an_ambiguous_prefix_is_refused_with_the_commits() {
        let commits = ["3f2a0", "3f2a1"].map(|begin| CommitSha::new(format!("{begin:0<40}")).unwrap());
        let error = find_commit("3f2a", &Head::default(), &commits).unwrap_err();
        assert_eq!(error.to_string(), "`3f2a` is a prefix of several commits");
        assert_eq!(error.hint(), format!("name one of `{}`, `{}`", commits[0], commits[1]));
    }
}
