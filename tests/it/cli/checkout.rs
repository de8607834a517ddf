//! A phase's checkout, from a pack or from a clone.

use insta::assert_snapshot;

use crate::world::World;

/// Everything about the work tree and the history that code can see, except the repository's location.
const LOOKS: &str = r#"cd "$(git rev-parse --show-toplevel)"
{
  git log --format='%H %s'
  git status --porcelain --branch
  git ls-files --stage
  find . -path ./.git -prune -o -printf '%M %p %l\n' | sort
  find . -path ./.git -prune -o -type f -print0 | sort -z | xargs -0 sha256sum
} > @OUT@/$KATKIT_PHASE
"#;

#[test]
fn a_fresh_work_tree_is_clean_and_described_by_its_tags() {
    let mut world = World::shop_with(
        r#"  { name = "pack", order = 0, depth = 2 },
  { name = "clone", order = 0, checkout = "clone", depth = 2 },
  { name = "one", order = 0 },
  { name = "whole", order = 0, checkout = "clone", depth = "full" },"#,
    );
    world.change("shop", |repo| {
        repo.git(&["tag", "v1"])
            .ci(r"{
  # Before anything brings the index up to date.
  git diff-index --quiet HEAD -- || echo touched
  git status --porcelain
  git describe --dirty --abbrev=0 || echo none
  git describe --tags --dirty --abbrev=0 || echo none
} > @OUT@/$KATKIT_TENANT-$KATKIT_PHASE 2> @OUT@/errors
")
            // As a file with such an attribute is in a work tree.
            .file(".gitattributes", "*.txt working-tree-encoding=UTF-16BE\n")
            .file("x.txt", "\0h\0i\0\n")
            .commit("second")
            .git(&["tag", "-a", "-m", "the second", "v2"])
            .git(&["tag", "also"])
            .commit("third")
    });
    world.apply();
    let seen = |name: &str| world.read(&format!("out/{name}")).lines().collect::<Vec<_>>().join(", ");
    assert_eq!(seen("dev-pack"), "v2, v2");
    assert_eq!(seen("dev-clone"), "v2, v2");
    assert_eq!(seen("dev-one"), "none, none");
    assert_eq!(seen("dev-whole"), "v2, v2");
    // The commit pack exists already.
    world.change("shop", |repo| repo.git(&["tag", "-a", "-m", "the third", "v3"]));
    world.edit("[tenants.dev]", "[tenants.prod]\nlinks.shop = { repo = \"shop\", workflow = \"standard\", branch = \"main\" }\n[tenants.dev]");
    world.apply();
    let seen = |name: &str| world.read(&format!("out/{name}")).lines().collect::<Vec<_>>().join(", ");
    for phase in ["pack", "clone", "one", "whole"] {
        assert_eq!(seen(&format!("prod-{phase}")), "v3, v3", "{phase}");
    }
    world.nothing_is_left();
}

#[test]
fn a_clone_gives_a_phase_the_same_files_as_a_pack() {
    let mut world = World::shop_with(
        r#"  { name = "pack", order = 0, depth = 2 },
  { name = "clone", order = 0, checkout = "clone", depth = 2 },
  { name = "whole", order = 1, checkout = "clone", depth = "full" },
  { name = "one", order = 1, checkout = "clone" },"#,
    );
    world.change("shop", |repo| {
        repo.ci(LOOKS)
            .file("deep/er/text", "one\r\ntwo")
            .symlink("deep/link", "er/text")
            .commit("second")
            .git(&["update-index", "--add", "--chmod=+x", "ci.sh"])
            .commit("third")
    });
    // Which of the two phases is reported first is a race.
    assert_snapshot!(world.run(["apply"]).stdout, @r"
    dev/shop  → <third>
      + run pack   not run yet
      + run clone  not run yet, at the same time as `pack`
      + run whole  not run yet
      + run one    not run yet, at the same time as `whole`

    Plan: 1 link to change (4 phases), 0 up to date.

    Applied: 1 link done in <time>.
    ");
    let seen = |phase: &str| world.read(&format!("out/{phase}"));
    assert_eq!(seen("pack"), seen("clone"));
    let commits = |phase: &str| {
        let text = seen(phase);
        let commits = text.lines().map_while(|line| line.split_once(' ').filter(|(sha, _)| sha.len() == 40));
        commits.map(|(_, subject)| subject.to_owned()).collect::<Vec<_>>().join(", ")
    };
    assert_snapshot!(["pack", "clone", "whole", "one"].map(commits).join("\n"), @r"
    third, second
    third, second
    third, second, first
    third
    ");
    world.nothing_is_left();
}

#[test]
fn a_repository_that_disappears_before_a_phase_clones_it_is_the_reason_of_its_failure() {
    let world = World::shop_with(
        r#"  { name = "build", order = 0, run = "mv $(dirname @OUT@)/repos/shop $(dirname @OUT@)/repos/away" },
  { name = "clone", order = 1, checkout = "clone" },"#,
    );
    assert_snapshot!(world.run(["apply"]).unbroken(), @r"
    dev/shop  → <first>
      + run build  not run yet
      + run clone  not run yet

    Plan: 1 link to change (2 phases), 0 up to date.

    dev/shop  `clone` failed for <first> (attempt 1): `<world>/repos/shop` could not be cloned: <world>/repos/shop: the repository was not found: '<world>/repos/shop' does not appear to be a git repository
      log:   katkit logs dev/shop --phase clone
      retry: katkit retry dev/shop --phase clone --apply

    Applied: 0 links done, 1 failed in <time>.
    ----- stderr -----
    dev/shop  starting run for <first>
    dev/shop  build  started
    dev/shop  build  succeeded  <time>
    dev/shop  clone  started
    dev/shop  clone  `<world>/repos/shop` could not be cloned: <world>/repos/shop: the repository was not found: '<world>/repos/shop' does not appear to be a git repository  <time>
    ----- exit 1
    ");
    world.nothing_is_left();
    assert_snapshot!(world.run(["plan"]), @r"
    dev/shop
      ! error: there is no repository at <world>/repos/shop: the path does not exist
          hint: correct `url` in the manifest, or restore the repository; a relative path starts at the file that contains it

    Plan: nothing to change, 1 could not be planned, 0 up to date.
    ----- exit 1
    ");
}
