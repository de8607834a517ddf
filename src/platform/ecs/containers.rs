//! Tells a role's containers in a task definition from its sidecars. Pure.

use aws_sdk_ecs::types::ContainerDefinition;

/// The containers of a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleContainers {
    /// Index of the container that represents the role: its image is the role's.
    pub main: usize,
    /// Indexes of all containers with the same image, including `main`: they are rolled together.
    pub rolled: Vec<usize>,
    /// Indexes of containers with another image from the same repository, which they keep.
    pub kept: Vec<usize>,
}

/// The role's containers. `main` is the container with the role's image repository, else the one with the role's name,
/// else the only one. If several have the repository, it is the one with the role's name, or any of them if they all
/// have the same image. Otherwise an error that lists the containers.
pub fn of_role(
    containers: &[ContainerDefinition],
    role: &str,
    image: Option<&str>,
) -> Result<RoleContainers, String> {
    let wanted = image.map(repository);
    let of_image = |at: &usize| wanted.is_some_and(|wanted| repository_of(&containers[*at]) == Some(wanted));
    let with: Vec<usize> = (0..containers.len()).filter(of_image).collect();
    let by_name = containers.iter().position(|it| it.name() == Some(role));
    let by_name = by_name.filter(|at| with.is_empty() || with.contains(at));
    let same = with
        .first()
        .filter(|first| with.iter().all(|other| containers[*other].image() == containers[**first].image()));
    let main = match (by_name, same, containers.len()) {
        (Some(at), ..) | (None, Some(&at), _) => at,
        (None, None, 1) => 0,
        (None, None, _) => return Err(ambiguous(containers, role, wanted, with.len())),
    };
    let main_image = containers[main].image();
    let (rolled, others): (Vec<usize>, Vec<usize>) =
        (0..containers.len()).partition(|&at| at == main || containers[at].image() == main_image);
    let of_repository = |at: &usize| repository_of(&containers[*at]) == repository_of(&containers[main]);
    let kept = others.into_iter().filter(of_repository).collect();
    Ok(RoleContainers { main, rolled, kept })
}

fn repository_of(container: &ContainerDefinition) -> Option<&str> {
    container.image().map(repository)
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
    // A colon before the last slash belongs to the registry's port.
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
    fn a_container_is_found_by_image_then_name_then_as_the_only_one() {
        let find = |all: &[(&str, &str)], image| of_role(&containers(all), "web", image).unwrap().main;
        let pair = [("envoy", "envoy:1"), ("main", "host:5000/acme/web:9")];
        assert_eq!(find(&pair, Some("host:5000/acme/web:10")), 1);
        assert_eq!(find(&[("envoy", "envoy:1"), ("web", "acme/old:9")], Some("acme/web:1")), 1);
        assert_eq!(find(&[("envoy", "envoy:1"), ("web", "x:9")], None), 1);
        assert_eq!(find(&[("main", "x:9")], Some("acme/web:1")), 0);
        // The image has precedence over the name, which may mean something else.
        assert_eq!(find(&[("web", "proxy:1"), ("app", "acme/web:9")], Some("acme/web:1")), 1);
        let twice = [("old", "acme/web:0"), ("web", "acme/web:1")];
        assert_eq!(find(&twice, Some("acme/web:2")), 1);
    }

    #[test]
    fn containers_of_one_image_are_rolled_together() {
        let find = |all: &[(&str, &str)], image| of_role(&containers(all), "web", image).unwrap();
        let all =
            [("queue", "acme/web:1"), ("envoy", "envoy:1"), ("web", "acme/web:1"), ("tool", "acme/web:0")];
        let RoleContainers { main, rolled, kept } = find(&all, Some("acme/web:2"));
        assert_eq!((main, rolled, kept), (2, vec![0, 2], vec![3]));
        // None has the role's name, but all have the same image, so there is no choice to make.
        let RoleContainers { rolled, .. } =
            find(&[("a", "acme/web:1"), ("b", "acme/web:1")], Some("acme/web:2"));
        assert_eq!(rolled, [0, 1]);
        // The role moves to another repository.
        let RoleContainers { rolled, .. } =
            find(&[("web", "old:1"), ("queue", "old:1"), ("x", "y:1")], Some("new:1"));
        assert_eq!(rolled, [0, 1]);
    }

    #[test]
    fn an_ambiguous_role_lists_the_containers() {
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
