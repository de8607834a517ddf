//! Requests: another commit, a retry, a skip, a cancellation, a rollback, an import, a lease.

use std::fs;

use insta::assert_snapshot;

use crate::world::World;

/// Fails until the test creates a file: the environment is at fault, not the commit.
const NEEDS: &str = "echo \"$KATKIT_PHASE $KATKIT_ATTEMPT\" >> @OUT@/began\n[ \"$KATKIT_PHASE\" != verify ] || [ -e @OUT@/ready ] || { echo 'no database'; exit 4; }\n";

const THREE: &str = r#"version = 1
repos.shop.url = "repos/shop"

[workflows.standard]
phases = [
  { name = "build", order = 0 },
  { name = "deploy", order = 1, kind = "deployment" },
  { name = "verify", order = 2 },
]

[tenants.dev.links.shop]
repo = "shop"           # the one that sells
workflow = "standard"
branch = "main"
"#;

fn three(ci: &str) -> World {
    World::new()
        .repo("shop", |repo| repo.ci(ci).description("acme/web:<hubtag>").commit("first"))
        .manifest(THREE)
}

#[test]
fn a_retry_continues_from_the_failed_phase_without_repeating_others() {
    let world = three(NEEDS);
    assert_eq!(world.run(["apply"]).code, 1);
    world.release("ready");
    assert_snapshot!(world.run(["retry", "dev/shop", "--why", "the database is back"]), @r"
    dev/shop: recorded: retry <first> from `verify`.
    `katkit apply dev/shop` does it.
    ----- exit 0
    ");
    world.apply();
    assert_eq!(world.read("out/began"), "build 1\nverify 1\nverify 2\n");
    assert_eq!(world.run(["plan", "--detailed-exitcode"]).code, 0);
    assert!(world.journal().iter().any(|event| event.contains("the database is back")));
    world.nothing_is_left();
}

#[test]
fn a_retry_from_an_earlier_phase_runs_all_that_follow_it() {
    let world = three(NEEDS);
    world.release("ready");
    world.apply();
    assert_eq!(world.run(["retry", "dev/shop", "--phase", "build", "--apply"]).code, 0);
    assert_eq!(world.read("out/began"), "build 1\nverify 1\nbuild 2\nverify 2\n");
}

#[test]
fn an_impossible_retry_is_refused_with_a_reason() {
    let world = three(NEEDS);
    assert_snapshot!(world.run(["retry", "dev/shop"]).stderr, @r"
    error: `dev/shop` has no run to retry
     hint: `katkit apply` starts one
    ");
    world.release("ready");
    world.apply();
    assert_snapshot!(world.run(["retry", "dev/shop"]).stderr, @r"
    error: no phase of `dev/shop` failed for <first>
     hint: name the phase to restart from: --phase NAME
    ");
    assert_snapshot!(world.run(["retry", "dev/shop", "--phase", "biuld"]).stderr, @r"
    error: `dev/shop` has no phase `biuld`
     hint: its phases are: build, deploy, verify
    ");
    assert_snapshot!(world.run(["retry", "dev/shpo"]).stderr, @r"
    error: there is no link `dev/shpo`
     hint: did you mean `dev/shop`?
    ");
    assert_snapshot!(world.run(["retry", "shop"]).stderr, @r"
    error: `shop` matches no link in the manifest
     hint: did you mean `dev/shop`?
    ");
}

#[test]
fn a_skipped_phase_counts_as_done_for_that_commit() {
    let world = three(NEEDS);
    assert_eq!(world.run(["apply"]).code, 1);
    assert_eq!(world.run(["skip", "dev/shop", "verify", "--why", "not today", "--apply"]).code, 0);
    assert_eq!(world.read("out/began"), "build 1\nverify 1\n");
    assert_eq!(world.run(["plan", "--detailed-exitcode"]).code, 0);
}

#[test]
fn a_cancelled_run_stops_within_seconds_and_waits_for_a_request() {
    let waits = "echo $KATKIT_ATTEMPT >> @OUT@/began\nwhile [ ! -e @OUT@/go ]; do sleep 0.05; done\n";
    let world = three(waits);
    let apply = world.start(["apply"]);
    world.appears("began");
    assert_eq!(world.run(["cancel", "dev/shop", "--why", "wrong commit"]).code, 0);
    let ended = apply.wait();
    assert_eq!(ended.code, 1, "{ended}");
    assert!(ended.stdout.contains("dev/shop  the run was cancelled by ana (wrong commit)"), "{ended}");
    world.nothing_is_left();
    let plan = world.run(["plan"]);
    assert!(plan.stdout.contains("was cancelled by ana (wrong commit) at"), "{plan}");
    world.release("go");
    assert_eq!(world.run(["retry", "dev/shop", "--apply"]).code, 0);
    assert_eq!(world.run(["plan", "--detailed-exitcode"]).code, 0);
}

#[test]
fn a_rollback_deploys_the_good_commit_and_quarantines_the_other_until_its_release() {
    let mut world = three(NEEDS);
    world.release("ready");
    world.apply();
    assert_snapshot!(world.run(["rollback", "dev/shop"]).stderr, @r"
    error: no commit was verified in `dev/shop` before <first>
     hint: `katkit set dev/shop SHA` selects another commit
    ");
    world.change("shop", |repo| repo.file("new", "").commit("second"));
    world.apply();
    let back = world.run(["rollback", "dev/shop", "--why", "customers complain", "--apply"]);
    assert_eq!(back.code, 0, "{back}");
    assert!(world.deployed("dev/shop").contains("acme/web:<first>"));
    let plan = world.run(["plan"]);
    assert!(plan.stdout.contains("<second> has been quarantined since"), "{plan}");
    assert!(plan.stdout.contains("customers complain"), "{plan}");
    assert_eq!(world.run(["plan", "--detailed-exitcode"]).code, 1, "the tip of the branch is held");
    assert_eq!(world.run(["retry", "dev/shop", "--apply"]).code, 0);
    assert!(world.deployed("dev/shop").contains("acme/web:<second>"));
    assert_eq!(world.run(["plan", "--detailed-exitcode"]).code, 0);
}

#[test]
fn a_rollback_requested_twice_happens_once() {
    let mut world = three(NEEDS);
    world.release("ready");
    world.apply();
    world.change("shop", |repo| repo.file("new", "").commit("second"));
    world.apply();
    world.run(["rollback", "dev/shop"]);
    let back = world.run(["rollback", "dev/shop", "--why", "another reason", "--apply"]);
    assert_eq!(back.code, 0, "{back}");
    assert!(back.stdout.contains("it repeats another request"), "{back}");
    assert!(world.deployed("dev/shop").contains("acme/web:<first>"));
    assert!(!world.run(["status"]).stdout.contains("asked"), "no request is left");
}

#[test]
fn set_writes_the_full_sha_of_any_revision_and_changes_nothing_else() {
    let mut world = three(NEEDS);
    world.change("shop", |repo| repo.git(&["tag", "-a", "v1", "-m", "one"]).file("new", "").commit("second"));
    let before = world.read("katkit.toml");
    assert_snapshot!(world.run(["set", "dev/shop", "v1"]), @r"
    dev/shop now wants <first> (katkit.toml).
    It no longer follows `main`; `katkit set dev/shop --branch main` undoes that.
    `katkit plan` shows the effect.
    ----- exit 0
    ");
    let line = format!("sha = \"{}\"", world.sha("first"));
    assert_eq!(world.read("katkit.toml"), before.replace("branch = \"main\"", &line));
    let second = world.sha("second").to_owned();
    assert_eq!(world.run(["set", "dev/shop", &second[..8]]).code, 0);
    assert!(world.read("katkit.toml").contains(&second));
    assert!(world.run(["set", "dev/shop", &second]).stdout.contains("already"));
    let unknown = world.run(["set", "dev/shop", "v2"]);
    assert_eq!(unknown.code, 1);
    assert!(unknown.stderr.contains("`v2` is not a commit, branch or tag"), "{unknown}");
    let unknown = world.run(["set", "dev/shop", "--branch", "mian"]);
    assert!(unknown.stderr.contains("did you mean `main`?"), "{unknown}");
    assert!(world.read("katkit.toml").contains(&second), "nothing was written");
    assert_snapshot!(world.run(["set", "dev/shop", "--branch", "main"]), @r"
    dev/shop now follows `main` (katkit.toml).
    `katkit plan` shows the effect.
    ----- exit 0
    ");
    assert_eq!(world.read("katkit.toml"), before);
    assert_snapshot!(world.run(["set", "dev/shop", "--branch", "main"]).stdout, @"dev/shop already follows `main`.");
    assert_eq!(world.run(["set", "dev/shop"]).code, 64, "one of the two is required");
    assert_eq!(world.run(["set", "dev/shop", "v1", "--branch", "main"]).code, 64, "and not both");
}

#[test]
fn import_adopts_the_running_version() {
    let mut world = three(NEEDS);
    world.change("shop", |repo| repo.file("new", "").commit("second"));
    let running = format!(
        "{{ \"Roles\": [ {{ \"Name\": \"web\", \"DockerImage\": \"acme/web:{}\" }} ] }}",
        world.sha("first")
    );
    world.write(".katkit/platform/dev/shop.json", &running);
    let imported = world.run(["import", "dev/shop"]);
    assert_eq!(imported.code, 0, "{imported}");
    assert!(imported.stderr.contains("adopted <first>"), "{imported}");
    assert!(world.run(["status"]).stdout.contains("<first>"), "it is on record");
    assert!(!world.path("out/began").exists(), "nothing ran");
}

#[test]
fn the_lease_of_a_live_process_is_broken_only_with_force() {
    let waits = "echo $KATKIT_ATTEMPT >> @OUT@/began\nwhile [ ! -e @OUT@/go ]; do sleep 0.05; done\n";
    let world = three(waits);
    assert_snapshot!(world.run(["unlock", "dev/shop"]).stdout, @"No process holds the lease of dev/shop.");
    let apply = world.start(["apply"]);
    world.appears("began");
    let refused = world.run(["unlock", "dev/shop"]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("holds `dev/shop`, and is alive"), "{refused}");
    apply.kill();
    let freed = world.run(["unlock", "dev/shop"]);
    assert!(freed.stdout.contains("dev/shop is unlocked"), "{freed}");
    world.release("go");
    world.apply();
    assert_eq!(
        world.read("out/began").lines().filter(|line| *line == "1").count(),
        2,
        "build and verify, once each"
    );
    world.nothing_is_left();
}

#[test]
fn init_writes_a_valid_manifest_and_never_overwrites_one() {
    let world = World::new().repo("shop", |repo| {
        let config = r#"[ { "EnvName": "default", "WorkFlow": [ { "Name": "BUILD", "PhaseType": 4, "Order": 1 } ] } ]"#;
        repo.ci("true").file("katkitconfig.js", config).commit("first")
    });
    let made = world.run(["init", "repos/shop"]);
    assert_eq!(made.code, 0, "{made}");
    assert!(made.stdout.contains("from katkitconfig.js"), "{made}");
    assert_eq!(world.run(["apply", "--manifest", "repos/shop/katkit.toml"]).code, 0);
    let again = world.run(["init", "repos/shop"]);
    assert_eq!(again.code, 1);
    assert!(again.stderr.contains("already exists"), "{again}");

    fs::create_dir(world.path("empty")).unwrap();
    assert_snapshot!(world.run(["init", "empty"]), @r"
    Wrote empty/katkit.toml. Review it, then run: katkit validate; katkit plan
    Left out:
    - the deployment and the phases after it: there is no servicedescription/servicedescription.js here
    ----- exit 0
    ");
    assert_eq!(world.run(["validate", "--manifest", "empty/katkit.toml"]).code, 0);
}

#[test]
fn init_for_several_tenants_writes_the_link_once() {
    let world = World::new().repo("shop", |repo| repo.ci("true").commit("first"));
    let made = world.run(["init", "repos/shop", "--tenant", "dev", "--tenant", "prod", "--tenant", "dev"]);
    assert_eq!(made.code, 0, "{made}");
    assert_snapshot!(world.run(["validate", "--expand", "--manifest", "repos/shop/katkit.toml"]), @r#"
    [tenants.dev.links.app]
    repo = "app"
    workflow = "standard"
    branch = "main"

    [tenants.prod.links.app]
    repo = "app"
    workflow = "standard"
    branch = "main"
    ----- exit 0
    "#);
    let applied = world.run(["apply", "--manifest", "repos/shop/katkit.toml"]);
    assert_eq!(applied.code, 0, "{applied}");
    let reserved = world.run(["init", "out", "--tenant", "commits"]);
    assert!(reserved.stderr.contains("no tenant can be called `commits`"), "{reserved}");
    let config = world.repo("old", |repo| repo.ci("true").file("katkitconfig.js", "[]").commit("first"));
    let refused = config.run(["init", "repos/old", "--tenant", "dev"]);
    assert!(refused.stderr.contains("already names the environments"), "{refused}");
}

#[test]
fn init_reports_what_it_left_out_of_a_katkitconfig() {
    let config = r#"[ { "EnvName": "default", "WorkFlow": [
    { "Name": "BUILD", "PhaseType": 4, "Order": 1, "BuildParams": "GIT_SHA=x, A-B=1, OK=1", "Volumes": [] } ] },
  { "EnvName": "WIN", "WorkFlow": [ { "Name": "BUILD", "PhaseType": 4, "Order": 1, "ContainerPlatform": 5 } ] } ]"#;
    let world =
        World::new().repo("shop", |repo| repo.ci("true").file("katkitconfig.js", config).commit("first"));
    assert_snapshot!(world.run(["init", "repos/shop"]), @r"
    Wrote repos/shop/katkit.toml from katkitconfig.js. Review it, then run: katkit validate; katkit plan
    Left out:
    - the variable `A-B` of `BUILD` of environment `default`
    - the variable `GIT_SHA` of `BUILD` of environment `default`
    - the workflow of environment `WIN`: phase `BUILD` of environment `WIN` requests a Windows container (`ContainerPlatform` is 5) (line 3, column 105)
    - `Volumes` of phase `BUILD` of environment `default` has no effect; the fleet's `caches` set what phases keep between runs (line 2, column 93)
    ----- exit 0
    ");
}

#[test]
fn the_version_is_printed_by_a_command_and_by_an_option() {
    let world = World::new();
    let version = world.run(["version"]);
    assert_eq!(version.stdout, format!("katkit {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(world.run(["--version"]).stdout, version.stdout);
}

#[test]
fn completions_and_schemas_are_printed() {
    let world = World::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        assert!(world.run(["completions", shell]).stdout.contains("KATKIT_COMPLETE"), "{shell}");
    }
    assert!(world.run(["schema"]).stdout.contains("\"$schema\""));
    assert!(world.run(["schema", "plan"]).stdout.contains("format_version"));
}
