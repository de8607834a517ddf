//! Why a phase cannot be given the value of a secret.

use crate::domain::PhaseSpec;

/// Why a phase cannot be given the value of a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// It cannot be read; a sentence says why.
    #[error("{0}")]
    Unreadable(String),
    /// No process can have it in its environment.
    #[error("secret `{name}`: its value has {size} bytes, and Linux takes {most} in a variable of that name")]
    TooLarge {
        /// The name of the variable.
        name: String,
        /// How many bytes it has.
        size: u64,
        /// How many it may have.
        most: u64,
    },
}

impl SecretError {
    /// Refuses a value of `size` bytes that no variable of that name can hold.
    pub fn check_size(name: &str, size: u64) -> Result<(), Self> {
        let most = (PhaseSpec::LONGEST_VARIABLE - 1).saturating_sub(name.len()) as u64;
        if size > most { Err(Self::TooLarge { name: name.to_owned(), size, most }) } else { Ok(()) }
    }

    /// What a person can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "secrets are read where `apply` runs: set the variable or write the file",
            Self::TooLarge { .. } => {
                "keep it in a store from which the phase fetches it, or split it into several secrets"
            }
        }
    }
}
