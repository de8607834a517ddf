//! Pull requests: tested before they land, merged into the branch.

mod holding;

use insta::assert_snapshot;

use super::pipelines::SERVICE;
use crate::world::{Output, Repo, TELLS, World};

/// Fails before the deployment if the file `broken` exists, unless `repaired` is released, and after it if `bad` does. The
/// build waits if the file `wait` exists.
const CI: &str = r#"if [ "$KATKIT_PHASE" = build ] && [ -e wait ]; then
  echo now > @OUT@/began
  while [ ! -e @OUT@/go ]; do sleep 0.05; done
fi
[ "$KATKIT_PHASE" != build ] || [ ! -e broken ] || [ -e @OUT@/repaired ]
[ "$KATKIT_PHASE" != verify ] || [ ! -e bad ]
"#;

const PIPELINE: &str = r#"
[pipelines.shop]
repo = "shop"
stages = [
  { name = "sandbox", links = ["sandbox/shop"], source = "pull-requests" },
  { name = "beta", links = ["beta/shop"] },
]

[templates]
shop = { repo = "shop", workflow = "standard", pipeline = "shop" }

[tenants]
sandbox.use = ["shop"]
beta.use = ["shop"]
"#;

/// The commit `first` is live in both stages.
fn live() -> World {
    let world = World::new()
        .repo("shop", |repo| {
            let script = format!("{TELLS}set -e\n{CI}");
            repo.ci(&script).description("acme/web:<hubtag>").file("list", "a\nb\nc\nd\n").commit("first")
        })
        .manifest(&format!("{SERVICE}{PIPELINE}"));
    world.run(["apply", "--yes"]);
    let promoted = world.run(["promote", "beta/shop", "--apply", "--yes"]);
    assert_eq!(promoted.code, 0, "{promoted}");
    world
}

/// A branch from `main` with one commit of this message, which adds a file. `main` is checked out again.
fn pull_request(world: &mut World, message: &str, file: &str) {
    world.change("shop", |repo| {
        let repo = repo.git(&["checkout", "--quiet", "-b", message, "main"]);
        repo.file(file, message).commit(message).git(&["checkout", "--quiet", "main"])
    });
}

/// Lands a pull request as one commit.
fn squash(repo: Repo, branch: &str, message: &str) -> Repo {
    repo.git(&["merge", "--quiet", "--squash", branch]).commit(message)
}

fn request(world: &World, commit: &str) -> Output {
    let requested = world.run(["test", "sandbox/shop", commit]);
    assert_eq!(requested.code, 0, "{requested}");
    requested
}

/// The ids that belong to no commit of the test are those of merges.
fn merges(text: &impl ToString) -> String {
    let is_id =
        |word: &str| [10, 40].contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let text = text.to_string();
    let mut shown = String::new();
    for word in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let id = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        shown.push_str(&if is_id(id) { word.replace(id, "<merge>") } else { word.to_owned() });
    }
    shown
}

#[test]
fn a_pull_request_is_tested_and_what_lands_counts_as_tested() {
    let mut world = live();
    pull_request(&mut world, "tax", "tax.txt");
    assert_snapshot!(world.run(["test", "sandbox/shop", "tax", "--why", "PR 7"]), @"
    sandbox/shop: recorded: test <tax>, merged into `main`.
    `katkit apply sandbox/shop` does it.
    ----- exit 0
    ");
    assert_snapshot!(merges(&world.run(["plan"])), @r#"
    sandbox/shop  <first> → <merge>, 2 commits
      ~ test        <tax>, merged into <first>, for ana: PR 7
      + run build   not run yet
      ~ deploy      `web`; rolls back to <first> if a later phase fails
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<first>-]{+<merge>+}", "Replicas": 2 },
          <merge> Merge <tax> into <first> for a test (katkit)
          <tax> tax (Ada)
      + run verify  not run yet

    Plan: 1 link to change (2 phases, 1 deployment), 1 up to date.
    ----- exit 0
    "#);
    let applied = world.run(["apply", "--yes"]);
    assert_eq!(applied.code, 0, "{applied}");
    assert_snapshot!(merges(&world.run(["pipeline"])), @"
    shop: repository `shop`, branch `main`

    sandbox, from pull requests
      sandbox/shop  <merge>  live, the test of <tax>

    beta, after sandbox
      beta/shop     <first>  live, the newest

    <first>  first (Ada)
                tested in sandbox/shop; live in beta/shop
    ----- exit 0
    ");
    assert_snapshot!(merges(&world.run(["plan"])), @"
    Nothing to do: 2 links are up to date.
    ----- exit 0
    ");

    world.change("shop", |repo| squash(repo, "tax", "tax (#7)"));
    assert_snapshot!(world.run(["plan"]), @r#"
    beta/shop  <first> → <tax (#7)>, 1 commit
      + run build   not run yet
      ~ deploy      `web`; rolls back to <first> if a later phase fails
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<first>-]{+<tax (#7)>+}", "Replicas": 2 },
          <tax (#7)> tax (#7) (Ada)
      + run verify  not run yet

    Plan: 1 link to change (2 phases, 1 deployment), 1 up to date.
    ----- exit 0
    "#);
    let applied = world.run(["apply", "--yes"]);
    assert_eq!(applied.code, 0, "{applied}");
    assert!(world.deployed("beta/shop").contains("<tax (#7)>"));
    assert_snapshot!(merges(&world.run(["pipeline"])), @"
    shop: repository `shop`, branch `main`

    sandbox, from pull requests
      sandbox/shop  <merge>  live, the test of <tax>

    beta, after sandbox
      beta/shop     <tax (#7)>  live, the newest

    <tax (#7)>  tax (#7) (Ada)
                tested in sandbox/shop; live in beta/shop
    ----- exit 0
    ");
    let landed = world.sha("tax (#7)").to_owned();
    assert_snapshot!(world.run(["why", "sandbox/shop", &landed]), @"
    sandbox/shop
    <tax (#7)> has the content that was tested as <tax>.
    ----- exit 0
    ");
    let head = world.sha("tax").to_owned();
    assert_snapshot!(merges(&world.run(["why", "sandbox/shop", &head])), @"
    sandbox/shop
    ana started the test of <tax>, merged as <merge>, just now; it succeeded after <time>.
    <tax> is not in the first-parent history of `main`.
    ----- exit 0
    ");
    let history = merges(&world.run(["history", "sandbox/shop"]));
    assert!(history.contains("run for <merge> (test of <tax> for ana: PR 7): `build`"), "{history}");
}

#[test]
fn what_lands_with_other_content_runs_ahead_of_pull_requests() {
    let mut world = live();
    pull_request(&mut world, "tax", "tax.txt");
    pull_request(&mut world, "ship", "ship.txt");
    request(&world, "tax");
    assert_eq!(world.run(["apply", "--yes"]).code, 0);
    request(&world, "ship");
    // Someone else pushed before it landed.
    world.change("shop", |repo| repo.file("other.txt", "x").commit("other"));
    world.change("shop", |repo| squash(repo, "tax", "tax (#7)"));
    // The plan says in what it differs.
    assert_snapshot!(merges(&world.run(["plan"])), @r#"
    sandbox/shop  <merge> → <tax (#7)>, 2 commits
      + run build   not run yet
      ~ deploy      `web`; rolls back to <merge> if a later phase fails
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<merge>-]{+<tax (#7)>+}", "Replicas": 2 },
          <tax (#7)> tax (#7) (Ada)
          <other> other (Ada)
      + run verify  not run yet
      · note: <tax> was tested, but what landed as <tax (#7)> differs in `other.txt`

    Plan: 1 link to change (2 phases, 1 deployment), 1 up to date.
    ----- exit 0
    "#);
    let applied = world.run(["apply", "--yes"]);
    assert_eq!(applied.code, 0, "{applied}");
    let shown = merges(&world.run(["pipeline"]));
    assert!(shown.contains("tested in sandbox/shop; live in beta/shop"), "{shown}");
    assert!(shown.contains("live, the test of <ship>"), "{shown}");
}

#[test]
fn a_failed_test_holds_nothing_and_can_be_repeated() {
    let mut world = live();
    pull_request(&mut world, "bad", "bad");
    pull_request(&mut world, "ship", "ship.txt");
    request(&world, "bad");
    assert_snapshot!(request(&world, "ship"), @"
    sandbox/shop: recorded: test <ship>, merged into `main`, after 1 other test.
    `katkit apply sandbox/shop` does it.
    ----- exit 0
    ");
    let applied = world.run(["apply", "--yes"]);
    assert_eq!(applied.code, 1, "{applied}");
    assert!(applied.stdout.contains("rolled back to <first>"), "{applied}");
    // The one behind it was tested nevertheless, and nothing waits.
    assert_snapshot!(merges(&world.run(["pipeline"])), @"
    shop: repository `shop`, branch `main`

    sandbox, from pull requests
      sandbox/shop  <merge>  live, the test of <ship>

    beta, after sandbox
      beta/shop     <first>  live, the newest

    <first>  first (Ada)
                tested in sandbox/shop; live in beta/shop
    ----- exit 0
    ");
    let plan = world.run(["plan"]);
    assert_eq!((plan.code, plan.stdout.contains("Nothing to do")), (0, true), "{plan}");

    request(&world, "bad");
    assert_eq!(world.run(["apply", "--yes"]).code, 1);
    let why = world.run(["why", "sandbox/shop"]);
    assert!(why.stdout.contains("to test it"), "{why}");
    // It is repeated as it is, and fails again.
    let again = world.run(["retry", "sandbox/shop", "--apply", "--yes"]);
    assert_eq!((again.code, again.stdout.contains("rolled back to")), (1, true), "{again}");
    let plan = world.run(["plan"]);
    assert!(plan.stdout.contains("Nothing to do"), "{plan}");
    // The same change lands: it runs in the sandbox itself, and fails there.
    world.change("shop", |repo| repo.git(&["merge", "--quiet", "--ff-only", "bad"]));
    let applied = world.run(["apply", "--yes"]);
    assert_eq!(applied.code, 1, "{applied}");
    assert!(world.deployed("beta/shop").contains("<first>"));
    let plan = world.run(["plan"]);
    assert!(plan.stdout.contains("held: <bad> has been quarantined since"), "{plan}");
    // A fix is tested although the tip is bad, and lands.
    world.change("shop", |repo| {
        repo.git(&["checkout", "--quiet", "-b", "fix", "main"]).without("bad").commit("fix")
    });
    world.change("shop", |repo| repo.git(&["checkout", "--quiet", "main"]));
    request(&world, "fix");
    let applied = world.run(["apply", "--yes"]);
    assert!(applied.stdout.contains("1 link done"), "{applied}");
    world.change("shop", |repo| repo.git(&["merge", "--quiet", "--ff-only", "fix"]));
    let applied = world.run(["apply", "--yes"]);
    assert_eq!(applied.code, 0, "{applied}");
    assert!(world.deployed("beta/shop").contains("<fix>"));
}

#[test]
fn a_tip_that_failed_runs_again_on_request() {
    let mut world = live();
    world.change("shop", |repo| repo.file("broken", "x").commit("broken"));
    assert_eq!(world.run(["apply", "--yes"]).code, 1);
    pull_request(&mut world, "ship", "ship.txt");
    // It has the fault of the tip, and fails as well.
    request(&world, "ship");
    assert_eq!(world.run(["apply", "--yes"]).code, 1);
    assert_snapshot!(world.run(["plan"]), @"
    sandbox/shop  at <first>
      ! held: <broken>, the tip of `main`, ran here, but was not verified
          hint: push a fix; `katkit test sandbox/shop <broken>` runs it again

    Plan: nothing to change, 1 held, 1 up to date.
    ----- exit 0
    ");
    let tip = world.sha("broken").to_owned();
    request(&world, &tip);
    assert_snapshot!(world.run(["plan"]), @r#"
    sandbox/shop  <first> → <broken>
      ~ test        <broken>, the tip of the branch, for ana
      + run build   not run yet
      ~ deploy      `web`; rolls back to <first> if a later phase fails
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<first>-]{+<broken>+}", "Replicas": 2 },
      + run verify  not run yet

    Plan: 1 link to change (2 phases, 1 deployment), 1 up to date.
    ----- exit 0
    "#);
    assert_eq!(world.run(["apply", "--yes"]).code, 1);
    assert!(world.run(["retry", "sandbox/shop"]).stdout.contains("recorded: retry"));
}

#[test]
fn a_tip_that_cannot_be_planned_does_not_hold_up_its_fix() {
    let mut world = live();
    world.change("shop", |repo| repo.without("servicedescription/servicedescription.js").commit("lost"));
    pull_request(&mut world, "useless", "useless.txt");
    world.change("shop", |repo| {
        let repo = repo.git(&["checkout", "--quiet", "-b", "fix", "main"]);
        repo.description("acme/web:<hubtag>").commit("fix").git(&["checkout", "--quiet", "main"])
    });
    assert_eq!(world.run(["apply", "--yes"]).code, 1);
    request(&world, "useless");
    request(&world, "fix");
    let plan = world.run(["plan"]);
    assert_snapshot!(merges(&plan), @"
    sandbox/shop  at <first>
      - refuse  ana asked to test <useless>: `deploy` is a deployment, but there is no `servicedescription/servicedescription.js` at <merge>

    Plan: 1 link to change (1 to record), 1 up to date.
    ----- exit 0
    ");
    let applied = world.run(["apply", "--yes"]);
    assert!(applied.stdout.contains("1 link done"), "{applied}");
    world.change("shop", |repo| repo.git(&["merge", "--quiet", "--ff-only", "fix"]));
    assert_eq!(world.run(["apply", "--yes"]).code, 0);
    assert!(world.deployed("beta/shop").contains("<fix>"));
}

#[test]
fn what_cannot_be_tested_is_refused() {
    let mut world = live();
    pull_request(&mut world, "tax", "tax.txt");
    world.change("shop", |repo| {
        let repo = repo.git(&["checkout", "--quiet", "-b", "clash", "main"]);
        let repo = repo.file("list", "a\nB\nc\nd\n").commit("clash");
        let repo = repo.git(&["checkout", "--quiet", "--orphan", "stranger"]).commit("stranger");
        repo.git(&["checkout", "--quiet", "main"])
    });
    request(&world, "clash");
    world.change("shop", |repo| repo.file("list", "a\nbb\nc\nd\n").commit("main moved"));
    let refused = ["clash", "main", "stranger", "nothing"]
        .map(|commit| world.run(["test", "sandbox/shop", commit]).to_string());
    assert_snapshot!(refused.join("\n\n"), @"
    ----- stderr -----
    error: <clash> conflicts with <main moved>, the tip of `main`, in `list`
     hint: merge `main` into it, and push
    ----- exit 1

    ----- stderr -----
    error: `main` contains <main moved> already
    ----- exit 1

    ----- stderr -----
    error: <stranger> has no history in common with `main`
    ----- exit 1

    ----- stderr -----
    error: `nothing` is not a commit, branch or tag in <world>/repos/shop
    ----- exit 1
    ");
    assert_snapshot!(world.run(["test", "beta/shop", "tax"]), @r#"
    ----- stderr -----
    error: `beta/shop` does not test pull requests
     hint: `source = "pull-requests"` in the first stage of a pipeline makes it test them
    ----- exit 1
    "#);
    assert_snapshot!(world.run(["promote", "sandbox/shop"]), @"
    ----- stderr -----
    error: `sandbox/shop` tests pull requests, so nothing is promoted there
     hint: `katkit test sandbox/shop SHA` tests the head of a pull request
    ----- exit 1
    ");
    // The branch moved after the request for `clash`, and others do not wait for it.
    request(&world, "tax");
    let applied = world.run(["apply", "--yes"]);
    assert_eq!(applied.code, 0, "{applied}");
    assert!(applied.stdout.contains("refuse") && applied.stdout.contains("test    "), "{applied}");
    let history = world.run(["history", "sandbox/shop"]);
    assert!(
        history.stdout.contains("ana asked to test <clash>; refused: <clash> conflicts with"),
        "{history}"
    );
    let again = world.run(["test", "sandbox/shop", "tax"]);
    assert!(again.stderr.contains("its test has passed, and `main` has not changed since"), "{again}");
}

#[test]
fn a_closed_pull_request_leaves_the_queue() {
    let mut world = live();
    for name in ["one", "two", "three"] {
        pull_request(&mut world, name, name);
        request(&world, name);
    }
    let two = world.sha("two").to_owned();
    assert_snapshot!(world.run(["why", "sandbox/shop", &two]), @"
    sandbox/shop
    The test of <two> waits in `sandbox/shop`; 1 other goes first.
    <two> is not in the first-parent history of `main`.
    ----- exit 0
    ");
    let requests = world.run(["status", "sandbox/shop", "--format", "json"]);
    let status: serde_json::Value = serde_json::from_str(&requests.stdout).unwrap();
    let second = status["links"][0]["requests"][1]["id"].as_str().unwrap().to_owned();
    assert_eq!(world.run(["withdraw", "sandbox/shop", "--request", &second]).code, 0);
    assert_eq!(world.run(["apply", "--yes"]).code, 0);
    let history = world.run(["history", "sandbox/shop"]).stdout;
    assert!(
        history.contains("test of <three> for ana") && !history.contains("test of <two> for ana"),
        "{history}"
    );
}

#[test]
fn a_test_survives_the_death_of_its_process_and_a_new_tip() {
    let mut world = live();
    pull_request(&mut world, "slow", "wait");
    request(&world, "slow");
    let running = world.start(["apply", "--yes"]);
    world.appears("began");
    running.kill();
    world.change("shop", |repo| repo.file("other.txt", "x").commit("other"));
    // On another machine: nothing of the merge is left but the record.
    std::fs::remove_dir_all(world.path("cache/merges")).ok();
    world.release("go");
    let applied = world.run(["apply", "--yes"]);
    assert_eq!(applied.code, 0, "{applied}");
    let history = world.run(["history", "sandbox/shop"]).stdout;
    assert_eq!(history.matches("(test of <slow> for ana)").count(), 1, "{history}");
    assert!(world.deployed("beta/shop").contains("<other>"));
}

#[test]
fn settings_that_no_test_can_meet_are_refused() {
    let world = live();
    world.edit("source = \"pull-requests\" }", "source = \"pull-requests\", take = \"each\" }");
    world.edit(
        "{ name = \"beta\"",
        "{ name = \"late\", links = [\"late/shop\"], source = \"pull-requests\" },\n  { name = \"beta\"",
    );
    world.edit(
        "[tenants]\n",
        "[policies.strict]\nancestry = \"branch\"\nsoak = \"1h\"\n\n[tenants]\nlate = { policy = \"strict\", use = [\"shop\"] }\n",
    );
    world.edit("beta.use = [\"shop\"]", "beta = { policy = \"strict\", use = [\"shop\"] }");
    world.edit("{ name = \"build\", order = 0 }", "{ name = \"build\", order = 0, checkout = \"clone\" }");
    assert_snapshot!(world.run(["validate"]), @r#"
    ----- stderr -----
      × `take` makes no sense here: the stage tests pull requests, one after the
      │ other
        ╭─[katkit.toml:17:82]
     16 │ stages = [
     17 │ … links = ["sandbox/shop"], source = "pull-requests", take = "each" },
        ·                                                              ───┬──
        ·                                                                 ╰── remove it
     18 │   { name = "late", links = ["late/shop"], source = "pull-requests" },
        ╰────

      × the stage `late` tests pull requests, but comes after another
        ╭─[katkit.toml:18:3]
     17 │   { name = "sandbox", links = ["sandbox/shop"], source = "pull-requests", take = "each" },
     18 │   { name = "late", links = ["late/shop"], source = "pull-requests" },
        ·   ─────────────────────────────────┬────────────────────────────────
        ·                                    ╰── comes after the stage before it
     19 │   { name = "beta", links = ["beta/shop"] },
        ╰────
      help: write it as the first stage, or with `after = []`

    2 errors
    ----- exit 1
    "#);
}
