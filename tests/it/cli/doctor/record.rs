//! Damage to the record itself.

use std::fs;

use insta::assert_snapshot;
use rusqlite::Connection;

use crate::world::World;

use super::{LINK, bad, sound};

const FILES: [&str; 3] = ["state.db", "state.db-wal", "state.db-shm"];

/// A world with a backup of its record, which is then damaged.
fn damaged(sql: &str) -> World {
    let world = World::shop().applied();
    let backup = world.path("backup.db");
    world.state().execute("VACUUM INTO ?1", [backup.to_str().unwrap()]).unwrap();
    let changed = world.state().execute(sql, []).unwrap();
    assert!(changed > 0, "{sql}");
    world
}

/// Runs the suggested fix: restores the backup, or moves the record away and adopts what runs.
fn fixed(world: &World) {
    let remove = || {
        for name in FILES {
            let _ = fs::remove_file(world.path(".katkit").join(name));
        }
    };
    remove();
    fs::copy(world.path("backup.db"), world.path(".katkit/state.db")).unwrap();
    Connection::open(world.path(".katkit/state.db")).unwrap();
    sound(world);
    remove();
    assert_eq!(world.run(["import", "dev/shop"]).code, 0);
    sound(world);
}

#[test]
fn a_missing_event_is_reported_with_its_position() {
    let world = damaged("DELETE FROM event WHERE generation = 3");
    assert_snapshot!(bad(&world), @"
    dev/shop
      BAD its record: the state at <world>/.katkit/state.db, link `dev/shop` is damaged: its journal has a gap between 2 and 4
          fix: restore the file from a backup, or move it away and adopt what is running with `katkit import TENANT/LINK`
    1 problem
    ");
    fixed(&world);
}

#[test]
fn a_missing_beginning_or_end_of_a_journal_is_reported() {
    assert_snapshot!(bad(&damaged("DELETE FROM event WHERE generation = 1")), @"
    dev/shop
      BAD its record: its journal is invalid: event 2 (`attempt-intended`) cannot follow: the previous event is 0
          fix: restore the file from a backup, or move it away and adopt what is running with `katkit import TENANT/LINK`
    1 problem
    ");
    assert_snapshot!(bad(&damaged("DELETE FROM event WHERE generation = (SELECT max(generation) FROM event)")), @"
    dev/shop
      BAD its record: its head is at generation 10, but its journal ends with event 9
          fix: restore the file from a backup, or move it away and adopt what is running with `katkit import TENANT/LINK`
    1 problem
    ");
}

#[test]
fn an_illegal_or_unreadable_event_is_reported() {
    assert_snapshot!(bad(&damaged("UPDATE event SET event = '{\"event\":\"forgotten\"}' WHERE generation = 2")), @"
    dev/shop
      BAD its record: its journal is invalid: event 2 (`forgotten`) cannot follow: a run is open
          fix: restore the file from a backup, or move it away and adopt what is running with `katkit import TENANT/LINK`
    1 problem
    ");
    let world = damaged("UPDATE event SET event = '{' WHERE generation = 2");
    assert_snapshot!(bad(&world), @"
    dev/shop
      BAD its record: the state at <world>/.katkit/state.db, link `dev/shop` is damaged: event 2 of its journal cannot be parsed: EOF while parsing an object at line 1 column 1
          fix: restore the file from a backup, or move it away and adopt what is running with `katkit import TENANT/LINK`
    1 problem
    ");
    fixed(&world);
}

#[test]
fn a_head_that_contradicts_its_journal_is_reported() {
    let world = damaged(
        "UPDATE link SET head = json_remove(json_set(head, '$.forgotten', json('true')), '$.deployed')",
    );
    assert_snapshot!(bad(&world), @"
    dev/shop
      BAD its record: its head and its journal disagree on what is deployed, whether it was forgotten
          fix: restore the file from a backup, or move it away and adopt what is running with `katkit import TENANT/LINK`
    1 problem
    ");
    fixed(&world);
}

#[test]
fn a_damaged_or_missing_head_is_reported() {
    let world = damaged("UPDATE link SET head = '{'");
    assert_snapshot!(bad(&world), @"
    dev/shop
      BAD its record: the state at <world>/.katkit/state.db, link `dev/shop` is damaged: its head cannot be parsed: EOF while parsing an object at line 1 column 1
          fix: restore the file from a backup, or move it away and adopt what is running with `katkit import TENANT/LINK`
    1 problem
    ");
    fixed(&world);
    let world = damaged("DELETE FROM link");
    assert_snapshot!(bad(&world), @"
    dev/shop
      BAD its record: it has no head, but its journal ends with event 10
          fix: restore the file from a backup, or move it away and adopt what is running with `katkit import TENANT/LINK`
    1 problem
    ");
    fixed(&world);
}

#[test]
fn a_damaged_lease_or_request_is_reported() {
    let world = damaged("UPDATE lease SET owner = '{'");
    assert_snapshot!(bad(&world), @"
    dev/shop
      BAD its record: the state at <world>/.katkit/state.db, link `dev/shop` is damaged: the owner of its lease cannot be parsed: EOF while parsing an object at line 1 column 1
          fix: restore the file from a backup, or move it away and adopt what is running with `katkit import TENANT/LINK`
    1 problem
    ");
    fixed(&world);
    let world = damaged(
        "INSERT INTO request (tenant, link, at, author, why, ask) VALUES ('dev', 'shop', 'x', 'bea', NULL, '{')",
    );
    assert_snapshot!(bad(&world), @"
    dev/shop
      BAD its record: the state at <world>/.katkit/state.db, link `dev/shop` is damaged: request 000000000001 cannot be parsed: EOF while parsing an object at line 1 column 1
          fix: restore the file from a backup, or move it away and adopt what is running with `katkit import TENANT/LINK`
    1 problem
    ");
    fixed(&world);
}

#[test]
fn a_journal_of_many_pages_is_read_to_its_end() {
    let world = World::shop().applied();
    let ask = format!(r#"{{"event":"quarantined","sha":"{}","why":"it is old"}}"#, "1".repeat(40));
    let state = world.state();
    let generation: i64 = state.query_row("SELECT generation FROM link", [], |row| row.get(0)).unwrap();
    let last = 1024;
    let sql = "INSERT INTO event (tenant, link, generation, at, author, event) \
               VALUES ('dev', 'shop', ?1, '2026-01-02T09:00:00.000000000Z', 'bea', ?2)";
    for generation in generation + 1..=last {
        state.execute(sql, rusqlite::params![generation, ask]).unwrap();
    }
    let quarantine =
        format!(r#"[{{"sha":"{}","since":"2026-01-02T09:00:00Z","why":"it is old"}}]"#, "1".repeat(40));
    let sql = "UPDATE link SET generation = ?1, head = json_set(json_remove(head, '$.chain'), '$.generation', ?1, '$.quarantined', json(?2))";
    state.execute(sql, rusqlite::params![last, quarantine]).unwrap();
    sound(&world);
    state.execute("DELETE FROM event WHERE generation = 700", []).unwrap();
    assert!(bad(&world).contains("its journal has a gap between 699 and 701"), "{}", bad(&world));
}

#[test]
fn a_head_that_is_not_text_affects_only_its_link() {
    let world = World::shop();
    world.edit(LINK, &format!("{LINK}{}", LINK.replace("links.shop", "links.api")));
    world.apply();
    world.state().execute("UPDATE link SET head = CAST(x'ff' AS TEXT) WHERE link = 'shop'", []).unwrap();
    let plan = world.run(["plan", "--detailed-exitcode"]);
    assert!(plan.code == 1 && plan.stdout.contains("1 could not be planned, 1 up to date"), "{plan}");
}

#[test]
fn damage_to_one_link_does_not_block_the_others() {
    let mut world = World::shop();
    world.edit(LINK, &format!("{LINK}{}", LINK.replace("links.shop", "links.api")));
    world.apply();
    world.state().execute("UPDATE lease SET owner = '{' WHERE link = 'shop'", []).unwrap();
    assert_snapshot!(world.run(["status"]), @"
    LINK      DEPLOYED    STATE       SINCE
    dev/api   <first>  up to date  just now
    dev/shop  <first>  damaged     -
        the state at <world>/.katkit/state.db, link `dev/shop` is damaged: the owner of its lease cannot be parsed: EOF while parsing an object at line 1 column 1; `katkit doctor` shows how to
          fix it

    2 links: 1 damaged, 1 up to date.
    This is the recorded state; `katkit plan` shows new commits on branches.
    ----- exit 1
    ");
    world.change("shop", |repo| repo.commit("second"));
    assert_snapshot!(world.run(["apply"]), @r#"
    dev/api  <first> → <second>, 1 commit
      + run build  not run yet
      ~ deploy     `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<first>-]{+<second>+}", "Replicas": 2 },
          <second> second (Ada)

    dev/shop  <first> → <second>
      ! error: the state at <world>/.katkit/state.db, link `dev/shop` is damaged: the owner of its lease cannot be parsed: EOF while parsing an object at line 1 column 1
          hint: restore the file from a backup, or move it away and adopt what is running with `katkit import TENANT/LINK`

    Plan: 1 link to change (1 phase, 1 deployment), 1 could not be planned, 0 up to date.

    Applied: 1 link done, 1 held in <time>.
    ----- stderr -----
    dev/api  starting run for <second>
    dev/api  build  started
    dev/api  build  succeeded  <time>
    dev/api  deploying <second>
    dev/api  <second> deployed  <time>
    ----- exit 1
    "#);
    assert_snapshot!(bad(&world), @"
    dev/shop
      BAD its record: the state at <world>/.katkit/state.db, link `dev/shop` is damaged: the owner of its lease cannot be parsed: EOF while parsing an object at line 1 column 1
          fix: restore the file from a backup, or move it away and adopt what is running with `katkit import TENANT/LINK`
    1 link is healthy
    1 problem
    ");
}
