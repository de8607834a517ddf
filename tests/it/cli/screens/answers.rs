//! Commands that answer questions: status, why, history, wait.

use insta::assert_snapshot;

use super::{estate, failed, narrow, shown};
use crate::world::World;

/// After the second commit was rolled back in `dev`.
fn rolled_back() -> World {
    let world = failed();
    assert_eq!(world.run(["rollback", "dev/shop", "--why", "customers complain", "--apply"]).code, 0);
    world
}

#[test]
fn status_before_and_after() {
    assert_snapshot!(shown(&estate(), ["status"]), @r"
    LINK       DEPLOYED    STATE      SINCE
    dev/shop   -           never ran  -
    prod/shop  -           never ran  -

    2 links: 2 never ran.
    ----- exit 0
    ");
    assert_snapshot!(shown(&rolled_back(), ["status"]), @r"
    LINK       DEPLOYED    STATE                    SINCE
    dev/shop   <first>  quarantined: <second>  <ago>
    prod/shop  <second>  failed at verify         <ago>

    2 links: 1 failed, 1 quarantined.
    ----- exit 0
    ");
    assert_snapshot!(shown(&narrow(rolled_back()), ["status"]), @r"
    dev/shop
      quarantined: <second>, <ago>
      deployed: <first>
    prod/shop
      failed at verify, <ago>
      deployed: <second>

    2 links: 1 failed, 1 quarantined.
    ----- exit 0
    ");
}

#[test]
fn why_a_commit_failed_and_why_another_is_live() {
    let world = rolled_back();
    assert_snapshot!(shown(&world, ["why", "prod/shop"]), @r"
    prod/shop
    <second> is deployed, but `verify` failed: exit code 3.

      wanted      <second>, the tip of `main`
      deployed    <second> since <date> <hour> UTC, <ago>
      run         for <second>, started <ago>, failed <ago>

      build   succeeded after <time>
      deploy  deployed after <time>
      verify  failed after <time>: exit code 3

    The end of the log of `verify`:
      | checking
      | 503 Service Unavailable

      log:   katkit logs prod/shop --phase verify
      retry: katkit retry prod/shop --phase verify --apply
    ----- exit 0
    ");
    assert_snapshot!(shown(&world, ["why", "dev/shop"]), @"
    dev/shop
    <second> is not live: it has been quarantined since <date> <hour> UTC:
    customers complain.
    hint: push a commit that reverts it or says `Fixes: <second>`, or release it
          with `katkit retry dev/shop`

      wanted      <second>, the tip of `main`
      deployed    <first> since <date> <hour> UTC, <ago>
      run         for <second>, started <ago>, failed <ago>
      quarantine  <second> since <date> <hour> UTC: customers complain

      build       succeeded after <time>
      deploy      deployed after <time>
      verify      failed after <time>: exit code 3
      (rollback)  <first>: deployed after <time>

    The end of the log of `verify`:
      | checking
      | 503 Service Unavailable

      log:   katkit logs dev/shop --phase verify
    ----- exit 0
    ");
    assert_snapshot!(shown(&world, ["why", "dev/shop", world.sha("first")]), @r"
    dev/shop
    ana started a run for <first> <ago>; it succeeded after <time>.
    The commit has been live since <date> <hour> UTC.
    It was verified at <date> <hour> UTC.
    The manifest asks for <second> instead.
    ----- exit 0
    ");
}

#[test]
fn history_of_one_link_and_of_all() {
    let world = rolled_back();
    assert_snapshot!(shown(&world, ["history", "dev/shop", "-n", "12"]), @"
    … 20 earlier events: katkit history dev/shop --before 21

    dev/shop: a run that started earlier failed
      <date> <clock>  ana  the platform accepted it as
                                `<token>`
      <date> <clock>  ana  deployment succeeded
      <date> <clock>  ana  `verify` attempt 1 starting in fleet `local`
      <date> <clock>  ana  `verify` attempt 1 was launched
      <date> <clock>  ana  `verify` attempt 1 failed: exit code 3
      <date> <clock>  ana  `verify` attempt 1: its service was removed
      <date> <clock>  ana  the run failed
      <date> <clock>  ana  ana asked to roll back from <second> to <first>
                                (customers complain)
      <date> <clock>  ana  <second> was quarantined: customers complain
      <date> <clock>  ana  rollback to <first> starting: `web`
      <date> <clock>  ana  the platform accepted <first> as
                                `<token>`
      <date> <clock>  ana  <first> was deployed

    Times are in UTC.
    ----- exit 0
    ");
    assert_snapshot!(shown(&world, ["history", "--deployments", "dev/shop"]), @r"
    TIME (UTC)           LINK      COMMIT      BY   OUTCOME
    <date> <clock>  dev/shop  <first>  ana  deployed after <time>
    <date> <clock>  dev/shop  <second>  ana  deployed after <time>
    <date> <clock>  dev/shop  <first>  ana  rollback: deployed after <time>
    ----- exit 0
    ");
    let world = narrow(world);
    assert_snapshot!(shown(&world, ["history", "dev/shop", "-n", "6"]), @"
    … 26 earlier events: katkit history
    dev/shop --before 27

    dev/shop: a run that started earlier
    failed
      <date> <clock>  ana
        the run failed
      <date> <clock>  ana
        ana asked to roll back from
        <second> to <first> (customers
        complain)
      <date> <clock>  ana
        <second> was quarantined:
        customers complain
      <date> <clock>  ana
        rollback to <first> starting:
        `web`
      <date> <clock>  ana
        the platform accepted <first> as
        `<token>`
      <date> <clock>  ana
        <first> was deployed

    Times are in UTC.
    ----- exit 0
    ");
    assert_snapshot!(shown(&world, ["history", "--deployments", "dev/shop"]), @r"
    <date> <clock>  dev/shop ana
        <first>: deployed after <time>
    <date> <clock>  dev/shop ana
        <second>: deployed after <time>
    <date> <clock>  dev/shop ana
        <first>: rollback: deployed after
        <time>

    Times are in UTC.
    ----- exit 0
    ");
}

#[test]
fn waiting_for_a_failed_link_and_for_a_live_one() {
    let world = failed();
    assert_snapshot!(shown(&world, ["wait"]), @r"
    ----- stderr -----
    2 links  held: `verify` failed for <second>: exit code 3
        dev/shop, prod/shop
        hint: `katkit why LINK` shows the log; `katkit retry LINK` tries again from
              `verify`
    ----- exit 1
    ");
    let live = estate().applied();
    assert_snapshot!(shown(&live, ["wait"]), @r"
    ----- stderr -----
    2 links  <first> is live
        dev/shop, prod/shop
    ----- exit 0
    ");
}
