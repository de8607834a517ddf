//! Tenants that could reach into each other: through names that share a place in the blob store.

use insta::assert_snapshot;

use crate::world::World;

#[test]
fn a_tenant_cannot_have_a_name_that_the_blob_store_uses_itself() {
    let world = World::shop();
    world.edit("[tenants.dev]", "[tenants.probe]\n\n[tenants.commits]");
    assert_snapshot!(world.run(["validate"]), @r#"
    ----- stderr -----
      × no tenant can be called `probe`
       ╭─[katkit.toml:9:10]
     8 │
     9 │ [tenants.probe]
       ·          ──┬──
       ·            ╰── reserved
       ╰────
      help: katkit itself keeps blobs under this name, beside those of the
            tenants; choose another

      × no tenant can be called `commits`
        ╭─[katkit.toml:11:10]
     10 │
     11 │ [tenants.commits]
        ·          ───┬───
        ·             ╰── reserved
     12 │ links.shop = { repo = "shop", workflow = "standard", branch = "main" }
        ╰────
      help: katkit itself keeps blobs under this name, beside those of the
            tenants; choose another

    2 errors
    ----- exit 1
    "#);
    world.edit("[tenants.probe]\n\n[tenants.commits]", "[tenants.commit]");
    assert_eq!(world.run(["validate"]).code, 0);
}
