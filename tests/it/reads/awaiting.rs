//! `logs -f` between runs: the last run has ended, and it waits for the next.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use super::{BUILD, assert_shown, shop_running};
use crate::world::{Running, World};

/// A `katkit logs -f dev/shop` that waits for a run.
fn waiting(world: &World, arguments: [&str; 3]) -> Running {
    let following = world.start(arguments);
    while !following.said().contains("waiting for the") {
        std::thread::yield_now();
    }
    following
}

/// The text without ages and durations.
fn plain(text: &str) -> String {
    let line = |line: &str| line.split([';', ',']).next().unwrap().to_owned() + "\n";
    text.lines().map(line).collect()
}

#[test]
fn a_finished_run_is_not_shown_as_in_progress() {
    let mut world = shop_running("echo old", BUILD).applied();
    let following = waiting(&world, ["logs", "-f", "dev/shop"]);
    world.change("shop", |repo| repo.ci("echo new; exit 3").commit("second"));
    assert_eq!(world.run(["apply"]).code, 1);
    let followed = following.wait();
    assert_eq!(
        (followed.stdout.as_str(), followed.code),
        ("new\n", 0),
        "that a run failed is no failure to show it"
    );
    // The commit came after the command started.
    let told = plain(&followed.stderr).replace(&world.sha("second")[..10], "<second>");
    assert_shown!(told, @r"
    dev/shop  run 1 for <first> succeeded <ago>
    dev/shop  build of <second>
    dev/shop build: exit code 3
    dev/shop  run 8 for <second> failed after <time>
    ");
}

#[test]
fn it_waits_for_the_first_run_even_before_there_is_a_record() {
    let world = shop_running("echo built", BUILD);
    let following = waiting(&world, ["logs", "-f", "dev/shop"]);
    let mut events = world
        .command()
        .args(["logs", "-f", "dev/shop", "--format", "json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(events.stdout.take().unwrap()).lines();
    let event = |line: String| serde_json::from_str::<serde_json::Value>(&line).unwrap()["event"].clone();
    assert_eq!(event(lines.next().unwrap().unwrap()), "waiting");
    world.apply();
    let followed = following.wait();
    assert_eq!((followed.stdout.as_str(), followed.code), ("built\n", 0), "{followed}");
    assert!(
        followed.stderr.starts_with("dev/shop  nothing ran yet; waiting for the first run"),
        "{followed}"
    );
    let told: Vec<_> = lines.map(|line| event(line.unwrap())).collect();
    assert_eq!(told, ["attempt", "text", "end", "run_ended"]);
    assert!(events.wait().unwrap().success());
}

#[test]
fn a_retried_run_starts_with_the_new_attempt() {
    let world = shop_running("echo \"attempt $KATKIT_ATTEMPT\"; test $KATKIT_ATTEMPT = 2", BUILD);
    assert_eq!(world.run(["apply"]).code, 1);
    let whole = waiting(&world, ["logs", "-f", "dev/shop"]);
    let phase = waiting(&world, ["logs", "-fpbuild", "dev/shop"]);
    assert_eq!(world.run(["retry", "dev/shop", "--apply"]).code, 0);
    for following in [whole, phase] {
        let followed = following.wait();
        assert_eq!((followed.stdout.as_str(), followed.code), ("attempt 2\n", 0), "{followed}");
    }
}

#[test]
fn it_waits_for_a_run_of_any_of_several_links() {
    let world = shop_running("echo \"this is $KATKIT_LINK\"", BUILD);
    world.edit(
        "links.shop =",
        "links.api = { repo = \"shop\", workflow = \"standard\", branch = \"main\" }\nlinks.shop =",
    );
    let following = waiting(&world, ["logs", "-f", "dev"]);
    assert_eq!(world.run(["apply", "dev/api"]).code, 0);
    let followed = following.wait();
    assert_eq!((followed.stdout.as_str(), followed.code), ("[dev/api build] this is api\n", 0), "{followed}");
    assert!(
        followed.stderr.starts_with("no run is in progress for these 2 links; waiting for the next"),
        "{followed}"
    );
}
