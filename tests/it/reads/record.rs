//! Commands that show the record: `status`, `why`, `history`.

use serde_json::Value;

use super::{BUILD, assert_shown, one_failure, shop_running, waits_for};
use crate::world::World;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn status_shows_the_state_of_each_link() {
    let world = World::shop();
    assert_shown!(world.run(["status"]), @r"
    LINK      DEPLOYED    STATE      SINCE
    dev/shop  -           never ran  -

    1 link: 1 never ran.
    ----- exit 0
    ");
    world.apply();
    assert_shown!(world.run(["status"]), @r"
    LINK      DEPLOYED    STATE       SINCE
    dev/shop  <first>  up to date  <ago>

    1 link: 1 up to date.
    This is the recorded state; `katkit plan` shows new commits on branches.
    ----- exit 0
    ");
    let world = one_failure();
    world.write("katkit.toml", &world.read("katkit.toml").replace("links.shop", "links.web"));
    assert_shown!(world.run(["status"]), @r"
    LINK      DEPLOYED    STATE              SINCE
    dev/shop  <bad>  left the manifest  -
    dev/web   -           never ran          -

    2 links: 1 never ran, 1 left the manifest.
    ----- exit 0
    ");
    assert_eq!(world.run(["status", "dev/s*"]).stdout.lines().count(), 4);
}

#[test]
fn status_needs_no_repository() {
    let world = one_failure();
    std::fs::remove_dir_all(world.path("repos/shop")).unwrap();
    let status = world.run(["status", "--format", "json"]);
    let document = json(&status.stdout);
    assert_eq!(document["links"][0]["state"], "failed");
    assert_eq!(document["links"][0]["phase"], "verify");
    assert_eq!(document["format_version"], "2.4");
}

#[test]
fn status_and_why_show_which_process_works_on_a_link() {
    let script = format!("echo on > @OUT@/begun\n{}", waits_for("go"));
    let world = shop_running(&script, BUILD);
    let apply = world.start(["apply"]);
    world.appears("begun");
    assert_shown!(world.run(["status"]), @r"
    LINK      DEPLOYED    STATE          SINCE
    dev/shop  -           running build  <ago>
        held by ana (process <pid> on <host>)

    1 link: 1 running.
    ----- exit 0
    ");
    assert_shown!(world.run(["why", "dev/shop"]).stdout.lines().take(3).collect::<Vec<_>>().join("\n"), @r"
    dev/shop
    <first> is on its way: ana (process <pid> on <host>) is working on it. `build` has been running for <time>.
    hint: wait for it, or `katkit cancel dev/shop`
    ");
    world.release("go");
    assert_eq!(apply.wait().code, 0);
    assert_shown!(world.run(["why", "dev/shop"]), @r"
    dev/shop
    <first> completed its workflow, which deploys nothing: every phase is done.

      wanted      <first>, the tip of `main`
      deployed    nothing
      run         for <first>, started <ago>, succeeded <ago>

      build  succeeded after <time>
    ----- exit 0
    ");
}

#[test]
fn why_shows_what_failed_with_its_log_and_the_next_step() {
    let mut world = one_failure();
    assert_shown!(world.run(["why", "dev/shop"]), @r"
    dev/shop
    <bad> is deployed, but `verify` failed: exit code 3 in replica 1.

      wanted      <bad>, the tip of `main`
      deployed    <bad> since <date> <hour> UTC, <ago>
      run         for <bad>, started <ago>, failed <ago>

      build   succeeded after <time>
      deploy  deployed after <time>
      verify  failed after <time>, in 2 replicas: exit code 3 in replica 1

    The end of the log of `verify`, replica 1:
      | verify 1
      | 2 of 40 tests failed

      log:   katkit logs dev/shop --phase verify
      retry: katkit retry dev/shop --phase verify --apply
    ----- exit 0
    ");
    world.run(["retry", "dev/shop", "--why", "flaky"]);
    assert_shown!(world.run(["why", "dev/shop"]), @r"
    dev/shop
    <bad> is deployed, and nothing is holding it back. Next: grant ana's retry, run `verify`.
    hint: run `katkit apply dev/shop`

      wanted      <bad>, the tip of `main`
      deployed    <bad> since <date> <hour> UTC, <ago>
      run         for <bad>, started <ago>, failed <ago>
      request     ana asked to retry <bad> from `verify` (flaky), <ago>

      build   succeeded after <time>
      deploy  deployed after <time>
      verify  failed after <time>, in 2 replicas: exit code 3 in replica 1

    The end of the log of `verify`, replica 1:
      | verify 1
      | 2 of 40 tests failed

      log:   katkit logs dev/shop --phase verify
    ----- exit 0
    ");
    world.change("shop", |repo| repo.ci("true").commit("mended"));
    // The record does not contain new commits on a branch; only fetching finds them.
    let state = |question: &[&str], at: &str| {
        let output = world.command().args(question).args(["--format", "json"]).output().unwrap();
        json(&String::from_utf8(output.stdout).unwrap()).pointer(at).unwrap().clone()
    };
    assert_eq!(state(&["status"], "/links/0/state"), "failed");
    assert_eq!(state(&["why", "dev/shop"], "/state"), "pending");
    let shown = world.run(["why", "dev/shop"]).stdout;
    assert_shown!(shown.lines().take(4).collect::<Vec<_>>().join("\n"), @r"
    dev/shop
    <mended> is not live, and nothing is holding it back. Next: refuse ana's retry (it is for <bad>, but <mended> is wanted now), run `build`, deploy <mended>, run `verify`.
    hint: run `katkit apply dev/shop`
    ");
}

#[test]
fn why_explains_a_single_commit() {
    let world = one_failure();
    let short = world.sha("first")[..7].to_owned();
    assert_shown!(world.run(["why", "dev/shop", &short]), @r"
    dev/shop
    ana started a run for <first> <ago>; it succeeded after <time>.
    The commit was verified at <date> <hour> UTC.
    It is the rollback target.
    The manifest asks for <bad> instead.
    ----- exit 0
    ");
    assert_shown!(world.run(["why", "dev/shop", "0123456789012345678901234567890123456789"]), @r"
    dev/shop
    0123456789 never ran in `dev/shop`.
    The manifest asks for <bad> instead.
    ----- exit 0
    ");
    assert_shown!(world.run(["why", "dev/shop", "main"]), @r"
    ----- stderr -----
    error: `main` is not a commit
     hint: name a commit by its sha, or by a prefix of at least four digits
    ----- exit 64
    ");
    let document =
        world.command().args(["why", "dev/shop", world.sha("bad"), "--format", "json"]).output().unwrap();
    let document = json(&String::from_utf8(document.stdout).unwrap());
    assert_eq!(document["commit"]["named"], world.sha("bad"));
    assert_eq!(document["commit"]["runs"][0]["outcome"], "failed");
    assert_eq!(document["logs"][0]["lines"][1], "2 of 40 tests failed");
    assert_eq!(document["plan"]["holds"][0]["kind"], "phase_failed");
}

#[test]
fn history_lists_events_run_by_run() {
    let world = one_failure();
    assert_shown!(world.run(["history", "dev/shop", "-n", "15"]), @"
    … 12 earlier events: katkit history dev/shop --before 13

    dev/shop: a run that started earlier succeeded
      <date> <clock>  ana  the run succeeded
      <date> <clock>  ana  <first> was verified

    dev/shop: run for <bad> failed
      <date> <clock>  ana  run for <bad>: `build`, `deploy`, `verify`
      <date> <clock>  ana  `build` attempt 1 starting in fleet `local`
      <date> <clock>  ana  `build` attempt 1 was launched
      <date> <clock>  ana  `build` attempt 1 succeeded
      <date> <clock>  ana  `build` attempt 1: its service was removed
      <date> <clock>  ana  deployment of <bad> starting: `web`
      <date> <clock>  ana  the platform accepted <bad> as `<id>`
      <date> <clock>  ana  <bad> was deployed
      <date> <clock>  ana  `verify` attempt 1 starting in fleet `local`, 2 replicas
      <date> <clock>  ana  `verify` attempt 1 was launched
      <date> <clock>  ana  `verify` attempt 1 failed: exit code 3 in replica 1
      <date> <clock>  ana  `verify` attempt 1: its service was removed
      <date> <clock>  ana  the run for <bad> failed

    Times are in UTC.
    ----- exit 0
    ");
}

#[test]
fn the_pages_of_a_history_add_up_to_the_whole() {
    let world = one_failure();
    let page = |arguments: &[&str]| {
        let output = world
            .command()
            .args(["history", "dev/shop", "--format", "json"])
            .args(arguments)
            .output()
            .unwrap();
        json(&String::from_utf8(output.stdout).unwrap())
    };
    let all = page(&["-n", "1000"]);
    assert_eq!(all["before"], Value::Null);
    let mut pages = Vec::new();
    let mut before = "1000".to_owned();
    loop {
        let mut page = page(&["-n", "7", "--before", &before]);
        let events = page["events"].as_array_mut().unwrap();
        assert!(events.len() <= 7);
        pages.splice(0..0, events.drain(..));
        match &page["before"] {
            Value::Null => break,
            next => before = next.to_string(),
        }
    }
    assert_eq!(all["events"].as_array().unwrap(), &pages);
    let generations: Vec<_> = pages.iter().map(|event| event["generation"].as_u64().unwrap()).collect();
    assert!(generations.iter().copied().eq(1..=pages.len() as u64), "{generations:?}");
}

#[test]
fn a_wrong_name_is_answered_with_similar_names() {
    let world = World::shop().applied();
    for command in ["why", "logs", "artifacts", "history", "status"] {
        for wrong in ["dev/shpo", "shop"] {
            let output = world.run([command, wrong]);
            assert_eq!(output.code, 64, "{output}");
            assert!(output.stderr.contains("did you mean `dev/shop`?"), "{output}");
        }
    }
    assert_shown!(world.run(["why", "nothing/alike-at-all"]), @r"
    ----- stderr -----
    error: there is no link `nothing/alike-at-all`
     hint: `katkit status` lists the links
    ----- exit 64
    ");
    assert_shown!(world.run(["logs", "dev/shop", "--phase", "biuld"]), @r"
    ----- stderr -----
    error: the run of `dev/shop` for <first> has no phase `biuld`
     hint: did you mean `build`?
    ----- exit 1
    ");
    assert_shown!(world.run(["logs", "dev/shop", "--attempt", "2"]), @r"
    ----- stderr -----
    error: `build` has 1 attempt, but no attempt 2
    ----- exit 1
    ");
    assert_shown!(world.run(["logs", "dev/shop", "--replica", "1"]), @r"
    ----- stderr -----
    error: there is no replica 1
     hint: it ran as a single replica, number 0
    ----- exit 1
    ");
    assert_shown!(world.run(["logs", "dev/shop", "--sha", "abcdef"]), @r"
    ----- stderr -----
    No run of dev/shop was for abcdef.
    ----- exit 0
    ");
}
