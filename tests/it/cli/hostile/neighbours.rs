//! Code that inspects the processes around it, or hides from katkit. Runs as a user other than root: root can inspect
//! everything.

use std::fs;
use std::os::unix::fs::lchown;
use std::path::Path;
use std::process::Command;

use crate::world::{Running, World, eventually};

/// The id of the user `nobody` on every Linux.
const NOBODY: u32 = 65534;

/// Starts this shell script as a non-root user, who owns the world. `$KATKIT` is katkit.
fn start(world: &World, script: &str) -> Running {
    let katkit = world.path("katkit");
    if !katkit.exists() {
        // Another user may not have access to the directory it was built in.
        fs::copy(env!("CARGO_BIN_EXE_katkit"), &katkit).unwrap();
    }
    let mut command = if rustix::process::geteuid().is_root() {
        give(&world.path("."));
        let mut command = Command::new("setpriv");
        let user = NOBODY.to_string();
        command.args(["--reuid", &user, "--regid", &user, "--clear-groups", "/bin/sh"]);
        command
    } else {
        Command::new("/bin/sh")
    };
    command.arg("-c").arg(format!("KATKIT={}; {script}", katkit.display()));
    world.start_command(command)
}

fn give(path: &Path) {
    lchown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    if path.symlink_metadata().unwrap().is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give(&entry.unwrap().path());
        }
    }
}

#[test]
fn code_cannot_read_the_secrets_of_others_from_katkit_and_its_agent() {
    let world = World::shop_with(
        r#"{ name = "build", order = 0, run = """
        cat /proc/[0-9]*/environ 2> /dev/null | tr '\\0' '\\n' > @OUT@/seen
        cat /proc/$PPID/environ > @OUT@/agent || echo closed > @OUT@/closed
        cat /proc/$PPID/mem > @OUT@/memory || echo closed >> @OUT@/closed""" }"#,
    )
    .variable("DEV_PASS", "of-this-tenant")
    .variable("PROD_PASS", "of-another-tenant")
    .variable("AWS_SECRET_ACCESS_KEY", "of-katkit-itself");
    world.edit("[tenants.dev]", "[tenants.dev]\nsecrets = { PASS = \"env:DEV_PASS\" }");
    let applied = start(&world, "exec $KATKIT apply").wait();
    assert_eq!(applied.code, 0, "{applied}");
    assert_eq!(world.read("out/closed"), "closed\nclosed\n");
    let seen = world.read("out/seen");
    // It did try, and its own environment is as readable to it as ever.
    assert!(seen.lines().any(|line| line == "PASS=of-this-tenant"), "{seen}");
    for line in seen.lines() {
        assert!(!line.contains("of-another-tenant") && !line.contains("of-katkit-itself"), "{line}");
    }
}

#[test]
fn katkit_and_its_agent_leave_no_core_dumps_and_code_may_leave_its_own() {
    let world = World::shop_with(
        r#"{ name = "build", order = 0, run = """
        ulimit -S -c > @OUT@/code
        for process in $PPID $(cat @OUT@/katkit); do grep 'core file' /proc/$process/limits >> @OUT@/limits; done""" }"#,
    );
    let out = world.path("out").display().to_string();
    let script = format!(
        "ulimit -S -c $(ulimit -H -c); ulimit -S -c > {out}/given; echo $$ > {out}/katkit; exec $KATKIT apply"
    );
    let applied = start(&world, &script).wait();
    assert_eq!(applied.code, 0, "{applied}");
    assert_eq!(world.read("out/code"), world.read("out/given"));
    let limits = world.read("out/limits");
    let soft: Vec<_> = limits.lines().map(|line| line.split_ascii_whitespace().nth(4).unwrap()).collect();
    assert_eq!(soft, ["0", "0"], "{limits}");
}

/// Neither its service directory nor any process's environment points to the agent.
#[test]
fn an_agent_is_found_by_the_next_apply_though_its_code_removed_every_trace() {
    let world = World::shop_with(
        r#"{ name = "build", order = 0, run = """
        cd /; rm -rf "$KATKIT_SERVICE"
        exec env -i PATH="$PATH" /bin/sh -c '
            echo ran >> @OUT@/runs; echo up > @OUT@/up
            until [ -e @OUT@/go ]; do sleep 0.05; done'""" }"#,
    );
    let first = start(&world, "exec $KATKIT apply");
    world.appears("up");
    first.kill();
    let said = world.path("out/second");
    let second = start(&world, &format!("exec $KATKIT apply 2> {}", said.display()));
    // An agent that is not found would soon be declared lost, and its code run a second time.
    eventually("the agent is taken over", || {
        let said = fs::read_to_string(&said).unwrap_or_default();
        said.contains("build  taken over").then_some(())
    });
    world.release("go");
    let applied = second.wait();
    assert_eq!(applied.code, 0, "{applied}");
    assert_eq!(world.read("out/runs"), "ran\n");
    let journal = world.journal().join("\n");
    assert_eq!(journal.matches("attempt-intended").count(), 1, "{journal}");
    world.nothing_is_left();
}
