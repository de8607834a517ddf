//! Files in a work tree may have come with a commit: they are neither trusted nor followed.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::Path;

use insta::assert_snapshot;
use katkit::git::repository_name;

use crate::git_servers::{Sshd, git};
use crate::world::World;

/// A world in a work tree, with a commit of the manifest and everything else.
fn committed(world: &World) {
    let at = world.path("");
    git(&at, &["init", "--quiet"]);
    git(&at, &["add", "--force", "katkit.toml", ".katkit"]);
    git(&at, &["commit", "--quiet", "-m", "manifest"]);
}

/// A mirror of the repository at `url` whose configuration names a program that leaves a trace.
fn mirror(world: &World, cache: &str, url: &str) {
    let mirror = world.path(cache).join("mirrors").join(repository_name(url).unwrap());
    git(&world.path(""), &["init", "--quiet", "--bare", mirror.to_str().unwrap()]);
    let trace = format!("touch {}; ssh", world.path("out/obeyed").display());
    git(&mirror, &["config", "core.sshCommand", &trace]);
    git(&mirror, &["config", "core.hooksPath", world.path("hooks").to_str().unwrap()]);
    fs::write(mirror.join("commondir"), format!("{}\n", mirror.display())).unwrap();
}

/// The shop, whose repository is reached through ssh.
fn behind_ssh(sshd: &Sshd) -> (World, String) {
    let mut world = World::shop();
    let url = sshd.url(&world.path("repos/shop"));
    world.edit("url = \"repos/shop\"", &format!("url = \"{url}\""));
    for (name, value) in sshd.environment() {
        world.with_variable(name.to_str().unwrap(), value.to_str().unwrap());
    }
    (world, url)
}

#[test]
fn the_configuration_of_a_planted_mirror_is_ignored() {
    let sshd = Sshd::start();
    let (mut world, url) = behind_ssh(&sshd);
    // In the user's own cache directory, so that the location is fine.
    mirror(&world, "home/.cache/katkit", &url);
    // A user's ssh configuration is kept, and a mirror's configuration would override the user's.
    world.write("gitconfig", "[core]\n\tsshCommand = ssh\n");
    let config = world.path("gitconfig").display().to_string();
    world.with_variable("GIT_CONFIG_GLOBAL", &config);
    world.apply();
    assert!(!world.path("out/obeyed").exists());
    let mirror = world.path("home/.cache/katkit/mirrors").join(repository_name(&url).unwrap());
    let kept = fs::read_to_string(mirror.join("config")).unwrap();
    assert!(!kept.contains("sshCommand"), "{kept}");
    assert!(!mirror.join("commondir").exists());
}

#[test]
fn a_cache_that_came_with_a_commit_is_refused() {
    let sshd = Sshd::start();
    let (world, url) = behind_ssh(&sshd);
    world.edit("version = 1", "version = 1\ncache = { path = \".katkit/cache\" }");
    mirror(&world, ".katkit/cache", &url);
    committed(&world);
    for command in ["plan", "verify", "doctor", "apply"] {
        let refused = world.run([command]);
        assert_eq!(refused.code, 1, "{command}: {refused}");
        assert!(refused.stderr.contains("git tracks <world>/.katkit/cache/mirrors/"), "{command}: {refused}");
    }
    assert!(!world.path("out/obeyed").exists());
}

#[test]
fn a_record_blobs_and_services_that_came_with_a_commit_are_refused() {
    let world = World::shop().applied();
    fs::write(world.path(".katkit/services/left"), "").unwrap();
    committed(&world);
    let (blobs, services) = (world.path(".katkit/blobs"), world.path(".katkit/services"));
    let sentence = |world: &World| {
        let said = world.run(["plan"]);
        assert_eq!(said.code, 1, "{said}");
        let (head, tracked) = said.stderr.split_once(", since git tracks ").unwrap();
        let below = tracked.split('\n').next().unwrap();
        assert!(below.starts_with("<world>/.katkit/"), "{said}");
        head.to_owned()
    };
    assert_snapshot!(sentence(&world), @"error: the state <world>/.katkit/state.db is not used");
    git(
        &world.path(""),
        &["rm", "--quiet", "--cached", ".katkit/state.db", ".katkit/state.db-wal", "--ignore-unmatch"],
    );
    git(&world.path(""), &["rm", "--quiet", "--cached", ".katkit/state.db-shm", "--ignore-unmatch"]);
    assert_snapshot!(sentence(&world), @"error: the blob store <world>/.katkit/blobs is not used");
    git(&world.path(""), &["rm", "--quiet", "-r", "--cached", blobs.to_str().unwrap()]);
    assert_snapshot!(sentence(&world), @"error: the services directory <world>/.katkit/services is not used");
    git(&world.path(""), &["rm", "--quiet", "-r", "--cached", services.to_str().unwrap()]);
    assert_snapshot!(sentence(&world), @"error: the platform directory <world>/.katkit/platform/dev is not used");
    git(&world.path(""), &["rm", "--quiet", "-r", "--cached", ".katkit"]);
    assert_eq!(world.run(["plan"]).code, 0);
}

#[test]
fn a_refusal_says_what_to_do() {
    let world = World::shop();
    world.write(".katkit/blobs/commits/x", "");
    committed(&world);
    assert_snapshot!(world.run(["status"]), @r"
    ----- stderr -----
    error: the blob store <world>/.katkit/blobs is not used, since git tracks <world>/.katkit/blobs/commits/x
     hint: take it out of git (`git rm -r --cached`), or set `blobs.url` to a path outside the work tree
    ----- exit 1
    ");
}

#[test]
fn a_journal_file_beside_the_database_counts_as_the_record() {
    let world = World::shop();
    world.write(".katkit/state.db-journal", "");
    committed(&world);
    let refused = world.run(["plan"]);
    assert!(refused.stderr.contains("git tracks <world>/.katkit/state.db-journal"), "{refused}");
}

#[test]
fn a_symlink_that_came_with_a_commit_is_not_followed() {
    let world = World::shop();
    fs::create_dir(world.path("out/elsewhere")).unwrap();
    symlink("out/elsewhere", world.path(".katkit")).unwrap();
    committed(&world);
    let refused = world.run(["apply"]);
    assert_eq!(refused.code, 1, "{refused}");
    assert!(refused.stderr.contains("since git tracks <world>/.katkit\n"), "{refused}");
    assert_eq!(fs::read_dir(world.path("out/elsewhere")).unwrap().count(), 0);
}

#[test]
fn an_index_that_only_git_can_read_is_read_too() {
    let world = World::shop();
    world.write(".katkit/blobs/x", "");
    committed(&world);
    git(&world.path(""), &["update-index", "--split-index"]);
    let refused = world.run(["plan"]);
    assert!(refused.stderr.contains("git tracks <world>/.katkit/blobs/x"), "{refused}");
}

#[test]
fn files_that_katkit_creates_beside_the_manifest_are_ignored_by_git_and_private() {
    let mut world = World::shop().applied();
    let at = world.path("");
    git(&at, &["init", "--quiet"]);
    assert_eq!(git(&at, &["status", "--porcelain", "--untracked-files=all", ".katkit"]), "");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&world.path(".katkit")), 0o700);
    assert_eq!(mode(&world.path("home/.cache/katkit/packs")), 0o700);
    // In other locations as well.
    world.change("shop", |repo| repo.commit("second"));
    world.edit(
        "version = 1",
        "version = 1\nblobs = { url = \"elsewhere/blobs\" }\nstate = { path = \"there/state.db\" }",
    );
    world.apply();
    for place in ["elsewhere/blobs", "elsewhere", "there"] {
        assert_eq!(mode(&world.path(place)), 0o700, "{place}");
    }
    assert_eq!(mode(&world.path("there/state.db")), 0o600);
}

#[test]
fn a_location_writable_by_others_is_refused() {
    let world = World::shop().applied();
    fs::set_permissions(world.path(".katkit"), Permissions::from_mode(0o777)).unwrap();
    assert_snapshot!(world.run(["plan"]), @r"
    ----- stderr -----
    error: other users can write to the state <world>/.katkit
     hint: check its content, then run `chmod go-w <world>/.katkit`
    ----- exit 1
    ");
    fs::set_permissions(world.path(".katkit"), Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(world.path("home/.cache/katkit"), Permissions::from_mode(0o775)).unwrap();
    let refused = world.run(["plan"]);
    assert!(
        refused.stderr.contains("other users can write to the cache <world>/home/.cache/katkit"),
        "{refused}"
    );
}

#[test]
fn another_users_location_is_refused() {
    let world = World::shop().applied();
    if rustix::process::geteuid().is_root() {
        chown(world.path(".katkit/blobs"), Some(65534), None).unwrap();
        assert_snapshot!(world.run(["plan"]), @r"
        ----- stderr -----
        error: the blob store <world>/.katkit/blobs belongs to user 65534, and katkit runs as user 0
         hint: run katkit as that user, or set `blobs.url` to a path outside the work tree
        ----- exit 1
        ");
    }
    // Another user's directory is no cache: `/usr` for every user but root, who gave one away.
    let theirs = if rustix::process::geteuid().is_root() { ".katkit/blobs" } else { "/usr" };
    world.edit("version = 1", &format!("version = 1\ncache = {{ path = \"{theirs}\" }}"));
    let refused = world.run(["plan"]);
    assert!(
        refused.stderr.contains("belongs to user ") && refused.stderr.contains("the cache "),
        "{refused}"
    );
}

#[test]
fn a_manifest_left_in_a_parent_directory_by_another_user_is_not_used() {
    let world = World::shop();
    let below = world.path("repos/shop");
    let mut command = world.command();
    command.args(["validate"]).current_dir(&below);
    assert_eq!(command.output().unwrap().status.code(), Some(0));
    if rustix::process::geteuid().is_root() {
        chown(world.path("katkit.toml"), Some(65534), None).unwrap();
        let refused = command.output().unwrap();
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(said.contains("katkit.toml belongs to user 65534, so it is not trusted here"), "{said}");
        // If named explicitly, it is intended; and the directory's owner is trusted.
        command.args(["--manifest", "../../katkit.toml"]);
        assert_eq!(command.output().unwrap().status.code(), Some(0));
    }
}

#[test]
fn a_deployment_is_not_read_from_a_commit() {
    let world = World::shop().applied();
    let deployed = world.read(".katkit/platform/dev/shop.json");
    fs::remove_dir_all(world.path(".katkit")).unwrap();
    world.write(".katkit/platform/dev/shop.json", &deployed);
    committed(&world);
    let refused = world.run(["plan"]);
    let sentence = "error: the platform directory <world>/.katkit/platform/dev is not used, since git tracks";
    assert!(refused.stderr.starts_with(sentence), "{refused}");
    // Through a symlink, it would be someone else's file.
    git(&world.path(""), &["rm", "--quiet", "-r", "--cached", ".katkit"]);
    world.write("elsewhere/shop.json", &deployed);
    fs::remove_dir_all(world.path(".katkit/platform/dev")).unwrap();
    symlink("../../elsewhere", world.path(".katkit/platform/dev")).unwrap();
    git(&world.path(""), &["add", "--force", ".katkit/platform/dev"]);
    let refused = world.run(["plan"]);
    assert!(refused.stderr.starts_with(sentence), "{refused}");
}

#[test]
fn a_repository_left_in_a_parent_directory_by_another_user_is_ignored() {
    let world = World::shop().applied();
    git(&world.path(""), &["init", "--quiet"]);
    fs::write(world.path(".git/index"), "no index").unwrap();
    let refused = world.run(["plan"]);
    assert!(refused.stderr.contains("cannot tell who owns the cache"), "{refused}");
    if rustix::process::geteuid().is_root() {
        chown(world.path(".git"), Some(65534), None).unwrap();
        assert_eq!(world.run(["plan"]).code, 0);
    }
}
