//! Locations that cannot be written: because of a file in the way, or for lack of permission.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use insta::assert_snapshot;

use crate::world::{Output, World};

/// Runs katkit with `directory` read-only.
fn run_unwritable(world: &World, directory: &str, arguments: &str) -> Output {
    let path = world.path(directory);
    fs::create_dir_all(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o555)).unwrap();
    // Permissions do not bind root until it drops the capabilities to override them (capabilities(7)).
    let output = world.shell(&format!(
        "katkit() {{ if test -w {place}; then setpriv --bounding-set=-dac_override katkit \"$@\"; else command katkit \"$@\"; fi; }}
         katkit {arguments}",
        place = path.display()
    ));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    output
}

/// The output without the name of a repository's blobs, which depends on the repository's path.
fn without_blob_names(output: &Output) -> String {
    let (before, after) = output.stdout.split_once("`commits/").unwrap();
    let (_, after) = after.split_once('/').unwrap();
    format!("{before}`commits/<repository>/{after}")
}

/// The output after the plan.
fn end(output: &Output) -> String {
    let (_, end) = output.stdout.split_once("up to date.\n\n").unwrap_or_else(|| panic!("{output}"));
    format!("{end}----- exit {}", output.code)
}

#[test]
fn a_file_in_place_of_a_directory_is_named() {
    let world = World::shop();
    world.write(".katkit", "a file where the directory should be");
    assert_snapshot!(world.run(["plan"]), @r"
    ----- stderr -----
    error: the state at <world>/.katkit/state.db could not be opened: <world>/.katkit is not a directory
     hint: move it away, or set another `state.path` in the manifest
    ----- exit 1
    ");
    assert_eq!(world.run(["apply"]).to_string(), world.run(["plan"]).to_string());
    assert_eq!(world.read(".katkit"), "a file where the directory should be");
}

#[test]
fn a_directory_in_place_of_the_state_is_named() {
    let world = World::shop();
    world.write(".katkit/state.db/x", "");
    assert_snapshot!(world.run(["plan"]), @r"
    ----- stderr -----
    error: the state at <world>/.katkit/state.db could not be opened: Is a directory (os error 21)
     hint: move it away, or set another `state.path` in the manifest
    ----- exit 1
    ");
}

#[test]
fn a_read_only_directory_gets_no_state() {
    let world = World::shop();
    assert_snapshot!(run_unwritable(&world, ".katkit", "apply"), @r"
    ----- stderr -----
    error: the state at <world>/.katkit/state.db could not be opened: Permission denied (os error 13)
     hint: make the file and its directory writable, or set another `state.path` in the manifest
    ----- exit 1
    ");
    world.apply();
    world.edit("version = 1", "version = 1\nstate.path = 'elsewhere/deep/state.db'");
    assert_snapshot!(run_unwritable(&world, "elsewhere", "apply"), @r"
    ----- stderr -----
    error: the state at <world>/elsewhere/deep/state.db could not be opened: Permission denied (os error 13)
     hint: make the file and its directory writable, or set another `state.path` in the manifest
    ----- exit 1
    ");
}

#[test]
fn unwritable_blobs_stop_a_link_before_its_phase() {
    let world = World::shop();
    world.write("taken", "a file");
    world.edit("version = 1", "version = 1\nblobs.url = 'taken/blobs'");
    // A second error, from the concurrent sweep, may or may not appear in time.
    let applied = world.run(["apply"]);
    assert_snapshot!(without_blob_names(&applied), @r#"
    dev/shop  → <first>
      + run build  not run yet
      ~ deploy     `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<hubtag>-]{+<first>+}", "Replicas": 2 },

    Plan: 1 link to change (1 phase, 1 deployment), 0 up to date.

    dev/shop  `commits/<repository>/<first>-1.pack` could not be written in <world>/taken/blobs: Not a directory (os error 20)
      hint: rename or remove the file in place of that directory, or set another `blobs.url` in the manifest

    Applied: 0 links done, 1 failed in <time>.
    "#);
    assert_eq!(applied.code, 1);
    world.edit("taken/blobs", "closed");
    let applied = run_unwritable(&world, "closed", "apply");
    assert_snapshot!(without_blob_names(&applied), @r#"
    dev/shop  → <first>
      + run build  not run yet
      ~ deploy     `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<hubtag>-]{+<first>+}", "Replicas": 2 },

    Plan: 1 link to change (1 phase, 1 deployment), 0 up to date.

    dev/shop  `commits/<repository>/<first>-1.pack` could not be written in <world>/closed: Permission denied (os error 13)
      hint: make it writable for this user, or set another `blobs.url` in the manifest

    Applied: 0 links done, 1 failed in <time>.
    "#);
    assert_eq!(applied.code, 1);
    assert_eq!(world.ran(), "");
    world.apply();
    assert_snapshot!(world.ran(), @"dev/shop build <first> 1 0");
    world.nothing_is_left();
}

#[test]
fn an_unwritable_platform_keeps_the_finished_phases() {
    let world = World::shop();
    world.edit("[tenants.dev]", "[tenants.dev]\nplatform = { kind = 'file', path = 'closed' }");
    let applied = run_unwritable(&world, "closed", "apply");
    assert_eq!(applied.code, 1);
    assert_snapshot!(applied.stderr, @r"
    dev/shop  starting run for <first>
    dev/shop  build  started
    dev/shop  build  succeeded  <time>
    dev/shop  deploying <first>
    dev/shop  <first> <world>/closed/shop.json could not be written: Permission denied (os error 13)  <time>
    ");
    assert_snapshot!(world.run(["retry", "dev/shop", "--apply"]).stdout, @r#"
    dev/shop  → <first>
      ~ grant   ana asked to retry <first> from `deploy`
      ~ deploy  `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<hubtag>-]{+<first>+}", "Replicas": 2 },

    Plan: 1 link to change (1 deployment), 0 up to date.

    Applied: 1 link done in <time>.
    "#);
    assert_snapshot!(world.ran(), @"dev/shop build <first> 1 0");
    world.nothing_is_left();
}

#[test]
fn an_unwritable_cache_is_named_by_its_key() {
    let world = World::shop();
    let applied = run_unwritable(&world, "home/.cache/katkit", "apply");
    assert_snapshot!(end(&applied), @r"
    dev/shop  <world>/home/.cache/katkit/packs could not be written: Permission denied (os error 13)
      hint: make it writable for this user, or set another `cache.path` in the manifest

    Applied: 0 links done, 1 failed in <time>.
    ----- exit 1
    ");
    world.write("taken", "a file");
    world.edit("version = 1", "version = 1\ncache.path = 'taken/cache'");
    assert_snapshot!(end(&world.run(["apply"])), @r"
    dev/shop  <world>/taken/cache/packs could not be written: Not a directory (os error 20)
      hint: rename or remove the file in place of that directory, or set another `cache.path` in the manifest

    Applied: 0 links done, 1 failed in <time>.
    ----- exit 1
    ");
    world.edit("taken/cache", "cache");
    world.apply();
    world.nothing_is_left();
}

#[test]
fn an_unwritable_fleet_names_its_directory_and_does_not_blame_the_phase() {
    let world = World::shop();
    assert_snapshot!(end(&run_unwritable(&world, ".katkit/services", "apply")), @r"
    dev/shop  `build` cannot be run: <world>/.katkit/services could not be written: Permission denied (os error 13)
      hint: make it writable for this user

    Applied: 0 links done, 1 failed in <time>.
    ----- exit 1
    ");
    fs::remove_dir_all(world.path(".katkit/services")).unwrap();
    world.write(".katkit/services", "a file");
    assert_snapshot!(end(&world.run(["apply"])), @r"
    dev/shop  `build` cannot be run: <world>/.katkit/services could not be written: Not a directory (os error 20)
      hint: rename or remove the file in place of that directory

    Applied: 0 links done, 1 failed in <time>.
    ----- exit 1
    ");
    fs::remove_file(world.path(".katkit/services")).unwrap();
    world.apply();
    world.nothing_is_left();
}

#[test]
fn unwritable_files_beside_the_state_are_named() {
    let world = World::shop().applied();
    // The last process to close a database merges the files beside it into it.
    let state = rusqlite::Connection::open(world.path(".katkit/state.db")).unwrap();
    state.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).unwrap();
    state.close().unwrap();
    fs::create_dir(world.path(".katkit/state.db-wal")).unwrap();
    assert_snapshot!(world.run(["status"]), @r"
    ----- stderr -----
    error: the state at <world>/.katkit/state.db could not be opened: unable to open database file (SQLite error 14)
     hint: SQLite also creates files beside it: make its directory writable, check whether that disk has room for another file (`df -i`), or set another `state.path` in the manifest
    ----- exit 1
    ");
}

#[test]
fn an_unreadable_repository_is_not_reported_as_missing() {
    let world = World::shop();
    for closed in ["repos/shop", "repos/shop/.git", "repos"] {
        let path = world.path(closed);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
        let output = world.shell(
            "katkit() { if test -r repos/shop/.git/HEAD; then setpriv --bounding-set=-dac_override,-dac_read_search katkit \"$@\"; else command katkit \"$@\"; fi; }
             katkit plan",
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        insta::allow_duplicates!(assert_snapshot!(output, @"
        dev/shop
          ! error: this user may not read the repository <world>/repos/shop: Permission denied (os error 13)
              hint: give the user that runs katkit read access to it, and access to every directory above it

        Plan: nothing to change, 1 could not be planned, 0 up to date.
        ----- exit 1
        "));
    }
}
