//! The artifacts of an attempt.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::json::KATKIT_VERSION;
use super::{LogHeading, Style, visible};

/// A file that an attempt kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Artifact {
    /// The number of the replica, from 0.
    pub replica: u32,
    /// Its path relative to the artifacts directory, with `/` as separator.
    pub path: String,
    /// The size in bytes.
    pub size: u64,
    /// A temporary URL that anyone can read; left out unless requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// The kept files as text: size and path.
#[derive(Clone, Copy, Debug)]
pub struct ArtifactsText<'a> {
    /// The heading of the attempt.
    pub heading: LogHeading<'a>,
    /// The number of replicas.
    pub replicas: u32,
    /// The files, ordered by replica and path.
    pub files: &'a [Artifact],
    /// Width and colour.
    pub style: Style,
}

impl fmt::Display for ArtifactsText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { heading, replicas, files, style: _ } = *self;
        writeln!(f, "{heading}")?;
        if files.is_empty() {
            return writeln!(
                f,
                "No files kept; `artifacts` of a phase in the manifest selects files to keep."
            );
        }
        for Artifact { replica, path, size, url } in files {
            let path = visible(path);
            // The layout that `--output` writes.
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

/// The artifacts of an attempt. Commits are full 40-digit ids.
///
/// The first number of `format_version` rises when something is removed or changes meaning, the second when something
/// is added; readers ignore keys they do not know. Absent values are null, never left out.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "katkit artifacts")]
pub struct ArtifactsJson<'a> {
    /// The version of this format.
    #[schemars(regex(pattern = r"^1\.[0-9]+$"))]
    pub format_version: &'static str,
    /// The katkit version that wrote this document.
    pub katkit_version: &'static str,
    /// `tenant/link`.
    pub link: String,
    /// The commit the attempt was for.
    pub sha: &'a str,
    /// The phase that was attempted.
    pub phase: &'a str,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The files, ordered by replica and path.
    pub files: &'a [Artifact],
    /// The directory they were copied to; null if they were not copied.
    pub copied_to: Option<String>,
    /// When the attempt's blobs were pruned; null if they were not.
    pub pruned: Option<String>,
}

impl<'a> ArtifactsJson<'a> {
    /// The format version this build writes.
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

/// A size with a unit: `0 B`, `12.3 kB`, `1.0 GB`.
pub(super) fn bytes(size: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if size < 1000 {
        return format!("{size} B");
    }
    #[allow(clippy::cast_precision_loss, reason = "only three digits are shown")]
    let mut size = size as f64 / 1000.0;
    let mut unit = 0;
    // A value that rounds up to 1000 becomes 1.0 of the next unit.
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
    fn sizes_use_the_largest_fitting_unit() {
        let shown = [0, 999, 1000, 999_949, 999_950, 1_500_000_000, u64::MAX].map(bytes);
        assert_eq!(shown, ["0 B", "999 B", "1.0 kB", "999.9 kB", "1.0 MB", "1.5 GB", "18446744.1 TB"]);
    }
}
