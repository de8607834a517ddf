//! Records that earlier versions wrote are read and continued; `records/` keeps one of each version.

use std::fs;

use insta::assert_snapshot;
use rusqlite::Connection;

use crate::world::World;

const MANIFEST: &str = r#"version = 1
repos.shop.url = "repos/shop"
fleets.local.kind = "process"
[workflows.standard]
phases = [
  { name = "build", order = 0 },
  { name = "deploy", order = 1, kind = "deployment" },
  { name = "verify", order = 2 },
]
[tenants.dev]
links.shop = { repo = "shop", workflow = "standard", branch = "main" }
[tenants.prod]
links.shop = { repo = "shop", workflow = "standard", branch = "main" }
"#;

#[test]
fn a_record_of_version_1_is_read_and_continued() {
    let world = World::new()
        .repo("shop", |repo| repo.ci("true\n").description("acme/web:<hubtag>").commit("fourth"))
        .manifest(MANIFEST);
    fs::create_dir(world.path(".katkit")).unwrap();
    let state = Connection::open(world.path(".katkit/state.db")).unwrap();
    state.execute_batch(include_str!("records/version-1.sql")).unwrap();
    drop(state);
    assert_snapshot!(world.run(["history", "dev/shop", "--deployments"]), @r"
    TIME (UTC)           LINK      COMMIT      BY   OUTCOME
    <date> 18:23:21  dev/shop  dd81d9ceb4  ana  deployed after <time>
    <date> 18:23:21  dev/shop  34fa436ba9  ana  deployed after <time>
    ----- exit 0
    ");
    let status = world.run(["status"]).to_string();
    for shown in [
        "failed at build",
        "ana asked to skip `build` of 002e9ef12f (no matter)",
        "dd81d9ceb4  quarantined: 34fa436ba9",
    ] {
        assert!(status.contains(shown), "{status}");
    }
    let doctor = world.run(["doctor"]).to_string();
    assert!(doctor.contains("what is running") && !doctor.contains("journal"), "{doctor}");
    let version = |path| -> u32 {
        Connection::open(path).unwrap().pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
    };
    assert_eq!(version(world.path(".katkit/state.db")), 5);
    world.apply();
    assert!(world.run(["status", "--check"]).to_string().ends_with("----- exit 0"));
    // What the older katkit recorded is in the chain from now on.
    assert_eq!(world.run(["audit", "verify"]).code, 0);
    let edit = "UPDATE event SET author = 'eve' WHERE generation = 2";
    Connection::open(world.path(".katkit/state.db")).unwrap().execute(edit, []).unwrap();
    let verified = world.run(["audit", "verify"]).to_string();
    assert!(verified.contains("BAD dev/shop: entry "), "{verified}");
}
