//! Shared services: two links that deploy the same one, and containers of one image.

use aws_sdk_ecs::types::ContainerDefinition;

use crate::world::Output;

use super::estate::{DESCRIPTION, Estate, block_on};
use super::{CLUSTER, created};

const DEPLOYMENT: &str = r#"{ name = "deploy", order = 0, kind = "deployment", timeout = "2m" }"#;

/// Wrapped text on a single line.
fn flat(output: &Output) -> String {
    output.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Two links of two repositories whose roles have the same name.
fn shared() -> Estate {
    let mut estate = Estate::new("true", DEPLOYMENT);
    estate.change("store", |repo| repo.ci("true").description(DESCRIPTION).commit("other"));
    estate.edit("[repos.shop]", "[repos.store]\nurl = \"repos/store\"\n\n[repos.shop]");
    let link = "links.store = { repo = \"store\", workflow = \"standard\", branch = \"main\" }";
    estate.edit("links.shop = ", &format!("{link}\nlinks.shop = "));
    estate.service("web", "katkit-ecs-test/web:1");
    estate.tag("katkit-ecs-test/web:2", "first");
    estate.tag("katkit-ecs-test/web:3", "other");
    estate
}

#[test]
fn a_service_belongs_to_the_link_that_deployed_it_until_it_is_handed_over() {
    let estate = shared();
    let plan = estate.run(["plan"]);
    assert_eq!(plan.code, 1, "{plan}");
    for other in ["shop", "store"] {
        let said = format!("the service `dev-web` in the cluster `dev` is also the target of `dev/{other}`");
        assert!(flat(&plan).contains(&said), "{plan}");
    }
    let applied = estate.run(["apply", "--target", "dev/shop"]);
    assert_eq!(applied.code, 0, "{applied}");
    let first = estate.serving("web");
    // Reports the other link's service, even if only one is planned, and nobody else's record.
    let said = "the service `dev-web` in the cluster `dev` belongs to `dev/shop`, so `dev/store` is not deployed there";
    let held = estate.run(["apply", "--target", "dev/store"]);
    assert!(held.code == 1 && flat(&held).contains(said), "{held}");
    let all = estate.run(["plan"]);
    assert!(flat(&all).contains(said) && flat(&all).contains("another `service-name`"), "{all}");
    let verified = estate.run(["verify"]);
    assert!(flat(&verified).contains(said), "{verified}");
    assert_eq!(estate.serving("web"), first);
    assert_eq!(estate.run(["apply"]).code, 1);
    assert_eq!(estate.serving("web"), first);

    // After a rename, the hint's command hands the service over.
    let link = "links.shop = { repo = \"shop\", workflow = \"standard\", branch = \"main\" }";
    estate.edit(link, "");
    let held = estate.run(["apply"]);
    let (_, arn) = held.stdout.split_once("--resource-arn").unwrap_or_else(|| panic!("{held}"));
    let arn = arn.split_whitespace().next().unwrap();
    let untag = estate.account.client.untag_resource().resource_arn(arn).tag_keys("katkit:place");
    block_on(untag.send()).unwrap();
    let applied = estate.run(["apply"]);
    assert_eq!(applied.code, 0, "{applied}");
    assert_eq!(estate.serving("web"), [format!("katkit-ecs-test/web:{}", estate.sha("other"))]);
    estate.all_is_done();
}

#[test]
fn containers_of_one_image_are_updated_together_and_the_rest_is_reported() {
    let mut estate = Estate::new("true", DEPLOYMENT);
    block_on(async {
        let client = &estate.account.client;
        let container = |name: &str, tag: &str| {
            let image = format!("katkit-ecs-test/{tag}");
            ContainerDefinition::builder().name(name).image(image).memory(32).command("serve").build()
        };
        let register = client.register_task_definition().family("web");
        let register = register.container_definitions(container("worker", "web:1"));
        let register = register.container_definitions(container("envoy", "sidecar:1"));
        let register = register.container_definitions(container("web", "web:1"));
        register.container_definitions(container("tool", "web:3")).send().await.unwrap();
        let create =
            client.create_service().cluster(CLUSTER).service_name("dev-web").task_definition("web:1");
        created(&create.desired_count(1).send().await);
    });
    estate.tag("katkit-ecs-test/web:2", "first");
    let plan = estate.run(["plan"]);
    let said = "the container `tool` of the service `dev-web` keeps its own image, `katkit-ecs-test/web:3`";
    assert!(flat(&plan).contains(said), "{plan}");
    assert!(!plan.stdout.contains("envoy"), "{plan}");
    let applied = estate.run(["apply"]);
    assert_eq!(applied.code, 0, "{applied}");
    let new = format!("katkit-ecs-test/web:{}", estate.sha("first"));
    let (sidecar, tool) = ("katkit-ecs-test/sidecar:1".to_owned(), "katkit-ecs-test/web:3".to_owned());
    assert_eq!(estate.serving("web"), [new.clone(), sidecar, new, tool]);
    estate.all_is_done();
}
