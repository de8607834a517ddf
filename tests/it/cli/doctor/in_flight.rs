//! Leases, attempts and deployments that the record shows as in flight.

use std::fs;

use insta::assert_snapshot;
use rusqlite::params;

use crate::reads::assert_shown;
use crate::world::{Running, World, eventually};

use super::{LINK, bad, sound};

/// Announces itself, and waits for the test.
const WAITS: &str = r#"  { name = "build", order = 0, run = """
    echo "$KATKIT_ATTEMPT" >> @OUT@/began
    until test -e @OUT@/go; do sleep 0.01; done""" },
  { name = "deploy", order = 1, kind = "deployment" },"#;

fn running() -> (World, Running) {
    let world = World::shop_with(WAITS);
    let apply = world.start(["apply"]);
    world.appears("began");
    eventually("it is on record", || world.journal().last()?.contains("attempt-launched").then_some(()));
    (world, apply)
}

fn left_running() -> World {
    let (world, apply) = running();
    apply.kill();
    world
}

/// Records a lease as its owner left it, on the machine with that boot id.
fn left(world: &World, boot: &str) {
    let owner = format!(
        r#"{{ "id": "o", "host": "builder", "boot": "{boot}", "pid": 7, "started_ticks": 1, "actor": "ana" }}"#
    );
    let sql = "UPDATE lease SET epoch = epoch + 1, beat = 3, owner = ?1, duration = 1";
    assert_eq!(world.state().execute(sql, [owner]).unwrap(), 1);
}

#[test]
fn the_lease_of_a_dead_process_is_taken_over() {
    let world = World::shop().applied();
    left(&world, &katkit::liveness::process_table().unwrap());
    assert_snapshot!(bad(&world), @r"
    dev/shop
      BAD its lease: held by ana (process 7 on builder), which is gone
          fix: `katkit apply` takes it over
    1 problem
    ");
    world.apply();
    sound(&world);
}

#[test]
fn an_unverifiable_lease_is_not_reported_as_a_problem() {
    let world = World::shop().applied();
    left(&world, "another");
    assert_snapshot!(world.run(["doctor"]), @r"
    dev/shop
      ?   its lease: held by ana (process 7 on builder), which cannot be checked from here; `katkit apply` takes it over after 1 s without a heartbeat, `katkit unlock --force dev/shop` at once
    no problems found
    ----- exit 0
    ");
    assert_eq!(world.run(["unlock", "--force", "dev/shop"]).code, 0);
    sound(&world);
    left(&world, "another");
    world.apply();
    sound(&world);
}

#[test]
fn the_work_of_a_live_process_is_healthy() {
    let (world, apply) = running();
    assert_shown!(world.run(["doctor"]), @r"
    dev/shop
      ok  its lease is held by ana (process <pid> on <host>), which is alive
      ok  attempt 1 of `build` is in flight and being watched
    no problems found
    ----- exit 0
    ");
    world.release("go");
    assert_eq!(apply.wait().code, 0);
    sound(&world);
}

#[test]
fn an_unwatched_attempt_is_taken_over() {
    let world = left_running();
    assert_shown!(bad(&world), @r"
    dev/shop
      BAD its lease: held by ana (process <pid> on <host>), which is gone
          fix: `katkit apply` takes it over
      BAD attempt 1 of `build`: is recorded as in flight, but no process is working on it
          fix: `katkit apply` takes it over
    2 problems
    ");
    world.release("go");
    world.apply();
    sound(&world);
}

#[test]
fn an_attempt_without_its_service_is_reported_and_retried() {
    let world = left_running();
    let services = world.path(".katkit/services/local");
    let service = fs::read_dir(&services).unwrap().next().unwrap().unwrap().path();
    let lock = fs::read_to_string(service.join("service.lock")).unwrap();
    let agent = lock.strip_prefix("pid ").unwrap().lines().next().unwrap().parse().unwrap();
    world.release("go");
    eventually("the agent is gone", || katkit::liveness::is_gone(agent).then_some(()));
    fs::remove_dir_all(&services).unwrap();
    assert_shown!(bad(&world), @r"
    dev/shop
      BAD its lease: held by ana (process <pid> on <host>), which is gone
          fix: `katkit apply` takes it over
      BAD attempt 1 of `build`: is recorded as in flight, but its service is gone from the fleet `local`
          fix: `katkit apply` determines its outcome
    2 problems
    ");
    world.apply();
    sound(&world);
}

#[test]
fn an_attempt_in_a_removed_fleet_says_what_is_missing() {
    let world = left_running();
    world.edit("[fleets.local]", "[fleets.other]");
    assert_shown!(bad(&world), @r"
    dev/shop
      BAD its lease: held by ana (process <pid> on <host>), which is gone
          fix: `katkit apply` takes it over
      BAD attempt 1 of `build`: is recorded as in flight, but no process is working on it
          fix: add the fleet `local` to the manifest again; `katkit apply` then removes what is left
    2 problems
    ");
    world.edit("[fleets.other]", "[fleets.local]");
    world.release("go");
    world.apply();
    sound(&world);
}

#[test]
fn an_attempt_of_a_removed_link_is_removed() {
    let world = left_running();
    world.edit(LINK, "");
    assert_shown!(bad(&world), @r"
    dev/shop
      BAD its lease: held by ana (process <pid> on <host>), which is gone
          fix: `katkit apply` takes it over
      BAD attempt 1 of `build`: is recorded as in flight, but no process is working on it
          fix: `katkit apply` removes what is left of it
    2 problems
    ");
    world.apply();
    assert_eq!(world.run(["doctor"]).stdout, "no problems found\n");
    world.nothing_is_left();
}

/// Appends an event, and sets the head it folds into.
fn record(world: &World, event: &str, path: &str, value: &str) {
    let state = world.state();
    let generation: i64 = state.query_row("SELECT generation FROM link", [], |row| row.get(0)).unwrap();
    let sql = "INSERT INTO event (tenant, link, generation, at, author, event) \
               VALUES ('dev', 'shop', ?1, '2026-01-02T09:00:00.000000000Z', 'bea', ?2)";
    state.execute(sql, params![generation + 1, event]).unwrap();
    let sql = "UPDATE link SET generation = ?1, head = json_set(json_remove(head, '$.chain'), '$.generation', ?1, ?2, json(?3))";
    state.execute(sql, params![generation + 1, path, value]).unwrap();
}

#[test]
fn a_service_that_was_never_removed_is_removed() {
    let world = left_running();
    let event = r#"{"event":"attempt-ended","phase":"build","attempt":1,"outcome":{"kind":"cancelled"}}"#;
    let head: String = world.state().query_row("SELECT head FROM link", [], |row| row.get(0)).unwrap();
    let mut head: serde_json::Value = serde_json::from_str(&head).unwrap();
    let phase = &mut head["run"]["phases"][0];
    phase["status"] = "cancelled".into();
    phase["attempt"]["ended"] = "2026-01-02T09:00:00Z".into();
    phase["attempt"]["outcome"] = serde_json::json!({ "kind": "cancelled" });
    record(&world, event, "$.run.phases[0]", &phase.to_string());
    assert_shown!(bad(&world), @r"
    dev/shop
      BAD its lease: held by ana (process <pid> on <host>), which is gone
          fix: `katkit apply` takes it over
      BAD attempt 1 of `build`: ended, but its service was never removed
          fix: `katkit apply` removes what is left of it
    2 problems
    ");
    world.release("go");
    world.apply();
    sound(&world);
    world.nothing_is_left();
}

#[test]
fn a_service_without_a_record_is_swept() {
    let world = left_running();
    for name in ["state.db", "state.db-wal", "state.db-shm"] {
        let _ = fs::remove_file(world.path(".katkit").join(name));
    }
    world.release("go");
    let said = bad(&world);
    assert!(said.contains("of dev/shop: no record accounts for it"), "{said}");
    assert!(said.contains("fix: `katkit apply` removes it"), "{said}");
    sound_one(&world);
    world.apply();
    sound(&world);
    world.nothing_is_left();
}

/// With a single link selected, services of others are not reported.
fn sound_one(world: &World) {
    assert_eq!(world.run(["doctor", "dev/shop"]).code, 0);
}

#[test]
fn an_unwatched_deployment_is_finalized() {
    let world = World::shop().applied();
    let sha = world.sha("first");
    let of =
        format!(r#""token":"7e57","purpose":"repair","sha":"{sha}","images":{{"web":"acme/web:{sha}"}}"#);
    let event = format!(r#"{{"event":"deploy-intended",{of}}}"#);
    record(&world, &event, "$.deploying", &format!(r#"{{{of},"started":"2026-01-02T09:00:00Z"}}"#));
    assert_snapshot!(bad(&world), @r"
    dev/shop
      BAD the deployment of <first>: is recorded as in flight, but no process is working on it
          fix: `katkit apply` determines its outcome
    1 problem
    ");
    world.apply();
    sound(&world);
}
