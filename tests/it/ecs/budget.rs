//! The number of AWS calls, however many links there are.

use std::fmt::Write as _;
use std::time::Duration;

use futures::{StreamExt, stream};

use crate::engines::proxy::{Fault, Proxy};
use crate::world::Output;

use super::estate::{Estate, block_on};
use super::{CLUSTER, created};

/// Time limit for hundreds of links on a busy machine.
const LONG: Duration = Duration::from_mins(5);

/// One repository and this many links, each with a service that already runs its first commit.
fn links(many: usize) -> Estate {
    let mut estate = Estate::empty();
    estate.change("shop", |repo| repo.ci("true").description("acme/web:<hubtag>").commit("first"));
    let mut manifest = format!(
        "version = 1\n{}\n[repos.shop]\nurl = \"repos/shop\"\nbranch = \"main\"\n\n[workflows.standard]\nphases = [\n  \
         {{ name = \"deploy\", order = 0, kind = \"deployment\" }},\n]\n\n[tenants.dev]\n\
         platform = {{ kind = \"ecs\", cluster = \"{CLUSTER}\", service-name = \"{{link}}-{{role}}\" }}\n\n[tenants.dev.links]\n",
        estate.stores_and_fleet("phases", "")
    );
    for number in 0..many {
        let link = "{ repo = \"shop\", workflow = \"standard\", branch = \"main\" }";
        writeln!(manifest, "l{number} = {link}").unwrap();
    }
    estate.write("katkit.toml", &manifest);
    assert_eq!(estate.run(["bootstrap"]).code, 0);
    let (client, image) = (&estate.account.client, format!("acme/web:{}", estate.sha("first")));
    block_on(async {
        let container =
            aws_sdk_ecs::types::ContainerDefinition::builder().name("web").image(image).memory(32);
        let register = client.register_task_definition().family("web");
        register.container_definitions(container.build()).send().await.unwrap();
        let create = |number| {
            let create = client.create_service().cluster(CLUSTER).service_name(format!("l{number}-web"));
            create.task_definition("web:1").desired_count(0).send()
        };
        let answers: Vec<_> = stream::iter(0..many).map(create).buffer_unordered(4).collect().await;
        answers.iter().for_each(created);
    });
    estate
}

/// Every call that katkit reports.
fn calls(output: &Output) -> u64 {
    let line = output.stderr.lines().find_map(|line| line.split_once("calls to AWS: "));
    let (_, sum) = line.unwrap_or_else(|| panic!("{output}"));
    sum.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn a_plan_over_a_thousand_unchanged_links_reads_in_batches() {
    let many = 1000;
    let estate = links(many);
    let adopted = estate.start(["apply"]).wait_within(LONG);
    assert_eq!(adopted.code, 0, "{adopted}");
    let plan = estate.run(["plan", "--detailed-exitcode", "--verbose"]);
    assert_eq!(plan.code, 0, "{plan}");
    // Services are read by tens, the record by hundreds.
    let most = many / 100 + many / 10 + 10;
    assert!(calls(&plan) <= most as u64, "{}", plan.stderr);
}

#[test]
fn two_hundred_concurrent_deployments_do_not_notice_throttling_of_one_call_in_five() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let proxy = runtime.block_on(Proxy::start());
    let mut estate = links(200);
    let adopted = estate.start(["apply"]).wait_within(LONG);
    assert_eq!(adopted.code, 0, "{adopted}");
    estate.change("shop", |repo| repo.commit("second"));
    proxy.fault(|_, number| (number % 5 == 0).then_some(Fault::Throttle));
    estate.with_variable("AWS_ENDPOINT_URL", &proxy.endpoint);
    let applied = estate.start(["apply", "--parallelism", "200", "--verbose"]).wait_within(LONG);
    assert_eq!(applied.code, 0, "{applied}");
    assert!(!applied.to_string().to_lowercase().contains("throttl"), "{applied}");
    let deployed = applied.stderr.matches("<second> deployed").count();
    assert_eq!((deployed, proxy.calls()["UpdateService"] >= 200), (200, true), "{applied}");
}
