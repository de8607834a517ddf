//! `withdraw` of several requests.

use insta::assert_snapshot;

use crate::world::{ONE_LINK, World};

/// Two links with a failed phase; two requests for one, one for the other.
fn three_requests() -> World {
    let links = ONE_LINK.replace(
        "links.shop = ",
        "links.api = { repo = \"shop\", workflow = \"standard\", branch = \"main\" }\nlinks.shop = ",
    );
    let world = World::new()
        .repo("shop", |repo| repo.ci("exit 1").commit("first"))
        .manifest(&format!("{links}\n[workflows.standard]\nphases = [{{ name = \"build\", order = 0 }}]\n"));
    assert_eq!(world.run(["apply"]).code, 1);
    assert_eq!(world.run(["retry", "dev"]).code, 0);
    assert_eq!(world.run(["skip", "dev/shop", "build"]).code, 0);
    world
}

#[test]
fn all_requests_of_a_link_a_tenant_or_everything_are_withdrawn_at_once() {
    let world = three_requests();
    assert_snapshot!(world.run(["withdraw", "dev/shop", "--all", "--why", "enough"]), @r"
    dev/shop: the retry that ana requested is withdrawn.
    dev/shop: the skip that ana requested is withdrawn.
    ----- exit 0
    ");
    let left = world.run(["withdraw", "dev", "--all"]);
    assert_snapshot!(left, @r"
    dev/api: the retry that ana requested is withdrawn.
    ----- stderr -----
    left out dev/shop: no request for `dev/shop` is pending
    ----- exit 0
    ");
    for nothing in [world.run(["withdraw", "--all"]), world.run(["withdraw", "dev", "--all"])] {
        assert_eq!(nothing.code, 1, "{nothing}");
        assert!(nothing.stderr.contains("there is nothing to withdraw"), "{nothing}");
    }
    let world = three_requests();
    assert_eq!(world.run(["withdraw", "--all"]).stdout.lines().count(), 3);
    assert_eq!(world.run(["apply"]).code, 1, "they failed, and no request is pending");
    let history = world.run(["history", "dev/shop"]).stdout;
    assert_eq!(history.matches("ana withdrew it").count(), 2, "{history}");
}

#[test]
fn several_requests_are_withdrawn_by_their_ids() {
    let world = three_requests();
    let several = world.run(["withdraw", "dev/shop"]);
    assert_snapshot!(several, @r"
    ----- stderr -----
    error: 2 requests for `dev/shop` are pending
     hint: choose with `--request ID`, or use `--all`: 000000000002 (retry by ana), 000000000003 (skip by ana)
    ----- exit 1
    ");
    let wrong = world.run(["withdraw", "dev/shop", "-r", "000000000002", "-r", "000000000009"]);
    assert!(wrong.stderr.contains("no pending request for `dev/shop` has the id `000000000009`"), "{wrong}");
    let both = world.run(["withdraw", "dev/shop", "-r", "000000000002", "-r", "000000000003"]);
    assert_eq!((both.code, both.stdout.lines().count()), (0, 2), "{both}");
    assert_eq!(world.run(["withdraw"]).code, 64, "of what?");
    assert_eq!(world.run(["withdraw", "dev/api", "--all", "-r", "000000000001"]).code, 64);
}
