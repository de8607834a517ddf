//! Commits, branches and folders.

use serde_json::{Value as Json, json};

use crate::domain::{CommitSha, ShaError};

use super::reader::{Definitions, Raw, Reader, Value};
use super::suggest::quoted;

/// The name of a branch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Branch<'i>(pub &'i str);

/// A folder in a repository: segments joined by `/`, none of them `.` or `..`; empty for the root.
#[derive(Clone, Debug)]
pub(super) struct Folder(pub String);

impl<'i> Value<'i> for CommitSha {
    fn read(raw: &'i Raw<'i>, reader: &Reader<'_>) -> Option<Self> {
        let text = <&str>::read(raw, reader)?;
        let span = reader.span_of(raw);
        let error = match Self::new(text) {
            Ok(sha) => return Some(sha),
            Err(error) => error,
        };
        let hex = text.bytes().all(|b| b.is_ascii_hexdigit());
        let n = text.len();
        let (message, help) = match error {
            ShaError::Prefix(_) => (
                format!("`{text}` is an abbreviated sha ({n} of 40 digits)"),
                format!(
                    "write all 40, so that it can never match another commit; `git rev-parse {text}` \
                     prints them"
                ),
            ),
            ShaError::NotASha(_) if hex && n == 40 => {
                ("a sha is written in lowercase".to_owned(), format!("write `{}`", text.to_ascii_lowercase()))
            }
            ShaError::NotASha(_) if hex && n == 64 => (
                "SHA-256 commit ids are not supported yet".to_owned(),
                "use a repository with 40-digit ids".to_owned(),
            ),
            ShaError::NotASha(_) if tag_like(text) => (
                format!("{} looks like a tag, and a tag can be moved", quoted(text)),
                "write the commit it points to now; `git rev-parse TAG^{commit}` prints it".to_owned(),
            ),
            ShaError::NotASha(_) if branch_problem(text).is_none() => (
                format!("{} is not a commit sha (40 lowercase hex digits)", quoted(text)),
                format!("to follow a branch, write `branch = \"{text}\"` instead"),
            ),
            ShaError::NotASha(_) => (
                format!("{} is not a commit sha (40 lowercase hex digits)", quoted(text)),
                "`git rev-parse HEAD` prints one".to_owned(),
            ),
        };
        reader.error_with_help(span, message, "not a full commit sha", help);
        None
    }

    fn schema(_: &mut Definitions) -> Json {
        json!({ "type": "string", "pattern": "^[0-9a-f]{40}$" })
    }
}

/// `v1.2.3`, `1.2`, `release-7`, `refs/tags/…`
fn tag_like(text: &str) -> bool {
    let version = text.trim_start_matches(['v', 'V']);
    let numbers = version.starts_with(|c: char| c.is_ascii_digit())
        && version.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+'))
        && (version.contains('.') || version.len() < text.len());
    text.starts_with("refs/tags/") || text.starts_with("tags/") || numbers
}

impl<'i> Value<'i> for Branch<'i> {
    fn read(raw: &'i Raw<'i>, reader: &Reader<'_>) -> Option<Self> {
        let text = <&str>::read(raw, reader)?;
        let span = reader.span_of(raw);
        if CommitSha::new(text).is_ok() {
            let help = format!("write `sha = \"{text}\"` instead");
            reader.error_with_help(span, "expected a branch, found a commit sha", "a sha", help);
            return None;
        }
        if let Some(short) = text.strip_prefix("refs/heads/") {
            let help = format!("write `{short}`");
            reader.error_with_help(span, "expected a branch name, found a full ref", "a ref", help);
            return None;
        }
        if let Some(problem) = branch_problem(text) {
            let message = format!("{} cannot be the name of a branch", quoted(text));
            reader.error(span, message, problem);
            return None;
        }
        Some(Self(text))
    }

    fn schema(_: &mut Definitions) -> Json {
        json!({ "type": "string", "minLength": 1 })
    }
}

/// Why git would reject the name: the rules of `git check-ref-format`, and no leading dash.
fn branch_problem(name: &str) -> Option<&'static str> {
    let wrong = |c: char| c.is_whitespace() || c.is_control() || "~^:?*[\\".contains(c);
    let part = |part: &str| part.is_empty() || part.starts_with('.') || part.as_bytes().ends_with(b".lock");
    match name {
        "" => Some("empty"),
        "@" => Some("`@` alone means HEAD"),
        _ if name.len() > 250 => Some("longer than 250 bytes"),
        _ if name.starts_with('-') => Some("begins with a dash"),
        _ if name.chars().any(wrong) => Some("contains a space or one of `~^:?*[\\`"),
        _ if name.contains("..") || name.contains("@{") || name.ends_with('.') => {
            Some("contains `..` or `@{`, or ends with a dot")
        }
        _ if name.split('/').any(part) => {
            Some("has a part that is empty, begins with a dot or ends in `.lock`")
        }
        _ => None,
    }
}

impl<'i> Value<'i> for Folder {
    fn read(raw: &'i Raw<'i>, reader: &Reader<'_>) -> Option<Self> {
        let text = <&str>::read(raw, reader)?;
        let span = reader.span_of(raw);
        let (label, help) = if text.starts_with('/') {
            let inside = text.trim_start_matches('/');
            ("begins with a slash", format!("folders are relative to the repository root: `\"{inside}\"`"))
        } else if text.contains('\\') {
            ("contains a backslash", format!("write `\"{}\"`", text.replace('\\', "/")))
        } else if text.split('/').any(|segment| segment == "..") {
            ("contains `..`", "a folder is inside the repository; write it without `..`".to_owned())
        } else {
            return Some(Self(normalized(text)));
        };
        reader.error_with_help(
            span,
            format!("{} is not a folder in a repository", quoted(text)),
            label,
            help,
        );
        None
    }

    fn schema(_: &mut Definitions) -> Json {
        json!({ "type": "string", "pattern": "^$|^[^/\\\\]" })
    }
}

/// The folder without empty segments and dots.
fn normalized(folder: &str) -> String {
    let mut whole = String::with_capacity(folder.len());
    for segment in folder.split('/').filter(|segment| !matches!(*segment, "" | ".")) {
        if !whole.is_empty() {
            whole.push('/');
        }
        whole.push_str(segment);
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_spelling() {
        assert_eq!(normalized("./services//web/"), "services/web");
        assert_eq!(normalized("."), "");
        assert_eq!(normalized(""), "");
    }

    #[test]
    fn a_branch_name_is_one_that_git_accepts() {
        for good in ["main", "feature/x-1", "release-1.2", "ü"] {
            assert_eq!(branch_problem(good), None, "{good}");
        }
        for bad in
            ["", "@", "-x", "a b", "a..b", "a:b", "/a", "a/", "a//b", ".a", "a/.b", "x.lock", "a@{1}", "a."]
        {
            assert!(branch_problem(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn a_tag_is_recognized_by_its_form() {
        for tag in ["v1.2.3", "1.2", "v7", "1.0.0-rc.1", "refs/tags/x"] {
            assert!(tag_like(tag), "{tag}");
        }
        for other in ["main", "v", "feature/1.2", "1234"] {
            assert!(!tag_like(other), "{other}");
        }
    }
}
