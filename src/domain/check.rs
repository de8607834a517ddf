//! One check of something katkit depends on.

/// A check and its result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was checked: "cluster `dev`".
    pub what: String,
    /// The result.
    pub found: CheckResult,
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckResult {
    /// Healthy; the text may add a detail.
    Good(String),
    /// Shows only in use; the text says why.
    Unknown(String),
    /// There is a problem.
    Bad {
        /// What is wrong.
        problem: String,
        /// How to fix it, if known.
        fix: Option<String>,
    },
}

impl Check {
    /// A healthy result.
    pub fn good(what: impl Into<String>, how: impl Into<String>) -> Self {
        Self { what: what.into(), found: CheckResult::Good(how.into()) }
    }

    /// A result that shows only in use.
    pub fn unknown(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), found: CheckResult::Unknown(why.into()) }
    }

    /// A problem.
    pub fn bad(what: impl Into<String>, problem: impl Into<String>, fix: impl Into<Option<String>>) -> Self {
        Self { what: what.into(), found: CheckResult::Bad { problem: problem.into(), fix: fix.into() } }
    }

    /// Whether there is a problem to fix.
    pub fn is_bad(&self) -> bool {
        matches!(self.found, CheckResult::Bad { .. })
    }
}
