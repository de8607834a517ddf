//! From a commit to a running container through the binary, with everything in one account.

use std::path::Path;

use super::estate::{Estate, block_on};
use super::{CLUSTER, ENDPOINT};

/// A bash script builds the image with the host's docker; a role without `<hubtag>` is not touched.
#[test]
fn a_repository_of_the_original_katkit_is_deployed_to_a_cluster_unchanged() {
    let mut estate = Estate::empty();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/legacy/repository");
    estate.change("orders", |repo| repo.folder(&from, ".").commit("first"));
    let account = &estate.account.number;
    let logs =
        format!("execution-role = \"arn:aws:iam::{account}:role/execution\"\nlog-group = \"/katkit/agents\"");
    let fleets = estate.stores_and_fleet("dev", &logs);
    estate.write(
        "katkit.toml",
        &format!(
            r#"version = 1
{fleets}
[repos.orders]
url = "repos/orders"

[tenants.dev]
environment = "DEV"
variables = {{ BASE = "katkit-ecs-test/web:1" }}
platform = {{ kind = "ecs", cluster = "{CLUSTER}", service-name = "{{tenant}}-{{role}}" }}
links.shop = {{ repo = "orders", branch = "main" }}
"#
        ),
    );
    estate.service("orders", "katkit-ecs-test/web:1");
    estate.service("redis", "katkit-ecs-test/web:3");
    let redis = estate.described("redis").task_definition.unwrap();
    let made = estate.run(["bootstrap"]);
    assert!(made.stdout.contains("created  log group `/katkit/agents`, with 30 days of retention"), "{made}");

    let applied = estate.run(["apply", "--verbose"]);
    assert_eq!(applied.code, 0, "{applied}");
    let image = format!("acme/orders:web_{}", estate.sha("first"));
    estate.made(image.clone());
    assert_eq!(estate.serving("orders"), [image]);
    assert_eq!(estate.described("redis").task_definition.unwrap(), redis, "it has no `<hubtag>`");
    let logs = estate.run(["logs", "dev/shop", "--phase", "POST_DEPLOY_VERIFICATION"]).stdout;
    for part in 0..4 {
        assert!(logs.contains(&format!("part {part} of the tests of <first> in DEV")), "{logs}");
    }
    let verified = estate.run(["verify"]);
    assert!(verified.stdout.contains("service `dev-orders` of the role `orders`"), "{verified}");
    assert!(verified.stdout.contains("log group `/katkit/agents` exists"), "{verified}");
    let history = estate.run(["history", "dev/shop", "--format", "json"]).stdout;
    let history: serde_json::Value = serde_json::from_str(&history).unwrap();
    let actor = &history["events"][0]["actor"];
    assert_eq!((&actor["name"], &actor["assurance"]), (&"ana".into(), &"aws".into()));
    assert!(
        actor["subject"].as_str().unwrap().starts_with(&format!("arn:aws:iam::{}:", estate.account.number)),
        "{actor}"
    );
    estate.edit("\"/katkit/agents\"", "\"/elsewhere\"");
    let missing = estate.run(["verify"]);
    assert_eq!(missing.code, 1, "{missing}");
    assert!(missing.stdout.contains("log group `/elsewhere`: does not exist"), "{missing}");
    estate.edit("\"/elsewhere\"", "\"/katkit/agents\"");
    estate.all_is_done();
}

/// A link that needs no credentials gives access to a phase's artifacts.
#[test]
fn artifacts_and_logs_of_tasks_are_read_from_the_bucket() {
    let phases = r#"{ name = "build", order = 0, artifacts = ["out/*"] },
        { name = "check", order = 1, inputs = ["build"], run = "cat $KATKIT_INPUTS/build/0/out/report; grep links $KATKIT_PEERS" }"#;
    let estate = Estate::new("mkdir out; echo good > out/report; echo \"$SEEN by $HOME\"", phases);
    estate.edit("env = {", "env = { SEEN = \"seen\",");
    let applied = estate.run(["apply"]);
    assert_eq!(applied.code, 0, "{applied}");
    // The image's own home, and what the fleet adds.
    assert_eq!(estate.run(["logs", "dev/shop", "--phase", "build"]).stdout, "seen by /root\n");
    assert_eq!(estate.run(["logs", "dev/shop", "--phase", "check"]).stdout, "good\n  \"links\": []\n");
    let artifacts = estate.run(["artifacts", "dev/shop", "--phase", "build", "--url", "--format", "json"]);
    let listed: serde_json::Value = serde_json::from_str(&artifacts.stdout).unwrap();
    let url = listed["files"][0]["url"].as_str().unwrap_or_else(|| panic!("{artifacts}"));
    assert!(url.starts_with(ENDPOINT), "{url}");
    let url = url.replace("<first>", estate.sha("first"));
    let fetched = std::process::Command::new("curl").args(["-fsS", &url]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&fetched.stdout), "good\n", "{fetched:?}");
    estate.all_is_done();
}

/// Only ECS reads the value; it is in the phase, and masked in what is kept.
#[test]
fn a_secret_of_the_parameter_store_reaches_only_the_phase() {
    let estate = Estate::new("[ ${#PASS} = 7 ] && echo \"it is $PASS\"", r#"{ name = "build", order = 0 }"#);
    let account = &estate.account.number;
    // Not a `SecureString`, which the emulator passes to tasks in its stored form.
    let body = r#"{"Name":"/dev/pass","Value":"hunter2","Type":"String"}"#;
    let put = std::process::Command::new("curl")
        .args(["-fsS", ENDPOINT, "-H", "X-Amz-Target: AmazonSSM.PutParameter", "-d", body])
        .args(["-H", "Content-Type: application/x-amz-json-1.1", "-H"])
        .arg(format!(
            "Authorization: AWS4-HMAC-SHA256 Credential={account}/20260101/eu-central-1/ssm/aws4_request, SignedHeaders=host, Signature=0"
        ))
        .output()
        .unwrap();
    assert!(put.status.success(), "{put:?}");
    let arn = format!("arn:aws:ssm:eu-central-1:{account}:parameter/dev/pass");
    estate.edit("environment = \"DEV\"", &format!("environment = \"DEV\"\nsecrets = {{ PASS = \"{arn}\" }}"));
    let refused = estate.run(["apply"]);
    assert_eq!(refused.code, 1, "{refused}");
    assert!(refused.stdout.contains("the secrets need an `execution-role`"), "{refused}");
    assert_eq!(estate.happened("attempt-intended"), 0, "nothing was begun");
    let role = format!("execution-role = \"arn:aws:iam::{account}:role/execution\"\nimage =");
    estate.edit("image =", &role);
    let applied = estate.run(["apply"]);
    assert_eq!(applied.code, 0, "{applied}");
    assert_eq!(estate.run(["logs", "dev/shop"]).stdout, "it is ***\n");
    let client = &estate.account.client;
    let definitions = block_on(client.list_task_definitions().send()).unwrap();
    for arn in definitions.task_definition_arns.unwrap_or_default() {
        let described = block_on(client.describe_task_definition().task_definition(arn).send()).unwrap();
        assert!(!format!("{described:?}").contains("hunter2"));
    }
    assert!(!estate.history().contains("hunter2"));
}
