//! The state: damaged, newer, locked, or in a place where nobody may write.

use std::fs;

use insta::assert_snapshot;

use crate::world::World;

#[test]
fn a_state_that_is_no_database_is_left_as_it_is() {
    let world = World::shop().applied();
    let garbage = "This is no database, and was written by someone else. ".repeat(100);
    for name in ["state.db-wal", "state.db-shm"] {
        let _ = fs::remove_file(world.path(".katkit").join(name));
    }
    world.write(".katkit/state.db", &garbage);
    assert_snapshot!(world.run(["plan"]), @r"
    ----- stderr -----
    error: the state at <world>/.katkit/state.db is damaged: it is not an SQLite database
     hint: restore the file from a backup, or move it away and `katkit import` what runs
    ----- exit 1
    ");
    assert_snapshot!(world.run(["apply"]), @r"
    ----- stderr -----
    error: the state at <world>/.katkit/state.db is damaged: it is not an SQLite database
     hint: restore the file from a backup, or move it away and `katkit import` what runs
    ----- exit 1
    ");
    assert_eq!(world.read(".katkit/state.db"), garbage);
}

#[test]
fn a_state_of_a_newer_katkit_is_refused() {
    let world = World::shop().applied();
    world.state().execute_batch("PRAGMA user_version = 99").unwrap();
    assert_snapshot!(world.run(["plan"]), @r"
    ----- stderr -----
    error: the state at <world>/.katkit/state.db has schema version 99; this katkit knows up to 1
     hint: use the newer katkit; an older one could lose what it recorded
    ----- exit 1
    ");
}

#[test]
fn a_state_that_somebody_reads_is_waited_for_and_one_that_stays_locked_gets_a_sentence() {
    let world = World::shop().applied();
    world.edit("links.shop = { repo = \"shop\", workflow = \"standard\", branch = \"main\" }\n", "");
    let state = world.state();
    state.execute_batch("BEGIN IMMEDIATE").unwrap();
    let plan = world.run(["plan"]);
    assert_eq!(plan.code, 0, "a plan writes nothing: {plan}");
    let apply = world.start(["apply"]);
    state.execute_batch("ROLLBACK").unwrap();
    assert_eq!(apply.wait().code, 0);
}

#[test]
fn a_damaged_head_holds_its_link_and_no_other_and_nothing_of_it_is_swept() {
    let world = World::shop().applied();
    world.edit(
        "links.shop = { repo = \"shop\", workflow = \"standard\", branch = \"main\" }\n",
        "links.shop = { repo = \"shop\", workflow = \"standard\", branch = \"main\" }\nlinks.web = { repo = \"shop\", workflow = \"standard\", branch = \"main\" }\n",
    );
    world.state().execute("UPDATE link SET head = '{'", []).unwrap();
    let recorded = world.recorded();
    let applied = world.run(["apply"]);
    assert_snapshot!(applied, @r#"
    dev/shop  → <first>
      ! error: the state at <world>/.katkit/state.db, link `dev/shop` is damaged: its head cannot be understood: EOF while parsing an object at line 1 column 1
          hint: restore the file from a backup, or move it away and `katkit import` what runs

    dev/web  → <first>
      + run build  never ran for this sha
      ~ deploy     → <first>
          @@ -4 +4 @@
          -    { "Name": "web", "DockerImage": "acme/web:<hubtag>", "Replicas": 2 },
          +    { "Name": "web", "DockerImage": "acme/web:<first>", "Replicas": 2 },

    Plan: 1 link to change (1 phase, 1 deployment), 1 could not be planned, 0 up to date.

    Applied: 1 link done in <time>.
    ----- stderr -----
    dev/web  goes to <first>
    dev/web  build  started
    dev/web  build  succeeded  <time>
    dev/web  deploying <first>
    dev/web  <first> deployed  <time>
    ----- exit 1
    "#);
    assert!(world.deployed("dev/web").contains("acme/web:<first>"));
    assert!(world.recorded() > recorded, "the other link was written");
}

#[test]
fn where_nothing_can_be_written_katkit_says_where() {
    let world = World::shop();
    world.write(".katkit", "a file where the directory should be");
    assert_snapshot!(world.run(["plan"]), @r"
    ----- stderr -----
    error: the state at <world>/.katkit/state.db could not be opened: File exists (os error 17)
    ----- exit 1
    ");
    assert_snapshot!(world.run(["apply"]), @r"
    ----- stderr -----
    error: the state at <world>/.katkit/state.db could not be opened: File exists (os error 17)
    ----- exit 1
    ");
}
