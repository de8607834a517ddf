//! Images as a service description names them: `[host[:port]/]name[:tag][@digest]`.

use crate::domain::CommitSha;
use crate::lenient_json::shown;

/// Stands for the commit's sha in an image.
pub const HUBTAG: &str = "<hubtag>";

/// The longest tag that registries accept.
/// Source: <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests>
const LONGEST_TAG: usize = 128;

/// What is wrong with an image, reading on after its name, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    /// What is wrong.
    pub what: String,
    /// What a person can do about it.
    pub hint: Option<String>,
}

/// Checks that `image` says which version of it is meant: by a tag, with or without `<hubtag>` in it, or by a digest.
pub(super) fn check(image: &str) -> Result<(), Mistake> {
    let mistake = |what: &str| Mistake { what: what.to_owned(), hint: None };
    if image.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(mistake("contains a blank or a control character"));
    }
    // As long as a sha and made of the same characters, so that the rest of the check need not know of `<hubtag>`.
    let tagged = image.replace(HUBTAG, &"0".repeat(40));
    if tagged.contains(['<', '>']) {
        let hint = format!("only `{HUBTAG}`, in lower case, stands for the commit");
        return Err(Mistake { what: "contains `<` or `>`".to_owned(), hint: Some(hint) });
    }
    let (name, digest) = match image.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (image, None),
    };
    if let Some(digest) = digest {
        if digest.contains(HUBTAG) {
            let hint = format!("a commit's sha is not an image's digest; write `{}:{HUBTAG}`", shown(name));
            return Err(Mistake { what: format!("has `{HUBTAG}` in its digest"), hint: Some(hint) });
        }
        let sound = digest.split_once(':').is_some_and(|(algorithm, hex)| {
            !algorithm.is_empty() && hex.chars().all(|c| c.is_ascii_hexdigit()) && !hex.is_empty()
        });
        if !sound {
            return Err(mistake("has a digest that is not of the form `sha256:…`"));
        }
    }
    let (path, tag) = split_tag(name);
    if path.is_empty() || path.ends_with('/') {
        return Err(mistake("has no name"));
    }
    match tag {
        Some(tag) => check_tag(tag),
        None if digest.is_some() => Ok(()),
        None => {
            let path = shown(path);
            let hint = format!(
                "write `{path}:{HUBTAG}` to deploy each commit's image, or name a fixed tag: `{path}:1.0`"
            );
            Err(Mistake { what: "has no tag".to_owned(), hint: Some(hint) })
        }
    }
}

/// A colon before the last slash belongs to a registry's port, not to a tag.
fn split_tag(name: &str) -> (&str, Option<&str>) {
    let last = name.rfind('/').map_or(0, |slash| slash + 1);
    match name[last..].find(':') {
        Some(colon) => (&name[..last + colon], Some(&name[last + colon + 1..])),
        None => (name, None),
    }
}

fn check_tag(tag: &str) -> Result<(), Mistake> {
    let written = tag.replace(HUBTAG, &"0".repeat(40));
    let what = if written.is_empty() {
        "has an empty tag".to_owned()
    } else if written.len() > LONGEST_TAG {
        format!("has a tag of {} characters; registries accept {LONGEST_TAG}", written.len())
    } else if written.starts_with(['.', '-'])
        || !written.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
    {
        "has a tag that no registry accepts".to_owned()
    } else {
        return Ok(());
    };
    Err(Mistake { what, hint: Some("a tag is made of letters, digits, `_`, `.` and `-`".to_owned()) })
}

/// The sha that `image` carries where `template` says `<hubtag>`; `None` if `image` was not made from `template`.
pub fn sha_in(template: &str, image: &str) -> Option<CommitSha> {
    let (before, _) = template.split_once(HUBTAG)?;
    let sha = CommitSha::new(image.strip_prefix(before)?.get(..40)?).ok()?;
    // Also right where the template holds more than one.
    (template.replace(HUBTAG, sha.as_str()) == image).then_some(sha)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(image: &str) -> String {
        check(image).unwrap_err().what
    }

    #[test]
    fn an_image_with_a_tag_or_a_digest_is_sound() {
        let digest = format!("acme/web@sha256:{}", "a".repeat(64));
        for image in [
            "acme/web:<hubtag>",
            "acme/anyservice:web_<hubtag>",
            "acme/anyservice:<hubtag>-<hubtag>",
            "redis:latest",
            "host:5000/acme/web:1.0",
            "host:5000/x:<hubtag>",
            "123456789012.dkr.ecr.eu-central-1.amazonaws.com/web:v1",
            &digest,
            &format!("acme/web:1.0@sha256:{}", "0".repeat(64)),
        ] {
            assert_eq!(check(image), Ok(()), "{image}");
        }
    }

    #[test]
    fn an_image_without_a_tag_is_told_how_to_write_one() {
        for image in ["acme/web", "web", "host:5000/acme/web"] {
            let Mistake { what, hint } = check(image).unwrap_err();
            assert_eq!(what, "has no tag");
            assert_eq!(
                hint.unwrap(),
                format!(
                    "write `{image}:<hubtag>` to deploy each commit's image, or name a fixed tag: `{image}:1.0`"
                )
            );
        }
    }

    #[test]
    fn what_no_registry_accepts_is_named() {
        assert_eq!(mistake("acme/web: 1"), "contains a blank or a control character");
        assert_eq!(mistake("acme/web:"), "has an empty tag");
        assert_eq!(mistake("acme/:1"), "has no name");
        assert_eq!(mistake(":1"), "has no name");
        assert_eq!(mistake("acme/web:a$"), "has a tag that no registry accepts");
        assert_eq!(mistake("acme/web:-a"), "has a tag that no registry accepts");
        assert_eq!(mistake("acme/web:<HubTag>"), "contains `<` or `>`");
        assert_eq!(mistake("acme/web:<hubtag"), "contains `<` or `>`");
        assert_eq!(mistake("acme/web@<hubtag>"), "has `<hubtag>` in its digest");
        assert_eq!(mistake("acme/web@sha256:"), "has a digest that is not of the form `sha256:…`");
        let long = format!("acme/web:{}<hubtag>", "a".repeat(89));
        assert_eq!(mistake(&long), "has a tag of 129 characters; registries accept 128");
    }

    #[test]
    fn the_sha_is_found_where_the_template_has_its_tag() {
        let sha = "3".repeat(40);
        let found = |template: &str, image: &str| sha_in(template, image).map(|sha| sha.to_string());
        assert_eq!(found("a/b:<hubtag>", &format!("a/b:{sha}")), Some(sha.clone()));
        assert_eq!(found("a/b:w_<hubtag>-x", &format!("a/b:w_{sha}-x")), Some(sha.clone()));
        assert_eq!(found("a/b:<hubtag>.<hubtag>", &format!("a/b:{sha}.{sha}")), Some(sha.clone()));
        let other = "4".repeat(40);
        for (template, image) in [
            ("a/b:<hubtag>", "a/b:latest".to_owned()),
            ("a/b:<hubtag>", format!("a/b:{sha}0")),
            ("a/b:<hubtag>", format!("a/c:{sha}")),
            ("a/b:w_<hubtag>", format!("a/b:{sha}")),
            ("a/b:<hubtag>.<hubtag>", format!("a/b:{sha}.{other}")),
            ("a/b:1", "a/b:1".to_owned()),
            ("<hubtag>", "é".repeat(20)),
        ] {
            assert_eq!(found(template, &image), None, "{template} {image}");
        }
    }
}
