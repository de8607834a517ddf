//! Which container of a task definition is a role's, and which are sidecars. Pure.

use aws_sdk_ecs::types::ContainerDefinition;

/// The position of the role's container: the one with the role's image repository, else the one with the role's name, else
/// the only one. Otherwise a sentence that names them.
pub fn of_role(containers: &[ContainerDefinition], role: &str, image: Option<&str>) -> Result<usize, String> {
    let named = |it: &ContainerDefinition| it.name() == Some(role);
    let repository = image.map(repository);
    let of_image = |it: &ContainerDefinition| {
        repository.is_some_and(|wanted| it.image().is_some_and(|image| self::repository(image) == wanted))
    };
    let with: Vec<usize> = (0..containers.len()).filter(|&at| of_image(&containers[at])).collect();
    if let [only] = with.as_slice() {
        return Ok(*only);
    }
    let by_name = containers.iter().position(named).filter(|at| with.is_empty() || with.contains(at));
    match (by_name, containers.len()) {
        (Some(at), _) => Ok(at),
        (None, 1) => Ok(0),
        (None, _) => Err(ambiguous(containers, role, repository, with.len())),
    }
}

fn ambiguous(
    containers: &[ContainerDefinition],
    role: &str,
    repository: Option<&str>,
    with: usize,
) -> String {
    let each = containers
        .iter()
        .map(|it| format!("`{}` ({})", it.name().unwrap_or_default(), it.image().unwrap_or_default()));
    let all = each.collect::<Vec<_>>().join(", ");
    match repository {
        Some(repository) if with > 1 => {
            format!("several of its containers have the image `{repository}`: {all}")
        }
        Some(repository) => {
            format!("none of its containers is named `{role}` or has the image `{repository}`: {all}")
        }
        None => format!("none of its containers is named `{role}`: {all}"),
    }
}

/// An image without its tag and digest.
pub fn repository(image: &str) -> &str {
    let name = image.split_once('@').map_or(image, |(name, _)| name);
    // A colon before the last slash belongs to a registry's port.
    let last = name.rfind('/').map_or(0, |slash| slash + 1);
    match name[last..].find(':') {
        Some(colon) => &name[..last + colon],
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn containers(all: &[(&str, &str)]) -> Vec<ContainerDefinition> {
        all.iter()
            .map(|(name, image)| ContainerDefinition::builder().name(*name).image(*image).build())
            .collect()
    }

    #[test]
    fn the_image_tells_then_the_name_then_that_there_is_no_other() {
        let find = |all: &[(&str, &str)], image| of_role(&containers(all), "web", image);
        let pair = [("envoy", "envoy:1"), ("main", "host:5000/acme/web:9")];
        assert_eq!(find(&pair, Some("host:5000/acme/web:10")), Ok(1));
        assert_eq!(find(&[("envoy", "envoy:1"), ("web", "acme/old:9")], Some("acme/web:1")), Ok(1));
        assert_eq!(find(&[("envoy", "envoy:1"), ("web", "x:9")], None), Ok(1));
        assert_eq!(find(&[("main", "x:9")], Some("acme/web:1")), Ok(0));
        // The image goes before the name: a container may be named after something else.
        assert_eq!(find(&[("web", "proxy:1"), ("app", "acme/web:9")], Some("acme/web:1")), Ok(1));
        let twice = [("init", "acme/web:1"), ("web", "acme/web:1")];
        assert_eq!(find(&twice, Some("acme/web:2")), Ok(1));
    }

    #[test]
    fn where_it_cannot_be_told_the_containers_are_named() {
        let find = |all: &[(&str, &str)], image| of_role(&containers(all), "web", image).unwrap_err();
        assert_eq!(
            find(&[("main", "a:1"), ("envoy", "b:1")], Some("acme/web:1")),
            "none of its containers is named `web` or has the image `acme/web`: `main` (a:1), `envoy` (b:1)"
        );
        assert_eq!(
            find(&[("one", "a:1"), ("two", "a:2")], Some("a:3")),
            "several of its containers have the image `a`: `one` (a:1), `two` (a:2)"
        );
        assert_eq!(find(&[], None), "none of its containers is named `web`: ");
    }

    #[test]
    fn a_repository_is_an_image_without_tag_and_digest() {
        for (image, expected) in [
            ("web", "web"),
            ("web:1", "web"),
            ("host:5000/web", "host:5000/web"),
            ("host:5000/web:1@sha256:ab", "host:5000/web"),
            ("web@sha256:ab", "web"),
        ] {
            assert_eq!(repository(image), expected);
        }
    }
}
