//! What `katkit doctor` found, for people and for programs.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::json::KATKIT_VERSION;
use super::terminal::Style;
use super::verification::write_section;
use crate::domain::{Check, Found};
use crate::report::{Diagnosis, Section};

/// For people: what there is to say, with what mends it, and how many links there is nothing to say about.
#[derive(Clone, Copy, Debug)]
pub struct DiagnosisText<'a> {
    /// What was found.
    pub diagnosis: &'a Diagnosis,
    /// How it is written.
    pub style: Style,
}

impl fmt::Display for DiagnosisText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { diagnosis, style } = *self;
        let Diagnosis { sections, sound } = diagnosis;
        sections.iter().try_for_each(|section| write_section(f, section, style))?;
        match sound {
            0 => {}
            1 => writeln!(f, "1 link is healthy")?,
            many => writeln!(f, "{many} links are healthy")?,
        }
        match diagnosis.bad() {
            0 => writeln!(f, "no problems found"),
            1 => writeln!(f, "1 problem"),
            many => writeln!(f, "{many} problems"),
        }
    }
}

/// What was found where the record was held against its journals, the fleets, what runs and the blob store.
///
/// The first number of `format_version` rises when something is removed or changes its meaning, the second when something
/// is added: a reader ignores the keys and words that it does not know. What has no value is null, never left out.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "katkit doctor")]
pub struct DiagnosisJson<'a> {
    /// The version of this format.
    #[schemars(regex(pattern = r"^1\.[0-9]+$"))]
    pub format_version: &'static str,
    /// The version of the program that wrote it.
    pub katkit_version: &'static str,
    /// How many problems there are: the exit code is 0 where that is none.
    pub bad: usize,
    /// How many links were looked at and there is nothing to say about.
    pub sound: usize,
    /// What there is something to say about.
    pub sections: Vec<DiagnosedJson<'a>>,
}

/// What there is to say about one thing.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DiagnosedJson<'a> {
    /// About what: `tenant/link`, `fleet NAME`, `blobs`, `this machine` or `state`.
    pub title: &'a str,
    /// What was found.
    pub findings: Vec<FindingJson<'a>>,
}

/// One finding.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct FindingJson<'a> {
    /// What was looked at.
    pub what: &'a str,
    /// In a word.
    pub found: FoundJson,
    /// In a sentence: a lowercase fragment.
    pub message: &'a str,
    /// What mends it; where a command does so, it stands in backquotes.
    pub fix: Option<&'a str>,
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FoundJson {
    /// It is as it should be, and worth knowing.
    Good,
    /// It cannot be known yet, or not be mended.
    Unknown,
    /// It must be mended.
    Bad,
}

impl<'a> DiagnosisJson<'a> {
    /// The version of the format that this build writes.
    pub const FORMAT_VERSION: &'static str = "1.0";

    /// The document.
    pub fn new(diagnosis: &'a Diagnosis) -> Self {
        let Diagnosis { sections, sound } = diagnosis;
        let section = |Section { title, checks }: &'a Section| DiagnosedJson {
            title,
            findings: checks.iter().map(FindingJson::from).collect(),
        };
        Self {
            format_version: Self::FORMAT_VERSION,
            katkit_version: KATKIT_VERSION,
            bad: diagnosis.bad(),
            sound: *sound,
            sections: sections.iter().map(section).collect(),
        }
    }
}

impl<'a> From<&'a Check> for FindingJson<'a> {
    fn from(Check { what, found }: &'a Check) -> Self {
        let (found, message, fix) = match found {
            Found::Good(how) => (FoundJson::Good, how, None),
            Found::Unknown(why) => (FoundJson::Unknown, why, None),
            Found::Bad { problem, fix } => (FoundJson::Bad, problem, fix.as_deref()),
        };
        Self { what, found, message, fix }
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn shown(diagnosis: &Diagnosis) -> String {
        DiagnosisText { diagnosis, style: Style::default() }.to_string()
    }

    #[test]
    fn many_sound_links_are_one_line_beside_the_few_that_are_not() {
        let checks = vec![
            Check::good("its lease", "is held by ana (process 7 on builder), which is alive"),
            Check::bad(
                "attempt 1 at `build`",
                "is in flight on record, and its service is gone from the fleet `local`",
                "`katkit apply` finds out how it ended".to_owned(),
            ),
            Check::unknown("what runs", "the cluster does not answer\u{1b}[2J"),
        ];
        let sections = vec![Section { title: "dev/shop".to_owned(), checks }];
        assert_snapshot!(shown(&Diagnosis { sections, sound: 497 }), @r"
        dev/shop
          ok  its lease is held by ana (process 7 on builder), which is alive
          BAD attempt 1 at `build`: is in flight on record, and its service is gone from
              the fleet `local`
              fix: `katkit apply` finds out how it ended
          ?   what runs: the cluster does not answer␛[2J
        497 links are healthy
        1 problem
        ");
        assert_snapshot!(shown(&Diagnosis { sections: Vec::new(), sound: 1 }), @r"
        1 link is healthy
        no problems found
        ");
    }
}
