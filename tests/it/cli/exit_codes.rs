//! Exit codes for scripts: `docs/exit-codes.md`.

use std::fs;

use insta::assert_snapshot;

use crate::world::{World, eventually};

/// Fails while a file exists.
const VERIFIED: &str = r#"  { name = "build", order = 0 },
  { name = "deploy", order = 1, kind = "deployment" },
  { name = "verify", order = 2, run = "test ! -e @OUT@/bad" },"#;

/// The exit codes of the four commands that tell whether a link is live.
fn codes(world: &World) -> [i32; 4] {
    let code = |arguments: &[&str]| {
        let mut command = world.command();
        command.args(arguments);
        world.start_command(command).wait().code
    };
    [
        code(&["plan", "--detailed-exitcode"]),
        code(&["status", "--check"]),
        code(&["wait", "--timeout", "0s"]),
        code(&["wait", "--timeout", "0s", "--for", "verified"]),
    ]
}

#[test]
fn a_live_commit_is_zero_and_a_pending_one_is_not() {
    let mut world = World::shop_with(VERIFIED);
    assert_eq!(codes(&world), [2, 3, 124, 124], "nothing was deployed yet");
    world.apply();
    assert_eq!(codes(&world), [0, 0, 0, 0]);
    world.change("shop", |repo| repo.file("new", "").commit("second"));
    assert_eq!(codes(&world), [2, 3, 124, 124], "a new commit is on the branch");
    assert_eq!(world.run(["status"]).code, 0, "the record alone does not tell");
    assert_eq!(world.run(["plan"]).code, 0);
}

#[test]
fn a_failure_stays_a_failure_when_apply_runs_again() {
    let world = World::shop_with(VERIFIED);
    world.write("out/bad", "");
    for _ in 0..2 {
        assert_eq!(world.run(["apply"]).code, 1);
        assert_eq!(codes(&world), [1, 1, 1, 1]);
    }
    assert_eq!(world.run(["plan"]).code, 0, "a plan that could be made is one");
}

#[test]
fn a_rolled_back_or_cancelled_commit_is_not_live() {
    let mut world = World::shop_with(VERIFIED).applied();
    for commit in ["second", "third"] {
        world.change("shop", |repo| repo.file(commit, "").commit(commit));
        world.apply();
    }
    assert_eq!(world.run(["rollback", "dev/shop"]).code, 0, "it is recorded");
    let other = world.run(["rollback", "dev/shop", "--to", &world.sha("first")[..12], "--apply"]);
    assert_eq!(other.code, 1, "of two the first is granted, and this was the second: {other}");
    assert_eq!(world.run(["retry", "dev/shop", "--apply"]).code, 0);
    assert_eq!(world.run(["rollback", "dev/shop"]).code, 0);
    assert_eq!(world.run(["apply"]).code, 1, "it goes back from what is wanted");
    assert_eq!(world.run(["retry", "dev/shop", "--apply"]).code, 0);
    assert_eq!(world.run(["rollback", "dev/shop", "--apply"]).code, 0, "what was asked for was done");
    assert_eq!(world.run(["apply"]).code, 1, "and the tip of the branch is held");
    assert_eq!(codes(&world), [1, 1, 1, 1]);
}

#[test]
fn a_broken_repository_is_a_failure() {
    let world = World::shop_with(VERIFIED).applied();
    world.edit("branch = \"main\"", "branch = \"gone\"");
    assert_eq!(codes(&world), [1, 1, 124, 124], "it may come back while someone waits");
    assert_eq!(world.run(["apply"]).code, 1);
}

#[test]
fn a_wait_tolerates_a_repository_that_is_temporarily_unreachable() {
    let world = World::shop_with(VERIFIED).applied();
    fs::rename(world.path("repos/shop"), world.path("repos/away")).unwrap();
    let waits = world.start(["wait"]);
    eventually("it says what is wrong", || waits.said().contains("error: ").then_some(()));
    fs::rename(world.path("repos/away"), world.path("repos/shop")).unwrap();
    let waited = waits.wait();
    assert_eq!(waited.code, 0, "{waited}");
}

#[test]
fn drift_is_not_live() {
    let world = World::shop_with(VERIFIED).applied();
    let file = world.path(".katkit/platform/dev/shop.json");
    let changed = fs::read_to_string(&file).unwrap().replace("acme/web:", "other/web:");
    fs::write(&file, changed).unwrap();
    assert_eq!(codes(&world), [2, 3, 124, 124]);
    let said = "not yet: what is running is not what was deployed; `katkit plan` shows the";
    assert!(world.run(["status", "--check"]).stdout.contains(said));
    assert!(world.run(["wait", "--timeout", "0s"]).stderr.contains(said));
    world.apply();
    assert_eq!(codes(&world), [0, 0, 0, 0]);
}

#[test]
fn a_newer_live_commit_satisfies_a_wait_for_an_older_one() {
    let mut world = World::shop_with(VERIFIED).applied();
    let first = world.sha("first")[..12].to_owned();
    world.change("shop", |repo| repo.file("new", "").commit("second"));
    let second = world.sha("second")[..12].to_owned();
    assert_eq!(world.run(["wait", "--timeout", "0s", "--for", &second]).code, 124);
    world.apply();
    assert_snapshot!(world.run(["wait", "--timeout", "0s", "--for", &first]), @r"
    ----- stderr -----
    dev/shop  <second> is live, and contains <first>
    ----- exit 0
    ");
    assert_snapshot!(world.run(["wait", "--timeout", "0s", "--for", "0123456789ab"]), @r"
    ----- stderr -----
    dev/shop  not yet: `0123456789ab` is not a commit, branch or tag in <world>/repos/shop
    timed out after 0s: 1 link is not there yet
    ----- exit 124
    ");
}

#[test]
fn a_wait_reports_its_result_as_json() {
    let world = World::shop_with(VERIFIED);
    let waited = |arguments: &[&str]| {
        let ended = world.command().arg("wait").args(arguments).args(["--format", "json"]).output().unwrap();
        let told: serde_json::Value = serde_json::from_slice(&ended.stdout).unwrap();
        let text = |value: &serde_json::Value| value.as_str().unwrap_or("null").to_owned();
        let link = &told["links"][0];
        (
            ended.status.code(),
            text(&told["outcome"]),
            text(&link["state"]),
            text(&link["sha"]),
            text(&link["hint"]),
        )
    };
    let row = |code, outcome: &str, state: &str, sha: &str, hint: &str| {
        (Some(code), outcome.to_owned(), state.to_owned(), sha.to_owned(), hint.to_owned())
    };
    assert_eq!(waited(&["--timeout", "0s"]), row(124, "timed_out", "in_progress", "null", "null"));
    world.write("out/bad", "");
    assert_eq!(world.run(["apply"]).code, 1);
    let hint = "`katkit why dev/shop` shows the log; `katkit retry dev/shop` tries again from `verify`";
    assert_eq!(waited(&[]), row(1, "failed", "held", "null", hint));
    let first = world.sha("first");
    assert_eq!(waited(&["--for", first]), row(0, "arrived", "arrived", first, "null"));
}

#[test]
fn a_skipped_phase_is_live_and_never_verified() {
    let world = World::shop_with(VERIFIED);
    world.write("out/bad", "");
    assert_eq!(world.run(["apply"]).code, 1);
    assert_eq!(world.run(["skip", "dev/shop", "verify", "--apply"]).code, 0);
    assert_eq!(codes(&world), [0, 0, 0, 1]);
    assert_snapshot!(world.run(["wait", "--for", "verified"]), @r"
    ----- stderr -----
    dev/shop  held: <first> is not verified, and its run has ended: a phase was skipped
        hint: run the skipped phase: `katkit retry dev/shop --phase PHASE`
    ----- exit 1
    ");
}

#[test]
fn the_exit_code_of_a_refresh_depends_only_on_what_it_records() {
    let world = World::shop_with(VERIFIED);
    world.write("out/bad", "");
    assert_eq!(world.run(["apply"]).code, 1);
    assert_eq!(world.run(["apply", "--refresh-only"]).code, 0);
}

#[test]
fn wrong_usage_has_its_own_exit_code() {
    let world = World::shop();
    let wrong = world.run(["plan", "--detailed-exitcode", "--tagret", "dev/shop"]);
    assert_eq!(wrong.code, 64, "2 would say that there are changes: {wrong}");
    assert_eq!(world.run(["wait", "--for", "someday"]).code, 64);
    assert_eq!(world.run(["nonsense"]).code, 64);
    let dashed = world.run(["plan", "-out=saved.plan"]);
    assert_eq!(dashed.code, 64, "{dashed}");
    assert!(dashed.stderr.contains("long options take two dashes here: '--out=saved.plan'"), "{dashed}");
    for wrong in [
        &["history", "--before", "5"][..],
        &["history", "dev/*", "--before", "5"],
        &["prune", "--older-than", "2999-01-01"],
        &["init", "--tenant", "commits"],
        &["bootstrap", "--print", "--fleet", "none"],
        &["rollback", "dev/shop", "--format", "json"],
    ] {
        let output = world.command().args(wrong).output().unwrap();
        assert_eq!(output.status.code(), Some(64), "{wrong:?}: {output:?}");
    }
    for asked in ["--help", "--version", "help", "version"] {
        assert_eq!(world.run([asked]).code, 0);
    }
}

#[test]
fn a_wait_for_an_older_commit_about_to_be_deployed_waits() {
    let mut world = World::shop_with(VERIFIED).applied();
    let first = world.sha("first").to_owned();
    world.change("shop", |repo| repo.file("new", "").commit("second"));
    world.apply();
    let waits = |world: &World| world.run(["wait", "--timeout", "0s", "--for", &first]).code;
    assert_eq!(waits(&world), 0, "it is contained");
    assert_eq!(world.run(["rollback", "dev/shop"]).code, 0);
    assert_eq!(waits(&world), 124, "it is to be deployed in place of the other");
    assert_eq!(world.run(["withdraw", "dev/shop"]).code, 0);
    assert_eq!(world.run(["set", "dev/shop", &first]).code, 0);
    assert_eq!(waits(&world), 124);
    world.apply();
    assert_eq!(waits(&world), 0);
}

#[test]
fn a_held_link_with_drift_is_a_failure() {
    let mut world = World::shop_with(VERIFIED).applied();
    world.change("shop", |repo| repo.file("new", "").commit("second"));
    world.apply();
    assert_eq!(world.run(["rollback", "dev/shop", "--apply"]).code, 0);
    let file = world.path(".katkit/platform/dev/shop.json");
    let changed = fs::read_to_string(&file).unwrap().replace("acme/web:", "other/web:");
    fs::write(&file, changed).unwrap();
    assert_eq!(world.run(["plan", "--detailed-exitcode"]).code, 1);
    let checked = world.run(["status", "--check"]);
    assert!(checked.code == 1 && checked.stdout.contains("has been quarantined"), "{checked}");
    let first = world.sha("first")[..12].to_owned();
    assert_eq!(world.run(["wait", "--timeout", "0s", "--for", &first]).code, 124);
}

#[test]
fn a_commit_with_a_retried_phase_is_verified_only_after_the_retry() {
    let world = World::shop_with(VERIFIED).applied();
    let waits = || world.run(["wait", "--timeout", "0s", "--for", "verified"]).code;
    assert_eq!(waits(), 0);
    assert_eq!(world.run(["retry", "dev/shop", "--phase", "verify"]).code, 0);
    assert_eq!(waits(), 124);
    world.apply();
    assert_eq!(waits(), 0);
}

#[test]
fn an_unknown_link_or_an_invalid_commit_is_wrong_usage() {
    let mut world = World::shop_with(VERIFIED).applied();
    world.change("shop", |repo| repo.file("new", "").commit("second"));
    world.apply();
    for command in [
        "plan",
        "apply",
        "status",
        "wait",
        "why",
        "logs",
        "artifacts",
        "history",
        "retry",
        "cancel",
        "rollback",
        "withdraw",
        "import",
        "unlock",
    ] {
        for link in ["dev/shpo", "shpo"] {
            let output = world.run([command, link]);
            assert_eq!(output.code, 64, "{command} {link}: {output}");
            assert!(output.stderr.contains("did you mean `dev/shop`?"), "{command} {link}: {output}");
        }
    }
    for commit in ["12", "main", "abcdefg"] {
        assert_eq!(world.run(["rollback", "dev/shop", "--to", commit]).code, 64, "{commit}");
        assert_eq!(world.run(["why", "dev/shop", commit]).code, 64, "{commit}");
    }
    // It could be a commit: only the record knows whether it is a rollback target.
    assert_eq!(world.run(["rollback", "dev/shop", "--to", "abcd"]).code, 1);
    assert_eq!(world.run(["apply", "--all-or-nothing"]).code, 64);
}
