//! Commits that must not be undone: `Katkit-Rollback: no`, and `katkit pin --no-rollback-past`.

use insta::assert_snapshot;

use crate::world::{TELLS, World};

const MANIFEST: &str = r#"version = 1
repos.shop.url = "repos/shop"

[workflows.standard]
on-failure = "rollback"
phases = [
  { name = "deploy", order = 1, kind = "deployment" },
  { name = "verify", order = 2, run = "test ! -e bad || test -e @OUT@/passes" },
]

[tenants.dev.links]
shop = { repo = "shop", workflow = "standard", branch = "main" }
"#;

/// The commit `first` is live, and verified.
fn live() -> World {
    let world = World::new()
        .repo("shop", |repo| repo.ci(TELLS).description("acme/web:<hubtag>").commit("first"))
        .manifest(MANIFEST);
    world.apply();
    world
}

fn push(world: &mut World, file: &str, message: &str) {
    world.change("shop", |repo| repo.file(file, message).commit(message));
}

#[test]
fn a_commit_that_must_not_be_undone_stays_live_although_it_fails() {
    let mut world = live();
    world.change("shop", |repo| repo.file("bad", "x").commit_with("schema", "Katkit-Rollback: no"));
    assert_snapshot!(world.run(["plan"]), @r#"
    dev/shop  <first> → <schema>, 1 commit
      ~ deploy      `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<first>-]{+<schema>+}", "Replicas": 2 },
          <schema> schema (Ada)
      + run verify  not run yet
      · note: if a later phase fails, this stays live: no rollback goes past <schema>, which says `Katkit-Rollback: no`

    Plan: 1 link to change (1 phase, 1 deployment), 0 up to date.
    ----- exit 0
    "#);
    let applied = world.run(["apply"]);
    assert_eq!((applied.code, applied.stdout.contains("rolled back")), (1, false), "{applied}");
    assert!(world.deployed("dev/shop").contains("<schema>"), "{applied}");
    assert_snapshot!(world.run(["plan"]), @"
    dev/shop  at <schema>
      ! held: `verify` failed for <schema>: exit code 1
          hint: `katkit why dev/shop` shows the log; `katkit retry dev/shop` tries again from `verify`

    Plan: nothing to change, 1 held, 0 up to date.
    ----- exit 0
    ");
    assert_snapshot!(world.run(["rollback", "dev/shop"]), @"
    ----- stderr -----
    error: in `dev/shop`, no rollback goes past <schema>, which says `Katkit-Rollback: no`
     hint: `katkit pin dev/shop --no-rollback-past <schema> --withdraw` lifts that
    ----- exit 1
    ");
    // What is live was never verified, so a rollback from its successor would go past it, too.
    push(&mut world, "more", "more");
    assert_eq!(world.run(["apply"]).code, 1);
    assert_snapshot!(world.run(["rollback", "dev/shop", "--list"]), @"
    dev/shop: no rollback goes past <schema>, which says `Katkit-Rollback: no`; there is no rollback target.
    ----- exit 0
    ");
    // A fix goes on as always, and a rollback from it stops at it.
    world.release("passes");
    assert_eq!(world.run(["retry", "dev/shop", "--apply"]).code, 0);
    push(&mut world, "other", "other");
    assert_eq!(world.run(["apply"]).code, 0);
    assert_snapshot!(world.run(["rollback", "dev/shop", "--list"]), @"
    dev/shop: <other> is live. Rollback targets:
      <more>  <date> <hour> UTC  more
      nothing older: no rollback goes past <schema>, which says `Katkit-Rollback: no`
    `katkit rollback dev/shop` deploys <more>.
    ----- exit 0
    ");
    let first = world.sha("first").to_owned();
    assert_snapshot!(world.run(["rollback", "dev/shop", "--to", &first]), @"
    ----- stderr -----
    error: in `dev/shop`, no rollback goes past <schema>, which says `Katkit-Rollback: no`
     hint: `katkit pin dev/shop --no-rollback-past <schema> --withdraw` lifts that
    ----- exit 1
    ");
    // Anyone with the right may lift it.
    let schema = world.sha("schema").to_owned();
    let command = ["pin", "dev/shop", "--no-rollback-past", &schema, "--withdraw", "--apply"];
    assert_snapshot!(world.run(command), @"
    dev/shop  at <other>
      ~ grant  ana asked to unblock rollbacks past <schema>

    Plan: 1 link to change (1 to record), 0 up to date.

    Applied: 1 link done in <time>.
    ----- exit 0
    ");
    assert_eq!(world.run(["rollback", "dev/shop", "--to", &first, "--apply"]).code, 0);
    assert!(world.deployed("dev/shop").contains("<first>"));
    let history = world.run(["history", "dev/shop"]).stdout;
    assert!(history.contains("; no rollback goes past <schema>"), "{history}");
}

#[test]
fn a_pinned_commit_is_the_oldest_rollback_target() {
    let mut world = live();
    for commit in ["second", "third"] {
        push(&mut world, commit, commit);
        world.apply();
    }
    let second = world.sha("second").to_owned();
    assert_snapshot!(
        world.run(["pin", "dev/shop", "--no-rollback-past", &second, "--why", "new schema", "--apply"]), @"
        dev/shop  at <third>
          ~ grant  ana asked to block rollbacks past <second> (new schema)

        Plan: 1 link to change (1 to record), 0 up to date.

        Applied: 1 link done in <time>.
        ----- exit 0
        ");
    assert_snapshot!(world.run(["rollback", "dev/shop", "--list"]), @"
    dev/shop: <third> is live. Rollback targets:
      <second>  <date> <hour> UTC  second
      nothing older: no rollback goes past <second>, which ana pinned (new schema)
    `katkit rollback dev/shop` deploys <second>.
    ----- exit 0
    ");
    let json = world.run(["rollback", "dev/shop", "--list", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["links"][0]["barrier"]["why"], "new schema");
    let refused = [
        &["pin", "dev/shop", "--no-rollback-past", "0000000"][..],
        &["pin", "dev/shop", "--no-rollback-past", &second[..8]],
        &["pin", "dev/shop", "--no-rollback-past", &world.sha("first")[..8]],
        &["pin", "dev/shop", "--no-rollback-past", &world.sha("third")[..8], "--withdraw"],
        &["rollback", "dev/shop", "--to", world.sha("first")],
    ];
    let refused: Vec<_> =
        refused.into_iter().map(|arguments| world.acting("ana", arguments).to_string()).collect();
    assert_snapshot!(refused.join("\n\n"), @"
    ----- stderr -----
    error: no commit that begins with `0000000` was live or verified in `dev/shop`
     hint: `katkit rollback dev/shop --list` lists the rollback targets
    ----- exit 1

    ----- stderr -----
    error: in `dev/shop`, no rollback goes past <second>, which ana pinned (new schema)
    ----- exit 1

    ----- stderr -----
    error: <first> is neither live in `dev/shop` nor a rollback target there
     hint: `katkit rollback dev/shop --list` lists the rollback targets
    ----- exit 1

    ----- stderr -----
    error: nothing keeps a rollback of `dev/shop` from going past <third>
     hint: `katkit rollback dev/shop --list` lists the rollback targets
    ----- exit 1

    ----- stderr -----
    error: in `dev/shop`, no rollback goes past <second>, which ana pinned (new schema)
     hint: `katkit pin dev/shop --no-rollback-past <second> --withdraw` lifts that
    ----- exit 1
    ");
    assert_eq!(world.run(["rollback", "dev/shop", "--apply"]).code, 0);
    assert!(world.deployed("dev/shop").contains("<second>"));
    assert_snapshot!(world.run(["rollback", "dev/shop"]), @"
    ----- stderr -----
    error: in `dev/shop`, no rollback goes past <second>, which ana pinned (new schema)
     hint: `katkit pin dev/shop --no-rollback-past <second> --withdraw` lifts that
    ----- exit 1
    ");
    // A failed check goes back to it.
    let fix = format!("Fixes: {}", world.sha("third"));
    world.change("shop", |repo| repo.file("bad", "x").commit_with("bad", &fix));
    let applied = world.run(["apply"]);
    assert!(applied.stdout.contains("rolled back to <second>"), "{applied}");
}

#[test]
fn a_pin_takes_the_right_to_roll_back() {
    let world = live();
    let grants = r#"
people = { ana = {}, ben = {} }

[access]
roles.developer = ["request", "promote"]
grants = [{ role = "developer", to = ["ben"] }]
"#;
    world.edit("version = 1\n", &format!("version = 1\n{grants}\n"));
    world.edit("repos.shop.url = \"repos/shop\"", "[repos.shop]\nurl = \"repos/shop\"");
    let first = world.sha("first").to_owned();
    assert_snapshot!(world.acting("ben", &["pin", "dev/shop", "--no-rollback-past", &first]), @"
    ----- stderr -----
    error: ben does not have the right `rollback` on `dev/shop`
     hint: `katkit who-can pin dev/shop` shows who does
    ----- exit 1
    ");
}
