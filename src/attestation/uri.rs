//! The URIs in statements.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::domain::LinkId;

/// Characters that a URI must not contain (RFC 3986). Without `%`, so that nothing is encoded twice.
const FORBIDDEN: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, FORBIDDEN).to_string()
}

/// The installation of katkit with this origin in `[audit]`.
pub(super) fn installation(origin: &str) -> String {
    format!("https://{}", encoded(origin.trim_end_matches('/')))
}

/// A link of this installation.
pub(super) fn link(origin: &str, link: &LinkId) -> String {
    format!("{}/links/{link}", installation(origin))
}

/// A repository, as SPDX and pip write it: `git+https://…`, `git+ssh://…`.
pub(super) fn repository(url: &str) -> String {
    let url = encoded(url);
    if url.starts_with("git+") {
        return url;
    }
    match (url.contains("://"), url.split_once(':')) {
        (false, Some((host, path))) => format!("git+ssh://{host}/{}", path.trim_start_matches('/')),
        _ => format!("git+{url}"),
    }
}
