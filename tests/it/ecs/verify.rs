//! `katkit verify` of what tasks depend on outside ECS.

use crate::engines::REGION;
use crate::engines::proxy::{Fault, Proxy};
use crate::world::Output;

use super::CLUSTER;
use super::estate::Estate;
use super::surroundings::Surroundings;

const TASKS: &str = "ecs-tasks.amazonaws.com";

/// A complete account, a manifest that names all of it, and a service that runs the image `web:1`.
struct Ready {
    estate: Estate,
    around: Surroundings,
    subnet: String,
    group: String,
    agent: String,
    secret: String,
    parameter: String,
}

/// The phases before the deployment.
const BUILD: &str = "{ name = \"build\", order = 0 },";

fn ready(before: &str) -> Ready {
    let mut estate = Estate::empty();
    let around = Surroundings { number: estate.account.number.clone() };
    let vpc = around.vpc();
    let (subnet, group) = (around.subnet(&vpc, 1), around.group(&vpc));
    let (agent, execution) = (around.role("agent", TASKS), around.role("execution", TASKS));
    let (secret, parameter) = (around.secret("acme/shop"), around.parameter("/acme/pass"));
    let (builder, web) = (around.repository("builder"), around.repository("acme/web"));
    around.image("builder", "v7");
    let description = format!("{web}:<hubtag>");
    estate.change("shop", |repo| repo.ci("true").description(&description).commit("first"));
    let stores = estate.stores_and_fleet("phases", "");
    let stores = stores.split_once("[fleets.").unwrap().0;
    estate.write(
        "katkit.toml",
        &format!(
            r#"version = 1
{stores}
[repos.shop]
url = "repos/shop"

[fleets.phases]
kind = "ecs"
cluster = "{CLUSTER}"
subnets = ["{subnet}"]
security-groups = ["{group}"]
image = "{builder}:v7"
task-role = "{agent}"
execution-role = "{execution}"

[workflows.checks]
phases = [
  {before}
  {{ name = "check", order = 2 }},
]

[workflows.standard]
phases = [
  {before}
  {{ name = "deploy", order = 1, kind = "deployment" }},
  {{ name = "check", order = 2 }},
]

[tenants.dev]
platform = {{ kind = "ecs", cluster = "{CLUSTER}", service-name = "{{tenant}}-{{role}}" }}
secrets = {{ PASS = "{parameter}", KEY = "{secret}:key::" }}
links.shop = {{ repo = "shop", workflow = "standard", branch = "main" }}
links.other = {{ repo = "shop", workflow = "checks", branch = "main" }}
"#
        ),
    );
    estate.service("web", "katkit-ecs-test/web:1");
    estate.assume("web", "katkit-ecs-test/web:1", &agent, &execution);
    let made = estate.run(["bootstrap"]);
    assert_eq!(made.code, 0, "{made}");
    Ready { estate, around, subnet, group, agent, secret, parameter }
}

impl Ready {
    fn verify(&self) -> Output {
        self.estate.run(["verify"])
    }

    fn image_of_the_commit(&self) -> String {
        format!("{}.dkr.ecr.{REGION}.amazonaws.com/acme/web:<first>", self.around.number)
    }
}

/// Wrapped text on a single line.
fn flat(output: &Output) -> String {
    output.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn says(output: &Output, parts: &[&str]) {
    let flat = flat(output);
    for part in parts {
        assert!(flat.contains(part), "{part:?} is not in {output}");
    }
}

#[test]
fn existing_dependencies_are_confirmed_with_one_call_each() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let proxy = runtime.block_on(Proxy::start());
    let mut ready = ready(BUILD);
    ready.estate.with_variable("AWS_ENDPOINT_URL", &proxy.endpoint);
    let verified = ready.estate.run(["verify", "--verbose"]);
    assert_eq!(verified.code, 0, "{verified}");
    let (agent, number) = (&ready.agent, &ready.around.number);
    says(
        &verified,
        &[
            "ok `subnets` exist, in the VPC `vpc-",
            "ok `security-groups` belong to the VPC of the subnets",
            &format!("ok `task-role` {agent} can be assumed by tasks"),
            "ok `execution-role` arn:aws:iam::",
            &format!("ok task role of the service `dev-web` {agent} can be assumed by tasks"),
            "ok execution role of the service `dev-web` arn:aws:iam::",
            &format!("ok image `{number}.dkr.ecr.{REGION}.amazonaws.com/builder:v7` is in its registry"),
            "ok secret `PASS` is in Parameter Store",
            "ok secret `KEY` is in Secrets Manager; only a running task shows whether it has the key `key`",
            // Not built yet.
            &format!("? image `{}`: there is no image with the tag `<first>`", ready.image_of_the_commit()),
            "a phase before the deployment may build it",
        ],
    );
    assert!(!verified.to_string().contains("hunter2"), "{verified}");
    // Two links and four phases share every call; the proxy cannot see the names of calls in XML.
    let calls = proxy.calls();
    let asked = |name: &str| calls.get(name).copied().unwrap_or(0);
    assert_eq!((asked("DescribeSecret"), asked("DescribeParameters"), asked("DescribeImages")), (1, 1, 2));
    for line in
        ["2 ECR.DescribeImages", "1 EC2.DescribeSubnets", "1 EC2.DescribeSecurityGroups", "2 IAM.GetRole"]
    {
        let said = verified.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(line), "{line} is not in {verified}");
    }

    ready.around.image("acme/web", ready.estate.sha("first"));
    says(&ready.verify(), &[&format!("ok image `{}` is in its registry", ready.image_of_the_commit())]);
}

#[test]
fn missing_dependencies_are_reported_with_a_fix() {
    let ready = ready("");
    let Ready { estate, around, subnet, group, agent, secret, parameter } = &ready;
    // No phase before the deployment could build it.
    let elsewhere = around.vpc();
    let (strange, outside) = (around.subnet(&elsewhere, 2), around.group(&elsewhere));
    let lambda = around.role("lambda", "lambda.amazonaws.com");
    estate.edit(&format!("\"{group}\""), &format!("\"{outside}\""));
    estate.edit(&format!("task-role = \"{agent}\""), &format!("task-role = \"{lambda}\""));
    estate.edit("/execution\"", "/missing\"");
    let gone = agent.replace("/agent", "/gone");
    estate.assume("web", "katkit-ecs-test/web:1", &lambda, &gone);
    estate.edit("builder:v7", "builder:v8");
    estate.edit(parameter, &format!("{parameter}-not"));
    around.delete_secret(secret);
    let verified = ready.verify();
    assert_eq!(verified.code, 1, "{verified}");
    says(
        &verified,
        &[
            &format!("BAD `security-groups`: they belong to the VPC `{elsewhere}`, and the subnets to `vpc-"),
            &format!("BAD `task-role`: {lambda} cannot be assumed by tasks: it does not trust `{TASKS}`"),
            "fix: let its trust policy allow `sts:AssumeRole`",
            "BAD `execution-role`: there is no role `missing`",
            &format!("BAD task role of the service `dev-web`: {lambda} cannot be assumed by tasks"),
            "BAD execution role of the service `dev-web`: there is no role `gone`",
            "builder:v8`: there is no image with the tag `v8` in the repository `builder` of",
            &format!("BAD image `{}`: there is no image with the tag", ready.image_of_the_commit()),
            &format!("BAD secret `PASS`: there is no parameter {parameter}-not"),
            "BAD secret `KEY`: the secret is scheduled for deletion",
            "fix: create it, or correct its ARN in the manifest",
        ],
    );

    estate.edit(&format!("[\"{subnet}\"]"), &format!("[\"{subnet}\", \"{strange}\"]"));
    estate.edit(&format!("\"{outside}\""), "\"sg-0123456789\"");
    estate.edit("/lambda\"", "/agent\"");
    estate.edit(":role/katkit/agent", ":role/agent");
    estate.edit("builder:v8", "nowhere:v8");
    estate.edit(":secret:acme/shop-", ":secret:acme/nothing-");
    says(
        &ready.verify(),
        &[
            "BAD `subnets`: they belong to several VPCs:",
            "BAD `security-groups`: there is no security group `sg-0123456789` in the cluster's region",
            &format!("is not the ARN of the role `agent`, which is `{agent}`"),
            "there is no repository `nowhere` of",
            "BAD secret `KEY`: there is no secret arn:aws:secretsmanager:",
        ],
    );
    estate.edit(&strange, "subnet-0123456789");
    estate.edit(&format!("{}.dkr.ecr.{REGION}.amazonaws.com/nowhere:v8", around.number), "ghcr.io/acme/x:1");
    says(
        &ready.verify(),
        &[
            "BAD `subnets`: there is no subnet `subnet-0123456789` in the cluster's region",
            "? image `ghcr.io/acme/x:1`: its registry is not ECR, so it is not checked",
        ],
    );
}

#[test]
fn missing_permissions_are_reported_and_not_taken_for_problems() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let proxy = runtime.block_on(Proxy::start());
    let mut ready = ready(BUILD);
    proxy.fault(|_, _| Some(Fault::Error("AccessDenied", "no identity-based policy allows it")));
    for service in ["EC2", "ECR", "IAM", "SECRETS_MANAGER", "SSM"] {
        ready.estate.with_variable(&format!("AWS_ENDPOINT_URL_{service}"), &proxy.endpoint);
    }
    let verified = ready.verify();
    assert_eq!(verified.code, 0, "{verified}");
    let needs = ready.estate.run(["bootstrap", "--print", "--account", &ready.around.number]);
    let needs: serde_json::Value = serde_json::from_str(&needs.stdout).unwrap();
    for action in [
        "ec2:DescribeSubnets",
        "ec2:DescribeSecurityGroups",
        "iam:GetRole",
        "secretsmanager:DescribeSecret",
        "ssm:DescribeParameters",
        "ecr:DescribeImages",
    ] {
        says(&verified, &[&format!("it could not be checked: access denied: `{action}` on `")]);
        assert!(needs["policies"]["controller"].to_string().contains(action), "{needs}");
    }
    says(
        &verified,
        &["is not allowed; allow it in a policy; `katkit bootstrap --print` shows what katkit needs"],
    );
    // A policy names the secret itself, without the suffix it has in the manifest.
    let execution = needs["policies"]["execution"]["Statement"].as_array().unwrap();
    let secrets = execution.iter().find(|it| it["Action"] == "secretsmanager:GetSecretValue").unwrap();
    assert_eq!(secrets["Resource"], serde_json::json!([ready.secret]));
    // One call in three is throttled, unnoticed.
    proxy.fault(|_, number| (number % 3 == 0).then_some(Fault::Throttle));
    says(&ready.verify(), &["ok `subnets` exist", "ok secret `KEY` is in Secrets Manager"]);
}

/// Only the instances know whether the endpoint is blocked.
#[test]
fn endpoints_that_tasks_can_reach_are_reported_with_the_way_to_block_them() {
    let ready = ready(BUILD);
    let reach = "metadata service of the instances of";
    let verified = ready.verify();
    assert!(!flat(&verified).contains(&format!("{reach} the fleet")), "Fargate has no instances: {verified}");
    says(&verified, &[&format!("? {reach} the service `dev-web`: tasks reach it"), "DOCKER-USER"]);

    let subnets = format!("subnets = [\"{}\"]", ready.subnet);
    ready.estate.edit(&subnets, &format!("launch-type = \"ec2\"\n{subnets}"));
    let verified = ready.verify();
    assert_eq!(verified.code, 0, "{verified}");
    says(&verified, &[&format!("? {reach} the fleet: tasks reach it"), "`ECS_AWSVPC_BLOCK_IMDS=true`"]);

    let groups = format!("security-groups = [\"{}\"]", ready.group);
    ready.estate.edit(&subnets, "");
    ready.estate.edit(&groups, "");
    says(&ready.verify(), &[&format!("? {reach} the fleet: tasks reach it"), "a hop limit of 1"]);

    ready.estate.edit("launch-type = \"ec2\"", "launch-type = \"ec2\"\ndocker-socket = true");
    says(&ready.verify(), &["? instances of the fleet: with `docker-socket` phases are root on them"]);
}

/// Before it begins, `apply` checks only what costs nothing.
#[test]
fn apply_makes_none_of_these_calls_before_a_phase() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let proxy = runtime.block_on(Proxy::start());
    let mut ready = ready(BUILD);
    proxy.fault(|name, _| (name == "RunTask").then_some(Fault::Error("AccessDeniedException", "no")));
    ready.estate.with_variable("AWS_ENDPOINT_URL", &proxy.endpoint);
    let applied = ready.estate.run(["apply", "--verbose"]);
    assert_eq!(applied.code, 1, "{applied}");
    assert!(proxy.calls()["RunTask"] > 0 && applied.stderr.contains("ECS.RunTask"), "{applied}");
    for service in ["EC2.", "ECR.", "IAM.", "SecretsManager.", "SSM."] {
        assert!(!applied.stderr.contains(service), "{applied}");
    }
}
