//! `logs` of finished phases.

use std::io::Read;
use std::process::Stdio;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::{BUILD, assert_shown, one_failure, shop_running};
use crate::world::World;

/// Output, as `printf` arguments, that must not reach a terminal: clears the screen, sets the title, hides text.
const HOSTILE: &str = r"printf '\033[31mred\033[0m \033[2J\033]0;title\007\377\000\r\nover\rwritten\n'";
const PRINTED: &[u8] = b"\x1b[31mred\x1b[0m \x1b[2J\x1b]0;title\x07\xff\0\r\nover\rwritten\n";

fn hostile() -> World {
    shop_running(HOSTILE, BUILD).applied()
}

/// The output on a terminal.
fn on_a_terminal(world: &World, arguments: &[&str]) -> String {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let path = ptsname(&terminal, Vec::new()).unwrap();
    let open = || std::fs::OpenOptions::new().read(true).write(true).open(path.to_str().unwrap()).unwrap();
    let mut child = world.command().args(arguments).stdout(open()).stderr(Stdio::null()).spawn().unwrap();
    let reader = std::thread::spawn(move || {
        let mut seen = Vec::new();
        // Reading fails once nobody has the terminal open.
        let _ = std::fs::File::from(terminal).read_to_end(&mut seen);
        seen
    });
    assert!(child.wait().unwrap().success());
    String::from_utf8(reader.join().unwrap()).unwrap().replace("\r\n", "\n")
}

#[test]
fn a_pipe_gets_plain_text_and_raw_bytes_only_with_raw() {
    let world = hostile();
    let piped =
        |arguments: &[&str]| world.command().args(["logs", "dev/shop"]).args(arguments).output().unwrap();
    let text = |arguments: &[&str]| String::from_utf8(piped(arguments).stdout).unwrap();
    // The raw bytes may still end up on a terminal.
    assert_eq!(text(&[]), "red \u{fffd}\nover\nwritten\n");
    assert_eq!(text(&["-f", "--attempt", "1"]), "red \u{fffd}\nover\nwritten\n");
    assert_eq!(text(&["--color", "always"]), "\x1b[31mred\x1b[0m \u{fffd}\nover\nwritten\n");
    for arguments in [&["--raw"][..], &["--raw", "-f", "--attempt", "1"]] {
        assert_eq!(piped(arguments).stdout, PRINTED);
    }
    assert_eq!(piped(&["--raw"]).stderr, b"");
}

#[test]
fn a_terminal_gets_colours_and_text_but_no_control_sequences() {
    let world = hostile();
    let seen = on_a_terminal(&world, &["logs", "dev/shop"]);
    assert_eq!(seen, "\x1b[31mred\x1b[0m \u{fffd}\nover\nwritten\n");
    let plain = on_a_terminal(&world, &["logs", "dev/shop", "--color", "never"]);
    assert_eq!(plain, "red \u{fffd}\nover\nwritten\n");
}

#[test]
fn without_a_phase_the_failed_one_is_shown_with_labelled_replicas() {
    let world = one_failure();
    assert_shown!(world.run(["logs", "dev/shop"]), @r"
    [0] verify 0
    [1] verify 1
    [1] 2 of 40 tests failed
    ----- stderr -----
    dev/shop  verify of <bad>, ended <ago> after <time>: exit code 3 in replica 1
    ----- exit 0
    ");
    assert_shown!(world.run(["logs", "dev/shop", "--replica", "1"]), @r"
    verify 1
    2 of 40 tests failed
    ----- stderr -----
    dev/shop  verify of <bad>, ended <ago> after <time>: exit code 3 in replica 1
    ----- exit 0
    ");
    assert_shown!(world.run(["logs", "dev/shop", "--raw"]), @r"
    ----- stderr -----
    error: `--raw` needs a single replica, not 2
     hint: choose one: --replica N
    ----- exit 1
    ");
    assert_shown!(world.run(["logs", "dev/shop", "--phase", "BUILD", "--sha", &world.sha("first")[..8]]), @r"
    build in DEV
    ----- stderr -----
    dev/shop  build of <first>, ended <ago> after <time>: succeeded
    ----- exit 0
    ");
}

#[test]
fn a_phase_without_a_log_gets_a_message() {
    let world = World::shop();
    assert_shown!(world.run(["logs", "dev/shop"]), @"
    ----- stderr -----
    Nothing has ever run for dev/shop.
    ----- exit 0
    ");
    let phases = r#"{ name = "a", order = 0 }, { name = "b", order = 1 }, { name = "c", order = 2, kind = "deployment" }"#;
    let world = shop_running("exit 1", phases);
    world.run(["apply"]);
    assert_shown!(world.run(["logs", "dev/shop", "--phase", "b"]), @r"
    ----- stderr -----
    `b` never ran for <first> in dev/shop; `katkit why dev/shop` says why.
    ----- exit 0
    ");
    assert_shown!(world.run(["logs", "dev/shop", "--phase", "c"]), @r"
    ----- stderr -----
    `c` is the deployment, which has no log; see `katkit why dev/shop`.
    ----- exit 0
    ");
    assert_shown!(world.run(["logs", "dev/shop", "--phase", "b", "--attempt", "1", "-f"]), @r"
    ----- stderr -----
    `b` never ran for <first> in dev/shop; `katkit why dev/shop` says why.
    ----- exit 0
    ");
}

#[test]
fn json_output_is_a_stream_of_events() {
    let world = hostile();
    let output = world.command().args(["logs", "dev/shop", "--format", "json"]).output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    assert!(!lines.chars().any(|c| c.is_control() && c != '\n'), "{lines}");
    let events: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["attempt", "text", "end"]);
    assert_eq!(
        events[1]["text"],
        "\u{1b}[31mred\u{1b}[0m \u{1b}[2J\u{1b}]0;title\u{7}\u{fffd}\0\r\nover\rwritten\n"
    );
    assert_eq!(events[2]["outcome"]["kind"], "succeeded");
}

#[test]
fn a_missing_log_is_not_reported_as_empty() {
    let world = shop_running("echo built; exit 1", BUILD);
    world.run(["apply"]);
    assert_eq!(world.run(["logs", "dev/shop"]).code, 0);
    let attempt = world.attempt("first", "build");
    std::fs::remove_dir_all(attempt.join("replica-0/log")).unwrap();
    let lost = world.run(["logs", "dev/shop"]);
    assert_shown!(lost, @r"
    ----- stderr -----
    dev/shop  build of <first>, ended <ago> after <time>: exit code 1
    error: the output of attempt 1 of `build` is missing from file://<world>/.katkit/blobs
     hint: `katkit doctor dev/shop` shows details
    ----- exit 1
    ");
    std::fs::remove_dir_all(&attempt).unwrap();
    assert_shown!(world.run(["logs", "dev/shop", "-f", "--attempt", "1"]), @r"
    ----- stderr -----
    dev/shop  build of <first>, ended <ago> after <time>: exit code 1
    dev/shop build: exit code 1
    error: the output of attempt 1 of `build` is missing from file://<world>/.katkit/blobs
     hint: `katkit doctor dev/shop` shows details
    ----- exit 1
    ");
    assert_shown!(world.run(["logs", "dev/shop"]), @r"
    ----- stderr -----
    dev/shop  build of <first>, ended <ago> after <time>: exit code 1
    error: the output of attempt 1 of `build` is missing from file://<world>/.katkit/blobs
     hint: `katkit doctor dev/shop` shows details
    ----- exit 1
    ");
}
