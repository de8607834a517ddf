//! Repository URLs: what may be passed to git, and what never may.
//!
//! A URL from a manifest becomes an argument of `git`. `transport::address` would make git run any program the manifest
//! names (`ext::sh -c …`, see gitremote-helpers(7)), and a leading dash would be taken as an option. `ps` shows
//! arguments to every user of the machine, and the URL is stored for the phases that clone, so a URL must not contain
//! credentials.

use std::net::IpAddr;
use std::ops::Range;

use super::credentials::{secret_of, userinfo};
use super::diagnostic::Diagnostic;
use super::files::joined;
use super::reader::{Located, Reader};
use super::source::Span;
use super::suggest::{did_you_mean, nearest, quoted};

/// The schemes that git supports without a custom remote helper.
const SCHEMES: [&str; 6] = ["https", "ssh", "file", "http", "git", "git+ssh"];

/// The URL in the form that `git` understands; a relative path is joined with the directory of its file.
pub(super) fn repository(url: Located<&str>, reader: &Reader<'_>) -> Option<String> {
    let Located { value: text, span } = url;
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
            format!("{} would be taken as a git option", quoted(text)),
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
    // As in git: a colon before the first slash separates host and path.
    if let Some((host, path)) = text.split_once(':').filter(|(host, _)| !host.contains('/')) {
        if let Some((password, _)) = path.split('/').next().and_then(|first| first.rsplit_once('@')) {
            mask(url, &(host.len() + 1..host.len() + 1 + password.len()), reader);
            return refuse("a password in a URL".to_owned(), "contains a password", &FOR_GIT.password());
        }
        if host.rsplit('@').next().is_none_or(|host| host.is_empty() || host.starts_with('-')) {
            return refuse(format!("{} has no host", quoted(text)), "no host", "write `git@host:path`");
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
    Some(joined(reader.directory, text).to_string_lossy().into_owned())
}

fn with_scheme(scheme: &str, rest: &str, url: Located<&str>, reader: &Reader<'_>) -> Option<String> {
    let Located { value: text, span } = url;
    let known = scheme.to_ascii_lowercase();
    if !SCHEMES.contains(&known.as_str()) {
        let guess = nearest(scheme, SCHEMES);
        let message = format!("unknown URL scheme {}{}", quoted(scheme), did_you_mean(guess));
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
        reader.error(span, format!("{} has no host", quoted(text)), "no host");
        return None;
    }
    if (known == "http" || known == "git") && !on_this_machine(authority) {
        let risk = "anyone on the network path can change what is deployed";
        unencrypted(span, (&format!("`{known}://`"), risk), "use `https://` or `ssh://`", reader);
    }
    Some(text.to_owned())
}

/// Whether a URL's authority is a loopback address.
pub(super) fn on_this_machine(authority: &str) -> bool {
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The risk of an unencrypted connection to a service.
pub(super) const ANYONE: &str = "anyone on the network path can read and change it";

/// Warns of an unencrypted connection.
pub(super) fn unencrypted(at: Span, (what, risk): (&str, &str), help: &str, reader: &Reader<'_>) {
    let item = Diagnostic::warning(at, format!("{what} is not encrypted"));
    reader.report.add(item.label(risk).help(help));
}

/// Advice for a URL with credentials.
#[derive(Clone, Copy)]
pub(super) struct CredentialAdvice {
    /// How to authenticate instead.
    pub answers: &'static str,
    /// An addition for user names.
    pub of_users: &'static str,
}

const FOR_GIT: CredentialAdvice = CredentialAdvice {
    answers: "use a credential helper (`git help credentials`), `GIT_ASKPASS` or an ssh key",
    of_users: "; the URLs that Azure DevOps and Bitbucket show work without their user name",
};

impl CredentialAdvice {
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

/// Reports credentials in a URL and masks them. Returns whether there were any.
///
/// Over ssh the user is only a name. In other schemes it is refused like a password: hosts accept a token as either.
pub(super) fn has_credentials(url: Located<&str>, instead: CredentialAdvice, reader: &Reader<'_>) -> bool {
    let Located { value: text, span } = url;
    let scheme = text.split("://").next().unwrap_or_default().to_ascii_lowercase();
    if let Some(user) = userinfo(text) {
        let secret = secret_of(text, user.clone());
        if let Some(secret) = &secret {
            mask(url, secret, reader);
        }
        if text[user].contains(':') {
            reader.error_with_help(span, "a password in a URL", "contains a password", instead.password());
            return true;
        }
        if secret.is_some() {
            let label = "contains a user name or a token";
            reader.error_with_help(span, "a user name in a URL", label, instead.user());
            return true;
        }
    }
    if let Some(query) = text.find('?').filter(|_| scheme == "http" || scheme == "https") {
        mask(url, &(query + 1..text.len()), reader);
        let help = format!("leave it out, and {}; if it holds a token, revoke it", instead.answers);
        reader.error_with_help(span, "a query in a URL", "may contain a token", help);
        return true;
    }
    false
}

/// Masks a part of the value. If escapes make its position uncertain, masks the whole value.
fn mask(url: Located<&str>, part: &Range<usize>, reader: &Reader<'_>) {
    let Located { value, span } = url;
    let is_plain = (span.end - span.start) as usize == value.len() + 2;
    let hidden = if is_plain { Span::part(span, &(part.start + 1..part.end + 1)) } else { span };
    reader.report.mask(hidden);
}
