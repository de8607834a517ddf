//! Services shared by several tenants, written once.

use insta::assert_snapshot;

use crate::world::{TELLS, World};

const TEMPLATES: &str = r#"version = 1
repos.shop.url = "repos/shop"
fleets.local.kind = "process"
workflows.standard.phases = [{ name = "build", order = 0 }, { name = "deploy", order = 1, kind = "deployment" }]

[templates.shop]
repo = "shop"
workflow = "standard"
branch = "main"

[tenants.beta]
use = ["shop"]

[tenants.dev]
use = ["shop"]
links.shop.skip = ["build"]
"#;

#[test]
fn a_service_from_a_template_is_deployed_set_and_shown_like_any_other() {
    let mut world = World::new()
        .repo("shop", |repo| repo.ci(TELLS).description("acme/web:<hubtag>").commit("first"))
        .manifest(TEMPLATES);
    assert_snapshot!(world.run(["validate", "--expand"]), @r#"
    [tenants.beta.links.shop]
    repo = "shop"
    workflow = "standard"
    branch = "main"

    [tenants.dev.links.shop]
    repo = "shop"
    workflow = "standard"
    branch = "main"
    skip = ["build"]
    ----- exit 0
    "#);
    world.apply();
    assert_snapshot!(world.ran(), @"beta/shop build <first> 1 0");
    let first = world.sha("first").to_owned();
    assert_eq!(world.run(["set", "beta/shop", &first]).code, 0);
    world.change("shop", |repo| repo.file("new", "").commit("second"));
    world.apply();
    assert!(world.deployed("beta/shop").contains("acme/web:<first>"));
    assert!(world.deployed("dev/shop").contains("acme/web:<second>"));
}

#[test]
fn syntax_that_editors_cannot_read_is_accepted_with_a_warning() {
    let world = World::shop().variable("COLUMNS", "80");
    world.edit("links.shop = {", "links.shop = {\n");
    assert_snapshot!(world.run(["validate"]), @r#"
    The manifest is valid: 1 tenant, 1 link, 1 repository, 1 file.
    ----- stderr -----
      ⚠ an inline table on several lines needs TOML 1.1, which many editors and
      │ parsers do not read
        ╭─[katkit.toml:10:15]
      9 │ [tenants.dev]
     10 │ links.shop = {
        ·               ▲
     11 │  repo = "shop", workflow = "standard", branch = "main" }
        ╰────
      help: put the table on one line, or write it as a table of its own: `[a.b]`

    1 warning
    ----- exit 0
    "#);
    assert_eq!(world.run(["plan"]).code, 0);
    world.edit("links.shop = {", "# postgres://app:s3cret@db/shop\nlinks.shop = {");
    for format in ["text", "json"] {
        let said = world.run(["validate", "--format", format]).to_string();
        assert!(said.contains("TOML 1.1") && !said.contains("s3cret"), "{said}");
    }
}
