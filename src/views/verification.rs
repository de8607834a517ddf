//! What `katkit verify` found, for people and for programs.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::diagnosis::FindingJson;
use super::json::KATKIT_VERSION;
use super::terminal::{Ink, Style, hang, visible};
use crate::domain::{Check, Found};
use crate::report::{Section, Verification};

/// For people: each thing with what was found, and what to do where something is wrong.
#[derive(Clone, Copy, Debug)]
pub struct VerificationText<'a> {
    /// What was found.
    pub verification: &'a Verification,
    /// How it is written.
    pub style: Style,
}

impl fmt::Display for VerificationText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verification, style } = *self;
        verification.sections.iter().try_for_each(|section| write_section(f, section, style))?;
        match verification.bad() {
            0 => writeln!(f, "no problems found"),
            1 => writeln!(f, "1 problem"),
            many => writeln!(f, "{many} problems"),
        }
    }
}

/// What was looked at of one thing, under its title.
pub(super) fn write_section(f: &mut fmt::Formatter<'_>, section: &Section, style: Style) -> fmt::Result {
    let Section { title, checks } = section;
    writeln!(f, "{}", style.paint(Ink::Bold, &visible(title)))?;
    for Check { what, found } in checks {
        let what = visible(what);
        let (mark, text, fix) = match found {
            Found::Good(how) => (style.paint(Ink::Green, "ok "), format!("{what} {}", visible(how)), None),
            Found::Unknown(why) => (style.paint(Ink::Dim, "?  "), format!("{what}: {}", visible(why)), None),
            Found::Bad { problem, fix } => {
                (style.paint(Ink::Red, "BAD"), format!("{what}: {}", visible(problem)), fix.as_ref())
            }
        };
        write!(f, "{}", hang(&format!("  {mark} "), 6, &text, style))?;
        if let Some(fix) = fix {
            write!(f, "{}", hang("      fix: ", 11, &visible(fix), style))?;
        }
    }
    Ok(())
}

/// What was found where everything that links depend on was looked at, before something is run or deployed.
///
/// The first number of `format_version` rises when something is removed or changes its meaning, the second when something
/// is added: a reader ignores the keys and words that it does not know. What has no value is null, never left out.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "katkit verify")]
pub struct VerificationJson<'a> {
    /// The version of this format.
    #[schemars(regex(pattern = r"^1\.[0-9]+$"))]
    pub format_version: &'static str,
    /// The version of the program that wrote it.
    pub katkit_version: &'static str,
    /// How many problems there are: the exit code is 0 where that is none.
    pub bad: usize,
    /// What was looked at.
    pub sections: Vec<VerifiedJson<'a>>,
}

/// What was looked at of one thing.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct VerifiedJson<'a> {
    /// Of what: `state and blobs`, `fleet NAME` or `tenant/link`.
    pub title: &'a str,
    /// What was found.
    pub findings: Vec<FindingJson<'a>>,
}

impl<'a> VerificationJson<'a> {
    /// The version of the format that this build writes.
    pub const FORMAT_VERSION: &'static str = "1.0";

    /// The document.
    pub fn new(verification: &'a Verification) -> Self {
        let Verification { sections } = verification;
        let section = |Section { title, checks }: &'a Section| VerifiedJson {
            title,
            findings: checks.iter().map(FindingJson::from).collect(),
        };
        Self {
            format_version: Self::FORMAT_VERSION,
            katkit_version: KATKIT_VERSION,
            bad: verification.bad(),
            sections: sections.iter().map(section).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;

    #[test]
    fn what_is_wrong_comes_with_what_to_do() {
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
        assert_eq!(json["format_version"], "1.0");
        let findings = &json["sections"][0]["findings"];
        assert_eq!((&findings[2]["found"], &findings[2]["fix"]), (&"bad".into(), &"create it again".into()));
        assert!(findings[0]["fix"].is_null() && findings[0].get("fix").is_some(), "{json}");
    }
}
