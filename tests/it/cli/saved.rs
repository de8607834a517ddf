//! Plans that are saved, reviewed and later applied, or no longer applied.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::world::World;

/// The plan's digest as printed by `sha256sum`.
fn digest(world: &World) -> String {
    let sum = world.shell("sha256sum saved.plan");
    sum.stdout.split(' ').next().unwrap().to_owned()
}

/// Tampers with the saved plan, as anyone with write access could.
fn tamper(world: &World, change: impl FnOnce(&mut Value)) {
    let mut plan: Value = serde_json::from_str(&world.read("saved.plan")).unwrap();
    change(&mut plan);
    std::fs::write(world.path("saved.plan"), format!("{plan:#}\n")).unwrap();
}

/// Two tenants, `dev` and `prod`, with a link `shop` each.
fn two() -> World {
    let world = World::shop();
    world.edit("\n[workflows", "[tenants.prod]\nlinks.shop = { repo = \"shop\", workflow = \"standard\", branch = \"main\" }\n\n[workflows");
    world
}

#[test]
fn a_saved_plan_is_applied_as_it_was_shown() {
    let world = World::shop();
    let planned = world.run(["plan", "--out", "saved.plan"]).to_string();
    let digest = digest(&world);
    assert_snapshot!(planned.replace(&digest[..10], "<digest>"), @r#"
    dev/shop  → <first>
      + run build  not run yet
      ~ deploy     `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<hubtag>-]{+<first>+}", "Replicas": 2 },

    Plan: 1 link to change (1 phase, 1 deployment), 0 up to date.
    ----- stderr -----
    saved to saved.plan as <digest>; `katkit apply --plan saved.plan` carries it out
    ----- exit 0
    "#);
    let applied = world.run(["apply", "--plan", "saved.plan"]);
    assert_eq!(applied.code, 0, "{applied}");
    assert_eq!(world.run(["plan", "--detailed-exitcode"]).code, 0);
    assert_snapshot!(world.run(["apply", "saved.plan"]), @r"
    ----- stderr -----
    error: the saved plan is out of date for `dev/shop`: the record has changed since (from generation 0 to 10)
     hint: plan again
    ----- exit 1
    ");
    assert_eq!(world.ran().lines().count(), 1);
}

#[test]
fn a_saved_plan_is_refused_when_the_branch_moved() {
    let mut world = World::shop();
    assert_eq!(world.run(["plan", "--out", "saved.plan"]).code, 0);
    world.change("shop", |repo| repo.commit("second"));
    assert_snapshot!(world.run(["apply", "saved.plan"]), @r"
    ----- stderr -----
    error: the saved plan is out of date for `dev/shop`: <second> is wanted now, not <first>
     hint: plan again
    ----- exit 1
    ");
    assert_eq!(world.ran(), "");
}

#[test]
fn a_comment_in_the_manifest_does_not_invalidate_a_saved_plan() {
    let world = World::shop();
    assert_eq!(world.run(["plan", "--out", "saved.plan"]).code, 0);
    world.edit("version = 1", "version = 1 # ours");
    assert_eq!(world.run(["apply", "saved.plan"]).code, 0);
}

#[test]
fn a_saved_plan_skips_links_whose_manifest_entry_changed() {
    let world = World::shop();
    world.edit(
        "links.shop = {",
        "links.other = { repo = \"shop\", workflow = \"standard\", branch = \"main\" }\nlinks.shop = {",
    );
    assert_eq!(world.run(["plan", "--out", "saved.plan"]).code, 0);
    world.edit("links.other = {", "links.other = { variables = { LEVEL = \"debug\" }, ");
    let applied = world.run(["apply", "saved.plan"]);
    assert_eq!(applied.code, 3, "{applied}");
    assert!(applied.stdout.contains("dev/other  the saved plan is out of date: its settings"), "{applied}");
    assert_eq!(world.ran(), "dev/shop build <first> 1 0");
}

#[test]
fn a_link_held_when_the_plan_was_saved_does_not_run_once_it_is_free() {
    let world = World::shop_with(r#"  { name = "build", order = 0, run = "test -e @OUT@/good" },"#);
    assert_eq!(world.run(["apply"]).code, 1);
    assert_eq!(world.run(["plan", "--out", "saved.plan"]).code, 0);
    world.write("out/good", "");
    assert_eq!(world.run(["retry", "dev/shop"]).code, 0);
    let applied = world.run(["apply", "--plan", "saved.plan"]);
    assert_eq!(applied.code, 1, "{applied}");
    assert!(applied.stderr.contains("it was held when the plan was saved"), "{applied}");
}

#[test]
fn a_saved_plan_is_refused_when_the_manifest_changed() {
    let world = World::shop();
    assert_eq!(world.run(["plan", "--out", "saved.plan"]).code, 0);
    world.edit("[tenants.dev]\n", "[tenants.dev]\nvariables.LEVEL = \"debug\"\n");
    assert_snapshot!(world.run(["apply", "saved.plan"]), @r"
    ----- stderr -----
    error: the saved plan is out of date for `dev/shop`: its settings in the manifest have changed
     hint: plan again
    ----- exit 1
    ");
    assert_eq!(world.ran(), "");
}

#[test]
fn a_file_that_is_not_a_saved_plan_is_refused() {
    let world = World::shop();
    world.write("saved.plan", "{}");
    assert_snapshot!(world.run(["apply", "saved.plan"]), @r"
    ----- stderr -----
    error: saved.plan is not a saved plan: missing field `version` at line 1 column 2
     hint: `katkit plan --out FILE` saves one
    ----- exit 1
    ");
    world.write("saved.plan", "{\"version\": 99}");
    assert_snapshot!(world.run(["apply", "saved.plan"]), @r"
    ----- stderr -----
    error: saved.plan was saved by another version of katkit
     hint: plan again with this version
    ----- exit 1
    ");
    assert_snapshot!(world.run(["apply", "absent.plan"]), @r"
    ----- stderr -----
    error: `absent.plan` matches no link in the manifest
     hint: `katkit status` lists the links
    ----- exit 64
    ");
}

#[test]
fn a_plan_can_be_saved_through_a_symlink_or_into_a_pipe_but_replaces_nothing_else() {
    let world = World::shop();
    // An existing plan is replaced, and a missing one created, behind the symlink.
    world.write("elsewhere/old", "{\"version\":1,\"links\":[]}");
    for name in ["old", "new"] {
        let link = world.path(&format!("{name}.plan"));
        std::os::unix::fs::symlink(format!("elsewhere/{name}"), &link).unwrap();
        assert_eq!(world.run(["plan", "--out", &format!("{name}.plan")]).code, 0);
        assert!(link.is_symlink());
        assert!(world.read(&format!("elsewhere/{name}")).contains("\"version\""));
    }
    // A pipe stays a pipe, and delivers the plan to its reader.
    let piped = world.shell("mkfifo pipe; cat pipe > read.plan & katkit plan --out pipe; wait; test -p pipe");
    assert_eq!(piped.code, 0, "{piped}");
    assert_eq!(world.read("read.plan"), world.read("elsewhere/new"));
    std::fs::create_dir(world.path("directory")).unwrap();
    assert_snapshot!(world.run(["plan", "--out", "directory"]).stderr, @"error: directory could not be written: Is a directory (os error 21)");
    assert_eq!(world.run(["apply", "read.plan"]).code, 0);
}

#[test]
fn a_step_added_to_a_saved_plan_is_not_executed() {
    let world = World::shop();
    let saved = || {
        assert_eq!(world.run(["plan", "--out", "saved.plan"]).code, 0);
    };
    let refused = |change: &dyn Fn(&mut Value)| {
        saved();
        tamper(&world, change);
        let refused = world.run(["apply", "--plan", "saved.plan"]);
        assert_eq!((refused.code, refused.stdout.as_str()), (1, ""), "{refused}");
        assert!(!world.path("out/escaped").exists());
        assert_eq!(world.ran(), "");
        assert!(world.run(["history", "dev/shop"]).stdout.contains("No events recorded"));
        refused
            .stderr
            .replace("error: the saved plan is out of date for `dev/shop`: ", "")
            .replace(" hint: plan again\n", "")
    };
    let escape = format!("touch {}", world.path("out/escaped").display());
    let run = |name: &str| {
        let settings = json!({ "run": escape, "timeout": 60, "parallelism": 1, "retries": 0,
            "checkout": { "pack": { "depth": 1 } }, "placement": "tenant" });
        let phase = json!({ "name": name, "order": 0, "kind": { "execution": settings } });
        json!({ "step": "run", "phase": phase, "because": { "because": "not-run-yet" } })
    };
    let steps = |plan: &mut Value| plan["links"][0]["steps"].as_array().unwrap().clone();
    let with = |plan: &mut Value, steps: Vec<Value>| plan["links"][0]["steps"] = steps.into();
    let said = [
        refused(&|plan| {
            let mut steps = steps(plan);
            steps.insert(1, run("escape"));
            with(plan, steps);
        }),
        refused(&|plan| {
            let mut steps = steps(plan);
            steps.push(run("escape"));
            with(plan, steps);
        }),
        refused(&|plan| {
            plan["links"][0]["steps"][1]["phase"]["kind"]["execution"]["run"] = escape.clone().into()
        }),
        refused(&|plan| {
            plan["links"][0]["steps"][1]["phase"]["kind"]["execution"]["variables"] = json!({ "A": "b" })
        }),
        refused(&|plan| {
            let description = &mut plan["links"][0]["steps"][2]["description"];
            *description = description.as_str().unwrap().replace("// What runs.", "// Evil.").into();
        }),
        refused(&|plan| plan["links"][0]["on_failure"] = plan["links"][0]["steps"][2].clone()),
        refused(&|plan| {
            let mut steps = steps(plan);
            steps.remove(1);
            with(plan, steps);
        }),
        refused(&|plan| {
            let again = plan["links"][0].clone();
            plan["links"].as_array_mut().unwrap().push(again);
            let mut steps = steps(plan);
            steps.push(run("escape"));
            with(plan, steps);
        }),
    ];
    assert_snapshot!(said.concat(), @r#"
    it runs `escape`, but a new plan runs `build`
    it runs `escape`, but a new plan has no such step
    it runs `build` with `touch <world>/out/escaped` as `phase.kind.execution.run`, but a new plan has nothing
    it runs `build` with `{"A":"b"}` as `phase.kind.execution.variables`, but a new plan has nothing
    it deploys <first> with `// Evil.` as `description`, but a new plan has `// What runs.`
    if a later phase fails, it deploys <first>, but a new plan does nothing
    it deploys <first>, but a new plan runs `build`
    it runs `escape`, but a new plan has no such step
    "#);
    // What was reviewed can still be applied, even with another layout of the file.
    saved();
    let digest = digest(&world);
    tamper(&world, |_| ());
    assert_eq!(world.run(["apply", "--plan", "saved.plan"]).code, 0);
    assert!(world.run(["history", "dev/shop"]).stdout.contains(&digest[..10]));
}

#[test]
fn the_journal_says_which_saved_plan_was_applied() {
    let world = World::shop();
    assert_eq!(world.run(["plan", "--out", "saved.plan"]).code, 0);
    let digest = digest(&world);
    assert_eq!(world.run(["apply", "--plan", "saved.plan"]).code, 0);
    let told = world.run(["history", "dev/shop"]).stdout.replace(&digest[..10], "<digest>");
    let told = told.lines().filter_map(|line| line.split_once("  ana  ")).map(|(_, what)| what);
    let told: Vec<_> = told.filter(|what| what.contains("saved plan")).collect();
    assert_snapshot!(told.join("\n"), @"
    run for <first> from saved plan <digest>: `build`, `deploy`
    `build` attempt 1 from saved plan <digest> starting in fleet `local`
    deployment of <first> from saved plan <digest> starting: `web`
    ");
    let json: Value =
        serde_json::from_str(&world.run(["history", "dev/shop", "--format", "json"]).stdout).unwrap();
    let events = json["events"].as_array().unwrap().iter().map(|recorded| &recorded["event"]);
    let of_plan: Vec<_> =
        events.filter(|event| event["saved_plan"] == *digest).map(|event| &event["kind"]).collect();
    assert_eq!(of_plan, ["run_started", "attempt_intended", "deploy_intended"]);
    // A plan that was not saved is none.
    let mut world = world;
    world.change("shop", |repo| repo.commit("second"));
    world.apply();
    let told = world.run(["history", "dev/shop", "-n", "9"]).stdout;
    assert!(told.contains("<second>") && !told.contains("saved plan"), "{told}");
}

#[test]
fn links_whose_plan_changed_are_skipped_and_the_others_are_done() {
    let world = two();
    assert_eq!(world.run(["plan", "--out", "saved.plan"]).code, 0);
    assert_eq!(world.run(["apply", "--target", "prod"]).code, 0);
    let nothing = world.run(["apply", "--plan", "saved.plan", "--all-or-nothing"]);
    assert!(nothing.code == 1 && nothing.stderr.contains("is out of date for `prod/shop`"), "{nothing}");
    assert_eq!(world.ran().lines().count(), 1, "only what was applied before");
    assert_eq!(world.run(["apply", "--all-or-nothing"]).code, 64, "of what?");
    let applied = world.run(["apply", "saved.plan"]);
    assert_snapshot!(applied.stdout, @r#"
    dev/shop  → <first>
      + run build  not run yet
      ~ deploy     `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<hubtag>-]{+<first>+}", "Replicas": 2 },

    Plan: 1 link to change (1 phase, 1 deployment), 1 up to date.

    prod/shop  the saved plan is out of date: the record has changed since (from generation 0 to 10)
      hint: plan again

    Applied: 1 link done, 1 refused in <time>.
    "#);
    assert_eq!(applied.code, 3);
    assert_eq!(world.ran().lines().count(), 2);
    // The same for programs.
    let world = two();
    assert_eq!(world.run(["plan", "--out", "saved.plan"]).code, 0);
    tamper(&world, |plan| plan["links"][1]["steps"][1]["phase"]["name"] = "other".into());
    let applied = world.run(["apply", "--plan", "saved.plan", "--format", "json"]);
    assert_eq!(applied.code, 3, "{applied}");
    let summary: Value = serde_json::from_str(applied.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(summary["links"][0]["result"], "done");
    assert_eq!(summary["links"][1]["result"], "refused");
    assert_eq!(
        summary["links"][1]["message"],
        "the saved plan is out of date: it runs `other`, but a new plan runs `build`"
    );
    assert_eq!(world.ran().lines().count(), 1);
}

#[test]
fn a_saved_refresh_only_plan_is_planned_again_as_one() {
    let world = World::shop().applied();
    let live = world.read(".katkit/platform/dev/shop.json");
    std::fs::remove_file(world.path(".katkit/state.db")).unwrap();
    let planned = world.run(["plan", "--refresh-only", "--out", "saved.plan"]);
    assert!(planned.stdout.contains("adopt"), "{planned}");
    let applied = world.run(["apply", "--plan", "saved.plan"]);
    assert_eq!(applied.code, 0, "{applied}");
    assert_eq!(world.ran().lines().count(), 1);
    assert_eq!(world.read(".katkit/platform/dev/shop.json"), live);
}

#[test]
fn a_saved_plan_removes_only_orphaned_services_whatever_it_says() {
    let world = World::shop_with(
        r#"  { name = "build", order = 0, run = "echo up > @OUT@/up; while [ ! -e @OUT@/go ]; do sleep 0.05; done" },"#,
    );
    assert_eq!(world.run(["plan", "--out", "saved.plan"]).code, 0);
    let applying = world.start(["apply"]);
    world.appears("up");
    let services = std::fs::read_dir(world.path(".katkit/services/local")).unwrap();
    let handle = services.map(|entry| entry.unwrap().file_name().into_string().unwrap()).next().unwrap();
    tamper(&world, |plan| {
        plan["links"] = json!([]);
        plan["sweeps"] = json!([{ "fleet": "local", "handle": handle, "token": handle, "link": null }]);
    });
    let swept = world.run(["apply", "--plan", "saved.plan"]);
    assert!(swept.code == 0 && swept.stderr.contains("not removing services"), "{swept}");
    world.release("go");
    let applied = applying.wait();
    assert_eq!(applied.code, 0, "{applied}");
}

#[test]
fn a_saved_plan_and_targets_exclude_each_other() {
    let world = World::shop();
    for more in [["--target", "dev"], ["--against", "main"], ["other.plan", "-v"]] {
        let refused = world.run(["apply", "--plan", "saved.plan", more[0], more[1]]);
        assert!(refused.stderr.contains("cannot be used with"), "{refused}");
    }
}

#[test]
fn a_plan_overwrites_nothing_but_a_plan() {
    let world = two();
    let manifest = world.read("katkit.toml");
    assert_snapshot!(world.run(["plan", "--out", "katkit.toml"]).stderr, @r"
    error: katkit.toml exists and is not a saved plan
     hint: choose another name, or remove the file first
    ");
    assert_eq!(world.read("katkit.toml"), manifest);
    for _ in 0..2 {
        assert_eq!(world.run(["plan", "--out", "saved"]).code, 0);
    }
    world.write("out/empty", "");
    assert_eq!(world.run(["plan", "--out", "out/empty"]).code, 0, "mktemp created it");
}
