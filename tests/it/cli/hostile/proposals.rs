//! A proposed manifest is planned with the planner's credentials, and gains no access by that.

use std::fs;

use insta::assert_snapshot;

use crate::git_servers::git;
use crate::world::World;

/// The shop, applied once, with a committed manifest.
fn accepted() -> World {
    let world = World::shop().applied();
    let at = world.path("");
    git(&at, &["init", "--quiet"]);
    git(&at, &["add", "katkit.toml"]);
    git(&at, &["commit", "--quiet", "-m", "manifest"]);
    world
}

#[test]
fn a_proposal_is_planned_on_the_record_of_the_manifest_before_it() {
    let world = accepted();
    world.edit(
        "version = 1",
        "version = 1\nstate = { path = \"/nowhere/state.db\" }\nblobs = { url = \"s3://theirs\", endpoint = \"http://127.0.0.1:1\" }",
    );
    assert_snapshot!(world.run(["plan", "--base", "HEAD"]), @r"
    Nothing to do: 1 link is up to date.
    ----- stderr -----
    using [state] and [blobs] from `HEAD`: changes to them have no effect yet
    ----- exit 0
    ");
    assert!(!std::path::Path::new("/nowhere").exists());
}

#[test]
fn a_proposal_that_reaches_further_is_refused_with_everything_it_tries_to_reach() {
    let world = accepted();
    world.edit(
        "[tenants.dev]",
        "[tenants.dev]\nfleet = \"local\"\nsecrets = { KEY = \"file:/etc/hostname\" }",
    );
    world.edit(
        "[fleets.local]",
        "[repos.other]\nurl = \"https://git.invalid/x.git\"\n[repos.here]\nurl = \"/srv/private\"\n\
         [fleets.theirs]\nkind = \"docker\"\nhost = \"tcp://127.0.0.1:1\"\n[fleets.local]",
    );
    let refused = world.run(["plan", "--against", "HEAD"]);
    assert_snapshot!(refused, @r"
    ----- stderr -----
    error: the manifest uses resources that it does not name at `HEAD`
      repos.here.url: the repository `/srv/private` on this machine
      repos.other.url: the host `https://git.invalid`
      fleets.theirs.host: the Docker Engine `tcp://127.0.0.1:1`
      tenants.dev.secrets.KEY: the file `/etc/hostname`
     hint: review the proposal; if you trust it, plan without `--against` and `--base`
    ----- exit 1
    ");
    for command in ["plan", "verify", "doctor", "status", "validate"] {
        assert_eq!(world.run([command, "--base", "HEAD"]).to_string(), refused.to_string(), "{command}");
    }
}

#[test]
fn a_proposal_is_not_applied() {
    let world = accepted();
    assert_snapshot!(world.run(["apply", "--base", "HEAD"]), @r"
    ----- stderr -----
    error: a proposed manifest is read-only, and this one is checked against `HEAD`
     hint: merge the proposal first, then run this without `--base`
    ----- exit 1
    ");
}

#[test]
fn a_repository_embedded_in_a_commit_is_no_base() {
    let world = accepted();
    // What a commit can contain: the files of a bare repository, with a manifest that names everything.
    let fake = world.path("ops");
    git(&world.path(""), &["init", "--quiet", "--bare", fake.to_str().unwrap()]);
    fs::rename(world.path("katkit.toml"), world.path("ops/katkit.toml")).unwrap();
    let text = world.read("ops/katkit.toml").replace("repos/shop", "../repos/shop");
    fs::write(world.path("ops/katkit.toml"), text).unwrap();
    let objects = ["--git-dir", fake.to_str().unwrap(), "--work-tree", fake.to_str().unwrap()];
    git(&fake, &[&objects[..], &["add", "--force", "katkit.toml"]].concat());
    git(&fake, &[&objects[..], &["commit", "--quiet", "-m", "imitated"]].concat());
    let refused = world.run(["plan", "--manifest", "ops/katkit.toml", "--against", "HEAD"]);
    assert_snapshot!(refused, @r"
    ----- stderr -----
    error: there is no manifest at `HEAD` to compare this one with
     hint: review the proposal; if you trust it, plan without `--against` and `--base`
    ----- exit 1
    ");
}

#[test]
fn a_submodule_is_no_base() {
    let mut world = World::shop();
    world.change("ops", |repo| repo.file("katkit.toml", "version = 1\n").commit("theirs"));
    let at = world.path("");
    git(&at, &["init", "--quiet"]);
    git(&at, &["submodule", "--quiet", "add", world.path("repos/ops").to_str().unwrap(), "ops"]);
    let refused = world.run(["plan", "--manifest", "ops/katkit.toml", "--against", "HEAD"]);
    assert_snapshot!(refused, @r"
    ----- stderr -----
    error: <world>/ops is a submodule, so its revisions are not trusted
     hint: use a separate clone of that repository
    ----- exit 1
    ");
}

#[test]
fn planning_a_proposal_creates_no_record() {
    let world = World::shop();
    for command in ["plan", "status", "doctor"] {
        let looked = world.run([command]);
        assert_eq!(looked.code, 0, "{command}: {looked}");
        assert!(!world.path(".katkit").exists(), "{command}");
    }
    world.edit("version = 1", "version = 1\nstate = { path = \"/nowhere/at/all/state.db\" }");
    assert_eq!(world.run(["plan"]).code, 0);
    assert!(!std::path::Path::new("/nowhere").exists());
}

#[test]
fn an_unencrypted_connection_gets_a_warning() {
    let world = World::shop();
    let warned = |line: &str| {
        let text = world.read("katkit.toml");
        world.edit("version = 1", &format!("version = 1\n{line}"));
        let said = world.run(["validate"]);
        world.write("katkit.toml", &text);
        said.stderr.contains("is not encrypted")
    };
    let state = |host: &str| {
        warned(&format!("state = {{ backend = \"dynamodb\", table = \"t\", endpoint = \"{host}\" }}"))
    };
    assert!(state("http://10.0.0.1:8000") && state("http://localhost.example"));
    assert!(!state("http://localhost:4566") && !state("http://[::1]:1") && !state("http://127.0.0.2"));
    assert!(!state("https://10.0.0.1"));
    assert!(warned("fleets.far = { kind = \"docker\", host = \"tcp://build:2375\" }"));
    assert!(!warned("fleets.near = { kind = \"docker\", host = \"tcp://127.0.0.1:2375\" }"));
}

#[test]
fn a_region_cannot_redirect_to_another_host() {
    let world = World::shop();
    world.edit(
        "version = 1",
        "version = 1\nstate = { backend = \"dynamodb\", table = \"t\", region = \"x.example/\" }",
    );
    let refused = world.run(["validate"]);
    assert!(refused.stderr.contains("`x.example/` is not a region"), "{refused}");
}

#[test]
fn a_repository_that_came_with_the_proposal_is_not_read() {
    let world = World::shop();
    let at = world.path("");
    world.edit("url = \"repos/shop\"", "url = \"vendor/shop\"");
    fs::create_dir(world.path("vendor")).unwrap();
    std::os::unix::fs::symlink("../repos/shop", world.path("vendor/shop")).unwrap();
    git(&at, &["init", "--quiet"]);
    git(&at, &["add", "katkit.toml"]);
    git(&at, &["commit", "--quiet", "-m", "manifest"]);
    assert_eq!(world.run(["plan", "--base", "HEAD"]).code, 0);
    git(&at, &["add", "vendor/shop"]);
    assert_snapshot!(world.run(["plan", "--base", "HEAD"]), @r"
    ----- stderr -----
    error: the repository <world>/vendor/shop is not used, since git tracks <world>/vendor/shop
     hint: take it out of git (`git rm -r --cached`)
    ----- exit 1
    ");
}
