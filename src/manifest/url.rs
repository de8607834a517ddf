//! Where a repository is: what git may be given, and what it must never be given.
//!
//! A URL of a manifest ends up as an argument of `git`. `transport::address` would make git run a program of the
//! manifest's choosing (`ext::sh -c …`, see gitremote-helpers(7)), and a leading dash would be taken for an option.

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
    if let Some((host, _)) = text.split_once(':').filter(|(host, _)| !host.contains('/')) {
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
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    if let Some((_, password)) = user.split_once(':') {
        mask(url, password, reader);
        let help = "leave it out, and let a credential helper (`git help credentials`) or an ssh key answer; \
                    change the password, since it was written down";
        reader.error_with_help(span, "a password in a URL", "holds a password", help);
        return None;
    }
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

/// Keeps the password out of what is shown. Where escapes make its place uncertain, the whole value is masked.
fn mask(url: At<&str>, password: &str, reader: &Reader<'_>) {
    let At { value, span } = url;
    let quotes = (span.end - span.start) as usize == value.len() + 2;
    let place = value.find(&format!(":{password}@")).filter(|_| quotes);
    let hidden = place.map_or(span, |at| Span::part(span, &(at + 2..at + 2 + password.len())));
    reader.report.mask(hidden);
}
