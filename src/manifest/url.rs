//! Where a repository is: what git may be given, and what it must never be given.
//!
//! A URL of a manifest ends up as an argument of `git`. `transport::address` would make git run a program of the
//! manifest's choosing (`ext::sh -c …`, see gitremote-helpers(7)), and a leading dash would be taken for an option.
//! Arguments are shown by `ps` to every user of the machine, and the URL is written down for the phases that clone: so
//! a URL never holds credentials.

use std::ops::Range;

use super::reader::{At, Reader};
use super::source::Span;
use super::suggest::{did_you_mean, nearest, quoted};

/// What git speaks without a helper of somebody's own.
const SCHEMES: [&str; 6] = ["https", "ssh", "file", "http", "git", "git+ssh"];

/// The URL as `git` understands it; a relative path is joined with the directory of the file it stands in.
pub(super) fn repository(url: At<&str>, reader: &Reader<'_>) -> Option<String> {
    let At { value: text, span } = url;
    let refuse = |message: String, label: &str, help: &str| {
        reader.error_with_help(span, message, label, help);
        None
    };
    if text.trim().is_empty() {
        return refuse("an empty URL".to_owned(), "empty", "`.` is the directory of this file");
    }
    if has_credentials(url, FOR_GIT, reader) {
        return None;
    }
    if text.starts_with('-') {
        return refuse(
            format!("{} would be taken for an option of git", quoted(text)),
            "begins with a dash",
            "write a path that begins with a dash as `./-…`",
        );
    }
    let transport = text.split("::").next().filter(|name| name.len() < text.len());
    if transport.is_some_and(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))) {
        return refuse(
            format!("{} is a transport that can run any program", quoted(text)),
            "not allowed in a manifest",
            "use `https://…`, `ssh://…`, `git@host:path` or a path",
        );
    }
    if let Some((scheme, rest)) = text.split_once("://") {
        return with_scheme(scheme, rest, url, reader);
    }
    // As git has it: a colon before the first slash separates host and path.
    if let Some((host, path)) = text.split_once(':').filter(|(host, _)| !host.contains('/')) {
        if let Some((password, _)) = path.split('/').next().and_then(|first| first.rsplit_once('@')) {
            mask(url, &(host.len() + 1..host.len() + 1 + password.len()), reader);
            return refuse("a password in a URL".to_owned(), "holds a password", &FOR_GIT.password());
        }
        if host.rsplit('@').next().is_none_or(|host| host.is_empty() || host.starts_with('-')) {
            return refuse(format!("{} names no host", quoted(text)), "no host", "write `git@host:path`");
        }
        return Some(text.to_owned());
    }
    if text == "~" || text.starts_with("~/") {
        return refuse(
            format!("{} begins with a tilde, which only a shell expands", quoted(text)),
            "not a path",
            "write the whole path",
        );
    }
    Some(super::settings::joined(reader.directory, text).to_string_lossy().into_owned())
}

fn with_scheme(scheme: &str, rest: &str, url: At<&str>, reader: &Reader<'_>) -> Option<String> {
    let At { value: text, span } = url;
    let known = scheme.to_ascii_lowercase();
    if !SCHEMES.contains(&known.as_str()) {
        let guess = nearest(scheme, SCHEMES);
        let message = format!("unknown kind of URL {}{}", quoted(scheme), did_you_mean(guess));
        reader.error(span, message, "git cannot reach it");
        return None;
    }
    if known == "file" {
        if rest.starts_with('/') {
            return Some(text.to_owned());
        }
        let help =
            "a file URL is absolute: `file:///srv/git/shop.git`; a relative path is written without a scheme";
        reader.error_with_help(span, format!("{} is not an absolute path", quoted(text)), "relative", help);
        return None;
    }
    let authority = rest.split('/').next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if host.is_empty() || host.starts_with('-') {
        reader.error(span, format!("{} names no host", quoted(text)), "no host");
        return None;
    }
    if known == "http" || known == "git" {
        let local = ["localhost", "127.", "[::1]"].iter().any(|local| host.starts_with(local));
        if !local {
            let label = "anyone on the way can change what is deployed";
            let item = super::diagnostic::Diagnostic::warning(span, format!("`{known}://` is not encrypted"));
            reader.report.add(item.label(label).help("use `https://` or `ssh://`"));
        }
    }
    Some(text.to_owned())
}

/// What to do instead of writing credentials into a URL.
#[derive(Clone, Copy)]
pub(super) struct Instead {
    /// Who answers in their place.
    pub answers: &'static str,
    /// What else is to be said of user names.
    pub of_users: &'static str,
}

const FOR_GIT: Instead = Instead {
    answers: "let a credential helper (`git help credentials`), `GIT_ASKPASS` or an ssh key answer",
    of_users: "; the URLs that Azure DevOps and Bitbucket show work without their user name",
};

impl Instead {
    fn password(self) -> String {
        format!("leave it out, and {}; change the password, since it was written down", self.answers)
    }

    fn user(self) -> String {
        let Self { answers, of_users } = self;
        format!(
            "leave it out, and {answers}; if it is a token, revoke it, since it was written down{of_users}"
        )
    }
}

/// Reports credentials in a URL, and keeps them out of what is shown. Returns whether there were any.
///
/// Over ssh the user is only a name. Elsewhere it is refused as a password is: hosts take a token for either.
pub(super) fn has_credentials(url: At<&str>, instead: Instead, reader: &Reader<'_>) -> bool {
    let At { value: text, span } = url;
    let scheme = text.split("://").next().unwrap_or_default().to_ascii_lowercase();
    if let Some(user) = userinfo(text) {
        let secret = secret_of(text, user.clone());
        if let Some(secret) = &secret {
            mask(url, secret, reader);
        }
        if text[user].contains(':') {
            reader.error_with_help(span, "a password in a URL", "holds a password", instead.password());
            return true;
        }
        if secret.is_some() {
            let label = "holds a user name, or a token in its place";
            reader.error_with_help(span, "a user name in a URL", label, instead.user());
            return true;
        }
    }
    if let Some(query) = text.find('?').filter(|_| scheme == "http" || scheme == "https") {
        mask(url, &(query + 1..text.len()), reader);
        let help = format!("leave it out, and {}; if it holds a token, revoke it", instead.answers);
        reader.error_with_help(span, "a query in a URL", "may hold a token", help);
        return true;
    }
    false
}

/// Where the user and the password stand in a URL: all that precedes the last `@` of its authority.
fn userinfo(text: &str) -> Option<Range<usize>> {
    let start = text.find("://").filter(|colon| !text[..*colon].contains('/'))? + 3;
    let rest = &text[start..];
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let in_password = || {
        // A slash that should have been escaped: what precedes it looks like a port that is none.
        let (_, port) = authority.rsplit_once(':')?;
        let is_port = port.ends_with(']') || port.bytes().all(|byte| byte.is_ascii_digit());
        if is_port { None } else { rest.rfind('@') }
    };
    let end = authority.rfind('@').or_else(in_password)?;
    Some(start..start + end)
}

/// What must not be shown of the user and password at `user`: over ssh the password, elsewhere both.
fn secret_of(url: &str, user: Range<usize>) -> Option<Range<usize>> {
    let over_ssh = url[..user.start].to_ascii_lowercase().ends_with("ssh://");
    if !over_ssh {
        return Some(user);
    }
    let colon = url[user.clone()].find(':')?;
    Some(user.start + colon + 1..user.end)
}

/// The credentials in every URL that stands somewhere in a text, whether or not it is one that a manifest may hold.
pub(super) fn credentials_in(text: &str) -> impl Iterator<Item = Range<usize>> {
    text.match_indices("://").filter_map(|(colon, _)| {
        let scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        let start = text[..colon].trim_end_matches(scheme).len();
        let ends = |c: char| c.is_whitespace() || "\"'`<>".contains(c);
        let end = text[colon..].find(ends).map_or(text.len(), |end| colon + end);
        let url = &text[start..end];
        let secret = secret_of(url, userinfo(url)?)?;
        Some(start + secret.start..start + secret.end)
    })
}

/// Keeps a part of the value out of what is shown. Where escapes make its place uncertain, the whole value is masked.
fn mask(url: At<&str>, part: &Range<usize>, reader: &Reader<'_>) {
    let At { value, span } = url;
    let is_plain = (span.end - span.start) as usize == value.len() + 2;
    let hidden = if is_plain { Span::part(span, &(part.start + 1..part.end + 1)) } else { span };
    reader.report.mask(hidden);
}
