//! Valid and invalid ways to name a wanted commit.

use insta::assert_snapshot;

use crate::git_servers::git;
use crate::world::World;

fn wanting(want: &str) -> World {
    let world = World::shop();
    world.edit("branch = \"main\"", want);
    world
}

#[test]
fn a_commit_that_does_not_exist_is_reported() {
    let world = wanting("sha = \"0123456789012345678901234567890123456789\"");
    assert_snapshot!(world.run(["plan"]), @r"
    dev/shop  → 0123456789
      ! error: commit 0123456789012345678901234567890123456789 is not in <world>/repos/shop
          hint: push it first, or check that it is a sha of this repository

    Plan: nothing to change, 1 could not be planned, 0 up to date.
    ----- exit 1
    ");
    assert_eq!(world.run(["apply"]).code, 1);
}

#[test]
fn a_prefix_and_a_tag_are_refused_with_an_explanation() {
    assert_snapshot!(wanting("sha = \"0123456789\"").run(["plan"]).stderr, @r#"
      × `0123456789` is an abbreviated sha (10 of 40 digits)
        ╭─[katkit.toml:10:60]
      9 │ [tenants.dev]
     10 │ links.shop = { repo = "shop", workflow = "standard", sha = "0123456789" }
        ·                                                            ──────┬─────
        ·                                                                  ╰── not a full commit sha
        ╰────
      help: write all 40, so that it can never match another commit; `git
            rev-parse 0123456789` prints them

    1 error
    "#);
    assert_snapshot!(wanting("sha = \"v1.0\"").run(["plan"]).stderr, @r#"
      × `v1.0` looks like a tag, and a tag can be moved
        ╭─[katkit.toml:10:60]
      9 │ [tenants.dev]
     10 │ links.shop = { repo = "shop", workflow = "standard", sha = "v1.0" }
        ·                                                            ───┬──
        ·                                                               ╰── not a full commit sha
        ╰────
      help: write the commit it points to now; `git rev-parse TAG^{commit}` prints
            it

    1 error
    "#);
}

#[test]
fn the_id_of_an_annotated_tag_is_not_a_commit() {
    let world = World::shop();
    let shop = world.path("repos/shop");
    git(&shop, &["tag", "-a", "v1", "-m", "one"]);
    let tag = git(&shop, &["rev-parse", "v1"]);
    world.edit("branch = \"main\"", &format!("sha = \"{tag}\""));
    let said = world.run(["plan"]).to_string().replace(&tag, "<tag>").replace(&tag[..10], "<tag>");
    assert_snapshot!(said, @r"
    dev/shop  → <tag>
      ! error: `<tag>` is the id of an annotated tag, not a commit
          hint: the commit it names is <first>

    Plan: nothing to change, 1 could not be planned, 0 up to date.
    ----- exit 1
    ");
}

#[test]
fn a_branch_that_does_not_exist_is_reported() {
    assert_snapshot!(wanting("branch = \"mian\"").run(["plan"]), @r"
    dev/shop
      ! error: <world>/repos/shop has no branch `mian`
          hint: did you mean `main`?

    Plan: nothing to change, 1 could not be planned, 0 up to date.
    ----- exit 1
    ");
}

#[test]
fn an_unreachable_repository_holds_only_its_own_links() {
    let world = World::shop();
    world.edit("url = \"repos/shop\"", "url = \"repos/shop\"\n[repos.gone]\nurl = \"repos/gone\"");
    world.edit(
        "links.shop =",
        "links.gone = { repo = \"gone\", workflow = \"standard\", branch = \"main\" }\nlinks.shop =",
    );
    assert_snapshot!(world.run(["plan"]), @r#"
    dev/gone
      ! error: there is no repository at <world>/repos/gone: the path does not exist
          hint: correct `url` in the manifest, or restore the repository; a relative path starts at the file that contains it

    dev/shop  → <first>
      + run build  not run yet
      ~ deploy     `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<hubtag>-]{+<first>+}", "Replicas": 2 },

    Plan: 1 link to change (1 phase, 1 deployment), 1 could not be planned, 0 up to date.
    ----- exit 1
    "#);
    let applied = world.run(["apply"]);
    assert_eq!(applied.code, 1, "{applied}");
    assert!(world.deployed("dev/shop").contains("acme/web:<first>"));
}

#[test]
fn an_up_to_date_link_with_an_explicit_commit_needs_no_repository() {
    let world = World::shop();
    world.edit("branch = \"main\"", &format!("sha = \"{}\"", world.sha("first")));
    world.apply();
    std::fs::rename(world.path("repos/shop"), world.path("repos/moved")).unwrap();
    let plan = world.run(["plan", "--detailed-exitcode"]);
    assert_eq!(plan.code, 0, "{plan}");
}

#[test]
fn an_older_commit_is_deployed_on_request() {
    let mut world = World::shop();
    world.change("shop", |repo| repo.commit("second"));
    world.apply();
    world.edit("branch = \"main\"", &format!("sha = \"{}\"", world.sha("first")));
    assert_snapshot!(world.run(["plan"]), @r#"
    dev/shop  <second> → <first>
      + run build  not run yet
      ~ deploy     `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<second>-]{+<first>+}", "Replicas": 2 },
      · note: this removes <second> (second), which is live

    Plan: 1 link to change (1 phase, 1 deployment), 0 up to date.
    ----- exit 0
    "#);
    world.apply();
    assert!(world.deployed("dev/shop").contains("acme/web:<first>"));
}
