//! Parses repository URLs, and shows them without passwords.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Component, Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::GitError;
use crate::domain::percent_encoded;

/// Where a repository is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RepositoryLocation {
    /// On this machine, readable without a copy.
    Local(PathBuf),
    /// Behind a URL that the `git` executable understands.
    Remote(String),
}

impl RepositoryLocation {
    /// Tells local from remote like `git`: `scheme://`, `helper::address` and `host:path` are remote; a colon after a
    /// slash is part of a path.
    pub(super) fn parse(url: &str) -> Result<Self, GitError> {
        let wrong = |why| Err(GitError::Url { url: redacted(url), why });
        if url.is_empty() {
            return wrong("it is empty");
        }
        if url.starts_with('-') {
            return wrong("it begins with a dash");
        }
        if url.chars().any(char::is_control) {
            return wrong("it contains a control character");
        }
        if let Some(path) = url.strip_prefix("file://") {
            if !path.starts_with('/') {
                return wrong("write file:///path, with three slashes");
            }
            return Ok(Self::Local(decoded(path)));
        }
        if let Some((helper, _)) = url.split_once("::")
            && helper.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        {
            return match helper {
                "ext" => wrong("`ext::` runs a command, which is not allowed"),
                _ => Ok(Self::Remote(url.to_owned())),
            };
        }
        let remote = url.contains("://") || url.find(':').is_some_and(|colon| !url[..colon].contains('/'));
        Ok(if remote { Self::Remote(url.to_owned()) } else { Self::Local(PathBuf::from(url)) })
    }

    /// A readable file name, unique to the repository. Credentials in the URL do not change it.
    pub(super) fn name(&self) -> String {
        let text = match self {
            Self::Local(path) => path.to_string_lossy().into_owned(),
            Self::Remote(url) => without_user(url),
        };
        let text = text.trim_end_matches('/');
        let words: Vec<&str> = text
            .trim_end_matches(".git")
            .rsplit(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')))
            .map(|word| word.trim_matches('.'))
            .filter(|word| !word.is_empty())
            .take(2)
            .collect();
        let readable: String = words.into_iter().rev().collect::<Vec<_>>().join("-");
        let readable: String = readable.chars().take(60).collect();
        let hash: String = Sha256::digest(text)[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{readable}-{hash}").trim_start_matches(['-', '.']).to_owned()
    }
}

impl fmt::Display for RepositoryLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => path.display().fmt(f),
            Self::Remote(url) => f.write_str(&redacted(url)),
        }
    }
}

/// A repository's name as a segment of a path or blob key. URLs that differ only in credentials have the same name.
pub fn repository_name(url: &str) -> Result<String, GitError> {
    RepositoryLocation::parse(url).map(|place| place.name())
}

/// `owner/name` of a repository: the last two segments of its path, or its only one. Empty for an invalid URL.
///
/// A relative path starts at the working directory. Its `.` and `..` are resolved textually, so that a symbolic link
/// keeps its name from the manifest.
pub fn owner_and_name(url: &str) -> String {
    let path = match RepositoryLocation::parse(url) {
        Ok(RepositoryLocation::Local(path)) => {
            plain(&std::path::absolute(&path).unwrap_or(path)).to_string_lossy().into_owned()
        }
        Ok(RepositoryLocation::Remote(url)) => path_in(&url).to_owned(),
        Err(_) => return String::new(),
    };
    let path = path.trim_end_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    // Azure DevOps puts `_git` between the project and the repository.
    let mut parts = path.rsplit('/').filter(|part| !part.is_empty() && *part != "_git");
    match (parts.next(), parts.next()) {
        (Some(name), Some(owner)) => format!("{owner}/{name}"),
        (Some(name), None) => name.to_owned(),
        _ => String::new(),
    }
}

/// The path in a URL; the host if there is no path.
fn path_in(url: &str) -> &str {
    if let Some((_, after)) = url.split_once("://") {
        return after.split_once('/').map_or(after, |(_, path)| path);
    }
    url.rsplit_once("::").map_or_else(|| url.split_once(':').map_or(url, |(_, path)| path), |(_, path)| path)
}

/// An absolute path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

/// Removes passwords and tokens from a URL, or from any text with URLs in it.
///
/// In an ssh URL the user is only a name and stays. Elsewhere it is often a token, and is removed with the password.
pub fn redacted(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        let scheme_is_ssh = before.ends_with("ssh://");
        let end = after.find(|c: char| matches!(c, '/' | '?' | '#' | '\'' | '"') || c.is_whitespace());
        let (authority, tail) = after.split_at(end.unwrap_or(after.len()));
        shown.push_str(before);
        match authority.rsplit_once('@') {
            Some((user, host)) => {
                match user.split_once(':') {
                    Some((name, _)) if scheme_is_ssh => shown.push_str(&format!("{name}:***")),
                    None if scheme_is_ssh => shown.push_str(user),
                    _ => shown.push_str("***"),
                }
                shown.push('@');
                shown.push_str(host);
            }
            None => shown.push_str(authority),
        }
        rest = tail;
    }
    shown.push_str(rest);
    shown
}

/// The URL of a repository for others: without credentials, and of a repository on this machine its whole path.
pub fn public_url(url: &str) -> String {
    match RepositoryLocation::parse(url) {
        Ok(RepositoryLocation::Local(path)) => {
            let path = plain(&std::path::absolute(&path).unwrap_or(path));
            format!("file://{}", percent_encoded(path.as_os_str().as_bytes()))
        }
        Ok(RepositoryLocation::Remote(_)) | Err(_) => redacted(url),
    }
}

/// The secrets in a URL: the password, plain and decoded, or a user that may be a token.
pub(super) fn secrets(url: &str) -> Vec<String> {
    let Some((scheme, after)) = url.split_once("://") else { return Vec::new() };
    let authority = after.split(['/', '?', '#']).next().unwrap_or_default();
    let Some((user, _)) = authority.rsplit_once('@') else { return Vec::new() };
    let mut secrets = Vec::new();
    if let Some((_, password)) = user.split_once(':') {
        secrets.extend([password.to_owned(), decoded(password).to_string_lossy().into_owned()]);
    } else if scheme != "ssh" {
        secrets.push(user.to_owned());
    }
    // Masking such a short text would garble the whole message.
    secrets.retain(|secret| secret.len() > 3);
    secrets
}

/// The host of a URL, in either form: `scheme://host/path` or `host:path`.
pub(super) fn host(url: &str) -> Option<&str> {
    let after = match url.split_once("://") {
        Some((_, after)) => after.split('/').next()?,
        None => url.split_once(':')?.0,
    };
    let host = after.rsplit_once('@').map_or(after, |(_, host)| host);
    let host = if host.starts_with('[') { host } else { host.split(':').next()? };
    (!host.is_empty()).then_some(host)
}

/// The URL without user and password.
pub(super) fn without_user(url: &str) -> String {
    let Some((scheme, after)) = url.split_once("://") else { return url.to_owned() };
    let end = after.find('/').unwrap_or(after.len());
    let (authority, path) = after.split_at(end);
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://{host}{path}"),
        None => url.to_owned(),
    }
}

/// Decodes percent-encoding, as `git` does for `file://`. Invalid sequences stay as they are.
fn decoded(text: &str) -> PathBuf {
    let bytes = text.as_bytes();
    let mut path = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digit = |at: usize| bytes.get(at).and_then(|b| char::from(*b).to_digit(16));
        match (bytes[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) if high * 16 + low > 0 => {
                path.push(u8::try_from(high * 16 + low).unwrap_or(b'%'));
                at += 3;
            }
            (byte, ..) => {
                path.push(byte);
                at += 1;
            }
        }
    }
    PathBuf::from(OsString::from_vec(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_and_remote_urls_are_told_apart_as_in_git() {
        let local = ["/srv/shop", "../..", "./a:b", "a/b:c", "file:///srv/shop"];
        for url in local {
            assert!(matches!(RepositoryLocation::parse(url), Ok(RepositoryLocation::Local(_))), "{url}");
        }
        let remote =
            ["git@github.com:acme/shop.git", "host:shop", "https://h/x", "ssh://h/x", "codecommit::r://x"];
        for url in remote {
            assert!(matches!(RepositoryLocation::parse(url), Ok(RepositoryLocation::Remote(_))), "{url}");
        }
        for url in ["", "--upload-pack=x", "ext::sh -c x", "file://host/x", "a\nb"] {
            assert!(matches!(RepositoryLocation::parse(url), Err(GitError::Url { .. })), "{url}");
        }
        assert_eq!(
            RepositoryLocation::parse("file:///a%20b%zz").unwrap(),
            RepositoryLocation::Local(PathBuf::from("/a b%zz"))
        );
    }

    #[test]
    fn a_url_for_others_has_no_password_and_a_whole_path() {
        for (url, public) in [
            ("https://bob:s3cret@h/x", "https://***@h/x"),
            ("git@github.com:acme/shop.git", "git@github.com:acme/shop.git"),
            ("/srv/a b/../shop", "file:///srv/shop"),
            ("file:///srv/a%20b", "file:///srv/a%20b"),
        ] {
            assert_eq!(public_url(url), public);
        }
        let here = std::env::current_dir().unwrap();
        assert_eq!(public_url("repos/shop"), format!("file://{}/repos/shop", here.display()));
    }

    #[test]
    fn a_password_is_never_shown() {
        for (url, shown) in [
            ("https://bob:s3cret@h/x", "https://***@h/x"),
            ("https://gho_token@h/x", "https://***@h/x"),
            ("https://a:p@ss@h/x", "https://***@h/x"),
            ("ssh://git:s3cret@h:22/x", "ssh://git:***@h:22/x"),
            ("ssh://git@h/x", "ssh://git@h/x"),
            ("git@h:x", "git@h:x"),
            ("fatal: 'https://a:b@h/x' and https://c:d@h", "fatal: 'https://***@h/x' and https://***@h"),
        ] {
            assert_eq!(redacted(url), shown);
        }
        assert_eq!(secrets("https://bob:p%40ss@h/x"), ["p%40ss", "p@ss"]);
    }

    #[test]
    fn a_name_is_readable_and_independent_of_credentials() {
        let name = repository_name("https://github.com/acme/shop.git").unwrap();
        assert!(name.starts_with("acme-shop-"), "{name}");
        assert_eq!(name, repository_name("https://token@github.com/acme/shop.git").unwrap());
        assert_ne!(name, repository_name("https://github.com/acme2/shop.git").unwrap());
        let name = repository_name("../..").unwrap();
        assert!(name.chars().next().is_some_and(|c| c.is_ascii_alphanumeric()), "{name}");
    }

    #[test]
    fn a_repository_is_named_by_owner_and_name_whatever_its_url() {
        for url in [
            "https://github.com/acme/shop.git",
            "https://dev.azure.com/org/acme/_git/shop",
            "ssh://git@h:2222/acme/shop",
            "git@github.com:acme/shop.git",
            "/srv/acme/shop/",
            "/srv/acme/shop/.git",
            "/srv/acme/control/../shop",
            "/srv/acme/./shop.git",
            "file:///srv/acme/x/../shop",
        ] {
            assert_eq!(owner_and_name(url), "acme/shop", "{url}");
        }
        for (url, name) in [
            ("git@h:shop", "shop"),
            ("https://h/shop", "shop"),
            ("codecommit::eu-central-1://shop", "shop"),
            ("/", ""),
        ] {
            assert_eq!(owner_and_name(url), name, "{url}");
        }
    }

    #[test]
    fn a_relative_path_is_named_from_the_working_directory() {
        let here = std::env::current_dir().unwrap();
        let last = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (name, parent) = (last(&here), last(here.parent().unwrap()));
        assert_eq!(owner_and_name("."), format!("{parent}/{name}"));
        assert_eq!(owner_and_name("shop"), format!("{name}/shop"));
        assert_eq!(owner_and_name("../shop"), format!("{parent}/shop"));
    }

    #[test]
    fn the_host_is_found_in_both_forms() {
        assert_eq!(host("https://a@h.example:8443/x"), Some("h.example"));
        assert_eq!(host("git@h.example:acme/x"), Some("h.example"));
        assert_eq!(host("ssh://[::1]:22/x"), Some("[::1]:22"));
        assert_eq!(host("/srv/x"), None);
    }
}
