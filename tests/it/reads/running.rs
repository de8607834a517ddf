//! `logs` without a link.

use super::{BUILD, assert_shown, one_failure, shop_running, waits_for};
use crate::world::World;

#[test]
fn without_a_link_the_running_phases_are_listed() {
    let script = format!("echo on > @OUT@/begun\n{}", waits_for("go"));
    let world = shop_running(&script, BUILD);
    let apply = world.start(["apply"]);
    world.appears("begun");
    assert_shown!(world.run(["logs"]), @r"
    LINK      PHASE  COMMIT      ATTEMPT  STARTED
    dev/shop  build  <first>  1        <ago>

    To follow a run: katkit logs -f dev/shop
    ----- exit 0
    ");
    let events = world.run(["logs", "--format", "json"]).stdout;
    let event: serde_json::Value = serde_json::from_str(&events).unwrap();
    assert_eq!((&event["event"], &event["phase"]), (&"running".into(), &"build".into()));
    assert_eq!((&event["attempt"], &event["held"]), (&1.into(), &true.into()));
    world.release("go");
    assert_eq!(apply.wait().code, 0);
}

#[test]
fn if_nothing_runs_the_last_failures_are_named() {
    assert_shown!(World::shop().run(["logs"]), @r"
    No phase is running.
    ----- exit 0
    ");
    let world = one_failure();
    assert_shown!(world.run(["logs"]), @r"
    No phase is running.

    Last failures:
    LINK      PHASE   COMMIT      ATTEMPT  FAILED
    dev/shop  verify  <bad>  1        <ago>

    To read a log: katkit logs dev/shop
    ----- exit 0
    ");
    let events = world.run(["logs", "--format", "json"]).stdout;
    let kinds: Vec<_> = events
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["event"].clone())
        .collect();
    assert_eq!(kinds, ["nothing", "failed"]);
}

#[test]
fn options_that_select_a_log_need_a_link() {
    for option in [&["-f"][..], &["--phase", "build"], &["--raw"], &["--sha", "abcd"]] {
        let output = World::shop().command().arg("logs").args(option).output().unwrap();
        assert_eq!(output.status.code(), Some(64), "{option:?}");
        assert!(String::from_utf8(output.stderr).unwrap().contains("<LINK>"), "{option:?}");
    }
}
