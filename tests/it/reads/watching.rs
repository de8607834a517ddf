//! `status --watch`, and forgotten links.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::{BUILD, assert_shown, shop_running, waits_for};
use crate::world::{World, eventually};

#[test]
fn watching_redraws_what_changes_until_ctrl_c() {
    let script = format!("echo on > @OUT@/begun\n{}", waits_for("go"));
    let world = shop_running(&script, BUILD);
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let path = ptsname(&terminal, Vec::new()).unwrap();
    let open = || OpenOptions::new().read(true).write(true).open(path.to_str().unwrap()).unwrap();
    let mut watching = world.command().args(["status", "--watch"]).stdout(open()).spawn().unwrap();
    let seen = Arc::<Mutex<String>>::default();
    let drawn = Arc::clone(&seen);
    let reader = std::thread::spawn(move || {
        let (mut terminal, mut buffer) = (File::from(terminal), [0; 4096]);
        // Reading fails once nobody has the terminal open.
        while let Ok(read @ 1..) = terminal.read(&mut buffer) {
            drawn.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
    });
    let draws = |what: &str| eventually(what, || seen.lock().unwrap().contains(what).then_some(()));
    draws("never ran");
    let apply = world.start(["apply"]);
    draws("running build");
    world.release("go");
    assert_eq!(apply.wait().code, 0);
    draws("up to date");
    kill_process(Pid::from_child(&watching), Signal::INT).unwrap();
    assert_eq!(watching.wait().unwrap().code(), Some(130));
    reader.join().unwrap();
    // Every later frame starts where the one before did, and unchanged lines are not redrawn.
    let seen = seen.lock().unwrap();
    assert!(seen.contains("\x1b[4A") && !seen.contains("\x1b[H"), "{seen:?}");
    assert!(seen.contains("\x1b[1B"), "an unchanged line is skipped: {seen:?}");
}

#[test]
fn watching_needs_a_terminal() {
    assert_shown!(World::shop().run(["status", "--watch"]), @r"
    ----- stderr -----
    error: `--watch` needs a terminal
     hint: in a job, use `katkit wait`
    ----- exit 1
    ");
}

#[test]
fn a_forgotten_link_is_shown_only_on_request() {
    let world = World::shop().applied();
    world.edit("links.shop =", "links.web =");
    assert_eq!(world.run(["status"]).stdout.lines().count(), 5, "it is not forgotten yet");
    world.apply();
    assert_shown!(world.run(["status"]), @r"
    LINK     DEPLOYED    STATE       SINCE
    dev/web  <first>  up to date  <ago>

    1 link: 1 up to date. 1 forgotten link is left out; `--forgotten` shows it.
    This is the recorded state; `katkit plan` shows new commits on branches.
    ----- exit 0
    ");
    assert_shown!(world.run(["status", "--forgotten"]), @r"
    LINK      DEPLOYED    STATE              SINCE
    dev/shop  <first>  left the manifest  -
    dev/web   <first>  up to date         <ago>

    2 links: 1 up to date, 1 left the manifest.
    This is the recorded state; `katkit plan` shows new commits on branches.
    ----- exit 0
    ");
    assert_shown!(world.run(["status", "dev/shop"]), @r"
    LINK      DEPLOYED    STATE              SINCE
    dev/shop  <first>  left the manifest  -

    1 link: 1 left the manifest.
    ----- exit 0
    ");
    let document = world.run(["status", "--format", "json"]).stdout;
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    assert_eq!((document["links"].as_array().unwrap().len(), &document["forgotten"]), (1, &1.into()));
}
