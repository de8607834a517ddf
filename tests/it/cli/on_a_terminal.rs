//! Progress on a terminal: what runs, how long it usually takes, the window title, and what remains on the screen in
//! the end.

use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};

use crate::world::{Running, World, eventually};

/// Waits for the test.
const WAITS: &str = r#"  { name = "build", order = 0, run = """
    echo "$KATKIT_ATTEMPT" >> @OUT@/began
    until test -e @OUT@/go; do sleep 0.01; done""" },
  { name = "deploy", order = 1, kind = "deployment" },"#;

/// A command on a terminal of 80 columns; its output goes to the file `seen`, its process id to `pid`.
fn on_a_terminal(world: &World, term: &str, command: &str) -> Running {
    let katkit = env!("CARGO_BIN_EXE_katkit");
    let inner = format!("stty cols 80 rows 24; echo \\$\\$ > pid; exec {katkit} {command}");
    let mut shell = Command::new("/bin/sh");
    let script =
        format!("TERM={term} script --quiet --return --flush --command \"sh -c '{inner}'\" /dev/null > seen");
    shell.args(["-c", &script]).env_remove("COLUMNS");
    world.start_command(shell)
}

fn seen(world: &World) -> String {
    std::fs::read_to_string(world.path("seen")).unwrap_or_default()
}

fn shows(world: &World, what: &str) {
    eventually(what, || seen(world).contains(what).then_some(()));
}

fn signal(world: &World, signal: Signal) {
    let pid = world.read("pid").trim().parse().unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

/// The final screen, and the window title.
fn left(sent: &str) -> (String, Option<String>) {
    let (mut lines, mut row, mut column) = (vec![String::new()], 0_usize, 0_usize);
    let (mut titles, mut title): (Vec<Option<String>>, Option<String>) = (Vec::new(), None);
    let mut rest = sent;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\r' => column = 0,
            '\n' => row += 1,
            '\x1b' if rest.starts_with(']') => {
                let (text, behind) = rest.split_once("\x1b\\").unwrap();
                title = text.strip_prefix("]2;").map(str::to_owned);
                rest = behind;
            }
            '\x1b' => {
                let end = rest.find(|c: char| c.is_ascii_alphabetic()).unwrap();
                let (number, last) = (&rest[1..end], &rest[end..=end]);
                let count = || number.parse::<usize>().unwrap();
                match (last, number) {
                    ("A", _) => row -= count(),
                    ("B", _) => row += count(),
                    ("K", "") => lines[row] = lines[row].chars().take(column).collect(),
                    ("J", "") => {
                        lines.truncate(row + 1);
                        lines[row] = lines[row].chars().take(column).collect();
                    }
                    ("m", _) => {}
                    ("t", "22;2") => titles.push(title.clone()),
                    ("t", "23;2") => title = titles.pop().unwrap(),
                    other => panic!("{other:?}"),
                }
                rest = &rest[end + 1..];
            }
            c => {
                let mut line: Vec<char> = lines[row].chars().collect();
                line.resize(line.len().max(column + 1), ' ');
                line[column] = c;
                lines[row] = line.into_iter().collect();
                column += 1;
            }
        }
        lines.resize(lines.len().max(row + 1), String::new());
    }
    (lines.iter().map(|line| line.trim_end().to_owned() + "\n").collect(), title)
}

#[test]
fn running_phases_are_drawn_with_a_title_and_erased_in_the_end() {
    let world = World::shop_with(WAITS);
    let apply = on_a_terminal(&world, "xterm", "apply --yes");
    world.appears("began");
    shows(&world, "  dev/shop build  ");
    world.release("go");
    assert_eq!(apply.wait().code, 0);
    let seen = seen(&world);
    assert!(seen.contains("\x1b]2;katkit: dev/shop build\x1b\\"), "{seen:?}");
    assert!(!seen.contains(" of about "), "nothing is guessed without an earlier run: {seen:?}");
    assert!(!seen.contains("\x1b[?25l"), "the cursor is not hidden: {seen:?}");
    let (screen, title) = left(&seen);
    assert_eq!(title, None);
    assert!(!screen.contains("dev/shop build"), "{screen}");
    let order = ["Plan: 1 link to change", "dev/shop  build  succeeded", "Applied: 1 link done"];
    let places = order.map(|part| screen.find(part));
    assert!(places.is_sorted() && places[0].is_some(), "{places:?}: {screen}");
}

#[test]
fn earlier_runs_of_a_phase_tell_how_long_it_usually_takes() {
    let mut world = World::shop_with(WAITS);
    world.release("go");
    world.apply();
    std::fs::remove_file(world.path("out/go")).unwrap();
    world.change("shop", |repo| repo.file("new", "").commit("second"));
    let apply = on_a_terminal(&world, "xterm", "apply --yes");
    shows(&world, "s, usually about ");
    world.release("go");
    assert_eq!(apply.wait().code, 0);
}

#[test]
fn ctrl_c_leaves_a_clean_screen_and_the_previous_title() {
    let world = World::shop_with(WAITS);
    let apply = on_a_terminal(&world, "xterm", "apply --yes");
    world.appears("began");
    shows(&world, "\x1b]2;katkit: dev/shop build");
    signal(&world, Signal::INT);
    assert_eq!(apply.wait().code, 130);
    let (screen, title) = left(&seen(&world));
    assert_eq!(title, None);
    assert!(!screen.contains("dev/shop build"), "{screen}");
    assert!(screen.contains("WARN stopping: cancelling and removing what is running"), "{screen}");
    assert!(screen.contains("Interrupted: 0 links done, 1 interrupted"), "{screen}");
}

#[test]
fn a_second_ctrl_c_also_leaves_a_clean_screen() {
    // The code ignores SIGTERM, so the first Ctrl-C has to wait for it.
    let world = World::shop_with(&WAITS.replace("echo ", "trap '' TERM\n    echo "));
    let mut apply = on_a_terminal(&world, "xterm", "apply --yes");
    world.appears("began");
    shows(&world, "\x1b]2;katkit: dev/shop build");
    // Signals of one kind that arrive together count as one: the second is sent until it is noticed.
    eventually("it leaves", || {
        if apply.has_ended() {
            return Some(());
        }
        let pid = world.read("pid").trim().parse().unwrap();
        let _ = kill_process(Pid::from_raw(pid).unwrap(), Signal::INT);
        None
    });
    assert_eq!(apply.wait().code, 130);
    let (screen, title) = left(&seen(&world));
    assert_eq!(title, None);
    assert!(!screen.contains("dev/shop build"), "{screen}");
    world.release("go");
    world.apply();
}

#[test]
fn a_terminal_without_cursor_movement_gets_plain_lines() {
    let world = World::shop().variable("NO_COLOR", "1");
    let apply = on_a_terminal(&world, "dumb", "apply --yes");
    assert_eq!(apply.wait().code, 0);
    let seen = seen(&world);
    assert!(!seen.contains('\x1b'), "{seen:?}");
    assert!(seen.contains("dev/shop  build  started"), "{seen:?}");
    let watch = on_a_terminal(&world, "dumb", "status --watch");
    assert_eq!(watch.wait().code, 1);
}

#[test]
fn a_wait_shows_what_runs_and_the_time_limit() {
    let world = World::shop_with(WAITS);
    let apply = world.start(["apply"]);
    world.appears("began");
    let wait = on_a_terminal(&world, "xterm", "wait --timeout 30m");
    shows(&world, "dev/shop build  ");
    shows(&world, "s of at most 30m");
    shows(&world, "\x1b]2;katkit wait: 0 of 1 links\x1b\\");
    world.release("go");
    assert_eq!((apply.wait().code, wait.wait().code), (0, 0));
    let (screen, title) = left(&seen(&world));
    assert_eq!(title, None);
    assert!(!screen.contains("waiting for") && screen.contains("is live"), "{screen}");
}

#[test]
fn stopping_a_wait_or_a_watch_restores_the_terminal() {
    let world = World::shop();
    for (command, drawn) in [("wait", "waiting for 1 of 1 links"), ("status --watch", "1 never ran")] {
        std::fs::write(world.path("seen"), "").unwrap();
        let running = on_a_terminal(&world, "xterm", command);
        shows(&world, drawn);
        shows(&world, "\x1b]2;katkit");
        signal(&world, Signal::INT);
        assert_eq!(running.wait().code, 130, "{command}");
        assert_eq!(left(&seen(&world)).1, None, "{command}");
    }
}
