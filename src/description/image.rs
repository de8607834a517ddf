//! Images as a service description names them: `[host[:port]/]name[:tag][@digest]`.

use crate::domain::CommitSha;
use crate::lenient_json::shown;

/// The placeholder for the commit's sha in an image.
pub const HUBTAG: &str = "<hubtag>";

/// The longest tag that registries accept.
/// Source: <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests>
const LONGEST_TAG: usize = 128;

/// A mistake in an image, and how to fix it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ImageMistake {
    /// The problem as a predicate, to follow the image's name.
    pub what: String,
    /// How a user can fix it.
    pub hint: Option<String>,
}

/// Checks that `image` names a version: by a tag, with or without `<hubtag>`, or by a digest.
pub(super) fn check(image: &str) -> Result<(), ImageMistake> {
    let mistake = |what: &str| ImageMistake { what: what.to_owned(), hint: None };
    if image.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(mistake("contains whitespace or a control character"));
    }
    // A sha has this length and these characters, so the other checks need not know about `<hubtag>`.
    let tagged = image.replace(HUBTAG, &"0".repeat(40));
    if tagged.contains(['<', '>']) {
        let hint = format!("only `{HUBTAG}`, in lower case, stands for the commit");
        return Err(ImageMistake { what: "contains `<` or `>`".to_owned(), hint: Some(hint) });
    }
    let (name, digest) = match image.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (image, None),
    };
    if let Some(digest) = digest {
        if digest.contains(HUBTAG) {
            let hint = format!("a commit's sha is not an image's digest; write `{}:{HUBTAG}`", shown(name));
            return Err(ImageMistake { what: format!("has `{HUBTAG}` in its digest"), hint: Some(hint) });
        }
        let is_valid = digest.split_once(':').is_some_and(|(algorithm, hex)| {
            !algorithm.is_empty() && hex.chars().all(|c| c.is_ascii_hexdigit()) && !hex.is_empty()
        });
        if !is_valid {
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
            Err(ImageMistake { what: "has no tag".to_owned(), hint: Some(hint) })
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

fn check_tag(tag: &str) -> Result<(), ImageMistake> {
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
    Err(ImageMistake { what, hint: Some("a tag consists of letters, digits, `_`, `.` and `-`".to_owned()) })
}

/// The sha in `image` that replaced `<hubtag>` in `template`; `None` if `image` was not made from `template`.
pub fn sha_in(template: &str, image: &str) -> Option<CommitSha> {
    let (before, _) = template.split_once(HUBTAG)?;
    let sha = CommitSha::new(image.strip_prefix(before)?.get(..40)?).ok()?;
    // Correct even if the template contains several.
    (template.replace(HUBTAG, sha.as_str()) == image).then_some(sha)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(image: &str) -> String {
        check(image).unwrap_err().what
    }

    #[test]
    fn an_image_with_a_tag_or_a_digest_is_valid() {
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
    fn an_image_without_a_tag_gets_a_hint_that_adds_one() {
        for image in ["acme/web", "web", "host:5000/acme/web"] {
            let ImageMistake { what, hint } = check(image).unwrap_err();
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
    fn images_that_no_registry_accepts_are_refused() {
        assert_eq!(mistake("acme/web: 1"), "contains whitespace or a control character");
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
    fn the_sha_is_found_in_the_position_of_the_hubtag() {
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
