//! Commands that change something: plan, apply, requests, rollback.

use insta::assert_snapshot;

use super::{estate, failed, narrow, shown, sorted};

#[test]
fn the_first_plan() {
    assert_snapshot!(estate().run(["plan"]), @r#"
    2 links  → <first>
        dev/shop prod/shop
      + run build   not run yet
      ~ deploy      `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage":
                "123456789012.dkr.ecr.eu-central-1.amazonaws.com/acme/web:
                [-<hubtag>-]{+<first>+}",
                "Replicas": 2 },
      + run verify  not run yet

    Plan: 2 links to change (4 phases, 2 deployments), 0 up to date.
    ----- exit 0
    "#);
    assert_snapshot!(narrow(estate()).run(["plan"]), @r#"
    2 links  → <first>
        dev/shop prod/shop
      + run build   not run yet
      ~ deploy      `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage":
                "123456789012.dkr.ecr.eu-central-1.amazonaws.com/
                acme/web:
                [-<hubtag>-]
                {+<first>+}",
                "Replicas": 2 },
      + run verify  not run yet

    Plan: 2 links to change (4 phases, 2
    deployments), 0 up to date.
    ----- exit 0
    "#);
}

#[test]
fn a_coloured_plan_has_the_same_text() {
    let world = estate();
    let output = world.command().args(["--color", "always", "plan"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let coloured: Vec<_> =
        text.lines().filter(|line| line.contains("hubtag") || line.contains('~')).collect();
    let shown = coloured.join("\n").replace('\u{1b}', "^").replace(world.sha("first"), "<first>");
    assert_snapshot!(shown, @r#"
    ^[33m~^[0m deploy      `web`
        ^[33m~^[0m { "Name": "web", "DockerImage":
              ^[31m[-<hubtag>-]^[0m^[32m{+<first>+}^[0m",
    "#);
}

#[test]
fn a_plan_for_a_pull_request() {
    assert_snapshot!(estate().run(["plan", "--format", "markdown"]).stdout, @r#"
    ### katkit plan

    **Plan: 2 links to change (4 phases, 2 deployments), 0 up to date.**

    | Link | Commit | Phases | Deployment | Held |
    | --- | --- | --- | --- | --- |
    | <code>dev/shop</code> <code>prod/shop</code> | → <first> | <code>build</code>, <code>verify</code> | deploy |  |

    <details><summary><code>dev/shop</code> <code>prod/shop</code></summary>

    → <first>

    - **run** <code>build</code>: not run yet
    - **deploy**: <code>web</code>
      - <code>web</code>: nothing → <code>123456789012&#46;dkr&#46;ecr&#46;eu-central-1&#46;amazonaws&#46;com/acme/web&#58;<first></code>

    ```diff
    @@ -4 +4 @@
    ! { "Name": "web", "DockerImage":
          "123456789012.dkr.ecr.eu-central-1.amazonaws.com/acme/web:
          [-<hubtag>-]{+<first>+}", "Replicas": 2
          },
    ```

    - **run** <code>verify</code>: not run yet

    </details>
    "#);
}

#[test]
fn an_apply_that_fails_in_the_same_way_twice() {
    let mut world = estate().applied();
    world.change("shop", |repo| repo.file("bad", "").commit("second"));
    let output = world.run(["apply"]);
    let (_, summary) = output.stdout.split_once("up to date.\n").unwrap();
    assert_snapshot!(summary, @r"
    dev/shop  `verify` failed for <second> (attempt 1): exit code 3
      | checking
      | 503 Service Unavailable
      same:  prod/shop
      log:   katkit logs dev/shop --phase verify
      retry: katkit retry dev/shop prod/shop --phase verify --apply

    Applied: 0 links done, 2 failed in <time>.
    ");
    assert_snapshot!(sorted(&output.stderr), @r"
    dev/shop  <second> deployed  <time>
    dev/shop  build  started
    dev/shop  build  succeeded  <time>
    dev/shop  deploying <second>
    dev/shop  starting run for <second>
    dev/shop  verify  exit code 3  <time>
    dev/shop  verify  started
    prod/shop  <second> deployed  <time>
    prod/shop  build  started
    prod/shop  build  succeeded  <time>
    prod/shop  deploying <second>
    prod/shop  starting run for <second>
    prod/shop  verify  exit code 3  <time>
    prod/shop  verify  started
    ");
}

#[test]
fn a_plan_after_a_failure() {
    assert_snapshot!(failed().run(["plan"]), @r"
    2 links  at <second>
        dev/shop prod/shop
      ! held: `verify` failed for <second>: exit code 3
          hint: `katkit why LINK` shows the log; `katkit retry LINK` tries again
                from `verify`

    Plan: nothing to change, 2 held, 0 up to date.
    ----- exit 0
    ");
}

#[test]
fn rollback_targets_and_a_rollback() {
    let world = failed();
    assert_snapshot!(world.run(["rollback", "dev/shop", "--list"]), @r"
    dev/shop: <second> is live. Rollback targets:
      <first>  <date> <hour> UTC  first
    `katkit rollback dev/shop` deploys <first>.
    ----- exit 0
    ");
    assert_snapshot!(world.run(["rollback", "dev/shop", "--why", "customers complain"]), @r"
    dev/shop: recorded: roll back from <second> to <first>, and quarantine
      <second>.
    `katkit apply dev/shop` does it.
    ----- exit 0
    ");
    assert_snapshot!(world.run(["plan", "dev"]), @r#"
    dev/shop  <second> → <first>
      ~ grant       ana asked to roll back from <second> to <first> (customers
                    complain)
      ~ quarantine  <second>: customers complain
      ~ roll back   `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage":
                "123456789012.dkr.ecr.eu-central-1.amazonaws.com/acme/web:
                [-<second>-]
                {+<first>+}", "Replicas": 2 },

    Plan: 1 link to change (1 deployment), 0 up to date.
    ----- exit 0
    "#);
}

#[test]
fn requests() {
    let world = failed();
    assert_snapshot!(world.run(["retry", "dev/shop", "--phase", "verify", "--why", "flaky"]), @r"
    dev/shop: recorded: retry <second> from `verify`.
    `katkit apply dev/shop` does it.
    ----- exit 0
    ");
    assert_snapshot!(world.run(["skip", "prod/shop", "verify", "--why", "known"]), @r"
    prod/shop: recorded: skip `verify` for <second>.
    `katkit apply prod/shop` does it.
    ----- exit 0
    ");
    assert_snapshot!(shown(&world, ["status"]), @r"
    LINK       DEPLOYED    STATE             SINCE
    dev/shop   <second>  failed at verify  <ago>
        ana asked to retry <second> from `verify` (flaky), <ago>
    prod/shop  <second>  failed at verify  <ago>
        ana asked to skip `verify` of <second> (known), <ago>

    2 links: 2 failed.
    ----- exit 0
    ");
    assert_snapshot!(world.run(["withdraw", "dev/shop", "--why", "not needed"]), @r"
    dev/shop: the retry that ana requested is withdrawn.
    ----- exit 0
    ");
    assert_snapshot!(world.run(["cancel", "dev/shop"]), @r"
    ----- stderr -----
    error: no run of `dev/shop` is in progress
     hint: `katkit status dev/shop` shows where it stands
    ----- exit 1
    ");
}
