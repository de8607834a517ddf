//! Requests that meet a changed world: another commit, no repository, a change of mind.

use std::fs;

use insta::assert_snapshot;

use crate::world::World;

const THREE: &str = r#"version = 1
repos.shop.url = "repos/shop"

[workflows.standard]
phases = [
  { name = "build", order = 0 },
  { name = "deploy", order = 1, kind = "deployment" },
  { name = "verify", order = 2 },
]

[tenants.dev.links.shop]
repo = "shop"
workflow = "standard"
branch = "main"
"#;

/// The verification fails at commits with a file `bad`.
const CHECKS: &str = "[ \"$KATKIT_PHASE\" != verify ] || [ ! -e bad ]\n";

fn shop() -> World {
    World::new()
        .repo("shop", |repo| repo.ci(CHECKS).description("acme/web:<hubtag>").commit("first"))
        .manifest(THREE)
}

/// The first commit is verified; the second is live, and failed its verification.
fn failed_after_deployment() -> World {
    let mut world = shop();
    world.apply();
    world.change("shop", |repo| repo.file("bad", "").commit("second"));
    assert_eq!(world.run(["apply"]).code, 1);
    world
}

#[test]
fn a_rollback_goes_to_the_last_verified_commit_however_many_failed_since() {
    let mut world = failed_after_deployment();
    world.change("shop", |repo| repo.file("more", "").commit("third"));
    assert_eq!(world.run(["apply"]).code, 1);
    let back = world.run(["rollback", "dev/shop", "--why", "it is bad", "--apply"]);
    assert_eq!(back.code, 0, "{back}");
    assert!(world.deployed("dev/shop").contains("acme/web:<first>"));
    assert_snapshot!(world.run(["rollback", "dev/shop"]).stderr, @r"
    error: no commit was verified in `dev/shop` before <first>
     hint: `katkit set dev/shop SHA` selects another commit
    ");
}

#[test]
fn repeated_rollbacks_go_further_back_and_a_live_commit_needs_no_run() {
    let mut world = shop();
    world.apply();
    for commit in ["second", "third"] {
        world.change("shop", |repo| repo.file(commit, "").commit(commit));
        world.apply();
    }
    for image in ["acme/web:<second>", "acme/web:<first>"] {
        let back = world.run(["rollback", "dev/shop", "--apply"]);
        assert_eq!(back.code, 0, "{back}");
        assert!(world.deployed("dev/shop").contains(image), "{image}");
    }
    assert_eq!(world.run(["set", "dev/shop", world.sha("first")]).code, 0);
    assert_snapshot!(world.run(["plan", "--detailed-exitcode"]), @r"
    Nothing to do: 1 link is up to date.
    ----- exit 0
    ");
    assert!(world.run(["status"]).stdout.contains("up to date"));
}

#[test]
fn a_rollback_needs_no_repository() {
    let world = failed_after_deployment();
    fs::rename(world.path("repos/shop"), world.path("repos/away")).unwrap();
    let back = world.run(["rollback", "dev/shop", "--apply"]);
    assert_eq!(back.code, 0, "{back}");
    assert!(world.deployed("dev/shop").contains("acme/web:<first>"));
}

#[test]
fn a_rollback_that_cannot_be_planned_stays_pending_until_it_can_be_or_is_withdrawn() {
    let world = failed_after_deployment();
    fs::rename(world.path("repos/shop"), world.path("repos/away")).unwrap();
    fs::remove_file(world.path(".katkit/platform/dev/shop.json")).unwrap();
    let back = world.run(["rollback", "dev/shop", "--why", "it is bad", "--apply"]);
    assert_eq!(back.code, 1, "{back}");
    assert!(back.stdout.contains("the rollback requested by ana is not possible"), "{back}");
    assert!(
        world.run(["status"]).stdout.contains("ana asked to roll back from <second> to <first> (it is bad)")
    );

    assert_snapshot!(world.run(["withdraw", "dev/shop", "--why", "we fix it"]), @r"
    dev/shop: the rollback that ana requested is withdrawn.
    ----- exit 0
    ");
    assert_snapshot!(world.run(["withdraw", "dev/shop"]).stderr, @r"
    error: no request for `dev/shop` is pending
     hint: `katkit history dev/shop` shows the outcome of earlier requests
    ");
    fs::rename(world.path("repos/away"), world.path("repos/shop")).unwrap();
    assert_eq!(world.run(["apply"]).code, 1, "its run has failed");
    assert!(!world.path(".katkit/platform/dev/shop.json").exists(), "nothing was rolled back");
    let history = world.run(["history", "dev/shop"]).stdout;
    assert!(
        history.contains("ana asked to roll back from <second> to <first>; ana withdrew it (we fix it)"),
        "{history}"
    );
    assert!(!world.run(["status"]).stdout.contains("asked"));
}

#[test]
fn a_retry_or_a_skip_applies_only_to_the_commit_that_failed() {
    let mut world = failed_after_deployment();
    world.change("shop", |repo| repo.file("more", "").commit("third"));
    let retry = world.run(["retry", "dev/shop"]);
    assert_snapshot!(retry, @"
    ----- stderr -----
    error: the last run of `dev/shop` is for <second>, and <third> is wanted now
     hint: `katkit apply` runs <third>; `katkit set dev/shop <second>` wants <second> again
    ----- exit 1
    ");
    assert_eq!(world.run(["skip", "dev/shop", "verify"]).stderr, retry.stderr);
}

#[test]
fn a_request_for_a_commit_that_is_no_longer_wanted_is_refused_on_record() {
    let mut world = failed_after_deployment();
    assert_eq!(world.run(["retry", "dev/shop", "--why", "flaky"]).code, 0);
    world.change("shop", |repo| repo.git(&["rm", "-q", "bad"]).commit("third"));
    world.apply();
    let history = world.run(["history", "dev/shop"]).stdout;
    let refused = "ana asked to retry <second> from `verify` (flaky); refused: it is for <second>, but <third> is wanted now";
    assert!(history.contains(refused), "{history}");
}

#[test]
fn a_phase_that_the_manifest_no_longer_skips_is_run() {
    let world = shop();
    world.edit("branch = \"main\"", "branch = \"main\"\nskip = [\"deploy\"]");
    world.apply();
    world.edit("\nskip = [\"deploy\"]", "");
    assert_snapshot!(world.run(["plan"]), @r#"
    dev/shop  → <first>
      ~ restore deploy  no longer skipped by the manifest, in the run for <first>
      ~ deploy          `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<hubtag>-]{+<first>+}", "Replicas": 2 },
      + run verify      retry

    Plan: 1 link to change (1 phase, 1 deployment), 0 up to date.
    ----- exit 0
    "#);
    world.apply();
    assert!(world.deployed("dev/shop").contains("acme/web:<first>"));
    assert_eq!(world.run(["plan", "--detailed-exitcode"]).code, 0);
}

#[test]
fn a_skipped_phase_of_a_cancelled_run_does_not_deploy_it() {
    let waits = "echo 1 > @OUT@/began\nsleep 60\n";
    let world = World::new()
        .repo("shop", |repo| repo.ci(waits).description("acme/web:<hubtag>").commit("first"))
        .manifest(THREE);
    let apply = world.start(["apply"]);
    world.appears("began");
    assert_eq!(world.run(["cancel", "dev/shop"]).code, 0);
    assert_eq!(apply.wait().code, 1);
    assert_eq!(world.run(["skip", "dev/shop", "verify", "--apply"]).code, 0);
    let plan = world.run(["plan"]);
    assert!(plan.stdout.contains("was cancelled by ana at"), "{plan}");
    world.nothing_is_left();
}

#[test]
fn a_branch_that_was_moved_back_says_which_commits_are_removed() {
    let mut world = shop();
    for commit in ["second", "third"] {
        world.change("shop", |repo| repo.file(commit, "").commit(commit));
    }
    world.apply();
    let first = world.sha("first").to_owned();
    crate::git_servers::git(&world.path("repos/shop"), &["reset", "-q", "--hard", &first]);
    let plan = world.run(["plan"]);
    assert!(plan.stdout.contains("note: this removes 2 live commits, up to <third> (third)"), "{plan}");
    world.change("shop", |repo| repo.file("other", "").commit("fourth"));
    let plan = world.run(["plan"]);
    assert!(plan.stdout.contains("this removes 2 live commits, up to <third> (third)"), "{plan}");
}

#[test]
fn a_plan_says_that_it_cannot_list_changes_since_a_missing_live_commit() {
    let mut world = shop();
    world.apply();
    world.change("shop", |repo| {
        repo.git(&["checkout", "-q", "--orphan", "rewritten"]).file("other", "").commit("second")
    });
    let repository = world.path("repos/shop");
    for arguments in [
        &["branch", "-q", "-M", "rewritten", "main"][..],
        &["reflog", "expire", "--expire=now", "--all"],
        &["gc", "-q", "--prune=now"],
    ] {
        crate::git_servers::git(&repository, arguments);
    }
    let plan = world.run(["plan"]);
    assert_eq!(plan.code, 0, "{plan}");
    let note = "note: cannot list the changes since <first>, which is live: ";
    assert!(plan.stdout.contains(note), "{plan}");
}

#[test]
fn the_history_says_who_lost_a_link_and_to_whom() {
    let waits = "echo $KATKIT_ATTEMPT >> @OUT@/began\nwhile [ ! -e @OUT@/go ]; do sleep 0.05; done\n";
    let world = World::new()
        .repo("shop", |repo| repo.ci(waits).description("acme/web:<hubtag>").commit("first"))
        .manifest(THREE);
    let apply = world.start(["apply"]);
    world.appears("began");
    apply.kill();
    assert_eq!(world.run(["unlock", "dev/shop", "--why", "the job hung"]).code, 0);
    let history = world.run(["history", "dev/shop"]).stdout;
    assert!(history.contains("the lease of ana (process") && history.contains("was revoked"), "{history}");
    assert!(history.contains("(the job hung)"), "{history}");
    let apply = world.start(["apply"]);
    crate::world::eventually("it goes on", || world.run(["status"]).stdout.contains("held by").then_some(()));
    apply.kill();
    world.release("go");
    world.apply();
    let history = world.run(["history", "dev/shop"]).stdout;
    assert!(history.contains("the lease was taken over from ana (process"), "{history}");
    world.nothing_is_left();
}

#[test]
fn a_phase_added_to_the_workflow_runs_for_the_live_commit() {
    let world = shop().variable("COLUMNS", "80");
    world.apply();
    world.edit(
        "  { name = \"verify\", order = 2 },\n",
        "  { name = \"smoke\", order = 2 },\n  { name = \"verify\", order = 3 },\n",
    );
    assert_snapshot!(world.run(["plan"]), @"
    dev/shop  at <first>
      · note: workflow `standard` was edited after the run for <first>; the edit
              applies starting with the next commit; `katkit retry dev/shop --phase
              smoke` runs `smoke` for <first>, too

    Nothing to do: 1 link is up to date.
    ----- exit 0
    ");
    assert_eq!(world.run(["retry", "dev/shop", "--phase", "smok"]).code, 1);
    assert_snapshot!(world.run(["retry", "dev/shop", "--phase", "smoke"]), @r"
    dev/shop: recorded: retry <first> from `smoke`.
    `katkit apply dev/shop` does it.
    ----- exit 0
    ");
    assert_snapshot!(world.run(["plan"]), @r"
    dev/shop  at <first>
      ~ grant       ana asked to retry <first> from `smoke`
      ~ continue    with a new run for <first> that keeps `build`, `deploy`
      + run smoke   not run yet
      + run verify  not run yet

    Plan: 1 link to change (2 phases), 0 up to date.
    ----- exit 0
    ");
    let done = world.run(["apply"]);
    assert_eq!(done.code, 0, "{done}");
    assert_snapshot!(world.run(["why", "dev/shop"]), @r"
    dev/shop
    <first> is live: every phase is done.

      wanted      <first>, the tip of `main`
      deployed    <first> since <date> <hour> UTC, just now
      run         for <first>, started just now, succeeded just now

      build   succeeded
      deploy  succeeded
      smoke   succeeded after <time>
      verify  succeeded after <time>
    ----- exit 0
    ");
    assert_eq!(world.run(["plan", "--detailed-exitcode"]).code, 0);
}

#[test]
fn a_repeated_request_is_not_recorded_twice() {
    let world = failed_after_deployment().variable("COLUMNS", "80");
    assert_eq!(world.run(["retry", "dev/shop"]).code, 0);
    assert_snapshot!(world.run(["retry", "dev/shop"]), @r"
    dev/shop: ana already requested this; that request is still pending.
    `katkit apply dev/shop` does it.
    ----- exit 0
    ");
    let applied = world.run(["retry", "dev/shop", "--apply"]);
    assert!(!applied.stdout.contains("twice"), "{applied}");
    assert_eq!(applied.stdout.matches("~ grant").count(), 1, "{applied}");
}

#[test]
fn a_new_run_keeps_no_phase_after_one_that_must_run() {
    let world = shop().variable("COLUMNS", "80");
    world.apply();
    world.edit(
        "  { name = \"deploy\", order = 1, kind = \"deployment\" },\n  { name = \"verify\", order = 2 },\n",
        "  { name = \"migrate\", order = 1 },\n  { name = \"deploy\", order = 2, kind = \"deployment\" },\n  \
         { name = \"verify\", order = 3 },\n  { name = \"smoke\", order = 4 },\n",
    );
    assert_eq!(world.run(["retry", "dev/shop", "--phase", "smoke"]).code, 0);
    assert_snapshot!(world.run(["plan"]), @r"
    dev/shop  at <first>
      ~ grant        ana asked to retry <first> from `smoke`
      ~ continue     with a new run for <first> that keeps `build`
      + run migrate  not run yet
      ~ deploy       `web`
          web: acme/web:<first> →
            acme/web:<first>
      + run verify   not run yet
      + run smoke    not run yet

    Plan: 1 link to change (3 phases, 1 deployment), 0 up to date.
    ----- exit 0
    ");
    // The requested phase is gone: finished phases are not repeated.
    let added = "  { name = \"smoke\", order = 4 },\n";
    world.edit(added, "");
    let applied = world.run(["apply"]);
    assert!(applied.code == 0 && applied.stdout.contains("refuse"), "{applied}");
}
