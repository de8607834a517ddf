//! Which part of a manifest is planned, in which form, and what the exit code says.

use insta::assert_snapshot;
use serde_json::Value;

use crate::git_servers::git;
use crate::world::World;

const THREE_LINKS: &str = r#"version = 1
repos.shop.url = "repos/shop"
fleets.local.kind = "process"

[workflows.standard]
phases = [
  { name = "build", order = 0 },
  { name = "deploy", order = 1, kind = "deployment" },
]

[tenants.beta]
links.shop = { repo = "shop", workflow = "standard", branch = "main" }

[tenants.dev.links]
api = { repo = "shop", workflow = "standard", branch = "main" }
shop = { repo = "shop", workflow = "standard", branch = "main" }
"#;

fn three() -> World {
    World::shop().manifest(THREE_LINKS)
}

/// The links of a plan with steps.
fn links(plan: &str) -> Vec<String> {
    let plan: Value = serde_json::from_str(plan).unwrap();
    let links = plan["links"].as_array().unwrap().iter();
    links.map(|link| link["link"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn targets_are_links_tenants_or_patterns() {
    let world = three();
    let planned = |pattern| links(&world.run(["plan", "--format", "json", "--target", pattern]).stdout);
    assert_eq!(planned("dev/shop"), ["dev/shop"]);
    assert_eq!(planned("dev"), ["dev/api", "dev/shop"]);
    assert_eq!(planned("*/shop"), ["beta/shop", "dev/shop"]);
    assert_eq!(planned("dev/*"), ["dev/api", "dev/shop"]);
}

#[test]
fn a_target_that_matches_nothing_is_a_mistake() {
    assert_snapshot!(three().run(["plan", "--target", "prod/*"]), @r"
    ----- stderr -----
    error: `prod/*` matches no link of the manifest
     hint: `katkit status` lists the links
    ----- exit 1
    ");
}

#[test]
fn applying_a_target_leaves_the_others_alone() {
    let world = three();
    let applied = world.run(["apply", "--target", "dev/api"]);
    assert_eq!(applied.code, 0, "{applied}");
    assert_eq!(links(&world.run(["plan", "--format", "json"]).stdout), ["beta/shop", "dev/shop"]);
}

#[test]
fn the_exit_code_tells_changes_from_none_where_asked_for() {
    let world = three();
    assert_eq!(world.run(["plan"]).code, 0);
    assert_eq!(world.run(["plan", "--detailed-exitcode"]).code, 2);
    world.apply();
    assert_eq!(world.run(["plan", "--detailed-exitcode"]).code, 0);
    world.edit("branch = \"main\"", "branch = \"nowhere\"");
    assert_eq!(world.run(["plan", "--detailed-exitcode"]).code, 1);
}

#[test]
fn compared_with_a_revision_only_the_links_that_the_manifest_changes_are_planned() {
    let world = three();
    let at = world.path("");
    git(&at, &["init", "--quiet"]);
    git(&at, &["add", "katkit.toml"]);
    git(&at, &["commit", "--quiet", "-m", "manifest"]);
    assert_snapshot!(world.run(["plan", "--against", "HEAD"]), @r"
    Nothing to do: no link is concerned.
    ----- exit 0
    ");
    world.edit("api = { repo = \"shop\"", "api = { repo = \"shop\", skip = [\"build\"]");
    assert_eq!(links(&world.run(["plan", "--against", "HEAD", "--format", "json"]).stdout), ["dev/api"]);
    assert_snapshot!(world.run(["plan", "--against", "nowhere"]), @r"
    ----- stderr -----
    error: `nowhere` is no commit, branch or tag of <world>/
    ----- exit 1
    ");
}

/// What a value of JSON lacks of what its schema demands. Knows as much of JSON Schema as the plan's uses.
fn offences(schema: &Value, root: &Value, value: &Value, at: &str) -> Vec<String> {
    if let Some(name) = schema["$ref"].as_str() {
        let target =
            root.pointer(name.trim_start_matches('#')).unwrap_or_else(|| panic!("{name} leads nowhere"));
        return offences(target, root, value, at);
    }
    for key in ["oneOf", "anyOf"] {
        if let Some(choices) = schema[key].as_array() {
            let tried: Vec<_> = choices.iter().map(|choice| offences(choice, root, value, at)).collect();
            let fitting = tried.iter().filter(|offences| offences.is_empty()).count();
            if fitting == 0 || (key == "oneOf" && fitting > 1) {
                return vec![format!("{at}: fits {fitting} of {key}: {tried:?}")];
            }
        }
    }
    let mut found = Vec::new();
    let is = |kind: &str| match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        other => panic!("unknown type {other}"),
    };
    let kinds: Vec<_> = match &schema["type"] {
        Value::String(kind) => vec![kind.as_str()],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !kinds.is_empty() && !kinds.iter().any(|kind| is(kind)) {
        found.push(format!("{at}: is not of type {kinds:?}: {value}"));
    }
    if let Some(expected) = schema.get("const").filter(|expected| *expected != value) {
        found.push(format!("{at}: is not {expected}"));
    }
    if let Some(choices) = schema["enum"].as_array().filter(|choices| !choices.contains(value)) {
        found.push(format!("{at}: is none of {choices:?}"));
    }
    if let Some(object) = value.as_object() {
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !object.contains_key(name) {
                found.push(format!("{at}: lacks {name}"));
            }
        }
        for (name, value) in object {
            match schema["properties"].get(name) {
                Some(schema) => found.extend(offences(schema, root, value, &format!("{at}/{name}"))),
                None if schema["additionalProperties"] == Value::Bool(false) => {
                    found.push(format!("{at}: has {name}, of which the schema knows nothing"));
                }
                None => {}
            }
        }
    }
    if let (Some(items), Some(values)) = (schema.get("items"), value.as_array()) {
        for (index, value) in values.iter().enumerate() {
            found.extend(offences(items, root, value, &format!("{at}/{index}")));
        }
    }
    found
}

#[test]
fn plans_as_json_are_what_the_schema_says() {
    let mut world = three();
    let schema: Value = serde_json::from_str(&world.run(["schema", "plan"]).stdout).unwrap();
    let check = |world: &World| {
        let plan: Value = serde_json::from_str(&world.run(["plan", "--format", "json"]).stdout).unwrap();
        assert_eq!(offences(&schema, &schema, &plan, ""), Vec::<String>::new(), "{plan:#}");
        plan
    };
    let plan = check(&world);
    assert!(!offences(&schema, &schema, &serde_json::json!({ "version": "one" }), "").is_empty());
    assert!(plan["links"].as_array().is_some_and(|links| links.len() == 3));
    world.apply();
    check(&world);
    world.change("shop", |repo| repo.ci("exit 1").commit("broken"));
    check(&world);
    assert_eq!(world.run(["apply", "--target", "dev/*"]).code, 1);
    check(&world);
}

#[test]
fn the_schema_of_the_manifest_is_json() {
    let schema: Value = serde_json::from_str(&World::new().run(["schema"]).stdout).unwrap();
    assert!(schema["$defs"]["manifest"]["properties"]["tenants"].is_object());
}

#[test]
fn applying_tells_programs_an_event_a_line() {
    let world = World::shop();
    let applied = world.run(["apply", "--format", "json"]);
    assert_eq!((applied.code, applied.stderr.as_str()), (0, ""), "{applied}");
    let events: Vec<Value> = applied.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_snapshot!(kinds.join("\n"), @r"
    run-started
    phase-started
    phase-ended
    deploy-started
    deploy-ended
    summary
    ");
    assert!(events.iter().all(|event| event["version"] == 1));
}

#[test]
fn a_reader_who_leaves_early_is_no_error() {
    let mut world = three();
    world.change("shop", |repo| repo.commit("second"));
    let output = world.shell("{ katkit plan; echo \"exit $?\" >&2; } | head -n 1");
    assert_eq!((output.stderr.as_str(), output.stdout.lines().count()), ("exit 0\n", 1), "{output}");
    let closed = world.shell("katkit plan --format json >&-; echo \"exit $?\" >&2");
    assert!(!closed.stderr.contains("panic"), "{closed}");
}
