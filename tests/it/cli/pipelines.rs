//! Pipelines: a commit travels from stage to stage, and stops where it must.

mod holds;
mod shown;
mod working_hours;

use insta::assert_snapshot;

use crate::world::{Output, TELLS, World};

/// Fails after the deployment if the file `health` says that it is bad in this tenant. The build waits if the file `wait`
/// names its tenant.
const CI: &str = r#"if [ "$KATKIT_PHASE" = build ] && grep -q "$KATKIT_TENANT" wait; then
  echo now > @OUT@/began
  while [ ! -e @OUT@/go ]; do sleep 0.05; done
fi
[ "$KATKIT_PHASE" != verify ] || ! grep -q "bad in $KATKIT_TENANT" health
"#;

/// A repository, and a workflow that deploys and then checks.
pub(super) const SERVICE: &str = r#"version = 1

[repos.shop]
url = "repos/shop"

[workflows.standard]
on-failure = "rollback"
phases = [
  { name = "build", order = 0 },
  { name = "deploy", order = 1, kind = "deployment" },
  { name = "verify", order = 2 },
]
"#;

const PIPELINE: &str = r#"
[pipelines.shop]
repo = "shop"
stages = [
  { name = "beta", links = ["beta/shop"] },
  { name = "prod", waves = [["prod-eu/shop"], ["prod-us/shop"]] },
]

[templates]
shop = { repo = "shop", workflow = "standard", pipeline = "shop" }

[tenants]
beta.use = ["shop"]
prod-eu.use = ["shop"]
prod-us.use = ["shop"]
"#;

/// A pipeline with nothing live, and a commit `first`.
fn fresh() -> World {
    World::new()
        .repo("shop", |repo| {
            let script = format!("{TELLS}{CI}");
            repo.ci(&script)
                .description("acme/web:<hubtag>")
                .file("health", "good\n")
                .file("wait", "none\n")
                .commit("first")
        })
        .manifest(&format!("{SERVICE}{PIPELINE}"))
}

/// A pipeline in which `first` is live everywhere.
fn live() -> World {
    let world = fresh();
    apply(&world);
    for link in ["prod-eu/shop", "prod-us/shop"] {
        assert_eq!(world.run(["promote", link, "--apply"]).code, 0);
    }
    world
}

/// Pushes a commit whose verification fails in this tenant.
fn push_bad(world: &mut World, message: &str, tenant: &str) {
    world.change("shop", |repo| repo.file("health", &format!("bad in {tenant}\n")).commit(message));
}

fn push(world: &mut World, message: &str) {
    world.change("shop", |repo| repo.file("code", message).commit(message));
}

/// Applies. Of the digits after `Fixes:`, the output shows only those that name the commit `bad`.
fn apply(world: &World) -> Output {
    let mut output = world.run(["apply", "--yes"]);
    let digits = world.try_sha("bad").map(|sha| format!("`Fixes: <bad>{}`", &sha[10..12]));
    if let Some(digits) = digits {
        output.stdout = output.stdout.replace(&digits, "`Fixes: <bad>..`");
    }
    output
}

/// What is live in each tenant.
fn live_in(world: &World) -> String {
    let live = |tenant| {
        let place = format!("{tenant}/shop");
        let text = match world.path(&format!(".katkit/platform/{place}.json")).exists() {
            true => world.deployed(&place),
            false => String::new(),
        };
        let image = text.split("acme/web:").nth(1).and_then(|rest| rest.split('"').next());
        format!("{tenant}: {}", image.unwrap_or("nothing"))
    };
    ["beta", "prod-eu", "prod-us"].map(live).join("\n")
}

#[test]
fn a_commit_travels_through_all_stages_in_one_apply() {
    let mut world = live();
    push(&mut world, "second");
    let applied = apply(&world);
    assert_eq!(applied.code, 0, "{applied}");
    assert_snapshot!(live_in(&world), @"
    beta: <second>
    prod-eu: <second>
    prod-us: <second>
    ");
    let ran = world.read("out/ran");
    let builds = ran.lines().filter(|line| line.contains(" build ")).map(|line| line.split(' ').next());
    let builds: Vec<_> = builds.map(Option::unwrap).collect();
    assert_eq!(builds[3..], ["beta/shop", "prod-eu/shop", "prod-us/shop"]);
    assert_snapshot!(world.run(["apply", "--yes"]), @"
    Nothing to do: 3 links are up to date.
    ----- exit 0
    ");
}

#[test]
fn the_first_commit_of_a_later_stage_waits_for_an_actor() {
    let world = fresh();
    assert_snapshot!(world.run(["plan"]), @r#"
    beta/shop  → <first>
      + run build   not run yet
      ~ deploy      `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<hubtag>-]{+<first>+}", "Replicas": 2 },
      + run verify  not run yet

    prod-eu/shop
      ! waits: no commit may run here yet: the newest is not verified in `beta/shop` (stage `beta`)

    prod-us/shop
      ! waits: no commit may run here yet: the newest is not verified in `beta/shop` (stage `beta`), and is not verified in `prod-eu/shop` (wave 1 of the stage `prod`)

    Plan: 1 link to change (2 phases, 1 deployment), 2 held, 0 up to date.
    ----- exit 0
    "#);
    let applied = apply(&world);
    assert_eq!(applied.code, 1, "{applied}");
    assert_snapshot!(world.run(["plan"]), @"
    prod-eu/shop
      ! held: nothing is live yet, and the first commit is promoted by hand; <first> may run
          hint: `katkit promote prod-eu/shop --apply` runs it here

    prod-us/shop
      ! waits: no commit may run here yet: the newest is not verified in `prod-eu/shop` (wave 1 of the stage `prod`)

    Plan: nothing to change, 2 held, 1 up to date.
    ----- exit 0
    ");
    assert_snapshot!(world.run(["promote", "prod-us/shop"]), @"
    ----- stderr -----
    error: no commit may run here yet: the newest is not verified in `prod-eu/shop` (wave 1 of the stage `prod`)
    ----- exit 1
    ");
    assert_snapshot!(world.run(["promote", "prod-eu/shop", "--why", "go live"]), @"
    prod-eu/shop: recorded: promote <first>.
    `katkit apply prod-eu/shop` does it.
    ----- exit 0
    ");
    assert_snapshot!(world.run(["apply", "--yes", "prod-eu"]), @r#"
    prod-eu/shop  → <first>
      ~ grant       ana asked to promote <first> (go live)
      + run build   not run yet
      ~ deploy      `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<hubtag>-]{+<first>+}", "Replicas": 2 },
      + run verify  not run yet

    Plan: 1 link to change (2 phases, 1 deployment), 0 up to date.

    Applied: 1 link done in <time>.
    ----- stderr -----
    prod-eu/shop  starting run for <first>
    prod-eu/shop  build  started
    prod-eu/shop  build  succeeded  <time>
    prod-eu/shop  deploying <first>
    prod-eu/shop  <first> deployed  <time>
    prod-eu/shop  verify  started
    prod-eu/shop  verify  succeeded  <time>
    ----- exit 0
    "#);
    assert_snapshot!(live_in(&world), @"
    beta: <first>
    prod-eu: <first>
    prod-us: nothing
    ");
}

#[test]
fn a_commit_that_fails_in_one_stage_never_reaches_the_next() {
    let mut world = live();
    push_bad(&mut world, "bad", "beta");
    let applied = apply(&world);
    assert_eq!(applied.code, 1, "{applied}");
    // It contains the bad commit.
    push(&mut world, "after bad");
    assert_snapshot!(apply(&world), @"
    beta/shop  <first> → <after bad>
      ! held: <after bad> contains <bad>, which was rolled back at <date> <hour> UTC: `verify` failed after the deployment
          hint: revert it, say `Fixes: <bad>..` in the commit that fixes it, or release this one with `katkit retry beta/shop`

    Plan: nothing to change, 1 held, 2 up to date.
    ----- exit 1
    ");
    assert_snapshot!(live_in(&world), @"
    beta: <first>
    prod-eu: <first>
    prod-us: <first>
    ");
    world.change("shop", |repo| repo.git(&["revert", "--no-commit", "HEAD~1"]).commit("reverted"));
    let applied = apply(&world);
    assert_eq!(applied.code, 0, "{applied}");
    assert_snapshot!(live_in(&world), @"
    beta: <reverted>
    prod-eu: <reverted>
    prod-us: <reverted>
    ");
}

#[test]
fn a_rollback_in_one_wave_holds_the_rest_of_the_stage() {
    let mut world = live();
    push_bad(&mut world, "bad", "prod-eu");
    let applied = apply(&world);
    assert_eq!(applied.code, 1, "{applied}");
    assert_snapshot!(live_in(&world), @"
    beta: <bad>
    prod-eu: <first>
    prod-us: <first>
    ");
    push(&mut world, "after bad");
    assert_snapshot!(apply(&world), @r#"
    beta/shop  <bad> → <after bad>, 1 commit
      + run build   not run yet
      ~ deploy      `web`; rolls back to <bad> if a later phase fails
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<bad>-]{+<after bad>+}", "Replicas": 2 },
          <after bad> after bad (Ada)
      + run verify  not run yet

    prod-eu/shop  <first> → <bad>
      ! held: <bad> has been quarantined since <date> <hour> UTC: `verify` failed after the deployment
          hint: push a commit that reverts it or says `Fixes: <bad>..`, or release it with `katkit retry prod-eu/shop`

    Plan: 1 link to change (2 phases, 1 deployment), 1 held, 1 up to date.

    Applied: 1 link done in <time>.

    Further in the pipeline:

    prod-eu/shop  <first> → <after bad>
      ! held: <after bad> contains <bad>, which was rolled back at <date> <hour> UTC: `verify` failed after the deployment
          hint: revert it, say `Fixes: <bad>..` in the commit that fixes it, or release this one with `katkit retry prod-eu/shop`

    Plan: nothing to change, 1 held, 1 up to date.
    ----- stderr -----
    beta/shop  starting run for <after bad>
    beta/shop  build  started
    beta/shop  build  succeeded  <time>
    beta/shop  deploying <after bad>
    beta/shop  <after bad> deployed  <time>
    beta/shop  verify  started
    beta/shop  verify  succeeded  <time>
    ----- exit 1
    "#);
    // Beta verified it, but it contains what production rolled back.
    assert_snapshot!(live_in(&world), @"
    beta: <after bad>
    prod-eu: <first>
    prod-us: <first>
    ");
    assert_snapshot!(world.run(["promote", "prod-us/shop", "--sha", "main"]), @"
    ----- stderr -----
    error: <after bad> is not verified in `prod-eu/shop` (wave 1 of the stage `prod`)
    ----- exit 1
    ");
    let fix = format!("fix\n\nFixes: {}", world.sha("bad"));
    world.change("shop", |repo| repo.file("health", "good\n").commit(&fix));
    let applied = apply(&world);
    assert_eq!(applied.code, 0, "{applied}");
    let live = live_in(&world);
    assert_eq!(live.matches(": <fix").count(), 3, "{live}");
}

#[test]
fn a_rollback_withdraws_the_evidence_for_the_stages_after() {
    let mut world = live();
    push(&mut world, "second");
    assert_eq!(world.run(["apply", "--yes", "beta"]).code, 0);
    assert_eq!(world.run(["rollback", "beta/shop", "--why", "slow", "--apply"]).code, 0);
    assert_snapshot!(world.run(["plan", "prod-eu"]), @"
    Nothing to do: 1 link is up to date.
    ----- exit 0
    ");
    assert_snapshot!(world.run(["promote", "prod-eu/shop", "--sha", "main"]), @"
    ----- stderr -----
    error: <second> is not verified in `beta/shop` (stage `beta`)
    ----- exit 1
    ");
}

#[test]
fn a_pinned_link_stays_and_says_why() {
    let mut world = live();
    push(&mut world, "second");
    world.edit("prod-us.use = [\"shop\"]", "prod-us.use = [\"shop\"]\nprod-us.links.shop.pin = { sha = \"@first@\", why = \"audit until friday\" }");
    assert_eq!(apply(&world).code, 0);
    assert_snapshot!(live_in(&world), @"
    beta: <second>
    prod-eu: <second>
    prod-us: <first>
    ");
    assert_snapshot!(world.run(["promote", "prod-us/shop"]), @"
    ----- stderr -----
    error: `prod-us/shop` is pinned to <first>: audit until friday
     hint: take the `pin` out of the manifest first
    ----- exit 1
    ");
    assert_snapshot!(world.run(["set", "prod-us/shop", "main"]), @"
    ----- stderr -----
    error: `prod-us/shop` follows the pipeline `shop`, which chooses its commits
     hint: `katkit promote prod-us/shop --sha SHA` runs a commit next; a `pin` in the manifest stays at one
    ----- exit 1
    ");
    world.edit("prod-us.links.shop.pin", "prod-eu.links.shop.pin");
    assert_snapshot!(world.run(["plan"]), @r#"
    prod-eu/shop  at <second>
      ! held: the link is pinned to <first>, but <second> is live, which is newer
          hint: `katkit rollback prod-eu/shop --to <first>` goes back to it, and quarantines <second>

    prod-us/shop  <first> → <second>, 1 commit
      + run build   not run yet
      ~ deploy      `web`; rolls back to <first> if a later phase fails
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<first>-]{+<second>+}", "Replicas": 2 },
          <second> second (Ada)
      + run verify  not run yet

    Plan: 1 link to change (2 phases, 1 deployment), 1 held, 1 up to date.
    ----- exit 0
    "#);
}
