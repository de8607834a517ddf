//! Plans of a part of a manifest, output formats, and exit codes.

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
fn a_target_that_matches_nothing_is_an_error() {
    assert_snapshot!(three().run(["plan", "--target", "prod/*"]), @r"
    ----- stderr -----
    error: `prod/*` matches no link in the manifest
     hint: `katkit status` lists the links
    ----- exit 64
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
fn detailed_exit_codes_distinguish_changes_from_none() {
    let world = three();
    assert_eq!(world.run(["plan"]).code, 0);
    assert_eq!(world.run(["plan", "--detailed-exitcode"]).code, 2);
    world.apply();
    assert_eq!(world.run(["plan", "--detailed-exitcode"]).code, 0);
    world.edit("branch = \"main\"", "branch = \"nowhere\"");
    assert_eq!(world.run(["plan", "--detailed-exitcode"]).code, 1);
}

#[test]
fn against_a_revision_only_the_links_that_the_manifest_changes_are_planned() {
    let world = three();
    let at = world.path("");
    git(&at, &["init", "--quiet"]);
    git(&at, &["add", "katkit.toml"]);
    git(&at, &["commit", "--quiet", "-m", "manifest"]);
    assert_snapshot!(world.run(["plan", "--against", "HEAD"]), @r"
    Nothing to do: no links affected.
    ----- exit 0
    ");
    world.edit("api = { repo = \"shop\"", "api = { repo = \"shop\", skip = [\"build\"]");
    assert_eq!(links(&world.run(["plan", "--against", "HEAD", "--format", "json"]).stdout), ["dev/api"]);
    assert_snapshot!(world.run(["plan", "--against", "nowhere"]), @r"
    ----- stderr -----
    error: `nowhere` is not a commit, branch or tag in <world>
    ----- exit 1
    ");
}

#[test]
fn the_manifest_of_an_earlier_commit_has_a_size_limit_too() {
    let world = World::shop();
    let at = world.path("");
    world.write("more.toml", &format!("#{}", " ".repeat(5 << 20)));
    world.edit("version = 1", "version = 1\ninclude = [\"more.toml\"]");
    git(&at, &["init", "--quiet"]);
    git(&at, &["add", "katkit.toml", "more.toml"]);
    git(&at, &["commit", "--quiet", "-m", "manifest"]);
    world.write("more.toml", "");
    let plan = world.run(["plan", "--against", "HEAD"]);
    assert_eq!(plan.code, 1, "{plan}");
    // Where the line breaks depends on the length of the path.
    let said = plan.stderr.replace("\n  │ ", " ");
    let sentence = "`<world>/more.toml` cannot be read: it is 6 MiB; the limit for a manifest file is 4 MiB";
    assert!(said.contains(sentence), "{plan}");
    assert!(said.contains("help: split it into several files and `include` them"), "{plan}");
}

#[test]
fn apply_writes_one_json_event_per_line() {
    let world = World::shop();
    let applied = world.run(["apply", "--format", "json"]);
    assert_eq!((applied.code, applied.stderr.as_str()), (0, ""), "{applied}");
    let events: Vec<Value> = applied.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_snapshot!(kinds.join("\n"), @r"
    planned
    run_started
    phase_started
    phase_ended
    deploy_started
    deploy_ended
    summary
    ");
    assert!(events.iter().all(|event| event["format_version"] == "2.2"));
}

#[test]
fn a_reader_that_closes_the_pipe_early_causes_no_error() {
    let mut world = three();
    world.change("shop", |repo| repo.commit("second"));
    let output = world.shell("{ katkit plan; echo \"exit $?\" >&2; } | head -n 1");
    assert_eq!((output.stderr.as_str(), output.stdout.lines().count()), ("exit 0\n", 1), "{output}");
    let closed = world.shell("katkit plan --format json >&-; echo \"exit $?\" >&2");
    assert!(!closed.stderr.contains("panic"), "{closed}");
}
