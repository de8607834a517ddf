//! Finds credentials in URLs, to refuse or mask them. Never keeps them.

use std::ops::Range;

/// The credentials of every URL in a text, whether or not a manifest may contain such a URL.
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

/// The user and password of a URL: everything before the last `@` of its authority.
pub(super) fn userinfo(text: &str) -> Option<Range<usize>> {
    let start = text.find("://").filter(|colon| !text[..*colon].contains('/'))? + 3;
    let rest = &text[start..];
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let in_password = || {
        // The password has an unescaped slash if the text before the slash is in the position of a port but is not one.
        let (_, port) = authority.rsplit_once(':')?;
        let is_port = port.ends_with(']') || port.bytes().all(|byte| byte.is_ascii_digit());
        if is_port { None } else { rest.rfind('@') }
    };
    let end = authority.rfind('@').or_else(in_password)?;
    Some(start..start + end)
}

/// The part of the user and password at `user` to hide: over ssh the password, otherwise both.
pub(super) fn secret_of(url: &str, user: Range<usize>) -> Option<Range<usize>> {
    let over_ssh = url[..user.start].to_ascii_lowercase().ends_with("ssh://");
    if !over_ssh {
        return Some(user);
    }
    let colon = url[user.clone()].find(':')?;
    Some(user.start + colon + 1..user.end)
}
