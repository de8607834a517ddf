//! Tenants and fleets that could reach into each other: by names that share a location in the blob store, and by
//! policies that allow more than the manifest needs.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::world::{Output, World};

#[test]
fn a_tenant_cannot_have_a_name_reserved_by_the_blob_store() {
    let world = World::shop();
    world.edit("[tenants.dev]", "[tenants.probe]\n\n[tenants.commits]");
    assert_snapshot!(world.run(["validate"]), @r#"
    ----- stderr -----
      × no tenant can be called `probe`
       ╭─[katkit.toml:9:10]
     8 │
     9 │ [tenants.probe]
       ·          ──┬──
       ·            ╰── reserved
       ╰────
      help: katkit keeps its own blobs under this name; choose another

      × no tenant can be called `commits`
        ╭─[katkit.toml:11:10]
     10 │
     11 │ [tenants.commits]
        ·          ───┬───
        ·             ╰── reserved
     12 │ links.shop = { repo = "shop", workflow = "standard", branch = "main" }
        ╰────
      help: katkit keeps its own blobs under this name; choose another

    2 errors
    ----- exit 1
    "#);
    world.edit("[tenants.probe]\n\n[tenants.commits]", "[tenants.commit]");
    assert_eq!(world.run(["validate"]).code, 0);
}

/// Blobs in a bucket, and container fleets; no tenant uses `idle`.
const FLEETS: &str = r#"version = 1

[state]
backend = "dynamodb"
table = "deploys"

[blobs]
url = "s3://acme-deploys/katkit"

[repos.shop]
url = "repos/shop"

[workflows.standard]
phases = [{ name = "build", order = 0 }]

[fleets.tasks]
kind = "ecs"
cluster = "phases"
subnets = ["subnet-1"]
task-role = "arn:aws:iam::123456789012:role/agent"
execution-role = "arn:aws:iam::123456789012:role/execution"

[fleets.idle]
kind = "ecs"
cluster = "phases"
subnets = ["subnet-1"]
task-role = "arn:aws:iam::123456789012:role/idle"
execution-role = "arn:aws:iam::123456789012:role/idle"
log-group = "/idle"

[fleets.engine]
kind = "docker"
image = "builder:1"

[tenants.dev]
fleet = "tasks"
build-fleet = "engine"
platform = { kind = "ecs", cluster = "services" }

[tenants.prod]
fleet = "tasks"
"#;

fn print(world: &World, more: Option<(&str, &str)>) -> (Value, Output) {
    let print = ["bootstrap", "--print", "--account", "123456789012"];
    let [bootstrap, printing, account, number] = print;
    let printed = match more {
        Some((option, value)) => world.run([bootstrap, printing, account, number, option, value]),
        None => world.run(print),
    };
    assert_eq!(printed.code, 0, "{printed}");
    (serde_json::from_str(&printed.stdout).unwrap(), printed)
}

fn world() -> World {
    World::new().manifest(FLEETS).variable("AWS_REGION", "eu-central-1")
}

/// The resources a policy allows an action on.
fn resources(document: &Value, who: &str, action: &str) -> Vec<Value> {
    let statements = document["policies"][who]["Statement"].as_array().into_iter().flatten();
    let allows = |it: &&Value| {
        it["Action"] == action || it["Action"].as_array().is_some_and(|all| all.contains(&json!(action)))
    };
    statements.filter(allows).map(|it| it["Resource"].clone()).collect()
}

#[test]
fn the_policies_of_an_unused_fleet_allow_nothing() {
    let world = world();
    let (document, printed) = print(&world, Some(("--fleet", "idle")));
    let policies: Vec<_> = document["policies"].as_object().unwrap().keys().collect();
    assert_eq!(policies, ["controller", "reader"], "{document}");
    assert_snapshot!(printed.stderr, @r"
    note: no tenant uses the fleet `idle`, so its phases get no permissions; print this again when one does
    note: the manifest does not name the roles of the services' tasks, so the controller may pass none of them (iam:PassRole); name each with `--service-role ARN`
    ");
    assert!(!document["policies"].to_string().contains("role/idle"), "{document}");
}

#[test]
fn the_policies_of_a_fleet_cover_only_its_own_tenants() {
    let world = world();
    let blobs = |rest: &str| format!("arn:aws:s3:::acme-deploys/katkit/{rest}");
    let (document, _) = print(&world, Some(("--fleet", "tasks")));
    assert_eq!(
        resources(&document, "agent", "s3:GetObject"),
        [json!([blobs("commits/*"), blobs("dev/*"), blobs("prod/*")])]
    );
    // Agents on a Docker Engine have credentials of their own as well.
    let (document, _) = print(&world, Some(("--fleet", "engine")));
    assert_eq!(resources(&document, "agent", "s3:GetObject"), [json!([blobs("commits/*"), blobs("dev/*")])]);
    assert_eq!(resources(&document, "agent", "s3:PutObject"), [json!([blobs("dev/*/*/*/*/replica-*")])]);
    assert!(document["policies"].get("execution").is_none(), "{document}");
    for never in ["s3:DeleteObject", "s3:ListBucket"] {
        assert_eq!(resources(&document, "agent", never), Vec::<Value>::new());
    }
}

#[test]
fn only_named_roles_are_passed() {
    let world = world();
    let of_phases =
        json!(["arn:aws:iam::123456789012:role/agent", "arn:aws:iam::123456789012:role/execution"]);
    let (document, printed) = print(&world, None);
    assert_eq!(resources(&document, "controller", "iam:PassRole"), std::slice::from_ref(&of_phases));
    assert!(printed.stderr.contains("may pass none of them (iam:PassRole)"), "{printed}");
    // All of them, on explicit request.
    let any = "arn:aws:iam::123456789012:role/*";
    let (document, printed) = print(&world, Some(("--service-role", any)));
    assert_eq!(resources(&document, "controller", "iam:PassRole"), [of_phases, json!([any])]);
    assert!(!printed.stderr.contains("iam:PassRole"), "{printed}");
    for wrong in ["*", "role/web", "arn:aws:iam::*:role/web", "arn:aws:iam::123456789012:user/ana"] {
        let refused = world.run(["bootstrap", "--print", "--service-role", wrong]);
        assert!(refused.code == 64 && refused.stderr.contains("ACCOUNT:role/NAME"), "{refused}");
    }
    world.edit("role/agent", "role/*");
    let refused = world.run(["validate"]);
    assert!(
        refused.stderr.contains("`arn:aws:iam::123456789012:role/*` is not the ARN of a role"),
        "{refused}"
    );
}
