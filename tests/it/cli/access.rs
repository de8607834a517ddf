//! Rights: who may do what, at the commands and where requests are decided.

use insta::assert_snapshot;

use crate::world::World;

const GRANTS: &str = r#"
[people]
ana = {}
ben = {}
cleo = {}

[access]
grants = [
  { role = "developer", to = ["developers"], on = ["sandbox"] },
  { role = "release", to = ["ben"] },
  { role = "oncall", to = ["cleo"], on = ["dev"] },
]

[access.groups]
developers = ["ana", "ben"]

[access.roles]
developer = ["request", "promote"]
release = ["request", "promote", "approve", "rollback", "freeze"]
oncall = ["break-glass", "rollback", "approve"]
"#;

fn granted(world: &mut World, grants: &str) {
    let before = std::fs::read_to_string(world.path("katkit.toml")).unwrap();
    world.write("katkit.toml", &format!("{before}{grants}"));
}

#[test]
fn only_those_who_have_the_right_may_do_something() {
    let mut world = World::shop().applied();
    world.change("shop", |repo| repo.commit("second"));
    world.run(["apply", "--yes"]);
    granted(&mut world, GRANTS);
    assert_snapshot!(world.acting("ana", &["rollback", "dev/shop"]), @"
    ----- stderr -----
    error: ana does not have the right `rollback` on `dev/shop`
     hint: `katkit who-can rollback dev/shop` shows who does
    ----- exit 1
    ");
    assert_snapshot!(world.acting("ana", &["freeze", "*", "--until", "2h", "--why", "tired"]), @"
    ----- stderr -----
    error: ana does not have the right `freeze` on `dev/shop`
     hint: `katkit who-can freeze dev/shop` shows who does
    ----- exit 1
    ");
    assert_snapshot!(world.acting("eve", &["retry", "dev/shop"]), @"
    ----- stderr -----
    error: eve does not have the right `request` on `dev/shop`
     hint: `katkit who-can retry dev/shop` shows who does
    ----- exit 1
    ");
    assert_snapshot!(world.acting("ana", &["reject", "dev/shop", "main", "--why", "no"]), @"
    ----- stderr -----
    error: ana does not have the right `approve` on `dev/shop`
     hint: `katkit who-can reject dev/shop` shows who does
    ----- exit 1
    ");
    assert_eq!(world.acting("ben", &["freeze", "dev", "--until", "2h", "--why", "incident"]).code, 0);
    assert_snapshot!(world.acting("cleo", &["thaw", "1"]), @"
    ----- stderr -----
    error: cleo does not have the right `freeze` on `dev/shop`
     hint: `katkit who-can freeze dev/shop` shows who does
    ----- exit 1
    ");
    assert_eq!(world.acting("ben", &["thaw", "1"]).code, 0);
}

#[test]
fn who_can_names_everyone_who_has_the_right() {
    let mut world = World::shop().applied();
    assert_snapshot!(world.run(["who-can", "rollback", "dev/shop"]), @"
    dev/shop
    `rollback` takes the right `rollback`
      everyone has it
    ----- exit 0
    ");
    granted(&mut world, GRANTS);
    assert_snapshot!(world.run(["who-can", "rollback", "dev/shop"]), @"
    dev/shop
    `rollback` takes the right `rollback`
      ben   release
      cleo  oncall
    ----- exit 0
    ");
    assert_snapshot!(world.run(["who-can", "override", "dev/shop"]), @"
    dev/shop
    `override` takes the right `break-glass`
      cleo  oncall
    ----- exit 0
    ");
    assert_snapshot!(world.run(["who-can", "retry", "dev/shop", "--format", "json"]), @r#"
    {
      "format_version": "2.0",
      "katkit_version": "0.1.0",
      "link": "dev/shop",
      "action": "retry",
      "approval": null,
      "right": {
        "name": "request",
        "everyone": false,
        "people": [
          {
            "name": "ben",
            "roles": [
              "release"
            ]
          }
        ]
      }
    }
    ----- exit 0
    "#);
}

/// A request that reached the record although its actor lost the right since.
#[test]
fn a_request_is_refused_if_its_actor_has_lost_the_right() {
    let mut world = World::shop().applied();
    world.change("shop", |repo| repo.commit("second"));
    world.run(["apply", "--yes"]);
    assert_eq!(world.acting("ana", &["rollback", "dev/shop", "--why", "slow"]).code, 0);
    granted(&mut world, GRANTS);
    assert_snapshot!(world.run(["plan"]), @"
    dev/shop  at <second>
      - refuse  ana asked to roll back from <second> to <first> (slow): ana does not have the right `rollback` on `dev/shop`

    Plan: 1 link to change (1 to record), 0 up to date.
    ----- exit 0
    ");
    // The withdrawal by another takes the right as well.
    assert_snapshot!(world.acting("eve", &["withdraw", "dev/shop"]), @"
    ----- stderr -----
    error: eve does not have the right `rollback` on `dev/shop`
     hint: `katkit who-can rollback dev/shop` shows who does
    ----- exit 1
    ");
    assert_eq!(world.run(["apply", "--yes"]).code, 0);
    assert!(world.deployed("dev/shop").contains("<second>"));
    assert_snapshot!(world.shell("katkit audit --kind refused | cut -c 24-"), @"
    ana  dev/shop: ana asked to roll back from <second> to <first> (slow); refused: ana does not have the right `rollback` on `dev/shop`


    ----- exit 0
    ");
}

#[test]
fn mistakes_in_grants_are_named() {
    let mut world = World::shop().applied();
    let mistakes = r#"
[people]
ana = {}

[access]
grants = [
  { role = "released", to = ["ana"] },
  { role = "release", to = ["anna"] },
  { role = "release", to = [] },
  { role = "release", to = ["ana"], on = ["prod/["] },
]

[access.roles]
release = ["rollback", "aprove"]
"#;
    granted(&mut world, mistakes);
    assert_snapshot!(world.run(["validate"]), @r#"
    ----- stderr -----
      × there is no role `released`, did you mean `release`?
        ╭─[katkit.toml:23:12]
     22 │ grants = [
     23 │   { role = "released", to = ["ana"] },
        ·            ─────┬────
        ·                 ╰── not defined
     24 │   { role = "release", to = ["anna"] },
        ╰────

      × there is no group or person `anna`, did you mean `ana`?
        ╭─[katkit.toml:24:29]
     23 │   { role = "released", to = ["ana"] },
     24 │   { role = "release", to = ["anna"] },
        ·                             ───┬──
        ·                                ╰── not defined
     25 │   { role = "release", to = [] },
        ╰────

      × a grant to nobody
        ╭─[katkit.toml:25:28]
     24 │   { role = "release", to = ["anna"] },
     25 │   { role = "release", to = [] },
        ·                            ─┬
        ·                             ╰── empty
     26 │   { role = "release", to = ["ana"], on = ["prod/["] },
        ╰────

      × `prod/[` is not a pattern for `tenant/link`
        ╭─[katkit.toml:26:42]
     25 │   { role = "release", to = [] },
     26 │   { role = "release", to = ["ana"], on = ["prod/["] },
        ·                                          ─────┬────
        ·                                               ╰── not a list of tenants, links and patterns
     27 │ ]
        ╰────

      × unknown right `aprove`, did you mean `approve`?
        ╭─[katkit.toml:30:24]
     29 │ [access.roles]
     30 │ release = ["rollback", "aprove"]
        ·                        ────┬───
        ·                            ╰── expected `request`, `promote`, `approve`, `rollback`, `freeze`, `break-glass` or `evidence`
        ╰────

    5 errors
    ----- exit 1
    "#);
    let mut world = World::shop().applied();
    granted(&mut world, "\n[access.roles]\nrelease = [\"rollback\"]\n");
    assert_snapshot!(world.run(["validate"]), @r#"
    ----- stderr -----
      × roles without `grants`: everyone may do everything
        ╭─[katkit.toml:18:1]
     17 │
     18 │ [access.roles]
        · ───────┬──────
        ·        ╰── granted to nobody
     19 │ release = ["rollback"]
        ╰────
      help: add `grants` to `[access]`, for instance `grants = [{ role = "…", to =
            ["…"] }]`

    1 error
    ----- exit 1
    "#);
    let mut world = World::shop().applied();
    granted(&mut world, &GRANTS.replace("\"promote\", \"approve\"", "\"promote\""));
    assert_snapshot!(world.run(["validate"]), @"
    ----- stderr -----
      × `break-glass` on `dev/shop`, where fewer than two people have the right
      │ `approve`
        ╭─[katkit.toml:23:1]
     22 │
     23 │ [access]
        · ────┬───
        ·     ╰── nobody else could forgive an override
     24 │ grants = [
        ╰────
      help: what an override waives is owed until another person forgives it:
            grant `approve` to two people

    1 error
    ----- exit 1
    ");
}

/// Two who may do the same, of whom the first has lost the right since.
#[test]
fn a_request_does_not_rely_on_another_that_will_be_refused() {
    let mut world = World::shop().applied();
    world.change("shop", |repo| repo.commit("second"));
    world.run(["apply", "--yes"]);
    assert_eq!(world.acting("ana", &["rollback", "dev/shop"]).code, 0);
    granted(&mut world, GRANTS);
    assert_eq!(world.acting("ben", &["rollback", "dev/shop"]).code, 0);
    world.run(["apply", "--yes"]);
    assert!(world.deployed("dev/shop").contains("<first>"));
}

#[test]
fn a_job_has_no_right_as_a_member_of_a_group() {
    let mut world = World::shop().applied();
    granted(&mut world, &GRANTS.replace("to = [\"ben\"]", "to = [\"developers\"]"));
    assert_snapshot!(world.shell("CI=1 KATKIT_ACTOR=ben katkit freeze dev --until 2h --why x"), @"
    ----- stderr -----
    error: ben, a job, does not have the right `freeze` on `dev/shop`
     hint: `katkit who-can freeze dev/shop` shows who does
    ----- exit 1
    ");
}
