//! `katkit prune` as a user sees it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use insta::assert_snapshot;
use serde_json::Value;

use crate::world::{Output, World};

/// Sizes depend on the path of the world.
macro_rules! assert_pruned {
    ($shown:expr, @$snapshot:literal) => {
        insta::with_settings!({ filters => vec![
            (r"\d+(\.\d)? k?B\b", "<size>"),
            (r"process \d+ on [^)\s]+", "process <pid> on <host>"),
            (r"\b(just now|\d+[smh] ago)", "<ago>"),
            (r"\b\d\d:\d\d:\d\d\b", "<clock>"),
        ] }, { insta::assert_snapshot!($shown, @$snapshot) })
    };
}

/// Two commits deployed one after the other, then one that failed.
fn three() -> World {
    let mut world = World::shop_with(
        r#"  { name = "build", order = 0, run = "sh build.sh", artifacts = ["*.sh"] },
  { name = "deploy", order = 1, kind = "deployment" },"#,
    );
    for commit in ["second", "third", "fourth"] {
        let script = if commit == "fourth" { "echo broken; exit 1\n" } else { "echo built\n" };
        world.change("shop", |repo| repo.file("build.sh", script).file(commit, commit).commit(commit));
        assert_eq!(world.run(["apply"]).code, i32::from(commit == "fourth"));
    }
    world
}

/// All files below a directory.
fn files(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The commits with files below a directory of the blob store.
fn left(world: &World, directory: &str) -> Vec<&'static str> {
    let found = files(&world.path(".katkit/blobs").join(directory));
    let is_there =
        |commit: &&str| found.iter().any(|path| path.to_str().unwrap().contains(world.sha(commit)));
    ["second", "third", "fourth"].into_iter().filter(is_there).collect()
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output}"))
}

#[test]
fn what_would_be_removed_is_shown_and_removed_only_after_confirmation() {
    let world = three();
    let before = world.journal();
    assert_pruned!(world.run(["prune", "--older-than", "0s", "--dry-run", "--history"]), @r"
    To remove, older than <date> <hour> UTC:
      - dev/shop  1 attempt (5 blobs, <size>), 10 events
      - packs     1 commit (2 blobs, <size>), rebuilt when needed
    <size> in 7 blobs, and 10 events, from 1 link.
    ----- exit 0
    ");
    assert_pruned!(world.run(["prune", "--older-than", "0s", "--history"]), @r"
    To remove, older than <date> <hour> UTC:
      - dev/shop  1 attempt (5 blobs, <size>), 10 events
      - packs     1 commit (2 blobs, <size>), rebuilt when needed
    <size> in 7 blobs, and 10 events, from 1 link.
    ----- stderr -----
    error: nothing was removed: there is no terminal to confirm on
     hint: add `--yes` to remove it, or `--dry-run` to only list it
    ----- exit 1
    ");
    assert_eq!((world.journal(), left(&world, "dev/shop").len()), (before, 3));
    assert_pruned!(world.run(["prune", "--older-than", "0s", "--history", "--yes"]), @r"
    To remove, older than <date> <hour> UTC:
      - dev/shop  1 attempt (5 blobs, <size>), 10 events
      - packs     1 commit (2 blobs, <size>), rebuilt when needed
    <size> in 7 blobs, and 10 events, from 1 link.
    Removed <size> in 7 blobs and 10 events.
    ----- exit 0
    ");
    assert_eq!(left(&world, "dev/shop"), ["third", "fourth"], "one is live, one ran last");
    assert_eq!(left(&world, "commits"), ["third", "fourth"]);
    let once = world.journal();
    assert_pruned!(world.run(["prune", "--older-than", "0s", "--history", "--yes"]), @r"
    Nothing to remove that is older than <date> <hour> UTC.
    ----- exit 0
    ");
    assert_eq!(world.journal(), once);
    let doctor = world.run(["doctor"]);
    assert_eq!(doctor.code, 0, "{doctor}");
}

#[test]
fn young_data_is_kept() {
    let world = three();
    let shown = world.run(["prune", "--older-than", "30d", "--history", "--yes"]);
    assert!(shown.code == 0 && shown.stdout.starts_with("Nothing to remove that is older than "), "{shown}");
    // An attempt's results are as old as the newest of them.
    let mut left_by_it = files(&world.attempt("second", "build"));
    let last = left_by_it.pop().unwrap();
    assert!(left_by_it.len() > 2, "{left_by_it:?}");
    let age = |file: &Path| {
        let old = std::time::SystemTime::now() - std::time::Duration::from_hours(24 * 60);
        fs::File::options().append(true).open(file).unwrap().set_modified(old).unwrap();
    };
    for file in &left_by_it {
        age(file);
    }
    let shown = world.run(["prune", "--older-than", "30d", "--yes"]);
    assert!(shown.stdout.starts_with("Nothing to remove"), "{shown}");
    age(&last);
    let removed = world.run(["prune", "dev/shop", "--older-than", "30d", "--yes"]);
    assert!(removed.code == 0 && removed.stdout.contains("1 attempt"), "{removed}");
    assert_eq!(left(&world, "dev/shop"), ["third", "fourth"]);
    assert_eq!(left(&world, "commits").len(), 3, "packs go only if all links are included");
}

/// The output of every read command and of a plan for what is kept, without ages.
fn output_of_reads(world: &World) -> Vec<String> {
    let third = world.sha("third");
    let shown = [
        world.run(["plan"]),
        world.run(["status", "--check"]),
        world.run(["rollback", "dev/shop", "--list"]),
        world.run(["why", "dev/shop"]),
        world.run(["logs", "dev/shop"]),
        world.run(["logs", "dev/shop", "--sha", third, "--phase", "build"]),
        world.run(["artifacts", "dev/shop", "--sha", third, "--phase", "build"]),
        world.run(["why", "dev/shop", third]),
    ];
    let passes = |word: &&str| {
        let bare = word.trim_end_matches(['.', ',', ';']);
        !matches!(bare, "just" | "now" | "ago") && bare.trim_end_matches(['s', 'm']).parse::<u32>().is_err()
    };
    let still = |text: &str| text.split_whitespace().filter(passes).collect::<Vec<_>>().join(" ");
    shown.into_iter().map(|output| still(&output.to_string())).collect()
}

/// The runs on record.
fn runs(world: &World) -> BTreeSet<String> {
    let started = world.journal().into_iter().filter(|event| event.contains("run-started"));
    started.map(|event| serde_json::from_str::<Value>(&event).unwrap()["run"].to_string()).collect()
}

#[test]
fn pruning_changes_no_output_about_what_is_kept() {
    let mut world = three();
    let deployed = |world: &World| {
        let last = world.run(["history", "--deployments", "-n", "1", "--format", "json"]);
        json(&last)["deployments"].clone()
    };
    let (before, began, last) = (output_of_reads(&world), runs(&world), deployed(&world));
    assert_eq!(world.run(["prune", "--older-than", "0s", "--history", "--yes"]).code, 0);
    for (before, after) in before.into_iter().zip(output_of_reads(&world)) {
        assert_eq!(before, after);
    }
    assert_eq!(last, deployed(&world));
    assert_eq!((began.len(), runs(&world).len()), (3, 2));
    // Beyond the cut it continues: new runs, and rollbacks to verified commits.
    world.change("shop", |repo| repo.file("build.sh", "echo built\n").commit("fifth"));
    world.apply();
    assert_eq!(runs(&world).difference(&began).count(), 1);
    for commit in ["third", "second"] {
        let back = world.run(["rollback", "dev/shop", "--apply"]);
        assert_eq!(back.code, 0, "{back}");
        assert!(world.deployed("dev/shop").contains(&format!("acme/web:<{commit}>")), "{back}");
    }
}

#[test]
fn output_about_pruned_data_says_that_it_was_pruned() {
    let world = three();
    assert_eq!(world.run(["prune", "--older-than", "0s", "--yes"]).code, 0);
    let second = world.sha("second");
    assert_pruned!(world.run(["logs", "dev/shop", "--sha", second]), @r"
    ----- stderr -----
    dev/shop  build of <second>, ended <ago> after <time>: succeeded
    The logs and artifacts of `build` attempt 1 were pruned on <date>.
    ----- exit 0
    ");
    assert_pruned!(world.run(["artifacts", "dev/shop", "--sha", second, "--phase", "build"]), @r"
    ----- stderr -----
    dev/shop: the logs and artifacts of `build` attempt 1 were pruned on <date>
    ----- exit 0
    ");
    let listed =
        world.run(["artifacts", "dev/shop", "--sha", second, "--phase", "build", "--format", "json"]);
    assert!(json(&listed)["pruned"].is_string(), "{listed}");
    let events = world.run(["logs", "dev/shop", "--sha", second, "--format", "json"]);
    assert!(events.code == 0 && events.stdout.contains("were pruned on"), "{events}");
    assert_eq!(world.run(["prune", "--older-than", "0s", "--history", "--yes"]).code, 0);
    assert_pruned!(world.run(["logs", "dev/shop", "--sha", second]), @r"
    ----- stderr -----
    No run of dev/shop on record was for <second>; events before 11 were pruned on <date>.
    ----- exit 0
    ");
    assert_pruned!(world.run(["why", "dev/shop", second]), @r"
    dev/shop
    No run of `dev/shop` on record was for <second>; events before 11 were pruned on <date>.
    The commit was verified at <date> <hour> UTC.
    It is the rollback target.
    The manifest asks for <fourth> instead.
    ----- exit 0
    ");
    let history = world.run(["history", "dev/shop", "-n", "1000"]);
    assert_pruned!(history.stdout.lines().next().unwrap(), @"Events before 11 were pruned on <date>.");
    assert_pruned!(history.stdout.lines().rfind(|line| line.contains("pruned:")).unwrap(), @"  <date> <clock>  ana  pruned: logs and artifacts older than <date> <hour> UTC, and history before event 11");
    let history = json(&world.run(["history", "dev/shop", "-n", "1000", "--format", "json"]));
    assert_eq!(history["before"], Value::Null);
    assert_eq!(
        history["events"][0]["generation"].as_u64().unwrap(),
        history["cut"]["through"].as_u64().unwrap() + 1
    );
    let page = world.run(["history", "dev/shop", "-n", "2"]);
    assert!(page.stdout.starts_with("… ") && page.stdout.contains("--before"), "{page}");
    let doctor = world.run(["doctor"]);
    assert_eq!(doctor.code, 0, "{doctor}");
}

#[test]
fn pruning_without_a_record_creates_nothing() {
    let world = World::shop();
    assert_snapshot!(world.run(["prune", "--older-than", "0s", "--yes"]), @r"
    Nothing is recorded yet, so there is nothing to remove.
    ----- exit 0
    ");
    assert!(!world.path(".katkit/state.db").exists());
}

#[test]
fn invalid_options_are_refused() {
    let world = three();
    assert_snapshot!(world.run(["prune", "dev/shp", "--older-than", "0s"]), @r"
    ----- stderr -----
    error: `dev/shp` matches no link
     hint: did you mean `dev/shop`?
    ----- exit 64
    ");
    let future = world.run(["prune", "--older-than", "2999-01-01"]);
    assert!(future.code == 64 && future.stderr.contains("2999-01-01T00:00:00Z is in the future"), "{future}");
    assert_eq!(world.run(["prune"]).code, 64);
    let unseen = world.run(["prune", "--older-than", "0s", "--format", "json"]);
    assert!(unseen.code == 1 && unseen.stdout.is_empty(), "{unseen}");
    assert_eq!(left(&world, "dev/shop").len(), 3);
}

#[test]
fn a_terminal_asks_for_confirmation_and_a_protected_tenant_for_its_name() {
    let typed = |world: &World, lines: &str| {
        let prune = format!("{} prune --older-than 0s", env!("CARGO_BIN_EXE_katkit"));
        world.shell(&format!(
            "printf '{lines}' | NO_COLOR=1 TERM=dumb script --quiet --return --command '{prune}' /dev/null >seen; \
             code=$?; tr -d '\\033\\r' <seen; exit $code"
        ))
    };
    let world = three();
    let refused = typed(&world, "n\\n");
    assert!(refused.code == 1 && refused.stdout.contains("Nothing was removed."), "{refused}");
    world.edit("[tenants.dev]\n", "[tenants.dev]\nprotected = true\n");
    let refused = typed(&world, "y\\ny\\n");
    assert_eq!((refused.code, left(&world, "dev/shop").len()), (1, 3), "{refused}");
    let agreed = typed(&world, "y\\ndev\\n");
    assert_eq!((agreed.code, left(&world, "dev/shop").len()), (0, 2), "{agreed}");
}

#[test]
fn a_link_that_another_process_works_on_is_skipped_and_named() {
    let mut world = three();
    world.change("shop", |repo| {
        repo.file("build.sh", "echo > @OUT@/begun\nuntil [ -e @OUT@/go ]; do sleep 0.01; done\n")
            .commit("fifth")
    });
    let apply = world.start(["apply"]);
    world.appears("begun");
    let left_alone = world.run(["prune", "--older-than", "0s", "--history", "--yes"]);
    assert_eq!(left_alone.code, 3, "{left_alone}");
    assert!(!world.journal().iter().any(|event| event.contains("pruned")), "{left_alone}");
    assert!(left_alone.stdout.contains("another process is handling them"), "{left_alone}");
    assert!(left_alone.stdout.contains("dev/shop"), "{left_alone}");
    world.release("go");
    assert_eq!(apply.wait().code, 0);
}

#[test]
fn a_link_removed_from_the_manifest_keeps_no_blobs() {
    let world = three();
    world.edit("links.shop = { repo = \"shop\", workflow = \"standard\", branch = \"main\" }\n", "");
    world.apply();
    let pruned = json(&world.run(["prune", "dev/shop", "--older-than", "0s", "--yes", "--format", "json"]));
    assert_eq!(pruned["links"][0]["left"]["count"], 3, "{pruned:#}");
    assert_eq!(pruned["links"][0]["result"]["kind"], "done");
    assert_eq!(left(&world, "dev/shop"), Vec::<&str>::new());
    let why = world.run(["why", "dev/shop"]);
    assert!(why.stdout.contains("The log of `build` was pruned on <date>."), "{why}");
}

const SHOP: &str = "links.shop = { repo = \"shop\", workflow = \"standard\", branch = \"main\" }\n";

#[test]
fn a_link_with_a_damaged_record_is_named_and_skipped_and_the_others_are_pruned() {
    let world = three();
    world.edit(SHOP, &format!("{SHOP}{}", SHOP.replace("links.shop", "links.api")));
    let api = || files(&world.path(".katkit/blobs/dev/api")).len();
    // The other link's first attempt fails at the broken commit.
    assert_eq!(world.run(["apply"]).code, 1);
    for commit in ["second", "third"] {
        assert_eq!(world.run(["set", "dev/api", world.sha(commit)]).code, 0);
        assert_eq!(world.run(["apply", "dev/api"]).code, 0);
    }
    let (shop, packs, before) = (left(&world, "dev/shop"), left(&world, "commits"), api());
    world.state().execute("UPDATE link SET head = '{' WHERE link = 'shop'", []).unwrap();
    assert_pruned!(world.run(["prune", "--older-than", "0s", "--dry-run"]), @"
    To remove, older than <date> <hour> UTC:
      - dev/api  2 attempts (10 blobs, <size>)
    Skipped, because their record is damaged:
      · dev/shop  the state at <world>/.katkit/state.db, link `dev/shop` is damaged: its head cannot be parsed: EOF while parsing an object at line 1 column 1; `katkit doctor dev/shop` shows how
                  to fix it
    No packs are removed, because a damaged link may need them.
    <size> in 10 blobs, from 1 link.
    ----- exit 1
    ");
    assert_eq!(api(), before);
    assert_pruned!(world.run(["prune", "--older-than", "0s", "--history", "--yes"]), @"
    To remove, older than <date> <hour> UTC:
      - dev/api  2 attempts (10 blobs, <size>), 16 events
    Skipped, because their record is damaged:
      · dev/shop  the state at <world>/.katkit/state.db, link `dev/shop` is damaged: its head cannot be parsed: EOF while parsing an object at line 1 column 1; `katkit doctor dev/shop` shows how
                  to fix it
    No packs are removed, because a damaged link may need them.
    <size> in 10 blobs, and 16 events, from 1 link.
    Removed <size> in 10 blobs and 16 events.
    ----- exit 1
    ");
    assert!(api() < before);
    assert_eq!((left(&world, "dev/shop"), left(&world, "commits")), (shop, packs));
    let events =
        world
            .state()
            .query_row("SELECT count(*) FROM event WHERE event LIKE '%pruned%'", [], |row| row.get(0));
    assert_eq!(events, Ok(1), "of the other link alone");
    let told = world.run(["prune", "--older-than", "0s", "--yes", "--format", "json"]);
    assert_eq!((told.code, json(&told)["damaged"][0]["link"].as_str()), (1, Some("dev/shop")), "{told}");
    // None of the named links is damaged.
    let other = world.run(["prune", "dev/api", "--older-than", "0s", "--yes"]);
    assert!(other.code == 0 && other.stdout.starts_with("Nothing to remove"), "{other}");
}

#[test]
fn an_unreadable_journal_is_not_cut_and_does_not_block_others() {
    let world = three();
    world.state().execute("UPDATE event SET event = '{' WHERE generation = 2", []).unwrap();
    let pruned = world.run(["prune", "--older-than", "0s", "--history", "--yes"]);
    assert_eq!(pruned.code, 1, "{pruned}");
    let said = pruned.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("event 2 of its journal cannot be parsed"), "{pruned}");
    assert!(said.contains("`katkit doctor dev/shop` shows how to fix it"), "{pruned}");
    assert_eq!(left(&world, "dev/shop").len(), 3);
}
