//! The files that an attempt kept.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::json::KATKIT_VERSION;
use super::{LogHeading, Style, visible};

/// A kept file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Artifact {
    /// Of which replica, from 0.
    pub replica: u32,
    /// Its path, relative to where it was kept, with `/` between its segments.
    pub path: String,
    /// In bytes.
    pub size: u64,
    /// From where anybody can read it for a while; left out unless it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// The kept files for a person: size and path.
#[derive(Clone, Copy, Debug)]
pub struct ArtifactsText<'a> {
    /// Of which attempt.
    pub heading: LogHeading<'a>,
    /// In how many replicas it ran.
    pub replicas: u32,
    /// The files, by replica and path.
    pub files: &'a [Artifact],
    /// How.
    pub style: Style,
}

impl fmt::Display for ArtifactsText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { heading, replicas, files, style: _ } = *self;
        writeln!(f, "{heading}")?;
        if files.is_empty() {
            return writeln!(
                f,
                "It kept no files; `artifacts` of a phase in the manifest says which ones to keep."
            );
        }
        for Artifact { replica, path, size, url } in files {
            let path = visible(path);
            // As `--output` writes them.
            let directory = if replicas > 1 { format!("replica-{replica}/") } else { String::new() };
            writeln!(f, "{:>10}  {directory}{path}", bytes(*size))?;
            if let Some(url) = url {
                writeln!(f, "{:>10}  {}", "", visible(url))?;
            }
        }
        let total = files.iter().map(|file| file.size).sum();
        let number = if files.len() == 1 { "1 file".to_owned() } else { format!("{} files", files.len()) };
        writeln!(f, "{:>10}  in {number}", bytes(total))
    }
}

/// The files that an attempt kept. Commits are in forty digits.
///
/// The first number of `format_version` rises when something is removed or changes its meaning, the second when something
/// is added: a reader ignores the keys that it does not know. What has no value is null, never left out.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "katkit artifacts")]
pub struct ArtifactsJson<'a> {
    /// The version of this format.
    #[schemars(regex(pattern = r"^1\.[0-9]+$"))]
    pub format_version: &'static str,
    /// The version of the program that wrote it.
    pub katkit_version: &'static str,
    /// `tenant/link`.
    pub link: String,
    /// For which commit.
    pub sha: &'a str,
    /// Of which phase.
    pub phase: &'a str,
    /// Of which attempt.
    pub attempt: u32,
    /// By replica and path.
    pub files: &'a [Artifact],
    /// The directory that they were copied into; null: they were not.
    pub copied_to: Option<String>,
    /// When what the attempt left was pruned; null: it was not.
    pub pruned: Option<String>,
}

impl<'a> ArtifactsJson<'a> {
    /// The version of the format that this build writes.
    pub const FORMAT_VERSION: &'static str = "1.1";

    /// The document for the files of an attempt.
    pub fn of(
        heading: &LogHeading<'a>,
        files: &'a [Artifact],
        copied_to: Option<String>,
        pruned: Option<Timestamp>,
    ) -> Self {
        let LogHeading { link, phase, sha, attempt, started: _, ended: _, now: _ } = *heading;
        Self {
            format_version: Self::FORMAT_VERSION,
            katkit_version: KATKIT_VERSION,
            link: link.to_string(),
            sha: sha.as_str(),
            phase: phase.as_str(),
            attempt: attempt.0,
            files,
            copied_to,
            pruned: pruned.map(|at| at.to_string()),
        }
    }
}

/// A size as people read it: `0 B`, `12.3 kB`, `1.0 GB`.
pub(super) fn bytes(size: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if size < 1000 {
        return format!("{size} B");
    }
    #[allow(clippy::cast_precision_loss, reason = "three digits of it are shown")]
    let mut size = size as f64 / 1000.0;
    let mut unit = 0;
    // What would be rounded up to a thousand is one of the next unit.
    while size >= 999.95 && unit + 1 < UNITS.len() {
        size /= 1000.0;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_the_unit_that_a_person_would_choose() {
        let shown = [0, 999, 1000, 999_949, 999_950, 1_500_000_000, u64::MAX].map(bytes);
        assert_eq!(shown, ["0 B", "999 B", "1.0 kB", "999.9 kB", "1.0 MB", "1.5 GB", "18446744.1 TB"]);
    }
}
