//! What came from the remote side, or from the way to it.

use std::fmt;

use super::error::elsewhere;
use super::place;

/// What kind of no came from the remote side, or from the way to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// No credentials, wrong ones, or not allowed.
    Authentication,
    /// No such repository, or none that may be seen.
    NotFound,
    /// An ssh host that is not in `known_hosts`.
    UnknownHost,
    /// An ssh host whose key is not the one in `known_hosts`.
    ChangedHost,
    /// A name without an address.
    Resolve,
    /// Nobody listens there, or no route leads there.
    Unreachable,
    /// No answer in time.
    TimedOut,
    /// A TLS certificate that nobody trusted vouches for.
    Certificate,
    /// No room on this machine's disk.
    DiskFull,
    /// This `git` lacks the program that speaks the URL's protocol.
    Protocol,
    /// The user's own settings keep `git` from a protocol.
    Forbidden,
    /// The mirror itself is broken.
    Damaged,
    /// It sent more words or names than anybody reads, and was not listened to any longer.
    TooMuch,
    /// The repository does not give this object out.
    NotOurs,
    /// Anything else; what `git` said has to do.
    Other,
}

/// What `git` said: cleaned of control characters and passwords, and cut to a few lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said(pub String);

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "git said nothing about why" } else { &self.0 })
    }
}

impl std::error::Error for Said {}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Authentication => "access was denied",
            Self::NotFound => "the repository was not found",
            Self::UnknownHost => "the host is unknown: its ssh key could not be verified",
            Self::ChangedHost => "the host's ssh key is not the one that is known",
            Self::Resolve => "the host name could not be resolved",
            Self::Unreachable => "the host could not be reached",
            Self::TimedOut => "there was no answer in time",
            Self::Certificate => "the TLS certificate of the host is not trusted",
            Self::DiskFull => "the disk is full",
            Self::Forbidden => {
                "git's settings forbid the protocol of a URL (`protocol.file.allow`, for submodules at local paths)"
            }
            Self::Protocol => "this git does not speak the protocol of the URL",
            Self::Damaged => "the mirror of it is damaged",
            Self::TooMuch => {
                "git printed more than is read of it (64 MiB, and 1 MiB of messages), and was ended"
            }
            Self::NotOurs => "the repository does not give this commit out",
            Self::Other => "git failed",
        })
    }
}

impl Trouble {
    /// What a person can do about it, for this repository.
    pub(super) fn hint(self, place: &str) -> Option<String> {
        let host = place::host(place).unwrap_or("HOST");
        Some(match self {
            Self::Authentication => format!(
                "check that `git ls-remote {place}` works without asking: a credential helper for https, a key in \
                 ssh-agent or without a passphrase for ssh"
            ),
            Self::NotFound => "check the URL, and that these credentials may read the repository".to_owned(),
            Self::UnknownHost => format!(
                "compare the key with what its owner publishes and add it: ssh-keyscan {host} >> ~/.ssh/known_hosts"
            ),
            Self::ChangedHost => format!(
                "someone may be listening in; if the key was changed on purpose: ssh-keygen -R {host}, then add it anew"
            ),
            Self::Resolve => "check the host's name, and this machine's network".to_owned(),
            Self::Unreachable | Self::TimedOut => {
                format!("check that {host} is up, and the proxy or firewall on the way")
            }
            Self::Certificate => {
                "if the host has a certificate authority of its own: git config --global http.sslCAInfo FILE"
                    .to_owned()
            }
            Self::DiskFull => elsewhere("make room there"),
            Self::Forbidden => {
                "use a URL of another protocol, or allow it to git; for a phase, by its variables: \
                 GIT_CONFIG_COUNT=1, GIT_CONFIG_KEY_0=protocol.file.allow, GIT_CONFIG_VALUE_0=always"
                    .to_owned()
            }
            Self::Protocol => "install the git package that brings it, or use another URL".to_owned(),
            Self::Damaged => "remove the mirror from the cache directory; it is made again".to_owned(),
            Self::TooMuch => format!("see what `git ls-remote {place}` prints: its host sends it"),
            Self::NotOurs | Self::Other => return None,
        })
    }
}
