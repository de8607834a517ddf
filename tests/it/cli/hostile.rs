//! Malicious repositories, and repositories with unsupported contents.

mod commits;
mod includes;
mod loud;
mod neighbours;
mod permissions;
mod proposals;
mod replicas;
mod tokens;
mod work_trees;

use insta::assert_snapshot;

use crate::git_servers::git;
use crate::world::World;

#[test]
fn a_script_outside_the_repository_is_not_run() {
    let mut world = World::shop();
    world.write("outside.sh", "touch @OUT@/escaped");
    let outside = world.path("outside.sh").display().to_string();
    world.change("shop", |repo| repo.without("ci.sh").symlink("ci.sh", &outside).commit("second"));
    let applied = world.run(["apply"]);
    assert_snapshot!(applied.stdout, @r#"
    dev/shop  → <second>
      + run build  not run yet
      ~ deploy     `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<hubtag>-]{+<second>+}", "Replicas": 2 },

    Plan: 1 link to change (1 phase, 1 deployment), 0 up to date.

    dev/shop  `build` failed for <second> (attempt 1): `ci.sh` is a symbolic link to a file outside the repository
      log:   katkit logs dev/shop --phase build
      retry: katkit retry dev/shop --phase build --apply

    Applied: 0 links done, 1 failed in <time>.
    "#);
    assert_eq!(applied.code, 1);
    assert!(!world.path("out/escaped").exists());
    world.nothing_is_left();
}

#[test]
fn a_folder_outside_the_repository_is_not_entered() {
    let mut world = World::shop();
    world.write("outside/ci.sh", "touch @OUT@/escaped");
    let outside = world.path("outside").display().to_string();
    world.change("shop", |repo| repo.symlink("web", &outside).commit("second"));
    world.edit("repo = \"shop\",", "repo = \"shop\", folder = \"web\",");
    assert_snapshot!(world.run(["plan"]), @r"
    dev/shop  → <second>
      ! error: `web` at <second> is a symbolic link, which is not followed
          hint: commit its target instead of the link, or name the target's path in the manifest

    Plan: nothing to change, 1 could not be planned, 0 up to date.
    ----- exit 1
    ");
    assert_eq!(world.run(["apply"]).code, 1);
    assert!(!world.path("out/escaped").exists());
}

#[test]
fn a_folder_above_the_repository_is_a_manifest_error() {
    let world = World::shop();
    world.edit("repo = \"shop\",", "repo = \"shop\", folder = \"../x\",");
    assert_snapshot!(world.run(["plan"]), @r#"
    ----- stderr -----
      × `../x` is not a folder in a repository
        ╭─[katkit.toml:10:40]
      9 │ [tenants.dev]
     10 │ links.shop = { repo = "shop", folder = "../x", workflow = "standard", branch = "main" }
        ·                                        ───┬──
        ·                                           ╰── contains `..`
        ╰────
      help: a folder is inside the repository; write it without `..`

    1 error
    ----- exit 1
    "#);
}

#[test]
fn a_missing_folder_is_reported() {
    let world = World::shop();
    world.edit("repo = \"shop\",", "repo = \"shop\", folder = \"services/web\",");
    assert_snapshot!(world.run(["plan"]), @r"
    dev/shop  → <first>
      ! error: there is no folder `services/web` at <first>
          hint: correct `folder` in the manifest, or deploy a commit that has it

    Plan: nothing to change, 1 could not be planned, 0 up to date.
    ----- exit 1
    ");
}

#[test]
fn two_deployments_in_a_workflow_are_a_manifest_error() {
    let world = World::shop();
    world.edit("{ name = \"build\", order = 0 },", "{ name = \"build\", order = 0, kind = \"deployment\" },");
    assert_snapshot!(world.run(["plan"]), @r#"
    ----- stderr -----
      × two deployment phases in one workflow
        ╭─[katkit.toml:15:40]
     14 │   { name = "build", order = 0, kind = "deployment" },
     15 │   { name = "deploy", order = 1, kind = "deployment" },
        ·                                        ──────┬─────
        ·                                              ╰── the second
     16 │ ]
        ╰────
      help: the first is at katkit.toml:14:39

    1 error
    ----- exit 1
    "#);
}

#[test]
fn a_commit_without_a_script_fails_with_a_reason() {
    let mut world = World::shop();
    world.change("shop", |repo| repo.without("ci.sh").commit("second"));
    assert_snapshot!(world.run(["apply"]).stdout, @r"
    dev/shop  → <second>
      ! error: there is no `ci.sh` at <second>, which `build` runs
          hint: add the script, or set `run` in the phase

    Plan: nothing to change, 1 could not be planned, 0 up to date.
    ");
}

#[test]
fn a_description_that_deploys_nothing_is_explained_before_anything_runs() {
    let mut world = World::shop();
    world.change("shop", |repo| repo.description("acme/web").commit("second"));
    assert_snapshot!(world.run(["apply"]), @r"
    dev/shop  → <second>
      ! error: no role in `servicedescription/servicedescription.js` has an image with `<hubtag>`, so there is nothing to deploy
          hint: write the image as `name:<hubtag>`

    Plan: nothing to change, 1 could not be planned, 0 up to date.
    ----- exit 1
    ");
    assert_eq!(world.ran(), "");
}

#[test]
fn a_commit_without_a_service_description_is_explained_before_anything_runs() {
    let mut world = World::shop();
    world.change("shop", |repo| repo.without("servicedescription/servicedescription.js").commit("second"));
    assert_snapshot!(world.run(["apply"]), @r"
    dev/shop  → <second>
      ! error: `deploy` is a deployment, but there is no `servicedescription/servicedescription.js` at <second>
          hint: add the file to the linked folder, or remove the deployment from the workflow

    Plan: nothing to change, 1 could not be planned, 0 up to date.
    ----- exit 1
    ");
    assert_eq!(world.ran(), "");
}

#[test]
fn a_service_description_that_is_code_is_explained() {
    let mut world = World::shop();
    world.change("shop", |repo| {
        repo.file("servicedescription/servicedescription.js", "var x = 1; module.exports = x;\n")
            .commit("second")
    });
    assert_snapshot!(world.run(["plan"]), @r"
    dev/shop  → <second>
      ! error: servicedescription/servicedescription.js cannot be read: `var x = 1; module.exports = x;` is code, not data (line 1, column 1)
          hint: the file is read as data and never executed: write plain JSON; comments and trailing commas are fine

    Plan: nothing to change, 1 could not be planned, 0 up to date.
    ----- exit 1
    ");
}

#[test]
fn a_service_description_that_is_a_symlink_is_not_followed() {
    let mut world = World::shop();
    world.change("shop", |repo| {
        repo.without("servicedescription/servicedescription.js")
            .symlink("servicedescription/servicedescription.js", "/etc/passwd")
            .commit("second")
    });
    assert_snapshot!(world.run(["plan"]), @r"
    dev/shop  → <second>
      ! error: `servicedescription/servicedescription.js` at <second> is a symbolic link, which is not followed
          hint: commit its target instead of the link, or name the target's path in the manifest

    Plan: nothing to change, 1 could not be planned, 0 up to date.
    ----- exit 1
    ");
}

#[test]
fn submodules_are_named() {
    let mut world = World::shop().repo("library", |repo| repo.file("README", "x").commit("library"));
    let library = world.path("repos/library").display().to_string();
    world.change("shop", |repo| {
        repo.git(&["submodule", "--quiet", "add", &library, "library"]).commit("second")
    });
    assert_snapshot!(world.run(["plan"]), @r#"
    dev/shop  → <second>
      ! error: the commit has submodules (library), which a packed checkout would leave out
          hint: set `checkout = "clone"` on the phases, which clones inside them

    Plan: nothing to change, 1 could not be planned, 0 up to date.
    ----- exit 1
    "#);
}

#[test]
fn files_in_lfs_are_named() {
    let mut world = World::shop();
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";
    world.change("shop", |repo| {
        repo.file(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n").file("model.bin", pointer)
    });
    // As on a machine without Git LFS.
    git(&world.path("repos/shop"), &["-c", "filter.lfs.clean=", "add", "--all"]);
    world.change("shop", |repo| repo.commit("second"));
    assert_snapshot!(world.run(["plan"]), @r#"
    dev/shop  → <second>
      ! error: the commit keeps files in Git LFS (model.bin), which a packed checkout would leave out
          hint: set `checkout = "clone"` on the phases, which clones inside them

    Plan: nothing to change, 1 could not be planned, 0 up to date.
    ----- exit 1
    "#);
}

#[test]
fn the_name_of_a_lease_holder_cannot_control_a_terminal() {
    let mut world = World::shop();
    world.change("shop", |repo| {
        repo.ci("echo up > @OUT@/up; until [ -e @OUT@/go ]; do sleep 0.05; done").commit("waits")
    });
    let world = world.variable("KATKIT_ACTOR", "\u{1b}]0;owned\u{7}eve");
    let apply = world.start(["apply"]);
    world.appears("up");
    apply.kill();
    for command in ["status", "unlock"] {
        let shown = world.run([command, "dev/shop"]);
        assert_eq!(shown.code, 0, "{shown}");
        assert!(!shown.stdout.contains(['\u{1b}', '\u{7}']), "{shown}");
        assert!(command != "unlock" || shown.stdout.contains("of ␛]0;owned␇eve on"), "{shown}");
    }
    world.release("go");
    world.apply();
    world.nothing_is_left();
}

#[test]
fn terminal_escapes_in_commits_and_logs_do_not_reach_the_terminal() {
    let mut world = World::shop();
    world.apply();
    world.change("shop", |repo| {
        repo.ci("printf '\\033]0;owned\\007 bad\\n'; exit 1").commit("plain").git(&[
            "commit",
            "--quiet",
            "--allow-empty",
            "-m",
            "\u{1b}[31mred\u{7}",
        ])
    });
    let plan = world.run(["plan"]);
    assert!(!plan.stdout.contains(['\u{1b}', '\u{7}']), "{plan}");
    let applied = world.run(["apply"]);
    assert!(!applied.stdout.contains(['\u{1b}', '\u{7}']), "{applied}");
}
