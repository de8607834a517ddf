//! Errors that keep a phase from receiving a secret.

use crate::domain::PhaseSpec;

/// Why a secret cannot be passed to a phase.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The secret could not be read; the text says why.
    #[error("{0}")]
    Unreadable(String),
    /// The value does not fit into an environment variable.
    #[error(
        "secret `{name}`: its value has {size} bytes, but Linux allows {most} in a variable of that name"
    )]
    TooLarge {
        /// Name of the variable.
        name: String,
        /// Size of the value in bytes.
        size: u64,
        /// Largest size allowed in bytes.
        most: u64,
    },
}

impl SecretError {
    /// Rejects a value of `size` bytes if it does not fit into the variable `name`.
    pub fn check_size(name: &str, size: u64) -> Result<(), Self> {
        let most = (PhaseSpec::LONGEST_VARIABLE - 1).saturating_sub(name.len()) as u64;
        if size > most { Err(Self::TooLarge { name: name.to_owned(), size, most }) } else { Ok(()) }
    }

    /// What the user can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "secrets are read where `apply` runs: set the variable or write the file",
            Self::TooLarge { .. } => {
                "keep it in a store that the phase reads from, or split it into several secrets"
            }
        }
    }
}
