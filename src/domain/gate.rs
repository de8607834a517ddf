//! The conditions of deployments that an actor can override.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::enumerated;

/// A condition of deployments that an actor can override.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GateName {
    /// The stages before have verified the commit.
    Verified,
    /// It has soaked there.
    Soak,
    /// It has the approvals that the policy requires.
    Approvals,
    /// Every commit that it adds was reviewed and checked, as the policy requires.
    Review,
    /// No freeze is in force.
    Freeze,
    /// A window for deployments is open.
    Windows,
    /// Fewer deployments have begun that day than the policy allows.
    MaxPerDay,
}

impl GateName {
    /// Its name on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Soak => "soak",
            Self::Approvals => "approvals",
            Self::Review => "review",
            Self::Freeze => "freeze",
            Self::Windows => "windows",
            Self::MaxPerDay => "max-per-day",
        }
    }

    /// Whether a commit for which it is waived owes it. The others hold the next commit by themselves.
    pub fn leaves_debt(self) -> bool {
        match self {
            Self::Verified | Self::Soak | Self::Approvals | Self::Review => true,
            Self::Freeze | Self::Windows | Self::MaxPerDay => false,
        }
    }

    /// A list of gates: `verified, soak and freeze`.
    pub fn list(gates: &[Self]) -> String {
        let words: Vec<_> = gates.iter().map(|gate| format!("`{gate}`")).collect();
        enumerated(&words)
    }
}

impl fmt::Display for GateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
