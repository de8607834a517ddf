//! The findings of `verify` and `doctor`: one section as text, one check as JSON.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::terminal::{Style, TextStyle, hang, visible};
use crate::domain::{Check, CheckResult};
use crate::report::Section;

/// Writes the checks of a section under its title.
pub(super) fn write_section(f: &mut fmt::Formatter<'_>, section: &Section, style: Style) -> fmt::Result {
    let Section { title, checks } = section;
    writeln!(f, "{}", style.paint(TextStyle::Bold, &visible(title)))?;
    for Check { what, found } in checks {
        let what = visible(what);
        let (mark, text, fix) = match found {
            CheckResult::Good(how) => {
                (style.paint(TextStyle::Green, "ok "), format!("{what} {}", visible(how)), None)
            }
            CheckResult::Unknown(why) => {
                (style.paint(TextStyle::Dim, "?  "), format!("{what}: {}", visible(why)), None)
            }
            CheckResult::Bad { problem, fix } => {
                (style.paint(TextStyle::Red, "BAD"), format!("{what}: {}", visible(problem)), fix.as_ref())
            }
        };
        write!(f, "{}", hang(&format!("  {mark} "), 6, &text, style))?;
        if let Some(fix) = fix {
            write!(f, "{}", hang("      fix: ", 11, &visible(fix), style))?;
        }
    }
    Ok(())
}

/// One finding.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct FindingJson<'a> {
    /// What was checked.
    pub what: &'a str,
    /// The result of the check.
    pub status: CheckStatusJson,
    /// The finding as a lowercase fragment.
    pub message: &'a str,
    /// How to fix it, with commands in backticks; null if there is nothing to fix.
    pub fix: Option<&'a str>,
}

impl<'a> From<&'a Check> for FindingJson<'a> {
    fn from(Check { what, found }: &'a Check) -> Self {
        let (status, message, fix) = match found {
            CheckResult::Good(how) => (CheckStatusJson::Ok, how, None),
            CheckResult::Unknown(why) => (CheckStatusJson::Unknown, why, None),
            CheckResult::Bad { problem, fix } => (CheckStatusJson::Problem, problem, fix.as_deref()),
        };
        Self { what, status, message, fix }
    }
}

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckStatusJson {
    /// No problem, but worth knowing.
    Ok,
    /// Cannot be determined yet, or cannot be fixed.
    Unknown,
    /// A problem to fix.
    Problem,
}
