//! `katkit wait`, and `apply --wait` beside another `apply`.

use insta::assert_snapshot;

use crate::world::World;

/// Announces itself, and waits for the test.
const WAITS: &str = r#"  { name = "build", order = 0, run = """
    echo began >> @OUT@/began
    until test -e @OUT@/go; do sleep 0.01; done
    test ! -e @OUT@/bad""" },
  { name = "deploy", order = 1, kind = "deployment" },"#;

/// Lines without the process and its host.
fn without_owner(text: &str) -> String {
    let line = |line: &str| match (line.find(" (process "), line.rfind(')')) {
        (Some(from), Some(to)) if from < to => format!("{} <process>{}\n", &line[..from], &line[to + 1..]),
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

#[test]
fn a_wait_follows_another_processs_apply_and_shows_its_progress() {
    let world = World::shop_with(WAITS);
    let waiting = world.start(["wait", "dev/shop"]);
    while !waiting.said().contains("no process is working on it") {
        std::thread::yield_now();
    }
    let applying = world.start(["apply"]);
    world.appears("began");
    while !waiting.said().contains("`build` is running") {
        std::thread::yield_now();
    }
    world.release("go");
    assert_eq!(applying.wait().code, 0);
    let waited = waiting.wait();
    let lines: Vec<_> = waited.stderr.lines().filter(|line| !line.contains(") is working on it")).collect();
    assert_snapshot!(format!("{}\nexit {}", lines.join("\n"), waited.code), @r"
    dev/shop  not yet: no process is working on it
    dev/shop  not yet: `build` is running for <first>
    dev/shop  <first> is live
    exit 0
    ");
}

#[test]
fn a_wait_ends_at_once_when_its_link_fails() {
    let world = World::shop_with(WAITS);
    world.write("out/bad", "");
    let waiting = world.start(["wait", "--timeout", "2h"]);
    world.release("go");
    assert_eq!(world.run(["apply"]).code, 1);
    let waited = waiting.wait();
    assert_eq!(waited.code, 1, "{waited}");
    assert!(waited.stderr.contains("held: `build` failed"), "{waited}");
}

#[test]
fn a_named_commit_is_waited_for_whatever_the_branch_does() {
    let mut world = World::shop().applied();
    world.change("shop", |repo| repo.file("new", "").commit("second"));
    let first = world.sha("first")[..12].to_owned();
    let second = world.sha("second")[..12].to_owned();
    assert_eq!(world.run(["wait", "dev/shop", "--for", &first, "--timeout", "0s"]).code, 0);
    assert_snapshot!(world.run(["wait", "dev/shop", "--for", &second, "--timeout", "0s"]), @r"
    ----- stderr -----
    dev/shop  not yet: no process is working on it
    timed out after 0s: 1 link is not there yet
    ----- exit 124
    ");
    world.apply();
    assert_eq!(world.run(["wait", "dev/shop", "--for", &second]).code, 0);
    assert_eq!(world.run(["rollback", "dev/shop", "--apply"]).code, 0);
    let mut held = world.run(["wait", "dev/shop", "--for", &second]);
    held.stderr =
        held.stderr.replace(&format!("`Fixes: <second>{}`", &second[10..12]), "`Fixes: <second>..`");
    assert_snapshot!(held, @"
    ----- stderr -----
    dev/shop  held: <second> has been quarantined since <date> <hour> UTC: rolled back by ana
        hint: push a commit that reverts it or says `Fixes: <second>..`, or release it with `katkit retry dev/shop`
    ----- exit 1
    ");
}

#[test]
fn a_second_apply_exits_with_its_own_code_or_waits_for_the_first() {
    let world = World::shop_with(WAITS);
    let first = world.start(["apply"]);
    world.appears("began");
    let second = world.run(["apply"]);
    assert_eq!(second.code, 3, "{second}");
    let third = world.start(["apply", "--wait"]);
    while !third.said().contains("waiting for") {
        std::thread::yield_now();
    }
    world.release("go");
    assert_eq!(first.wait().code, 0);
    assert_snapshot!(without_owner(&third.wait().to_string()), @r"
    Nothing to do: 1 link is up to date.
    ----- stderr -----
    waiting for ana <process>, which is working on dev/shop
    ----- exit 0
    ");
    assert_eq!(world.appears("began"), "began\n");
}
