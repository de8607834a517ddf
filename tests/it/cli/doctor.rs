//! `katkit doctor`: every kind of damage is created for real, is reported, and is fixed by the suggested command.

mod blobs;
mod in_flight;
mod pruned;
mod record;

use std::fs;

use insta::assert_snapshot;

use crate::world::{ONE_LINK, Output, TELLS, World};

const SOUND: &str = "1 link is healthy\nno problems found\n";

/// The link in the manifest.
const LINK: &str = "links.shop = { repo = \"shop\", workflow = \"standard\", branch = \"main\" }\n";

/// Its deployed file.
const FILE: &str = ".katkit/platform/dev/shop.json";

/// The report without problems.
fn sound(world: &World) {
    let doctor = world.run(["doctor"]);
    assert_eq!((doctor.stdout.as_str(), doctor.code), (SOUND, 0), "{doctor}");
}

/// The report of a doctor that finds problems.
fn bad(world: &World) -> String {
    let Output { stdout, stderr, code } = world.run(["doctor"]);
    assert_eq!((stderr.as_str(), code), ("", 1), "{stdout}");
    stdout
}

#[test]
fn a_healthy_world_is_left_unchanged() {
    let world = World::shop();
    sound(&world);
    world.apply();
    let before = (world.journal(), world.read(FILE));
    sound(&world);
    assert_snapshot!(world.run(["doctor", "dev/shop"]), @r"
    1 link is healthy
    no problems found
    ----- exit 0
    ");
    assert_eq!((world.journal(), world.read(FILE)), before);
    assert_eq!(world.run(["plan", "--detailed-exitcode"]).code, 0);
    world.nothing_is_left();
}

#[test]
fn a_pattern_without_a_link_and_invalid_arguments_are_refused() {
    let world = World::shop();
    assert_snapshot!(world.run(["doctor", "dev/shpo"]), @r"
    ----- stderr -----
    error: `dev/shpo` matches no link
     hint: did you mean `dev/shop`?
    ----- exit 64
    ");
    assert_eq!(world.run(["doctor", "dev/["]).code, 64);
    assert_eq!(world.run(["doctor", "--format", "yaml"]).code, 64);
    assert_eq!(world.run(["doctor", "--no-such-thing"]).code, 64);
}

#[test]
fn a_changed_image_is_put_back() {
    let world = World::shop().applied();
    let deployed = world.read(FILE);
    world.write(FILE, &deployed.replace(world.sha("first"), "hotfix"));
    assert_snapshot!(bad(&world), @"
    dev/shop
      BAD what is running: `acme/web:hotfix` as `web`, but <first> was deployed
          fix: `katkit apply` restores what was deployed
    1 problem
    ");
    world.apply();
    sound(&world);
    fs::remove_file(world.path(FILE)).unwrap();
    assert_snapshot!(bad(&world), @"
    dev/shop
      BAD what is running: nothing, but <first> was deployed
          fix: `katkit apply` restores what was deployed
    1 problem
    ");
    world.apply();
    sound(&world);
}

#[test]
fn a_changed_image_is_adopted() {
    let mut world = World::shop().applied();
    world.change("shop", |repo| repo.commit("second"));
    world.edit("branch = \"main\"", &format!("sha = \"{}\"", world.sha("first")));
    world.write(FILE, &world.read(FILE).replace(world.sha("first"), world.sha("second")));
    assert_snapshot!(bad(&world), @"
    dev/shop
      BAD what is running: `acme/web:<second>` as `web`, but <first> was deployed
          fix: `katkit apply` restores what was deployed; `katkit import dev/shop` adopts what is running, if it is intended
    1 problem
    ");
    let imported = world.run(["import", "dev/shop"]);
    assert_eq!(imported.code, 0, "{imported}");
    sound(&world);
}

#[test]
fn an_unreadable_platform_is_not_reported_as_a_problem() {
    let world = World::shop().applied();
    fs::remove_file(world.path(FILE)).unwrap();
    fs::create_dir(world.path(FILE)).unwrap();
    assert_snapshot!(world.run(["doctor"]), @"
    dev/shop
      ?   what is running: the deployment of `dev/shop` at <world>/.katkit/platform/dev/shop.json cannot be read: it is not a file; fix it, or move it away: `katkit apply` restores what was
          deployed
    no problems found
    ----- exit 0
    ");
}

#[test]
fn a_failed_phase_that_blocks_a_repair_is_reported() {
    let mut world = World::shop().applied();
    world.change("shop", |repo| repo.ci("exit 3").commit("bad"));
    assert_eq!(world.run(["apply"]).code, 1);
    sound(&world);
    world.write(FILE, &world.read(FILE).replace(world.sha("first"), "hotfix"));
    assert_snapshot!(bad(&world), @"
    dev/shop
      BAD what is running: `acme/web:hotfix` as `web`, but <first> was deployed
          fix: `katkit apply` restores what was deployed, but it is held back: `build` failed for <bad>: exit code 3; `katkit why dev/shop` shows the log; `katkit retry dev/shop` tries again from
               `build`
    1 problem
    ");
}

#[test]
fn requests_for_a_removed_link_are_dropped() {
    let world = World::shop().applied();
    assert_eq!(world.run(["retry", "dev/shop", "--phase", "build"]).code, 0);
    sound(&world);
    world.edit(LINK, "");
    assert_snapshot!(bad(&world), @r"
    dev/shop
      BAD the retry requested by ana: its link is not in the manifest, so nothing will handle it
          fix: `katkit apply` refuses it
    1 problem
    ");
    world.apply();
    assert_eq!(world.run(["doctor"]).stdout, "no problems found\n");
    assert_eq!(world.run(["plan", "--detailed-exitcode"]).code, 0);
    // Also of a link that was forgotten before.
    let ask = format!(r#"{{ "ask": "cancel", "sha": "{}" }}"#, world.sha("first"));
    let sql = "INSERT INTO request (tenant, link, at, author, why, ask) \
               VALUES ('dev', 'shop', '2026-01-02T09:00:00.000000000Z', 'bea', NULL, ?1)";
    world.state().execute(sql, [ask]).unwrap();
    assert_snapshot!(bad(&world), @r"
    dev/shop
      BAD the cancel requested by bea: its link is not in the manifest, so nothing will handle it
          fix: `katkit apply` refuses it
    1 problem
    ");
    world.apply();
    assert_eq!(world.run(["doctor"]).stdout, "no problems found\n");
}

#[test]
fn leftovers_of_dead_processes_are_removed_even_without_other_work() {
    let world = World::shop().applied();
    let namespace = katkit::liveness::process_table().unwrap();
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let namespace = digits(namespace.rsplit('/').next().unwrap());
    let pack = format!("home/.cache/katkit/packs/{}-1-{namespace}-x", std::process::id());
    fs::create_dir_all(world.path(&pack)).unwrap();
    let half = world.path(".katkit/blobs/.temporary/7-abc-0");
    fs::create_dir_all(half.parent().unwrap()).unwrap();
    fs::write(&half, "half").unwrap();
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_hours(2);
    fs::File::options().write(true).open(&half).unwrap().set_modified(long_ago).unwrap();
    assert_snapshot!(bad(&world), @r"
    this machine
      BAD cache `<world>/home/.cache/katkit`: dead processes left 1 file there
          fix: `katkit apply` removes what they left
      BAD blob store `<world>/.katkit/blobs`: dead processes left 1 file there
          fix: `katkit apply` removes what they left
    1 link is healthy
    2 problems
    ");
    assert_eq!(world.run(["doctor", "dev/shop"]).code, 0, "it belongs to no link");
    world.apply();
    assert!(!half.exists() && !world.path(&pack).exists());
    sound(&world);
}

#[test]
fn of_hundreds_of_links_only_those_with_something_to_report_are_shown_in_80_columns() {
    let mut manifest = ONE_LINK.replace(LINK, "");
    manifest.push_str(
        "[workflows.standard]\nphases = [{ name = \"deploy\", order = 1, kind = \"deployment\" }]\n",
    );
    manifest.push_str("[tenants.dev.links]\n");
    for number in 0..500 {
        manifest.push_str(&format!("l{number} = {}", LINK.split_once("= ").unwrap().1));
    }
    let shop = |repo: crate::world::Repo| repo.ci(TELLS).description("acme/web:<hubtag>").commit("first");
    let world = World::new().repo("shop", shop).manifest(&manifest).variable("COLUMNS", "80");
    for link in ["l7", "l123"] {
        assert_eq!(world.run(["apply", "--target", &format!("dev/{link}")]).code, 0);
        fs::remove_file(world.path(&format!(".katkit/platform/dev/{link}.json"))).unwrap();
    }
    let said = bad(&world);
    assert_snapshot!(said, @"
    dev/l123
      BAD what is running: nothing, but <first> was deployed
          fix: `katkit apply` restores what was deployed
    dev/l7
      BAD what is running: nothing, but <first> was deployed
          fix: `katkit apply` restores what was deployed
    498 links are healthy
    2 problems
    ");
    assert!(said.lines().all(|line| line.chars().count() <= 80), "{said}");
    assert_eq!(world.run(["apply", "--target", "dev/l7", "--target", "dev/l123"]).code, 0);
    assert_eq!(world.run(["doctor"]).stdout, "500 links are healthy\nno problems found\n");
}
