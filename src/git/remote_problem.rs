//! Failures of a remote, or of the connection to it.

use std::fmt;

use super::error::elsewhere;
use super::repository_location;

/// How a remote, or the connection to it, failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoteProblem {
    /// Missing, wrong or insufficient credentials.
    Authentication,
    /// The repository does not exist, or these credentials cannot see it.
    NotFound,
    /// An ssh host that is not in `known_hosts`.
    UnknownHost,
    /// An ssh host whose key differs from the one in `known_hosts`.
    ChangedHost,
    /// A host name that does not resolve.
    Resolve,
    /// Nothing listens there, or there is no route.
    Unreachable,
    /// No answer in time.
    TimedOut,
    /// A TLS certificate that no trusted authority signed.
    Certificate,
    /// This machine's disk is full.
    DiskFull,
    /// This `git` lacks the program for the URL's protocol.
    Protocol,
    /// The user's own git settings forbid a protocol.
    Forbidden,
    /// The mirror itself is broken.
    Damaged,
    /// `git` printed more output or messages than the limit, and was killed.
    TooMuch,
    /// The repository does not serve this object.
    NotOurs,
    /// Anything else; the messages of `git` have to explain it.
    Other,
}

/// The messages of `git`, without control characters and passwords, cut to a few lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitOutput(pub String);

impl fmt::Display for GitOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "git gave no reason" } else { &self.0 })
    }
}

impl std::error::Error for GitOutput {}

impl fmt::Display for RemoteProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Authentication => "access was denied",
            Self::NotFound => "the repository was not found",
            Self::UnknownHost => "the host is unknown: its ssh key could not be verified",
            Self::ChangedHost => "the host's ssh key differs from the known one",
            Self::Resolve => "the host name could not be resolved",
            Self::Unreachable => "the host could not be reached",
            Self::TimedOut => "the host did not answer in time",
            Self::Certificate => "the TLS certificate of the host is not trusted",
            Self::DiskFull => "the disk is full",
            Self::Forbidden => {
                "git's settings forbid the protocol of a URL (`protocol.file.allow`, for submodules at local paths)"
            }
            Self::Protocol => "this git does not support the protocol of the URL",
            Self::Damaged => "its mirror is damaged",
            Self::TooMuch => {
                "git printed more than the limit (64 MiB, and 1 MiB of messages) and was killed"
            }
            Self::NotOurs => "the repository does not serve this commit",
            Self::Other => "git failed",
        })
    }
}

impl RemoteProblem {
    /// How a user can fix it, for this repository.
    pub(super) fn hint(self, place: &str) -> Option<String> {
        let host = repository_location::host(place).unwrap_or("HOST");
        Some(match self {
            Self::Authentication => format!(
                "check that `git ls-remote {place}` works without a prompt: a credential helper for https, a key in \
                 ssh-agent or without a passphrase for ssh"
            ),
            Self::NotFound => "check the URL, and that these credentials may read the repository".to_owned(),
            Self::UnknownHost => format!(
                "compare the key with the one its owner publishes, then: ssh-keyscan {host} >> ~/.ssh/known_hosts"
            ),
            Self::ChangedHost => format!(
                "someone may be listening in; if the key changed on purpose: ssh-keygen -R {host}, then add the new one"
            ),
            Self::Resolve => "check the host name, and this machine's network".to_owned(),
            Self::Unreachable | Self::TimedOut => {
                format!("check that {host} is up, and any proxy or firewall in between")
            }
            Self::Certificate => {
                "if the host uses a private certificate authority: git config --global http.sslCAInfo FILE"
                    .to_owned()
            }
            Self::DiskFull => elsewhere("make room there"),
            Self::Forbidden => {
                "use a URL with another protocol, or allow this one in git; for a phase, by its variables: \
                 GIT_CONFIG_COUNT=1, GIT_CONFIG_KEY_0=protocol.file.allow, GIT_CONFIG_VALUE_0=always"
                    .to_owned()
            }
            Self::Protocol => "install the git package that supports it, or use another URL".to_owned(),
            Self::Damaged => "remove the mirror from the cache directory; it will be recreated".to_owned(),
            Self::TooMuch => format!("check what `git ls-remote {place}` prints: its host sends it"),
            Self::NotOurs | Self::Other => return None,
        })
    }
}
