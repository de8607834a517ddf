//! Names that become part of a request's path. One that is not what it should be would lead to another path.

/// Whether this is the full id of a container, or a name as katkit gives them to its own.
pub fn is_container(name: &str) -> bool {
    is_id(name) || (name.starts_with("katkit-") && is_plain(name))
}

/// Whether this is a full id: 64 hex digits.
pub fn is_id(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Whether a name has no character but those that every engine allows.
/// Source: <https://github.com/moby/moby/blob/master/daemon/names/names.go>
fn is_plain(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

/// Whether this can be one part of a path. Networks and volumes may have any name that can.
pub fn is_part(name: &str) -> bool {
    is_inert(name) && !name.contains('/') && !["", ".", ".."].contains(&name)
}

/// Whether this can be the reference or the id of an image, which has parts.
pub fn is_image(name: &str) -> bool {
    is_inert(name) && name.split('/').all(|part| !["", ".", ".."].contains(&part))
}

/// Whether no character ends a path or stands for another one.
fn is_inert(name: &str) -> bool {
    !name.chars().any(|c| c.is_control() || c.is_whitespace() && c != ' ' || "?#%\\".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_leads_to_another_path_is_none() {
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
