//! Errors about settings.

use insta::assert_snapshot;

use super::Files;

#[test]
fn a_link_names_its_fleet_when_there_are_several() {
    let files =
        Files::new("version = 1\nfleets.a.kind = 'process'\nfleets.b.kind = 'docker'\n[tenants.dev]\n");
    assert_snapshot!(files.complaints(), @r"
    katkit.toml:4: missing key `fleet`
        it is optional only if exactly one fleet is defined; there are `a` and `b`
    ");
    let one = Files::new("version = 1\nfleets.a.kind = 'docker'\n[tenants.dev]\n").load();
    assert_eq!(one.manifest.tenants["dev"].fleet.as_str(), "a");
}

#[test]
fn an_invalid_workflow_is_refused() {
    let files = Files::new(
        r#"version = 1
[workflows.empty]
phases = []
[workflows.none]
[workflows.odd]
on-failure = "explode"
phases = [
  { order = 0 },
  { name = "a/b", order = 0 },
  { name = "build", order = "0" },
  { name = "build" },
  { name = "one", order = 1, kind = "deployment", image = "x:1", run = "make" },
  { name = "two", order = 1, kind = "deployment", parallelism = 2 },
  { name = "three", order = 2, parallelism = 0, retries = -1, strategy = "together", run = " " },
  { name = "four", order = 2, timeout = 20, depth = 0, artifacts = ["../x", "[", "ok/**"] },
  { name = "five", order = 2, timeout = "0s", depth = "all", checkout = "copy", fleet = "shared" },
  "six",
]
[workflows.code]
on-failure = "hold"
phases = { name = "build", order = 0 }
"#,
    );
    assert_snapshot!(files.complaints(), @r#"
    katkit.toml:3: a workflow without phases
        write at least one: `phases = [{ name = "build", order = 0 }]`
    katkit.toml:4: missing key `phases`
    katkit.toml:6: unknown choice `explode`
    katkit.toml:8: missing key `name`
    katkit.toml:9: `a/b` contains '/'; a phase name is printable text without `/`, and neither `.` nor `..`
    katkit.toml:10: expected an integer, found a string
        remove the quotes: `0`
    katkit.toml:11: missing key `order`
    katkit.toml:11: two phases are named `build`
        the first: katkit.toml:10
    katkit.toml:12: `image` makes no sense here: a deployment phase runs no code
    katkit.toml:12: `run` makes no sense here: a deployment phase runs no code
    katkit.toml:13: two deployment phases in one workflow
        the first: katkit.toml:12
    katkit.toml:13: `parallelism` makes no sense here: a deployment phase runs no code
    katkit.toml:14: 0 is not between 1 and 1000
    katkit.toml:14: -1 is not between 0 and 100
    katkit.toml:14: `strategy` makes no sense here: it belongs to a deployment phase
    katkit.toml:14: an empty command
        leave it out to run `ci.sh`
    katkit.toml:15: expected a duration, found an integer
        a duration looks like `90s`, `20m` or `1h30m`
    katkit.toml:15: 0 is not between 1 and 4294967294
    katkit.toml:15: `../x` is outside the folder
        artifacts are inside the folder, like `target/*.jar`
    katkit.toml:15: `[` is not a glob
    katkit.toml:16: a zero duration
        a duration looks like `90s`, `20m` or `1h30m`
    katkit.toml:16: expected a number of commits or `"full"`, found a string
    katkit.toml:16: unknown choice `copy`
    katkit.toml:16: unknown choice `shared`
    katkit.toml:17: expected a table, found a string
    katkit.toml:21: expected an array, found a table
    "#);
}

#[test]
fn an_invalid_or_conflicting_variable_is_refused() {
    let files = Files::new(
        r#"version = 1
[repos.shop]
url = "."
[workflows.standard]
phases = [{ name = "build", order = 0, variables = { TOKEN = "x" } }]
[tenants.dev]
variables = { REPLICAS = 3, "MY-VAR" = "x", "1X" = "", GIT_SHA = "x", KATKIT_X = "x", ENV = "x", PASS = "x" }
secrets = { PASS = "env:PASS", TOKEN = "file:token", PLAIN = "hunter2", EMPTY = "env:", REPLICA_ID = "env:X" }
[tenants.dev.links.shop]
repo = "shop"
workflow = "standard"
branch = "main"
variables = { PASS = "x", DEBUG = true }
"#,
    );
    assert_snapshot!(files.complaints(), @r#"
    katkit.toml:5: `TOKEN` is both a variable and a secret of `dev`
        the secret: katkit.toml:8
        remove one of them
    katkit.toml:7: expected a string, found an integer
        put it in quotes: `"3"`
    katkit.toml:7: `MY-VAR` cannot be the name of a variable
        allowed are letters, digits and `_`, beginning with a letter or `_`
    katkit.toml:7: `1X` cannot be the name of a variable
        allowed are letters, digits and `_`, beginning with a letter or `_`
    katkit.toml:7: `GIT_SHA` is set by katkit
        it follows from the link's `sha` or `branch`
    katkit.toml:7: `KATKIT_X` is set by katkit
        names that begin with `KATKIT_` are reserved
    katkit.toml:7: `ENV` is set by katkit
        set the tenant's `environment`
    katkit.toml:7: `PASS` is both a variable and a secret of `dev`
        the secret: katkit.toml:8
        remove one of them
    katkit.toml:8: this does not say where the secret is
        write where its value is: `env:NAME`, `file:PATH`, `arn:aws:secretsmanager:…` or `arn:aws:ssm:…`; the value itself never belongs in a manifest
    katkit.toml:8: this does not say where the secret is
    katkit.toml:8: `REPLICA_ID` is set by katkit
        it is the number of the replica
    katkit.toml:13: `PASS` is both a variable and a secret of `dev`
        the secret: katkit.toml:8
        remove one of them
    katkit.toml:13: expected a string, found a boolean
        put it in quotes: `"true"`
    "#);
}

#[test]
fn conflicting_settings_are_refused() {
    let files = Files::new(
        r#"version = 2
state = { path = "", table = "x" }
blobs.url = "gs://bucket"
cache.path = 3
[fleets.local]
kind = "process"
docker-socket = "true"
image = "x:1"
[fleets.boxes]
kind = "dokcer"
caches = ["m2", "/ok"]
[fleets.twice]
kind = "docker"
caches = ["/root/.m2", "/root//.m2/", "/m2"]
[tenants.a]
fleet = "local"
environment = ""
platform = { kind = "ecs", path = "x" }
[tenants.b]
fleet = "local"
platform = { kind = "file", cluster = "x" }
[tenants.c]
fleet = "local"
platform = "file"
"#,
    );
    assert_snapshot!(files.complaints(), @r#"
    katkit.toml:1: unknown manifest format version 2
        use a newer katkit, or write `version = 1`
    katkit.toml:2: an empty string
    katkit.toml:2: `table` makes no sense here: it belongs to `backend = "dynamodb"`
    katkit.toml:3: cannot store blobs at `gs://bucket`
        write a directory, or `s3://bucket/prefix`
    katkit.toml:4: expected a string, found an integer
        put it in quotes: `"3"`
    katkit.toml:7: expected `true` or `false`, found a string
        remove the quotes: `true`
    katkit.toml:8: `image` makes no sense here: the phases of a `process` fleet are not containers
    katkit.toml:10: unknown kind of fleet `dokcer`, did you mean `docker`?
    katkit.toml:14: `/root//.m2/` is listed twice
        remove one of them
    katkit.toml:17: an empty environment
    katkit.toml:18: missing key `cluster`
    katkit.toml:18: `path` makes no sense here: it belongs to `kind = "file"`
    katkit.toml:21: `cluster` makes no sense here: it belongs to `kind = "ecs"`
    katkit.toml:24: expected a table, found a string
    "#);
    assert_snapshot!(Files::new("version = 1\nstate.backend = 'dynamodb'").complaints(), @"katkit.toml:2: missing key `table`");
    assert_snapshot!(Files::new("").complaints(), @"katkit.toml:1: missing key `version`");
    assert_snapshot!(Files::new("verison = 1").complaints(), @"katkit.toml:1: unknown key `verison`, did you mean `version`?");
}

#[test]
fn missing_and_pointless_settings_of_an_ecs_fleet_are_refused() {
    let files = Files::new(
        r#"version = 1
[fleets.bare]
kind = "ecs"
[fleets.local]
kind = "process"
cluster = "dev"
[fleets.fargate]
kind = "ecs"
cluster = "dev"
subnets = ["subnet-1"]
docker-socket = true
log-group = "/katkit"
task-role = "katkit"
[fleets.ec2]
kind = "ecs"
cluster = "dev"
launch-type = "ec2"
assign-public-ip = true
security-groups = ["sg-1"]
[fleets.providers]
kind = "ecs"
cluster = "dev"
launch-type = "ec2"
capacity-providers = ["FARGATE", "mine"]
subnets = ["subnet-1"]
[tenants.dev]
fleet = "ec2"
platform = { kind = "ecs", cluster = "dev", service-name = "{tenant}" }
[tenants.prod]
fleet = "ec2"
platform = { kind = "file", service-name = "{roles}" }
"#,
    );
    assert_snapshot!(files.complaints(), @r#"
    katkit.toml:2: missing key `subnets`
        name subnets, or set `launch-type = "ec2"`
    katkit.toml:2: missing key `cluster`
    katkit.toml:6: `cluster` makes no sense here: it belongs to `kind = "ecs"`
    katkit.toml:11: `docker-socket` makes no sense here: Fargate tasks run on AWS hosts
    katkit.toml:12: `log-group` without `execution-role`
        set `execution-role`: ECS uses it to write to the group
    katkit.toml:13: `katkit` is not the ARN of a role
        write `arn:aws:iam::ACCOUNT:role/NAME`
    katkit.toml:18: `assign-public-ip` makes no sense here: only Fargate tasks get their own public address
    katkit.toml:19: `security-groups` makes no sense here: without `subnets` tasks share the network of their instance
    katkit.toml:24: both `launch-type` and `capacity-providers`
        so does this: katkit.toml:23
        remove one of them
    katkit.toml:24: Fargate together with other capacity
        define a second fleet for the others
    katkit.toml:28: a service name without `{role}`
        it may contain `{tenant}`, `{link}` and `{role}`
    katkit.toml:31: `service-name` makes no sense here: it belongs to `kind = "ecs"`
    "#);
}

#[test]
fn an_endpoint_is_a_url() {
    let files = Files::new(
        r#"version = 1
[state]
backend = "dynamodb"
table = "deploys"
endpoint = "localhost:4566"
[blobs]
url = "s3://acme/katkit"
endpoint = "https://"
[fleets.phases]
kind = "ecs"
cluster = "dev"
launch-type = "ec2"
endpoint = "//ecs.acme.example"
[tenants.dev]
platform = { kind = "ecs", cluster = "dev", endpoint = "ftp://acme.example" }
"#,
    );
    assert_snapshot!(files.complaints(), @r"
    katkit.toml:5: `localhost:4566` is not the URL of a service
        write `https://host`, or `http://localhost:4566` for one on this machine
    katkit.toml:8: `https://` is not the URL of a service
        write `https://host`, or `http://localhost:4566` for one on this machine
    katkit.toml:13: `//ecs.acme.example` is not the URL of a service
        write `https://host`, or `http://localhost:4566` for one on this machine
    katkit.toml:15: `ftp://acme.example` is not the URL of a service
        write `https://host`, or `http://localhost:4566` for one on this machine
    ");
}

/// Linux allows 131072 bytes for a variable (name, `=` and trailing NUL included) and for an argument.
#[test]
fn a_variable_or_command_too_long_for_a_process_is_refused() {
    let manifest = |value: usize, command: usize| {
        let (value, command) = ("x".repeat(value), "x".repeat(command));
        let phase = format!("phases = [{{ name = 'build', order = 0, run = '{command}' }}]");
        Files::new(format!("version = 1\nworkflows.w.{phase}\n[tenants.dev]\nvariables.BUNDLE = '{value}'\n"))
    };
    manifest(131_072 - "BUNDLE=".len() - 1, 131_071).load();
    assert_snapshot!(manifest(131_072 - "BUNDLE=".len(), 131_072).complaints(), @r"
    katkit.toml:2: this command is longer than any system allows
        put it into a script in the repository and run that
    katkit.toml:4: `BUNDLE` is longer than any system allows
    ");
}
