//! What `katkit verify` found, for people and for programs.

use std::fmt;

use serde::Serialize;

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
            0 => writeln!(f, "nothing stands in the way, as far as it can be known"),
            1 => writeln!(f, "1 thing must be put right"),
            many => writeln!(f, "{many} things must be put right"),
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

/// For programs.
#[derive(Debug, Serialize)]
pub struct VerificationJson<'a> {
    /// The version of this format.
    pub version: u32,
    /// How many things must be put right.
    pub bad: usize,
    /// What was looked at.
    pub sections: Vec<SectionJson<'a>>,
}

/// What was looked at of one thing.
#[derive(Debug, Serialize)]
pub struct SectionJson<'a> {
    /// Of what.
    pub title: &'a str,
    /// What was found.
    pub checks: Vec<CheckJson<'a>>,
}

/// One check.
#[derive(Debug, Serialize)]
pub struct CheckJson<'a> {
    /// What was looked at.
    pub what: &'a str,
    /// `good`, `unknown` or `bad`.
    pub found: &'static str,
    /// In words.
    pub text: &'a str,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<&'a str>,
}

impl<'a> VerificationJson<'a> {
    /// The document.
    pub fn new(verification: &'a Verification) -> Self {
        let check = |Check { what, found }: &'a Check| {
            let (found, text, fix) = match found {
                Found::Good(how) => ("good", how, None),
                Found::Unknown(why) => ("unknown", why, None),
                Found::Bad { problem, fix } => ("bad", problem, fix.as_deref()),
            };
            CheckJson { what, found, text, fix }
        };
        let section = |section: &'a Section| SectionJson {
            title: &section.title,
            checks: section.checks.iter().map(check).collect(),
        };
        Self {
            version: 1,
            bad: verification.bad(),
            sections: verification.sections.iter().map(section).collect(),
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
        1 thing must be put right
        ");
        let json = serde_json::to_value(VerificationJson::new(&verification)).unwrap();
        assert_eq!(json["sections"][0]["checks"][2]["fix"], "create it again");
    }
}
