//! The state file: damaged, newer, locked, or in an unwritable location.

use std::fs;

use insta::assert_snapshot;

use crate::world::World;

#[test]
fn a_state_that_is_not_a_database_is_left_unchanged() {
    let world = World::shop().applied();
    let garbage = "This is no database, and was written by someone else. ".repeat(100);
    for name in ["state.db-wal", "state.db-shm"] {
        let _ = fs::remove_file(world.path(".katkit").join(name));
    }
    world.write(".katkit/state.db", &garbage);
    assert_snapshot!(world.run(["plan"]), @"
    ----- stderr -----
    error: the state at <world>/.katkit/state.db is damaged: it is not an SQLite database
     hint: restore the file from a backup, or move it away and adopt what is running with `katkit import TENANT/LINK`
    ----- exit 1
    ");
    assert_snapshot!(world.run(["apply"]), @"
    ----- stderr -----
    error: the state at <world>/.katkit/state.db is damaged: it is not an SQLite database
     hint: restore the file from a backup, or move it away and adopt what is running with `katkit import TENANT/LINK`
    ----- exit 1
    ");
    assert_eq!(world.read(".katkit/state.db"), garbage);
}

#[test]
fn a_state_of_a_newer_version_is_refused() {
    let world = World::shop().applied();
    world.state().execute_batch("PRAGMA user_version = 99").unwrap();
    assert_snapshot!(world.run(["plan"]), @"
    ----- stderr -----
    error: the state at <world>/.katkit/state.db has schema version 99; this build supports up to 5
     hint: use the newer katkit; an older one could lose data it recorded
    ----- exit 1
    ");
}

#[test]
fn a_state_locked_by_a_writer_is_waited_for() {
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
fn a_damaged_head_holds_only_its_link_and_none_of_its_services_are_swept() {
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
      ! error: the state at <world>/.katkit/state.db, link `dev/shop` is damaged: its head cannot be parsed: EOF while parsing an object at line 1 column 1
          hint: restore the file from a backup, or move it away and adopt what is running with `katkit import TENANT/LINK`

    dev/web  → <first>
      + run build  not run yet
      ~ deploy     `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<hubtag>-]{+<first>+}", "Replicas": 2 },

    Plan: 1 link to change (1 phase, 1 deployment), 1 could not be planned, 0 up to date.

    Applied: 1 link done, 1 held in <time>.
    ----- stderr -----
    dev/web  starting run for <first>
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
fn a_record_of_a_newer_version_is_not_reported_as_damaged_and_loses_nothing() {
    let world = World::shop();
    world.apply();
    let newer = damaged(&world).replacen('{', r#"{"train":"monday","#, 1);
    repaired(&world, &newer);
    let plan = world.run(["plan"]);
    assert_eq!(plan.code, 1, "{plan}");
    assert!(
        plan.stdout.contains("was written by a newer katkit: its head has an unknown field `train`"),
        "{plan}"
    );
    assert!(plan.stdout.contains("use the newer katkit; an older one could lose data it recorded"), "{plan}");
    let status = world.run(["status"]);
    assert!(status.stdout.contains("newer record") && !status.stdout.contains("damaged"), "{status}");
    assert_eq!(world.run(["apply"]).code, 1);
    assert_eq!(damaged(&world), newer);
}

#[test]
fn a_damaged_record_of_a_removed_link_is_named() {
    let world = World::shop().applied();
    world.edit("links.shop = { repo = \"shop\", workflow = \"standard\", branch = \"main\" }\n", "");
    damaged(&world);
    assert_snapshot!(world.run(["plan"]), @"
    dev/shop
      ! error: the state at <world>/.katkit/state.db, link `dev/shop` is damaged: its head cannot be parsed: EOF while parsing an object at line 1 column 1
          hint: restore the file from a backup, or move it away and adopt what is running with `katkit import TENANT/LINK`

    Plan: nothing to change, 1 could not be planned, 0 up to date.
    ----- exit 1
    ");
}

/// Damages the only head. Returns the original.
fn damaged(world: &World) -> String {
    let state = world.state();
    let head = state.query_row("SELECT head FROM link", [], |row| row.get(0)).unwrap();
    state.execute("UPDATE link SET head = '{'", []).unwrap();
    head
}

fn repaired(world: &World, head: &str) {
    world.state().execute("UPDATE link SET head = ?1", [head]).unwrap();
}

#[test]
fn services_that_a_damaged_record_may_account_for_are_not_swept() {
    let world = World::shop_with(
        r#"{ name = "build", order = 0, run = """
    echo "$KATKIT_ATTEMPT" >> @OUT@/began
    until test -e @OUT@/go; do sleep 0.01; done""" },"#,
    );
    let apply = world.start(["apply"]);
    world.appears("began");
    apply.kill();
    let head = damaged(&world);
    assert_snapshot!(world.run(["apply"]), @"
    dev/shop  → <first>
      ! error: the state at <world>/.katkit/state.db, link `dev/shop` is damaged: its head cannot be parsed: EOF while parsing an object at line 1 column 1
          hint: restore the file from a backup, or move it away and adopt what is running with `katkit import TENANT/LINK`

    Plan: nothing to change, 1 could not be planned, 0 up to date.
    ----- exit 1
    ");
    repaired(&world, &head);
    world.release("go");
    world.apply();
    assert_eq!(world.read("out/began"), "1\n");
    world.nothing_is_left();
}

#[test]
fn a_state_that_stays_locked_is_reported_and_nothing_is_done_twice() {
    let mut world = World::shop();
    world.edit("version = 1", "version = 1\nstate.patience = \"1s\"");
    world.apply();
    world.change("shop", |repo| repo.commit("second"));
    world.apply();
    world.change("shop", |repo| repo.commit("third"));
    let (state, before) = (world.state(), world.journal());
    state.execute_batch("BEGIN EXCLUSIVE").unwrap();
    assert_eq!(world.run(["plan"]).code, 0, "a plan writes nothing");
    assert_snapshot!(world.run(["apply"]), @r#"
    dev/shop  <second> → <third>, 1 commit
      + run build  not run yet
      ~ deploy     `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<second>-]{+<third>+}", "Replicas": 2 },
          <third> third (Ada)

    Plan: 1 link to change (1 phase, 1 deployment), 0 up to date.

    dev/shop  the state at <world>/.katkit/state.db is locked by another process
      hint: try again when the other process is done

    Applied: 0 links done, 1 failed in <time>.
    ----- exit 1
    "#);
    assert_snapshot!(world.run(["rollback", "dev/shop"]), @r"
    ----- stderr -----
    error: the state at <world>/.katkit/state.db is locked by another process
     hint: try again when the other process is done
    ----- exit 1
    ");
    state.execute_batch("ROLLBACK").unwrap();
    assert_eq!(world.journal(), before);
    world.apply();
    assert_snapshot!(world.ran(), @r"
    dev/shop build <first> 1 0
    dev/shop build <second> 1 0
    dev/shop build <third> 1 0
    ");
    world.nothing_is_left();
}

#[test]
fn a_state_locked_before_its_tables_exist_is_reported() {
    let world = World::shop();
    world.edit("version = 1", "version = 1\nstate.patience = \"1s\"");
    world.write(".katkit/state.db", "");
    let state = world.state();
    state.execute_batch("BEGIN EXCLUSIVE").unwrap();
    assert_snapshot!(world.run(["apply"]), @r"
    ----- stderr -----
    error: the state at <world>/.katkit/state.db is locked by another process
     hint: try again when the other process is done
    ----- exit 1
    ");
    state.execute_batch("ROLLBACK").unwrap();
    world.apply();
}
