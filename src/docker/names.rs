//! Validates names that become part of a request path: an unexpected one could address another path.

/// Whether this is a full container id, or a name that katkit gives its own containers.
pub fn is_container(name: &str) -> bool {
    is_id(name) || (name.starts_with("katkit-") && is_plain(name))
}

/// Whether this is a full id: 64 hex digits.
pub fn is_id(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Whether a name consists only of characters that every engine allows.
/// Source: <https://github.com/moby/moby/blob/master/daemon/names/names.go>
fn is_plain(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

/// Whether this is a single, literal path segment. Networks and volumes may have any such name.
pub fn is_part(name: &str) -> bool {
    is_inert(name) && !name.contains('/') && !["", ".", ".."].contains(&name)
}

/// Whether this can be an image reference or id, which may have several path segments.
pub fn is_image(name: &str) -> bool {
    is_inert(name) && name.split('/').all(|part| !["", ".", ".."].contains(&part))
}

/// Whether no character ends a path or has a special meaning in one.
fn is_inert(name: &str) -> bool {
    !name.chars().any(|c| c.is_control() || c.is_whitespace() && c != ' ' || "?#%\\".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_would_address_another_path_is_rejected() {
        let id = "0123456789abcdef".repeat(4);
        for good in [id.as_str(), "katkit-1a2b-0123456789ab", "katkit-agent-1a2b"] {
            assert!(is_container(good), "{good}");
        }
        let longer = format!("{id}/json");
        for bad in
            ["", "web", "../images/prune", "katkit-../../x", "katkit-a?force=1", "katkit-a%2f", &longer]
        {
            assert!(!is_container(bad), "{bad}");
        }
        assert!(is_part("my net_1") && is_image("registry:5000/acme/web@sha256:00"));
        for bad in ["", "..", "a/b", "a?b", "a#b", "a%2fb", "a\\b", "a\nb"] {
            assert!(!is_part(bad), "{bad}");
        }
        for bad in ["", "/a", "a/../b", "a//b", "a?b", "..", "a\tb"] {
            assert!(!is_image(bad), "{bad}");
        }
    }
}
