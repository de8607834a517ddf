//! How pipelines are shown.

use insta::assert_snapshot;

use super::{Output, apply, fresh, live, push, push_bad};

#[test]
fn a_pipeline_shows_its_stages_and_where_each_commit_is() {
    let mut world = live();
    push(&mut world, "second");
    assert_eq!(world.run(["apply", "--yes", "beta"]).code, 0);
    push_bad(&mut world, "third", "beta");
    assert_eq!(world.run(["apply", "--yes", "beta"]).code, 1);
    // Of the digits after `Fixes:`, the commit's name covers only the first.
    let digits = format!("Fixes: <third>{}", &world.sha("third")[10..12]);
    let steady = |output: Output| output.to_string().replace(&digits, "Fixes: <third>..");
    assert_snapshot!(steady(world.run(["pipeline"])), @"
    shop: repository `shop`, branch `main`

    beta, from the branch
      beta/shop     <second>  live, 1 behind; <third> has been quarantined since <date> <hour> UTC: `verify` failed after the deployment
                                hint: push a commit that reverts it or says `Fixes: <third>..`, or release it with `katkit retry beta/shop`

    prod, after beta
      wave 1
      prod-eu/shop  <first>  live, 2 behind; next is <second>
      wave 2
      prod-us/shop  <first>  live, 2 behind; the newest is not verified in `beta/shop` (stage `beta`), and is not verified in `prod-eu/shop` (wave 1 of the stage `prod`)

    <third>  third (Ada)
                rolled back in beta/shop; not yet in prod-eu/shop, prod-us/shop
    <second>  second (Ada)
                live in beta/shop; next in prod-eu/shop; not yet in prod-us/shop
    <first>  first (Ada)
                past in beta/shop; live in prod-eu/shop, prod-us/shop
    ----- exit 0
    ");
    assert_snapshot!(world.run(["pipeline", "shop", "--format", "markdown"]), @r#"
    ### <code>shop</code>

    ```mermaid
    flowchart LR
      subgraph s0 ["beta"]
        l0_0["beta/shop<br><second>, 1 behind"]
      end
      subgraph s1 ["prod"]
        l1_0["prod-eu/shop<br><first>, 2 behind<br>next <second>"]
        l1_1["prod-us/shop<br><first>, 2 behind"]
      end
      s0 --> s1
    ```

    | commit | subject | where |
    |---|---|---|
    | <code><third></code> | <code>third</code> | rolled back in <code>beta/shop</code>; not yet in <code>prod-eu/shop</code>, <code>prod-us/shop</code> |
    | <code><second></code> | <code>second</code> | live in <code>beta/shop</code>; next in <code>prod-eu/shop</code>; not yet in <code>prod-us/shop</code> |
    | <code><first></code> | <code>first</code> | past in <code>beta/shop</code>; live in <code>prod-eu/shop</code>, <code>prod-us/shop</code> |
    ----- exit 0
    "#);
    // Of the three, the newest counts; the others are live.
    let one = steady(world.run(["pipeline", "--commits", "1"]));
    assert_eq!(one, steady(world.run(["pipeline"])));
    assert_snapshot!(world.run(["pipeline", "web"]), @"
    ----- stderr -----
    error: there is no pipeline `web`
     hint: there is `shop`
    ----- exit 1
    ");
}

#[test]
fn why_tells_where_a_link_stands_in_its_pipeline() {
    let mut world = live();
    assert_snapshot!(world.run(["why", "prod-eu/shop"]), @"
    prod-eu/shop
    <first> is live: every phase is done.

      wanted      <first>, by the pipeline `shop`
      pipeline    `shop`, stage `prod`; the newest commit of `main` is live
      deployed    <first> since <date> <hour> UTC, just now
      run         for <first>, started just now, succeeded just now

      build   succeeded after <time>
      deploy  deployed after <time>
      verify  succeeded after <time>
    ----- exit 0
    ");
    push(&mut world, "second");
    assert_snapshot!(world.run(["why", "prod-eu/shop"]), @"
    prod-eu/shop
    <first> is live: every phase is done. <second>, the newest commit of `main`, is not verified in `beta/shop` (stage `beta`).

      wanted      <first>, by the pipeline `shop`
      pipeline    `shop`, stage `prod`; 1 commit behind `main`
      deployed    <first> since <date> <hour> UTC, just now
      run         for <first>, started just now, succeeded just now

      build   succeeded after <time>
      deploy  deployed after <time>
      verify  succeeded after <time>
    ----- exit 0
    ");
    let second = world.sha("second").to_owned();
    assert_snapshot!(world.run(["why", "prod-eu/shop", &second]), @"
    prod-eu/shop
    <second> never ran in `prod-eu/shop`.
    <second> is not verified in `beta/shop` (stage `beta`).
    ----- exit 0
    ");
    assert_eq!(apply(&world).code, 0);
    assert_snapshot!(world.run(["why", "prod-eu/shop", &second]), @"
    prod-eu/shop
    ana started a run for <second> just now; it succeeded after <time>.
    The commit has been live since <date> <hour> UTC.
    It was verified at <date> <hour> UTC.
    <second> is live: every phase is done.

      wanted      <second>, by the pipeline `shop`
      pipeline    `shop`, stage `prod`; the newest commit of `main` is live
      deployed    <second> since <date> <hour> UTC, just now
      run         for <second>, started just now, succeeded just now

      build   succeeded after <time>
      deploy  deployed after <time>
      verify  succeeded after <time>
    ----- exit 0
    ");
}

#[test]
fn a_pipeline_whose_repository_is_gone_says_so() {
    let world = fresh();
    std::fs::remove_dir_all(world.path("repos/shop")).unwrap();
    assert_snapshot!(world.run(["pipeline"]), @"
    shop: repository `shop`, branch `main`
    the branch of `shop` cannot be read: there is no repository at <world>/repos/shop: the path does not exist

    beta, from the branch
      beta/shop     -           nothing is live

    prod, after beta
      wave 1
      prod-eu/shop  -           nothing is live
      wave 2
      prod-us/shop  -           nothing is live
    ----- exit 1
    ");
}

#[test]
fn a_commit_older_than_what_is_live_everywhere_is_past() {
    let mut world = live();
    push(&mut world, "second");
    assert_eq!(apply(&world).code, 0);
    let first = world.sha("first").to_owned();
    assert_snapshot!(world.run(["why", "prod-us/shop", &first]), @"
    prod-us/shop
    ana started a run for <first> just now; it succeeded after <time>.
    The commit was verified at <date> <hour> UTC.
    It is the rollback target.
    <first> is older than <second>, which is live.
    ----- exit 0
    ");
}
