//! One look at whether something that katkit depends on is as it must be.

/// What was looked at, and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was looked at: "cluster `dev`".
    pub what: String,
    /// What was found.
    pub found: Found,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is as it must be; perhaps with a word on how.
    Good(String),
    /// It cannot be known before it is used, and why not.
    Unknown(String),
    /// It is not as it must be.
    Bad {
        /// What is wrong.
        problem: String,
        /// What a person can do about it.
        fix: Option<String>,
    },
}

impl Check {
    /// It is as it must be.
    pub fn good(what: impl Into<String>, how: impl Into<String>) -> Self {
        Self { what: what.into(), found: Found::Good(how.into()) }
    }

    /// It is seen only when it is used.
    pub fn unknown(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), found: Found::Unknown(why.into()) }
    }

    /// It is not as it must be.
    pub fn bad(what: impl Into<String>, problem: impl Into<String>, fix: impl Into<Option<String>>) -> Self {
        Self { what: what.into(), found: Found::Bad { problem: problem.into(), fix: fix.into() } }
    }

    /// Whether something must be done.
    pub fn is_bad(&self) -> bool {
        matches!(self.found, Found::Bad { .. })
    }
}
