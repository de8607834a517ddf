//! The result of `katkit doctor`, as text and as JSON.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::findings::{FindingJson, write_section};
use super::json::KATKIT_VERSION;
use super::terminal::Style;
use crate::report::{Diagnosis, Section};

/// The findings as text, each problem with its fix, and the number of healthy links.
#[derive(Clone, Copy, Debug)]
pub struct DiagnosisText<'a> {
    /// The findings.
    pub diagnosis: &'a Diagnosis,
    /// Width and colour.
    pub style: Style,
}

impl fmt::Display for DiagnosisText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { diagnosis, style } = *self;
        let Diagnosis { sections, healthy } = diagnosis;
        sections.iter().try_for_each(|section| write_section(f, section, style))?;
        match healthy {
            0 => {}
            1 => writeln!(f, "1 link is healthy")?,
            many => writeln!(f, "{many} links are healthy")?,
        }
        match diagnosis.problems() {
            0 => writeln!(f, "no problems found"),
            1 => writeln!(f, "1 problem"),
            many => writeln!(f, "{many} problems"),
        }
    }
}

/// The findings from comparing the record with its journals, the fleets, the running services and the blob store.
///
/// The first number of `format_version` rises when something is removed or changes meaning, the second when something
/// is added; readers ignore keys and words they do not know. Absent values are null, never left out.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "katkit doctor")]
pub struct DiagnosisJson<'a> {
    /// The version of this format.
    #[schemars(regex(pattern = r"^2\.[0-9]+$"))]
    pub format_version: &'static str,
    /// The katkit version that wrote this document.
    pub katkit_version: &'static str,
    /// The number of problems; the exit code is 0 if there are none.
    pub problems: usize,
    /// The number of checked links without findings.
    pub healthy: usize,
    /// The findings by subject.
    pub sections: Vec<DiagnosedJson<'a>>,
}

/// The findings about one subject.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DiagnosedJson<'a> {
    /// The subject: `tenant/link`, `fleet NAME`, `blobs`, `this machine` or `state`.
    pub title: &'a str,
    /// The findings.
    pub findings: Vec<FindingJson<'a>>,
}

impl<'a> DiagnosisJson<'a> {
    /// The format version this build writes.
    pub const FORMAT_VERSION: &'static str = "2.0";

    /// The document for these findings.
    pub fn new(diagnosis: &'a Diagnosis) -> Self {
        let Diagnosis { sections, healthy } = diagnosis;
        let section = |Section { title, checks }: &'a Section| DiagnosedJson {
            title,
            findings: checks.iter().map(FindingJson::from).collect(),
        };
        Self {
            format_version: Self::FORMAT_VERSION,
            katkit_version: KATKIT_VERSION,
            problems: diagnosis.problems(),
            healthy: *healthy,
            sections: sections.iter().map(section).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::Check;
    use insta::assert_snapshot;

    use super::*;

    fn shown(diagnosis: &Diagnosis) -> String {
        DiagnosisText { diagnosis, style: Style::default() }.to_string()
    }

    #[test]
    fn healthy_links_are_only_counted() {
        let checks = vec![
            Check::good("its lease", "is held by ana (process 7 on builder), which is alive"),
            Check::bad(
                "attempt 1 of `build`",
                "is recorded as in flight, but its service is gone from the fleet `local`",
                "`katkit apply` determines its outcome".to_owned(),
            ),
            Check::unknown("what is running", "the cluster does not answer\u{1b}[2J"),
        ];
        let sections = vec![Section { title: "dev/shop".to_owned(), checks }];
        assert_snapshot!(shown(&Diagnosis { sections, healthy: 497 }), @r"
        dev/shop
          ok  its lease is held by ana (process 7 on builder), which is alive
          BAD attempt 1 of `build`: is recorded as in flight, but its service is gone
              from the fleet `local`
              fix: `katkit apply` determines its outcome
          ?   what is running: the cluster does not answer␛[2J
        497 links are healthy
        1 problem
        ");
        assert_snapshot!(shown(&Diagnosis { sections: Vec::new(), healthy: 1 }), @r"
        1 link is healthy
        no problems found
        ");
    }
}
