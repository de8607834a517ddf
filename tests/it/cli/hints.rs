//! Every command suggested by `plan`, `why`, `status`, `doctor` and the summary of an `apply` works: in every state of
//! a link, each one is run, and is not refused.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::world::{ONE_LINK, World, eventually};

/// Fails, and waits, when the test says so.
const SCRIPT: &str = r"if [ $KATKIT_PHASE = build ] && [ -e @OUT@/wait ]; then
  echo begun > @OUT@/begun
  until [ -e @OUT@/go ]; do sleep 0.02; done
fi
if [ $KATKIT_PHASE = verify ] && [ -e @OUT@/broken ]; then echo 'it is broken'; exit 3; fi
";

/// A build, a deployment, and a `verify` that may fail.
fn shop(on_failure: &str) -> World {
    let workflow = format!(
        r#"
[workflows.standard]
on-failure = "{on_failure}"
phases = [
  {{ name = "build", order = 0 }},
  {{ name = "deploy", order = 1, kind = "deployment" }},
  {{ name = "verify", order = 2 }},
]
"#
    );
    World::new()
        .repo("shop", |repo| repo.ci(SCRIPT).description("acme/web:<hubtag>").commit("first"))
        .manifest(&format!("{ONE_LINK}{workflow}"))
}

/// A world whose second commit fails at `verify`, and the output of that `apply`.
fn failed(on_failure: &str) -> (World, String) {
    let mut world = shop(on_failure).applied();
    world.change("shop", |repo| repo.commit("second"));
    world.release("broken");
    let applied = world.run(["apply"]);
    assert_eq!(applied.code, 1, "{applied}");
    (world, applied.stdout)
}

/// A world whose `apply` died during its build, which still runs.
fn interrupted() -> World {
    let world = shop("hold");
    world.release("wait");
    let apply = world.start(["apply"]);
    world.appears("begun");
    eventually("the launch is on record", || {
        world.journal().iter().any(|event| event.contains("attempt-launched")).then_some(())
    });
    apply.kill();
    world
}

/// Records the lease as held by a process on another machine, which is gone.
fn leased_elsewhere(world: &World) {
    let owner = r#"{ "id": "o", "host": "builder", "boot": "another", "pid": 7, "started_ticks": 1, "actor": "ana" }"#;
    let sql = "UPDATE lease SET epoch = epoch + 1, beat = 3, owner = ?1, duration = 1";
    assert_eq!(world.state().execute(sql, [owner]).unwrap(), 1);
}

/// The commands in a text: between backquotes, and after `log:` and `retry:`.
fn commands(text: &str) -> BTreeSet<String> {
    let quoted = text.split('`').skip(1).step_by(2).map(str::to_owned);
    let labelled = text.lines().filter_map(|line| {
        let line = line.trim_start();
        let command = line.strip_prefix("log:").or_else(|| line.strip_prefix("retry:"))?;
        Some(command.trim().to_owned())
    });
    quoted.chain(labelled).filter(|command| command.starts_with("katkit ")).collect()
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(copied.success());
}

/// Runs each suggested command from this state, after the cause is fixed. They must equal `expected`.
fn holds(state: &str, world: &World, expected: &[&str]) {
    holds_after(state, world, "", expected);
}

/// The same with earlier output.
fn holds_after(state: &str, world: &World, said: &str, expected: &[&str]) {
    let asked = [&["plan"][..], &["why", "dev/shop"], &["status"], &["doctor"]];
    let mut answers = vec![said.to_owned()];
    answers.extend(asked.iter().map(|arguments| {
        let output = world.command().args(*arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
    }));
    let named = commands(&answers.join("\n"));
    assert_eq!(
        named.iter().map(String::as_str).collect::<Vec<_>>(),
        expected,
        "{state}: {}",
        answers.join("\n")
    );
    let kept = tempfile::tempdir().unwrap();
    let (root, backup) = (world.path(""), kept.path().join("backup"));
    copy(&root, &backup);
    for command in named {
        for name in ["broken", "wait"] {
            let _ = fs::remove_file(world.path("out").join(name));
        }
        world.release("go");
        let command = command.replace("TENANT/LINK", "dev/shop");
        if command.starts_with("katkit import") {
            // After the damaged record is moved away.
            for name in ["state.db", "state.db-wal", "state.db-shm"] {
                let _ = fs::remove_file(world.path(".katkit").join(name));
            }
        }
        let output = world.shell(&command);
        // The exit code of `doctor` only says that something is damaged.
        let documented = i32::from(command == "katkit doctor");
        assert_eq!(output.code, documented, "{state}: {command}: {output}\n{}", answers.join("\n"));
        world.nothing_runs();
        for entry in fs::read_dir(&root).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
        }
        copy(&backup.join("."), &root);
    }
    world.release("go");
    world.nothing_runs();
}

#[test]
fn suggestions_for_a_link_that_never_ran_work() {
    holds("new", &shop("hold"), &["katkit apply dev/shop"]);
}

#[test]
fn suggestions_for_a_failed_link_work() {
    let logs = "katkit logs dev/shop --phase verify";
    let (retry, now) = ("katkit retry dev/shop", "katkit retry dev/shop --phase verify --apply");
    let why = "katkit why dev/shop";
    let (world, said) = failed("hold");
    holds_after("failed", &world, &said, &[logs, retry, now, why]);

    let (mut world, _) = failed("hold");
    world.change("shop", |repo| repo.commit("third"));
    holds("another commit is wanted since", &world, &["katkit apply dev/shop", logs]);

    let (world, _) = failed("hold");
    fs::rename(world.path("repos/shop"), world.path("repos/moved")).unwrap();
    holds("the repository is gone", &world, &[logs]);

    let (world, _) = failed("hold");
    assert_eq!(world.run(["retry", "dev/shop"]).code, 0);
    holds("a retry is pending", &world, &["katkit apply dev/shop", logs]);

    let (world, _) = failed("hold");
    let live = world.read(".katkit/platform/dev/shop.json");
    world.write(".katkit/platform/dev/shop.json", &live.replace(world.sha("second"), world.sha("first")));
    assert_eq!(world.run(["apply", "--refresh-only"]).code, 0);
    holds("somebody went back by hand", &world, &[logs, retry, "katkit retry dev/shop --apply", why]);
}

#[test]
fn suggestions_for_a_rolled_back_link_work() {
    let (logs, retry) = ("katkit logs dev/shop --phase verify", "katkit retry dev/shop");
    let (world, said) = failed("rollback");
    holds_after("by itself", &world, &said, &[logs, retry]);

    let mut world = shop("hold").applied();
    world.change("shop", |repo| repo.commit("second"));
    world.apply();
    assert_eq!(world.run(["rollback", "dev/shop", "--apply"]).code, 0);
    holds("by a person", &world, &[retry]);

    // The quarantined commit is wanted again once others were deployed.
    let second = world.sha("second").to_owned();
    world.change("shop", |repo| repo.commit("third"));
    holds("by a person, and there are more commits", &world, &[retry]);
    assert_eq!(world.run(["retry", "dev/shop"]).code, 0);
    world.apply();
    world.edit("branch = \"main\"", &format!("sha = \"{second}\""));
    holds("and asked for later", &world, &["katkit retry dev/shop"]);
}

#[test]
fn suggestions_for_a_cancelled_link_work() {
    let world = shop("hold");
    world.release("wait");
    let apply = world.start(["apply"]);
    world.appears("begun");
    assert_eq!(world.run(["cancel", "dev/shop"]).code, 0);
    apply.wait();
    holds("cancelled", &world, &["katkit retry dev/shop"]);
}

#[test]
fn suggestions_for_a_link_whose_process_died_work() {
    let world = interrupted();
    holds("on this machine", &world, &["katkit apply", "katkit apply dev/shop"]);

    let world = interrupted();
    leased_elsewhere(&world);
    let unlock = "katkit unlock --force dev/shop";
    holds("elsewhere, in a run", &world, &["katkit apply", "katkit cancel dev/shop", unlock]);

    let world = shop("hold").applied();
    leased_elsewhere(&world);
    holds("elsewhere, at rest", &world, &["katkit apply", "katkit plan", unlock]);
}

#[test]
fn suggestions_for_a_drifted_removed_or_damaged_link_work() {
    let world = shop("hold").applied();
    let live = world.read(".katkit/platform/dev/shop.json");
    world.write(".katkit/platform/dev/shop.json", &live.replace("acme/web", "acme/other"));
    let (now, import) = ("katkit apply dev/shop", "katkit import dev/shop");
    holds("drifted", &world, &["katkit apply", now, import, "katkit plan"]);

    let world = shop("hold").applied();
    world.edit("links.shop = { repo = \"shop\", workflow = \"standard\", branch = \"main\" }\n", "");
    holds("left the manifest", &world, &["katkit apply dev/shop"]);

    let world = shop("hold").applied();
    world.state().execute("UPDATE link SET head = '{}'", []).unwrap();
    holds("damaged", &world, &["katkit doctor", "katkit import TENANT/LINK"]);
}
