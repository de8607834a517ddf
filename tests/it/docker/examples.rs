//! The examples that need Docker, each from its commit to running containers.

use std::fs;
use std::path::Path;

use crate::engines::{Host, docker, on_hosts};
use crate::world::World;

use super::{BUILDER, SERVICE, Yard};

/// An example with its own repository and manifest, and images that exist without a registry.
fn example(host: Host, name: &str, folder: &str, images: &str) -> Yard {
    let address = host.address();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
    let place = format!("examples/{name}/{folder}");
    let world = World::new().repo("it", |repo| repo.folder(&from.join(folder), &place).commit("first"));
    let manifest = fs::read_to_string(from.join("katkit.toml")).unwrap();
    let manifest = manifest
        .replace("url = \"../..\"", "url = \"repos/it\"")
        .replace("katkit/builder:1", BUILDER)
        .replace(
            "platform = { kind = \"docker\" }",
            &format!(
                "platform = {{ kind = \"docker\", settle = \"1s\" }}\nvariables = {{ BASE = \"{SERVICE}\" }}"
            ),
        );
    let (world, images) = (world.manifest(&manifest), vec![images.to_owned()]);
    let mut yard = Yard { host, world, images, bucket: None };
    if let Some(address) = address {
        yard.with_variable("DOCKER_HOST", &address);
    }
    yard
}

on_hosts! {
    docker(Docker) { the_docker_example_goes_from_a_commit_to_a_healthy_container }
    podman(Podman) { the_docker_example_goes_from_a_commit_to_a_healthy_container }
}

fn the_docker_example_goes_from_a_commit_to_a_healthy_container(host: Host) {
    let yard = example(host, "docker", "service", "hello/web");
    yard.applied();
    assert!(yard.run(["logs", "dev/hello", "--phase", "verify"]).stdout.contains("DEV serves <first>"));
    assert_eq!(yard.inspect(&yard.serves(), "{{.State.Health.Status}}"), "healthy");
    assert_eq!(yard.run(["plan", "--detailed-exitcode"]).code, 0);
    yard.phases_are_gone();
}

#[test]
fn a_repository_of_the_original_katkit_goes_from_a_commit_to_a_container_unchanged() {
    let yard = example(Host::Docker, "legacy", "repository", "acme/orders");
    let applied = yard.applied();
    assert!(!applied.stdout.contains("redis:<first>"), "{applied}");
    let serving = yard.containers("label=katkit.role");
    assert_eq!(serving.len(), 1, "a role without `<hubtag>` is left alone");
    let image = format!("acme/orders:web_{}", yard.sha("first"));
    assert_eq!(yard.inspect(&serving[0], "{{.Config.Image}} {{.State.Status}}"), format!("{image} running"));
    let logs = yard.run(["logs", "d-orders/orders", "--phase", "POST_DEPLOY_VERIFICATION"]).stdout;
    for part in 0..4 {
        assert!(logs.contains(&format!("part {part} of the tests of <first> in DEV")), "{logs}");
    }
    assert_eq!(docker(&["run", "--rm", &image, "/bin/echo", "it is there"]), "it is there");
    assert_eq!(yard.run(["plan", "--detailed-exitcode"]).code, 0);
    yard.phases_are_gone();
}
