//! `logs` of several links, and timestamps of lines.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::{BUILD, assert_shown, shop_running, waits_for};
use crate::world::{ONE_LINK, World};

/// Two links of one repository that print these lines in their only phase.
fn two_links(script: &str) -> World {
    two_links_with(script, BUILD)
}

fn two_links_with(script: &str, phases: &str) -> World {
    let links = ONE_LINK.replace(
        "links.shop = ",
        "links.api = { repo = \"shop\", workflow = \"standard\", branch = \"main\" }\nlinks.shop = ",
    );
    World::new()
        .repo("shop", |repo| repo.ci(script).commit("first"))
        .manifest(&format!("{links}\n[workflows.standard]\nphases = [{phases}]\n"))
}

/// Where the log chunks of the only attempt are stored.
fn chunks(world: &World, link: &str) -> PathBuf {
    let attempts = world.path(".katkit/blobs/dev").join(link).join(world.sha("first")).join("build");
    let attempt = fs::read_dir(attempts).unwrap().next().unwrap().unwrap().path();
    attempt.join("replica-0/log")
}

/// Writes a log chunk as if stored this many seconds after nine o'clock.
fn stored(world: &World, (link, number): (&str, u32), second: u64, text: &str) {
    let nine = Duration::from_hours(490_929);
    let path = chunks(world, link).join(format!("{number:06}"));
    fs::write(&path, text).unwrap();
    let at = SystemTime::UNIX_EPOCH + nine + Duration::from_secs(second);
    File::options().append(true).open(path).unwrap().set_modified(at).unwrap();
}

/// Two links that printed in turns.
fn by_turns() -> World {
    let world = two_links("echo something").applied();
    stored(&world, ("api", 1), 1, "api one\napi th");
    stored(&world, ("shop", 1), 2, "shop two\n");
    stored(&world, ("api", 2), 3, "ree\napi four\n");
    world
}

#[test]
fn several_links_are_merged_by_time_and_labelled() {
    let world = by_turns();
    assert_shown!(world.run(["logs", "dev"]), @r"
    [dev/api build] api one
    [dev/shop build] shop two
    [dev/api build] api three
    [dev/api build] api four
    ----- stderr -----
    dev/api  build of <first>, ended <ago> after <time>: succeeded
    dev/shop  build of <first>, ended <ago> after <time>: succeeded
    ----- exit 0
    ");
    let named = world.run(["logs", "dev/shop", "dev/api"]);
    assert_eq!(named.stdout, world.run(["logs", "*/*"]).stdout);
}

#[test]
fn timestamps_show_when_a_line_was_stored_and_since_omits_older_ones() {
    let world = by_turns();
    assert_shown!(world.run(["logs", "dev", "--timestamps"]).stdout, @r"
    [dev/api build] 2026-01-02T09:00:01.000Z api one
    [dev/shop build] 2026-01-02T09:00:02.000Z shop two
    [dev/api build] 2026-01-02T09:00:01.000Z api three
    [dev/api build] 2026-01-02T09:00:03.000Z api four
    ");
    assert_shown!(world.run(["logs", "dev/api", "-t"]).stdout, @r"
    2026-01-02T09:00:01.000Z api one
    2026-01-02T09:00:01.000Z api three
    2026-01-02T09:00:03.000Z api four
    ");
    let since = |links: &str, time: &str| world.run(["logs", links, "--since", time]);
    assert_eq!(since("dev/api", "2026-01-02T09:00:02Z").stdout, "ree\napi four\n");
    let late = since("dev", "2026-01-02T09:00:02Z").stdout;
    assert_eq!(late, "[dev/shop build] shop two\n[dev/api build] ree\n[dev/api build] api four\n");
    assert_eq!(since("dev/api", "10000d").stdout, "api one\napi three\napi four\n");
    assert_shown!(since("dev/api", "2026-01-02T09:00:04Z"), @r"
    ----- stderr -----
    No output of `build` in dev/api was stored since 2026-01-02T09:00:04.000Z.
    ----- exit 0
    ");
    assert_shown!(since("dev", "2026-01-02T09:00:04Z"), @r"
    ----- stderr -----
    None of these 2 links has a matching log.
    ----- exit 0
    ");
    assert_eq!(since("dev", "yesterday").code, 64);
}

#[test]
fn a_chunk_is_never_newer_than_those_after_it() {
    let world = by_turns();
    // As the agent does when a log grows too long.
    stored(&world, ("api", 1), 5, "emptied: 100 bytes are left out\n");
    assert_shown!(world.run(["logs", "dev", "--timestamps"]).stdout, @r"
    [dev/shop build] 2026-01-02T09:00:02.000Z shop two
    [dev/api build] 2026-01-02T09:00:03.000Z emptied: 100 bytes are left out
    [dev/api build] 2026-01-02T09:00:03.000Z ree
    [dev/api build] 2026-01-02T09:00:03.000Z api four
    ");
}

#[test]
fn json_output_names_the_link_of_each_piece_and_on_request_its_time() {
    let world = by_turns();
    let texts = |arguments: &[&str]| {
        let output = world.command().args(["logs", "dev", "--format", "json"]).args(arguments).output();
        let lines = String::from_utf8(output.unwrap().stdout).unwrap();
        let events: Vec<serde_json::Value> =
            lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let texts = events.into_iter().filter(|event| event["event"] == "text");
        texts.map(|event| format!("{} {} {}", event["link"], event["stored"], event["text"])).collect()
    };
    let plain: Vec<String> = texts(&[]);
    assert_eq!(
        plain,
        [
            r#""dev/api" null "api one\napi th""#,
            r#""dev/shop" null "shop two\n""#,
            r#""dev/api" null "ree\napi four\n""#
        ]
    );
    let timed: Vec<String> = texts(&["--timestamps"]);
    assert_eq!(timed[1], r#""dev/shop" "2026-01-02T09:00:02Z" "shop two\n""#);
}

#[test]
fn a_named_link_explains_its_missing_log_and_a_matched_one_does_not() {
    let world = two_links("echo built");
    assert_eq!(world.run(["apply", "dev/shop"]).code, 0);
    assert_shown!(world.run(["logs", "dev/api", "dev/shop"]), @"
    [dev/shop build] built
    ----- stderr -----
    Nothing has ever run for dev/api.
    dev/shop  build of <first>, ended <ago> after <time>: succeeded
    ----- exit 0
    ");
    let matched = world.run(["logs", "dev"]);
    assert_eq!(
        (matched.stdout.as_str(), matched.stderr.contains("api")),
        ("[dev/shop build] built\n", false)
    );
    let wrong = world.run(["logs", "dev", "--phase", "biuld"]);
    assert_eq!((wrong.code, wrong.stderr.as_str()), (0, "None of these 2 links has a matching log.\n"));
    assert_eq!(world.run(["logs", "dev/api", "dev/shop", "--phase", "biuld"]).code, 1);
    assert_eq!(world.run(["logs", "prod"]).stderr.lines().next(), Some("error: `prod` matches no link"));
    let raw = world.run(["logs", "dev", "--raw"]);
    assert!(raw.stderr.starts_with("error: `--raw` needs a single link"), "{raw}");
}

#[test]
fn replicas_of_several_links_are_labelled() {
    let phases = "{ name = \"build\", order = 0, parallelism = 2 }";
    let world = two_links_with("echo \"this is $REPLICA_ID\"", phases).applied();
    let shown = world.run(["logs", "dev"]).stdout;
    let mut lines: Vec<_> = shown.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "[dev/api build 0] this is 0",
            "[dev/api build 1] this is 1",
            "[dev/shop build 0] this is 0",
            "[dev/shop build 1] this is 1"
        ]
    );
}

#[test]
fn several_links_are_followed_at_the_same_time_until_the_last_run_has_ended() {
    let script =
        format!("echo begins\necho on > @OUT@/$KATKIT_LINK\n{}echo ends\n", waits_for("$KATKIT_LINK-go"));
    let world = two_links(&script);
    let apply = world.start(["apply"]);
    world.appears("api");
    world.appears("shop");
    let following = world.start(["logs", "-f", "dev"]);
    while following.said().matches("build of").count() < 2 {
        std::thread::yield_now();
    }
    world.release("shop-go");
    world.release("api-go");
    assert_eq!(apply.wait().code, 0);
    let followed = following.wait();
    let mut lines: Vec<_> = followed.stdout.lines().collect();
    lines.sort_unstable();
    let all = ["api build] begins", "api build] ends", "shop build] begins", "shop build] ends"];
    assert_eq!(lines, all.map(|line| format!("[dev/{line}")));
    assert_eq!(followed.code, 0, "{followed}");
    assert_eq!(followed.stderr.matches("succeeded after").count(), 2, "{followed}");
}

#[test]
fn following_with_since_starts_at_that_time() {
    let world =
        shop_running(&format!("echo first\necho on > @OUT@/begun\n{}echo last\n", waits_for("go")), BUILD);
    let apply = world.start(["apply"]);
    world.appears("begun");
    crate::world::eventually("it is stored", || {
        let first = fs::read_dir(world.attempt("first", "build").join("replica-0/log")).ok()?;
        (first.count() == 1).then_some(())
    });
    stored(&world, ("shop", 1), 1, "first\n");
    let following = world.start(["logs", "-f", "dev/shop", "--since", "1h", "-t"]);
    while !following.said().contains("build of") {
        std::thread::yield_now();
    }
    world.release("go");
    assert_eq!(apply.wait().code, 0);
    let followed = following.wait();
    let (time, line) = followed.stdout.split_once(' ').unwrap();
    assert!(time.starts_with("20") && time.ends_with('Z') && line == "last\n", "{followed}");
}
