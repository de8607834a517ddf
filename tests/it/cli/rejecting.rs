//! Rejections: what they hold, where, and what ends them.

use insta::assert_snapshot;

use crate::world::{Output, SHOP, TELLS, World};

const MANIFEST: &str = r#"
[people]
ana.emails = ["ada@example.com"]
ben.emails = ["ben@example.com"]
cleo.emails = ["cleo@example.com"]

[policies.production]
approvals = [{ from = ["ben", "cleo"], independent-of = ["author"] }]

[pipelines.shop]
repo = "shop"
stages = [
  { name = "beta", links = ["beta/shop"] },
  { name = "prod", waves = [["eu/shop"], ["us/shop"]] },
]

[templates]
shop = { repo = "shop", workflow = "standard", pipeline = "shop" }

[tenants]
beta.use = ["shop"]
eu = { use = ["shop"], policy = "production" }
us.use = ["shop"]
"#;

/// A pipeline whose `first` commit is live everywhere, and whose `second`, by ada, is live in beta.
fn waiting() -> World {
    let mut world = World::new()
        .repo("shop", |repo| repo.ci(TELLS).description("acme/web:<hubtag>").commit("first"))
        .manifest(&format!("{SHOP}{MANIFEST}"));
    world.run(["apply", "--yes"]);
    for link in ["eu/shop", "us/shop"] {
        world.run(["promote", link]);
        if link == "eu/shop" {
            world.acting("ben", &["approve", "eu/shop", world.sha("first")]);
        }
        world.run(["apply", "--yes"]);
    }
    assert_eq!(world.run(["status", "--check"]).code, 0);
    push(&mut world, "second");
    assert_eq!(world.run(["apply", "--yes"]).code, 0);
    world
}

fn push(world: &mut World, message: &str) {
    world.change("shop", |repo| repo.file(message, message).commit_by("ada <ada@example.com>", message));
}

/// The output of a command, without the digits of a commit that only a hint about `Fixes:` has.
fn run<const N: usize>(world: &World, arguments: [&str; N], commit: &str) -> String {
    let output = world.run(arguments);
    let digits = format!("<{commit}>{}`", &world.sha(commit)[10..12]);
    format!("{}exit {}", output.stdout.replace(&digits, &format!("<{commit}>..`")), output.code)
}

fn reject(world: &World, person: &str, commit: &str) -> Output {
    world.acting(person, &["reject", "eu/shop", world.sha(commit), "--why", "breaks the login"])
}

#[test]
fn a_rejected_commit_and_those_on_top_of_it_go_no_further_until_a_revert_lands() {
    let mut world = waiting();
    assert_eq!(world.acting("cleo", &["approve", "eu/shop", world.sha("second")]).code, 0);
    assert_snapshot!(reject(&world, "ben", "second"), @"
    Rejected <second> for eu/shop (rejection 3). It must not run in us/shop either. `katkit release eu/shop <second>` releases it.
    ----- exit 0
    ");
    assert_snapshot!(run(&world, ["plan", "eu"], "second"), @"
    eu/shop  <first> → <second>
      ! held: <second> was rejected by ben for `eu/shop` at <date> <hour> UTC: breaks the login
          hint: revert it, say `Fixes: <second>..` in the commit that fixes it, or release it with `katkit release eu/shop <second>`

    Plan: nothing to change, 1 held, 0 up to date.
    exit 0
    ");
    assert_eq!(world.run(["apply", "--yes"]).code, 0, "approved, and rejected after that");
    assert!(world.deployed("eu/shop").contains("<first>"));
    assert_eq!(world.run(["apply", "--yes", "--strict"]).code, 3);
    push(&mut world, "third");
    assert_eq!(world.run(["apply", "--yes"]).code, 0);
    assert!(world.deployed("beta/shop").contains("<third>"), "the stages before go on");
    assert_snapshot!(run(&world, ["why", "eu/shop"], "second"), @"
    eu/shop
    <second> is not live: it was rejected by ben for `eu/shop` at <date> <hour> UTC: breaks the login.
    hint: revert it, say `Fixes: <second>..` in the commit that fixes it, or release it with `katkit release eu/shop <second>`

      wanted      <second>, by the pipeline `shop`
      pipeline    `shop`, stage `prod`; 2 commits behind `main`
      deployed    <first> since <date> <hour> UTC, just now
      run         for <first>, started just now, succeeded just now

      build   succeeded after <time>
      deploy  deployed after <time>
    exit 0
    ");
    assert_snapshot!(world.run(["why", "us/shop", world.sha("second")]), @"
    us/shop
    <second> never ran in `us/shop`.
    <second> was rejected by ben for `eu/shop` at <date> <hour> UTC: breaks the login.
    ----- exit 0
    ");
    let second = world.sha("second").to_owned();
    world.change("shop", |repo| repo.git(&["revert", "--no-edit", &second]).commit("fourth"));
    assert_eq!(world.run(["apply", "--yes"]).code, 0);
    assert_eq!(world.acting("cleo", &["approve", "eu/shop", world.sha("fourth")]).code, 0);
    assert_eq!(world.run(["apply", "--yes"]).code, 0);
    assert!(world.deployed("us/shop").contains("<fourth>"));
    assert_snapshot!(world.shell("katkit audit --kind rejection,release,approval | cut -c 24-"), @"
    ben   approval 1 of <first> for eu/shop
    cleo  approval 2 of <first>..<second> for eu/shop
    ben   rejection 3 of <second> for eu/shop (breaks the login)
    cleo  approval 4 of <first>..<fourth> for eu/shop


    ----- exit 0
    ");
}

#[test]
fn an_older_commit_becomes_the_candidate_if_a_newer_is_rejected() {
    let mut world = waiting();
    push(&mut world, "third");
    world.run(["apply", "--yes"]);
    assert_eq!(reject(&world, "ben", "third").code, 0);
    let plan = world.run(["plan", "eu"]).stdout;
    assert!(plan.contains("<second> needs 1 approval"), "{plan}");
}

#[test]
fn a_rejection_is_released_by_its_author_or_with_a_reason_by_those_who_took_no_part() {
    let world = waiting();
    let second = world.sha("second");
    reject(&world, "ben", "second");
    assert_snapshot!(reject(&world, "ben", "second"), @"
    You had rejected <second> for eu/shop before (rejection 2). It must not run in us/shop either. `katkit release eu/shop <second>` releases it.
    ----- exit 0
    ");
    let release =
        |person, more: &[&str]| world.acting(person, &[&["release", "eu/shop", second], more].concat());
    assert_snapshot!(release("ana", &["--why", "it is fine"]), @"
    ----- stderr -----
    error: ana took part in it, and the policy `production` wants others to decide
     hint: ask ben to release <second>
    ----- exit 1
    ");
    assert_snapshot!(release("cleo", &[]), @"
    ----- stderr -----
    error: ben rejected it, so the release needs a reason
     hint: add `--why TEXT`
    ----- exit 1
    ");
    assert_snapshot!(release("cleo", &["--why", "the alarm was false"]), @"
    Ended rejection 2 by ben: <second> may run again in eu/shop.
    ----- exit 0
    ");
    assert_snapshot!(release("cleo", &[]), @"
    ----- stderr -----
    error: nothing holds <second> in `eu/shop`: no rejection and no rollback
     hint: `katkit why eu/shop` shows where it stands
    ----- exit 1
    ");
    reject(&world, "cleo", "second");
    assert_snapshot!(world.acting("ben", &["release", "us/shop", second, "--why", "x"]), @"
    ----- stderr -----
    error: <second> was rejected for `eu/shop`, not for `us/shop`
     hint: `katkit release eu/shop <second>` releases it
    ----- exit 1
    ");
    assert_eq!(release("cleo", &[]).code, 0);
}

/// Both links were rejected, the second by someone else.
#[test]
fn a_release_of_several_links_ends_all_of_their_rejections_or_none() {
    let world = waiting();
    let second = world.sha("second");
    let reject = |person, link| world.acting(person, &["reject", link, second, "--why", "slow"]);
    assert_eq!((reject("cleo", "eu/shop").code, reject("ben", "us/shop").code), (0, 0));
    let release = ["release", "eu/shop", "us/shop", second];
    assert_snapshot!(world.acting("cleo", &release), @"
    ----- stderr -----
    error: ben rejected it, so the release needs a reason
     hint: add `--why TEXT`
    ----- exit 1
    ");
    assert_eq!(world.run(["plan", "eu"]).stdout.matches("was rejected by cleo").count(), 1);
    assert_eq!(world.acting("ben", &["approve", "eu/shop", second]).code, 1);
    let all = [&release[..], &["--why", "fast enough", "--apply", "--yes"]].concat();
    assert_snapshot!(world.acting("cleo", &all), @"
    Ended rejection 2 by cleo: <second> may run again in eu/shop.
    Ended rejection 3 by ben: <second> may run again in us/shop.
    eu/shop  <first> → <second>
      ! held: <second> needs 1 approval from ben or cleo, as the policy `production` requires
          hint: `katkit approve eu/shop <second>` approves it; `katkit who-can approve eu/shop` shows who can

    Plan: nothing to change, 1 held, 1 up to date.
    ----- exit 0
    ");
}

#[test]
fn what_is_live_is_rolled_back_and_not_rejected() {
    let world = waiting();
    assert_snapshot!(reject(&world, "ben", "first"), @"
    ----- stderr -----
    error: <first> is live in `eu/shop`
     hint: `katkit rollback eu/shop` goes back to the commit that was verified before
    ----- exit 1
    ");
    assert_snapshot!(
        world.acting("ben", &["reject", "beta/shop", world.sha("first"), "--why", "old"]),
        @"
    ----- stderr -----
    error: <first> is part of <second>, which is live in `beta/shop`
     hint: `katkit rollback beta/shop` goes back to the commit that was verified before
    ----- exit 1
    "
    );
    assert_snapshot!(world.acting("ben", &["reject", "eu/shop", "0123abcd", "--why", "typo"]), @"
    ----- stderr -----
    error: `0123abcd` is not a commit, branch or tag in <world>/repos/shop
    ----- exit 1
    ");
    assert_snapshot!(world.acting("ben", &["reject", "eu/nowhere", "main", "--why", "typo"]), @"
    ----- stderr -----
    error: there is no link `eu/nowhere`
     hint: `katkit status` lists the links
    ----- exit 64
    ");
}

/// A link without a pipeline.
#[test]
fn a_rolled_back_commit_is_released_by_name() {
    let mut world = World::shop().applied();
    world.change("shop", |repo| repo.commit("second"));
    assert_eq!(world.run(["apply", "--yes"]).code, 0);
    assert_eq!(world.run(["rollback", "dev/shop", "--apply", "--yes"]).code, 0);
    assert_snapshot!(world.run(["release", "dev/shop", world.sha("first")]), @"
    ----- stderr -----
    error: nothing holds <first> in `dev/shop`: no rejection and no rollback
     hint: `katkit why dev/shop` shows where it stands
    ----- exit 1
    ");
    assert_snapshot!(world.run(["release", "dev/shop", world.sha("second"), "--why", "a false alarm"]), @"
    dev/shop: recorded: <second> may be deployed again.
    `katkit apply dev/shop` does it.
    ----- exit 0
    ");
    assert_eq!(world.run(["apply", "--yes"]).code, 0);
    assert!(world.deployed("dev/shop").contains("<second>"));
    world.change("shop", |repo| repo.commit("third"));
    assert_eq!(world.run(["reject", "dev/shop", "main", "--why", "not today"]).code, 0);
    assert_snapshot!(run(&world, ["apply", "--yes", "--strict"], "third"), @"
    dev/shop  <second> → <third>
      ! held: <third> was rejected by ana for `dev/shop` at <date> <hour> UTC: not today
          hint: revert it, say `Fixes: <third>..` in the commit that fixes it, or release it with `katkit release dev/shop <third>`

    Plan: nothing to change, 1 held, 0 up to date.
    exit 3
    ");
}

/// `second` was verified and left for an older commit, so that it can be rejected, and is a rollback target later.
#[test]
fn a_rejected_commit_is_no_rollback_target() {
    let mut world = World::shop().applied();
    world.change("shop", |repo| repo.commit("second"));
    assert_eq!(world.run(["apply", "--yes"]).code, 0);
    let (first, second) = (world.sha("first").to_owned(), world.sha("second").to_owned());
    assert_eq!(world.run(["set", "dev/shop", &first]).code, 0);
    assert_eq!(world.run(["apply", "--yes"]).code, 0);
    assert_eq!(world.run(["reject", "dev/shop", &second, "--why", "slow"]).code, 0);
    assert_snapshot!(world.run(["rollback", "dev/shop", "--to", &second]), @"
    ----- stderr -----
    error: <second> was rejected by ana
     hint: `katkit release dev/shop <second>` releases it
    ----- exit 1
    ");
}
