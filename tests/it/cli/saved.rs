//! Plans that are saved, reviewed and carried out later, or not any more.

use insta::assert_snapshot;

use crate::world::World;

#[test]
fn a_saved_plan_is_carried_out_as_it_was_shown() {
    let world = World::shop();
    assert_snapshot!(world.run(["plan", "--out", "saved.plan"]), @r#"
    dev/shop  → <first>
      + run build  never ran for this sha
      ~ deploy     → <first>
          @@ -4 +4 @@
          -    { "Name": "web", "DockerImage": "acme/web:<hubtag>", "Replicas": 2 },
          +    { "Name": "web", "DockerImage": "acme/web:<first>", "Replicas": 2 },

    Plan: 1 link to change (1 phase, 1 deployment), 0 up to date.
    ----- stderr -----
    saved to saved.plan; `katkit apply saved.plan` carries it out
    ----- exit 0
    "#);
    let applied = world.run(["apply", "saved.plan"]);
    assert_eq!(applied.code, 0, "{applied}");
    assert_eq!(world.run(["plan", "--detailed-exitcode"]).code, 0);
    assert_snapshot!(world.run(["apply", "saved.plan"]), @r"
    ----- stderr -----
    error: the saved plan is out of date: `dev/shop` is at generation 9, and was at 0
     hint: plan again
    ----- exit 1
    ");
    assert_eq!(world.ran().lines().count(), 1);
}

#[test]
fn a_saved_plan_is_refused_when_the_branch_moved() {
    let mut world = World::shop();
    assert_eq!(world.run(["plan", "--out", "saved.plan"]).code, 0);
    world.change("shop", |repo| repo.commit("second"));
    assert_snapshot!(world.run(["apply", "saved.plan"]), @r"
    ----- stderr -----
    error: the saved plan is out of date: `dev/shop` asks for <second> now, not for <first>
     hint: plan again
    ----- exit 1
    ");
    assert_eq!(world.ran(), "");
}

#[test]
fn a_saved_plan_is_refused_when_the_manifest_changed() {
    let world = World::shop();
    assert_eq!(world.run(["plan", "--out", "saved.plan"]).code, 0);
    world.edit("version = 1", "version = 1 # ours");
    assert_snapshot!(world.run(["apply", "saved.plan"]), @r"
    ----- stderr -----
    error: the saved plan is out of date: the manifest changed since
     hint: plan again
    ----- exit 1
    ");
    assert_eq!(world.ran(), "");
}

#[test]
fn what_is_no_saved_plan_is_refused() {
    let world = World::shop();
    world.write("saved.plan", "{}");
    assert_snapshot!(world.run(["apply", "saved.plan"]), @r"
    ----- stderr -----
    error: saved.plan is not a saved plan: missing field `version` at line 1 column 2
     hint: `katkit plan --out FILE` saves one
    ----- exit 1
    ");
    world.write("saved.plan", "{\"version\": 99}");
    assert_snapshot!(world.run(["apply", "saved.plan"]), @r"
    ----- stderr -----
    error: saved.plan was saved by another version of katkit
     hint: plan again with this one
    ----- exit 1
    ");
    assert_snapshot!(world.run(["apply", "absent.plan"]), @r"
    ----- stderr -----
    error: absent.plan could not be read: No such file or directory (os error 2)
    ----- exit 1
    ");
}

#[test]
fn a_plan_is_saved_to_where_a_link_leads_and_into_a_pipe_and_in_place_of_nothing_else() {
    let world = World::shop();
    // A file in the way is replaced, and one that is not there yet is made, behind the link.
    for name in ["old", "new"] {
        world.write("elsewhere/old", "what was there before");
        let link = world.path(&format!("{name}.plan"));
        std::os::unix::fs::symlink(format!("elsewhere/{name}"), &link).unwrap();
        assert_eq!(world.run(["plan", "--out", &format!("{name}.plan")]).code, 0);
        assert!(link.is_symlink());
        assert!(world.read(&format!("elsewhere/{name}")).contains("\"version\""));
    }
    // A pipe stays one, and gives the plan to who reads it.
    let piped = world.shell("mkfifo pipe; cat pipe > read.plan & katkit plan --out pipe; wait; test -p pipe");
    assert_eq!(piped.code, 0, "{piped}");
    assert_eq!(world.read("read.plan"), world.read("elsewhere/new"));
    std::fs::create_dir(world.path("directory")).unwrap();
    assert_snapshot!(world.run(["plan", "--out", "directory"]).stderr, @"error: directory could not be written: Is a directory (os error 21)");
    assert_eq!(world.run(["apply", "read.plan"]).code, 0);
}
