//! The result of `katkit verify`, as text and as JSON.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::findings::{FindingJson, write_section};
use super::json::KATKIT_VERSION;
use super::terminal::Style;
use crate::report::{Section, Verification};

/// The findings as text, each problem with its fix.
#[derive(Clone, Copy, Debug)]
pub struct VerificationText<'a> {
    /// The findings.
    pub verification: &'a Verification,
    /// Width and colour.
    pub style: Style,
}

impl fmt::Display for VerificationText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verification, style } = *self;
        verification.sections.iter().try_for_each(|section| write_section(f, section, style))?;
        match verification.problems() {
            0 => writeln!(f, "no problems found"),
            1 => writeln!(f, "1 problem"),
            many => writeln!(f, "{many} problems"),
        }
    }
}

/// The checks of everything that links depend on, made before anything runs or is deployed.
///
/// The first number of `format_version` rises when something is removed or changes meaning, the second when something
/// is added; readers ignore keys and words they do not know. Absent values are null, never left out.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "katkit verify")]
pub struct VerificationJson<'a> {
    /// The version of this format.
    #[schemars(regex(pattern = r"^2\.[0-9]+$"))]
    pub format_version: &'static str,
    /// The katkit version that wrote this document.
    pub katkit_version: &'static str,
    /// The number of problems; the exit code is 0 if there are none.
    pub problems: usize,
    /// The checks by subject.
    pub sections: Vec<VerifiedJson<'a>>,
}

/// The checks of one subject.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct VerifiedJson<'a> {
    /// The subject: `state and blobs`, `fleet NAME` or `tenant/link`.
    pub title: &'a str,
    /// The findings.
    pub findings: Vec<FindingJson<'a>>,
}

impl<'a> VerificationJson<'a> {
    /// The format version this build writes.
    pub const FORMAT_VERSION: &'static str = "2.0";

    /// The document for these findings.
    pub fn new(verification: &'a Verification) -> Self {
        let Verification { sections } = verification;
        let section = |Section { title, checks }: &'a Section| VerifiedJson {
            title,
            findings: checks.iter().map(FindingJson::from).collect(),
        };
        Self {
            format_version: Self::FORMAT_VERSION,
            katkit_version: KATKIT_VERSION,
            problems: verification.problems(),
            sections: sections.iter().map(section).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Check;
    use insta::assert_snapshot;

    #[test]
    fn a_problem_comes_with_its_fix() {
        let checks = vec![
            Check::good("cluster `dev`", "is active"),
            Check::unknown("`task-role`", "shows when a task is run"),
            Check::bad("service `web`", "is draining", "create it again".to_owned()),
        ];
        let verification = Verification { sections: vec![Section { title: "dev/shop".into(), checks }] };
        let text = VerificationText { verification: &verification, style: Style::default() };
        assert_snapshot!(text.to_string(), @r"
        dev/shop
          ok  cluster `dev` is active
          ?   `task-role`: shows when a task is run
          BAD service `web`: is draining
              fix: create it again
        1 problem
        ");
        let json = serde_json::to_value(VerificationJson::new(&verification)).unwrap();
        assert_eq!(json["format_version"], "2.0");
        let findings = &json["sections"][0]["findings"];
        assert_eq!(
            (&findings[2]["status"], &findings[2]["fix"]),
            (&"problem".into(), &"create it again".into())
        );
        assert!(findings[0]["fix"].is_null() && findings[0].get("fix").is_some(), "{json}");
    }
}
