//! A failing phase: what is reported, and what happens to everything else.

use insta::assert_snapshot;

use crate::world::World;

const TWO_LINKS: &str = r#"version = 1
repos.shop.url = "repos/shop"
repos.api.url = "repos/api"
fleets.local.kind = "process"

[workflows.standard]
phases = [
  { name = "build", order = 0 },
  { name = "deploy", order = 1, kind = "deployment" },
]

[tenants.dev.links]
api = { repo = "api", workflow = "standard", branch = "main" }
shop = { repo = "shop", workflow = "standard", branch = "main" }
"#;

#[test]
fn a_failing_phase_ends_only_its_own_link_and_the_summary_is_complete() {
    let broken =
        "for n in 1 2 3 4 5 6 7 8 9 10 11 12; do echo \"line $n\"; done\necho 'no such header' >&2\nexit 3\n";
    let mut world = World::new()
        .repo("shop", |repo| repo.ci(broken).description("acme/web:<hubtag>").commit("broken"))
        .repo("api", |repo| repo.ci("true").description("acme/api:<hubtag>").commit("fine"))
        .manifest(TWO_LINKS);
    let applied = world.run(["apply"]);
    assert_snapshot!(applied.stdout, @r#"
    dev/api  → <fine>
      + run build  not run yet
      ~ deploy     `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/api:[-<hubtag>-]{+<fine>+}", "Replicas": 2 },

    dev/shop  → <broken>
      + run build  not run yet
      ~ deploy     `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<hubtag>-]{+<broken>+}", "Replicas": 2 },

    Plan: 2 links to change (2 phases, 2 deployments), 0 up to date.

    dev/shop  `build` failed for <broken> (attempt 1): exit code 3
      | line 4
      | line 5
      | line 6
      | line 7
      | line 8
      | line 9
      | line 10
      | line 11
      | line 12
      | no such header
      log:   katkit logs dev/shop --phase build
      retry: katkit retry dev/shop --phase build --apply

    Applied: 1 link done, 1 failed in <time>.
    "#);
    assert_eq!(applied.code, 1);
    assert!(world.deployed("dev/api").contains("acme/api:<fine>"));
    assert!(!world.path(".katkit/platform/dev/shop.json").exists());
    assert_snapshot!(world.run(["plan"]), @r"
    dev/shop  → <broken>
      ! held: `build` failed for <broken>: exit code 3
          hint: `katkit why dev/shop` shows the log; `katkit retry dev/shop` tries again from `build`

    Plan: nothing to change, 1 held, 1 up to date.
    ----- exit 0
    ");
    let held = world.run(["plan", "--detailed-exitcode"]);
    assert_eq!(held.code, 1, "what failed is not live: {held}");
    world.nothing_is_left();

    world.change("shop", |repo| repo.ci("true").commit("fixed"));
    world.apply();
    assert!(world.deployed("dev/shop").contains("acme/web:<fixed>"));
    world.nothing_is_left();
}

const ROLLBACK: &str = r#"{ name = "build", order = 0 },
  { name = "deploy", order = 1, kind = "deployment" },
  { name = "verify", order = 2, run = "sh verify.sh" },
]
on-failure = "rollback"
[workflows.other]
phases = [ { name = "x", order = 0 }"#;

#[test]
fn a_commit_that_fails_verification_is_rolled_back_and_quarantined_until_it_is_fixed() {
    let mut world = World::shop_with(ROLLBACK);
    world.change("shop", |repo| repo.file("verify.sh", "true").commit("good"));
    world.apply();
    world.change("shop", |repo| repo.file("verify.sh", "echo it is down; exit 1").commit("bad"));
    assert_snapshot!(world.run(["apply"]), @r#"
    dev/shop  <good> → <bad>, 1 commit
      + run build   not run yet
      ~ deploy      `web`; rolls back to <good> if a later phase fails
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<good>-]{+<bad>+}", "Replicas": 2 },
          <bad> bad (Ada)
      + run verify  not run yet

    Plan: 1 link to change (2 phases, 1 deployment), 0 up to date.

    dev/shop  `verify` failed for <bad> (attempt 1): exit code 1
      | it is down
      rolled back to <good>; the failed commit is quarantined
      log:   katkit logs dev/shop --phase verify

    Applied: 0 links done, 1 failed in <time>.
    ----- stderr -----
    dev/shop  starting run for <bad>
    dev/shop  build  started
    dev/shop  build  succeeded  <time>
    dev/shop  deploying <bad>
    dev/shop  <bad> deployed  <time>
    dev/shop  verify  started
    dev/shop  verify  exit code 1  <time>
    dev/shop  rolling back to <good>
    dev/shop  <good> deployed  <time>
    ----- exit 1
    "#);
    assert!(world.deployed("dev/shop").contains("acme/web:<good>"));
    let mut plan = world.run(["plan"]);
    let twelve = format!("`Fixes: <bad>{}`", &world.sha("bad")[10..12]);
    plan.stdout = plan.stdout.replace(&twelve, "`Fixes: <bad>..`");
    assert_snapshot!(plan, @"
    dev/shop  <good> → <bad>
      ! held: <bad> has been quarantined since <date> <hour> UTC: `verify` failed after the deployment
          hint: push a commit that reverts it or says `Fixes: <bad>..`, or release it with `katkit retry dev/shop`

    Plan: nothing to change, 1 held, 0 up to date.
    ----- exit 0
    ");
    let again = world.run(["apply"]);
    assert_eq!(again.code, 1, "{again}");
    assert!(world.deployed("dev/shop").contains("acme/web:<good>"));

    world.change("shop", |repo| repo.file("verify.sh", "true").commit("better"));
    world.apply();
    assert!(world.deployed("dev/shop").contains("acme/web:<better>"));
    world.nothing_is_left();
}

#[test]
fn a_rolled_back_commit_is_deployed_again_before_it_is_verified_again() {
    let verifies = "[ $KATKIT_PHASE != verify ] || { cat @OUT@/../.katkit/platform/dev/shop.json; [ -e @OUT@/mended ]; }\n";
    let mut world = World::shop_with(
        r#"  { name = "build", order = 0 },
  { name = "deploy", order = 1, kind = "deployment" },
  { name = "verify", order = 2 },"#,
    );
    world.edit("[workflows.standard]\n", "[workflows.standard]\non-failure = \"rollback\"\n");
    world.apply();
    world.change("shop", |repo| repo.ci(verifies).commit("flaky"));
    assert_eq!(world.run(["apply"]).code, 1);
    assert!(world.deployed("dev/shop").contains("acme/web:<first>"), "it was rolled back");
    let refused = world.run(["retry", "dev/shop", "--phase", "verify"]);
    assert_snapshot!(refused.stderr, @r"
    error: <flaky> is quarantined, and resumes from `deploy` once released
     hint: leave out `--phase`: katkit retry dev/shop
    ");
    world.release("mended");
    let again = world.run(["retry", "dev/shop", "--apply"]);
    assert_eq!(again.code, 0, "{again}");
    assert!(world.deployed("dev/shop").contains("acme/web:<flaky>"));
    let log = world.run(["logs", "dev/shop", "--phase", "verify"]).stdout;
    assert!(log.contains("<flaky>") && !log.contains("<first>"), "{log}");
    assert_eq!(world.run(["plan", "--detailed-exitcode"]).code, 0);
}

#[test]
fn the_first_commit_stays_after_a_failed_verification_because_there_is_no_rollback_target() {
    let mut world = World::shop_with(ROLLBACK);
    world.change("shop", |repo| repo.file("verify.sh", "exit 1").commit("bad"));
    let applied = world.run(["apply"]);
    assert_eq!(applied.code, 1, "{applied}");
    assert!(world.deployed("dev/shop").contains("acme/web:<bad>"));
    assert_snapshot!(world.run(["plan"]), @r"
    dev/shop  at <bad>
      ! held: `verify` failed for <bad>: exit code 1
          hint: `katkit why dev/shop` shows the log; `katkit retry dev/shop` tries again from `verify`

    Plan: nothing to change, 1 held, 0 up to date.
    ----- exit 0
    ");
}

#[test]
fn without_on_failure_the_deployment_stays() {
    let mut world = World::shop_with(
        r#"{ name = "deploy", order = 1, kind = "deployment" },
  { name = "verify", order = 2, run = "sh verify.sh" },"#,
    );
    world.change("shop", |repo| repo.file("verify.sh", "true").commit("good"));
    world.apply();
    world.change("shop", |repo| repo.file("verify.sh", "exit 1").commit("bad"));
    assert_eq!(world.run(["apply"]).code, 1);
    assert!(world.deployed("dev/shop").contains("acme/web:<bad>"));
    assert_snapshot!(world.run(["plan"]), @r"
    dev/shop  at <bad>
      ! held: `verify` failed for <bad>: exit code 1
          hint: `katkit why dev/shop` shows the log; `katkit retry dev/shop` tries again from `verify`

    Plan: nothing to change, 1 held, 0 up to date.
    ----- exit 0
    ");
}

#[test]
fn a_failed_deployment_gives_its_reason_at_once_and_in_every_later_plan() {
    let obstacle = "mkdir -p $(dirname @OUT@)/.katkit/platform/dev/shop.json\n";
    let world = World::shop_with(
        r#"  { name = "build", order = 0 },
  { name = "deploy", order = 1, kind = "deployment" },"#,
    )
    .repo("shop", |repo| repo.ci(obstacle).commit("blocked"));
    let applied = world.run(["apply"]);
    assert_snapshot!(applied, @r#"
    dev/shop  → <blocked>
      + run build  not run yet
      ~ deploy     `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<hubtag>-]{+<blocked>+}", "Replicas": 2 },

    Plan: 1 link to change (1 phase, 1 deployment), 0 up to date.

    dev/shop  `deploy` failed for <blocked>: the deployment of `dev/shop` at <world>/.katkit/platform/dev/shop.json cannot be read: it is not a file, and katkit does not replace anything else
      retry: katkit retry dev/shop --phase deploy --apply

    Applied: 0 links done, 1 failed in <time>.
    ----- stderr -----
    dev/shop  starting run for <blocked>
    dev/shop  build  started
    dev/shop  build  succeeded  <time>
    dev/shop  deploying <blocked>
    dev/shop  <blocked> the deployment of `dev/shop` at <world>/.katkit/platform/dev/shop.json cannot be read: it is not a file, and katkit does not replace anything else  <time>
    ----- exit 1
    "#);
    std::fs::remove_dir(world.path(".katkit/platform/dev/shop.json")).unwrap();
    assert_snapshot!(world.run(["plan"]).stdout, @r"
    dev/shop  → <blocked>
      ! held: `deploy` failed for <blocked>: the deployment of `dev/shop` at <world>/.katkit/platform/dev/shop.json cannot be read: it is not a file, and katkit does not replace anything else
          hint: `katkit retry dev/shop` tries again from `deploy`

    Plan: nothing to change, 1 held, 0 up to date.
    ");
}

#[test]
fn of_a_progress_line_only_the_visible_end_is_shown() {
    let pushes = r"for n in 1 2 3; do printf '\rlayer a1b2c3: %d of 3 MB [====>    ]' $n; done
        printf '\r\033[Kdenied: push access refused\033[0m'
        kill -9 $$";
    let world = World::new()
        .repo("shop", |repo| repo.ci(pushes).description("acme/web:<hubtag>").commit("one"))
        .repo("api", |repo| repo.ci("exit 137").description("acme/api:<hubtag>").commit("fine"))
        .manifest(TWO_LINKS);
    let applied = world.run(["apply"]);
    assert_eq!(applied.code, 1);
    let shop = applied.stdout.split_once("dev/shop  `build` failed").expect("the summary").1;
    assert_snapshot!(shop, @r"
     for <one> (attempt 1): killed by SIGKILL (often out of memory)
      | denied: push access refused
      log:   katkit logs dev/shop --phase build
      retry: katkit retry dev/shop --phase build --apply

    Applied: 0 links done, 2 failed in <time>.
    ");
    let killed = "dev/api  `build` failed for <fine> (attempt 1): exit code 137: killed by SIGKILL (often out of memory)\n";
    assert!(applied.stdout.contains(killed), "{applied}");
    let why = world.run(["why", "dev/shop"]).stdout;
    assert!(why.contains("  | denied: push access refused\n") && !why.contains("layer"), "{why}");
    let why: serde_json::Value =
        serde_json::from_str(&world.run(["why", "dev/shop", "--format", "json"]).stdout).unwrap();
    assert_eq!(why["logs"][0]["lines"], serde_json::json!(["denied: push access refused"]));
    assert_eq!(world.run(["retry", "dev/shop", "--phase", "build"]).code, 0);
    let again = world.run(["apply", "--format", "json"]).stdout;
    let summary: serde_json::Value = serde_json::from_str(again.lines().last().unwrap()).unwrap();
    let links = summary["links"].as_array().unwrap();
    let shop = links.iter().find(|link| link["link"] == "dev/shop").unwrap();
    assert_eq!(shop["log"], serde_json::json!(["denied: push access refused"]), "{again}");
}
