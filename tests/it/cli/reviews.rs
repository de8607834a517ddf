//! Reviews: what holds a commit without one, and the evidence that lets it go.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::world::{BETA_TO_PROD, Output, SHOP, TELLS, World};

const POLICY: &str = r#"
[policies.production]
review = { approvals = 1, checks = ["test"] }
"#;

const GRANTS: &str = r#"
[people]
ana = {}
ben = {}
merges = {}

[access]
grants = [
  { role = "developer", to = ["ana", "ben"] },
  { role = "oncall", to = ["ana"] },
  { role = "ci", to = ["merges"], on = ["prod"] },
]

[access.roles]
developer = ["request", "promote", "approve"]
oncall = ["break-glass"]
ci = ["evidence"]
"#;

fn world(tables: &str) -> World {
    World::new()
        .repo("shop", |repo| repo.ci(TELLS).description("acme/web:<hubtag>").commit("first"))
        .manifest(&format!("{SHOP}{tables}{POLICY}{BETA_TO_PROD}"))
}

/// A pipeline whose `first` commit is live everywhere.
fn live() -> World {
    let world = world("");
    world.run(["apply", "--yes"]);
    world.run(["promote", "prod/shop"]);
    assert_eq!(reviewed(&world, "first").code, 0);
    assert_eq!(world.run(["apply", "--yes"]).code, 0);
    assert_eq!(world.run(["status", "--check"]).code, 0);
    world
}

fn push(world: &mut World, messages: &[&str]) {
    for message in messages {
        world.change("shop", |repo| repo.file("code", message).commit(message));
    }
}

fn evidence(world: &World, commit: &str, arguments: &[&str]) -> Output {
    world.acting("merges", &[&["evidence", world.sha(commit)], arguments].concat())
}

fn reviewed(world: &World, commit: &str) -> Output {
    evidence(world, commit, &["--pull-request", "17", "--approved-by", "ben", "--check", "test=success"])
}

#[test]
fn a_commit_runs_once_it_and_every_commit_before_it_are_reviewed() {
    let mut world = live();
    push(&mut world, &["second", "third", "fourth"]);
    assert_eq!(world.run(["apply", "--yes"]).code, 0);
    assert!(world.deployed("beta/shop").contains("<fourth>"), "no policy");
    assert_snapshot!(world.run(["plan", "prod"]), @r#"
    prod/shop  at <first>
      ! held: the policy `production` requires reviews, but <fourth> contains <second>, which has 0 of 1 approvals and no result of the check `test`; 2 other commits lack theirs, too
          hint: hand in its evidence: `katkit evidence <second> --approved-by NAME --check "test=success"`

    Plan: nothing to change, 1 held, 0 up to date.
    ----- exit 0
    "#);
    assert_snapshot!(world.run(["why", "prod/shop"]), @r#"
    prod/shop
    <first> is deployed: the policy `production` requires reviews, but <fourth> contains <second>, which has 0 of 1 approvals and no result of the check `test`; 2 other commits lack theirs, too.
    hint: hand in its evidence: `katkit evidence <second> --approved-by NAME --check "test=success"`

      wanted      <first>, by the pipeline `shop`
      pipeline    `shop`, stage `prod`; 3 commits behind `main`
      deployed    <first> since <date> <hour> UTC, just now
      run         for <first>, started just now, succeeded just now

      build   succeeded after <time>
      deploy  deployed after <time>
    ----- exit 0
    "#);
    assert_eq!(reviewed(&world, "fourth").code, 0);
    assert_snapshot!(world.run(["plan", "prod"]), @r#"
    prod/shop  at <first>
      ! held: the policy `production` requires reviews, but <fourth> contains <second>, which has 0 of 1 approvals and no result of the check `test`; another commit lacks its review, too
          hint: hand in its evidence: `katkit evidence <second> --approved-by NAME --check "test=success"`

    Plan: nothing to change, 1 held, 0 up to date.
    ----- exit 0
    "#);
    for commit in ["second", "third"] {
        assert_eq!(reviewed(&world, commit).code, 0);
    }
    assert_eq!(world.run(["apply", "--yes"]).code, 0);
    assert!(world.deployed("prod/shop").contains("<fourth>"));
}

#[test]
fn the_newest_verified_commit_before_the_first_without_a_review_runs() {
    let mut world = live();
    for commit in ["second", "third"] {
        push(&mut world, &[commit]);
        assert_eq!(world.run(["apply", "--yes"]).code, 0);
    }
    assert_eq!(reviewed(&world, "second").code, 0);
    assert_eq!(world.run(["apply", "--yes", "--strict"]).code, 0);
    assert!(world.deployed("prod/shop").contains("<second>"));
    assert_snapshot!(world.run(["pipeline"]), @"
    shop: repository `shop`, branch `main`

    beta, from the branch
      beta/shop  <third>  live, the newest

    prod, after beta
      prod/shop  <second>  live, 1 behind; the policy `production` requires reviews, but <third> has 0 of 1 approvals and no result of the check `test`

    <third>  third (Ada)
                live in beta/shop; not yet in prod/shop
    <second>  second (Ada)
                past in beta/shop; live in prod/shop
    ----- exit 0
    ");
    assert_snapshot!(world.run(["why", "prod/shop", world.sha("third")]), @"
    prod/shop
    <third> never ran in `prod/shop`.
    <third> waits: the policy `production` requires reviews, but <third> has 0 of 1 approvals and no result of the check `test`.
    ----- exit 0
    ");
    let why = world.run(["why", "prod/shop", "--format", "json"]);
    let why: Value = serde_json::from_str(&why.stdout).unwrap();
    assert_eq!(why["plan"]["holds"][0]["kind"], json!("unreviewed"), "{why:#}");
    assert_eq!(world.run(["apply", "--yes", "--strict"]).code, 3);
}

#[test]
fn a_failed_check_holds_until_it_passes_and_withdrawn_evidence_counts_no_longer() {
    let mut world = live();
    push(&mut world, &["second"]);
    world.run(["apply", "--yes"]);
    evidence(&world, "second", &["--approved-by", "ben", "--check", "test=failure"]);
    assert_snapshot!(world.shell("katkit why prod/shop | sed -n 2,3p"), @r#"
    <first> is deployed: the policy `production` requires reviews, but <second> has a failure of the check `test`.
    hint: hand in its evidence: `katkit evidence <second> --check "test=success"`
    ----- exit 0
    "#);
    assert_snapshot!(evidence(&world, "second", &["--check", "test=success", "--why", "ran again"]), @"
    Recorded evidence 3 for <second>.
    ----- exit 0
    ");
    assert_snapshot!(evidence(&world, "second", &["--check", "test=success", "--why", "ran again"]), @"
    You had handed in the same for <second> before (evidence 3).
    ----- exit 0
    ");
    assert_snapshot!(world.shell(&format!("katkit evidence {} | sed 's/, 20.* UTC/, <time>/'", world.sha("second"))), @"
    <second>
      evidence 2 by merges, <time>
        approved by ben
        check `test`: failure
      evidence 3 by merges, <time> (ran again)
        check `test`: success
    ----- exit 0
    ");
    assert!(world.run(["plan", "prod"]).stdout.contains("~ deploy"));
    assert_snapshot!(evidence(&world, "second", &["--withdraw", "--why", "wrong commit"]), @"
    Withdrew evidence 2 and 3 for <second>.
    ----- exit 0
    ");
    assert_snapshot!(evidence(&world, "second", &["--withdraw"]), @"
    There is no evidence for <second>.
    ----- exit 0
    ");
    assert!(world.run(["plan", "prod"]).stdout.contains("has 0 of 1 approvals"));
    let json = evidence(&world, "first", &["--format", "json"]);
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    let statement = &json["commits"][0]["evidence"][0];
    assert_eq!(
        (&statement["pull_request"], &statement["approved_by"], &statement["checks"]),
        (&json!("17"), &json!(["ben"]), &json!({ "test": "success" })),
        "{json:#}"
    );
    assert_snapshot!(world.shell("katkit audit | grep evidence | cut -c 22-"), @"
      merges  evidence 1 for <first>: pull request 17, approved by ben, check `test`: success
      merges  evidence 2 for <second>: approved by ben, check `test`: failure
      merges  evidence 3 for <second>: check `test`: success (ran again)
      merges  withdrew the evidence for <second> (wrong commit)
    ----- exit 0
    ");
    assert_eq!(world.run(["audit", "verify"]).code, 0);
}

#[test]
fn evidence_counts_only_from_those_who_may_hand_it_in() {
    let mut world = world("");
    world.run(["apply", "--yes"]);
    world.run(["promote", "prod/shop"]);
    let granted = world
        .read("katkit.toml")
        .replace("[policies.production]", &format!("{GRANTS}\n[policies.production]"));
    assert_eq!(world.acting("ana", &["evidence", world.sha("first"), "--approved-by", "ben"]).code, 0);
    world.write("katkit.toml", &granted);
    assert_snapshot!(world.acting("ana", &["evidence", world.sha("first"), "--approved-by", "ben"]), @"
    ----- stderr -----
    error: ana does not have the right `evidence` on any link
     hint: `katkit who-can evidence beta/shop` shows who has it
    ----- exit 1
    ");
    assert!(world.run(["plan", "prod"]).stdout.contains("has 0 of 1 approvals"), "what ana handed in before");
    assert_eq!(reviewed(&world, "first").code, 0);
    assert_eq!(world.run(["apply", "--yes"]).code, 0);
    assert!(world.deployed("prod/shop").contains("<first>"));
    assert_snapshot!(world.run(["who-can", "evidence", "prod/shop"]), @"
    prod/shop
    `evidence` takes the right `evidence`
      merges  ci
    ----- exit 0
    ");
    push(&mut world, &["second"]);
    let nobody = granted.replace(r#"{ role = "ci", to = ["merges"], on = ["prod"] },"#, "");
    world.write("katkit.toml", &nobody);
    assert_snapshot!(world.run(["validate"]), @"
    ----- stderr -----
      × the policy of `prod/shop` requires a `review`, and nobody has the right
      │ `evidence`
        ╭─[katkit.toml:18:1]
     17 │
     18 │ [access]
        · ────┬───
        ·     ╰── nobody can hand it in
     19 │ grants = [
        ╰────
      help: grant `evidence` to the CI job that runs `katkit evidence`

    1 error
    ----- exit 1
    ");
}

#[test]
fn an_override_lets_unreviewed_commits_through_and_they_stay_owed() {
    let mut world = live();
    push(&mut world, &["second", "third"]);
    world.run(["apply", "--yes"]);
    let rest = ["--gate", "review", "--until", "2h", "--why", "incident 4711"];
    assert_eq!(
        world.acting("ana", &[&["override", "prod/shop", world.sha("third")], &rest[..]].concat()).code,
        0
    );
    assert_eq!(world.run(["apply", "--yes"]).code, 0);
    assert!(world.deployed("prod/shop").contains("<third>"));
    push(&mut world, &["fourth"]);
    world.run(["apply", "--yes"]);
    assert_eq!(reviewed(&world, "fourth").code, 0);
    assert_snapshot!(world.run(["plan", "prod"]), @r#"
    prod/shop  at <third>
      ! held: <third> is live by override 2 of ana, and still owes `review`
          hint: hand in its evidence: `katkit evidence <second> --approved-by NAME --check "test=success"`; someone else can forgive it with `katkit forgive prod/shop`

    Plan: nothing to change, 1 held, 0 up to date.
    ----- exit 0
    "#);
    assert_eq!(reviewed(&world, "second").code, 0);
    assert!(world.run(["plan", "prod"]).stdout.contains("still owes `review`"), "for the third");
    assert_eq!(reviewed(&world, "third").code, 0);
    assert_eq!(world.run(["apply", "--yes"]).code, 0);
    assert!(world.deployed("prod/shop").contains("<fourth>"));
}

#[test]
fn a_link_that_follows_a_branch_waits_as_well() {
    let mut world = World::shop();
    world.edit("[tenants.dev]\n", &format!("{POLICY}\n[tenants.dev]\npolicy = \"production\"\n"));
    assert_snapshot!(world.run(["apply", "--yes"]), @r#"
    dev/shop  → <first>
      ! held: the policy `production` requires reviews, but <first> has 0 of 1 approvals and no result of the check `test`
          hint: hand in its evidence: `katkit evidence <first> --approved-by NAME --check "test=success"`

    Plan: nothing to change, 1 held, 0 up to date.
    ----- exit 0
    "#);
    assert_eq!(reviewed(&world, "first").code, 0);
    world.apply();
    push(&mut world, &["second", "third"]);
    assert_eq!(reviewed(&world, "third").code, 0);
    assert_snapshot!(world.run(["plan"]), @r#"
    dev/shop  <first> → <third>
      ! held: the policy `production` requires reviews, but <third> contains <second>, which has 0 of 1 approvals and no result of the check `test`
          hint: hand in its evidence: `katkit evidence <second> --approved-by NAME --check "test=success"`

    Plan: nothing to change, 1 held, 0 up to date.
    ----- exit 0
    "#);
    assert_eq!(reviewed(&world, "second").code, 0);
    world.apply();
    // What a rollback goes back to was reviewed when it came.
    evidence(&world, "first", &["--withdraw"]);
    assert_eq!(world.run(["rollback", "dev/shop", "--apply"]).code, 0);
    assert!(world.deployed("dev/shop").contains("<first>"));
}

#[test]
fn mistakes_in_evidence_are_named() {
    let world = World::shop();
    let sha = world.sha("first");
    assert_snapshot!(world.run(["evidence", &sha[..10], "--approved-by", "ben"]), @"
    ----- stderr -----
    error: invalid value '<first>' for '<SHA>...': `<first>` is a prefix of a commit sha (10 of 40 digits)

    For more information, try '--help'.
    ----- exit 64
    ");
    assert_snapshot!(world.run(["evidence", "main", "--approved-by", "ben"]), @"
    ----- stderr -----
    error: invalid value 'main' for '<SHA>...': `main` is not a commit sha (40 lowercase hex digits)

    For more information, try '--help'.
    ----- exit 64
    ");
    assert_snapshot!(world.run(["evidence", sha, "--check", "test"]), @"
    ----- stderr -----
    error: invalid value 'test' for '--check <NAME=RESULT>': write the name and the result, like `test=success`

    For more information, try '--help'.
    ----- exit 64
    ");
    assert_snapshot!(world.run(["evidence", sha, "--check", "test=skipped"]), @"
    ----- stderr -----
    error: invalid value 'test=skipped' for '--check <NAME=RESULT>': the result is `success` or `failure`, not `skipped`

    For more information, try '--help'.
    ----- exit 64
    ");
    assert_snapshot!(world.run(["evidence", sha, "--check", "test=success", "--check", "test=failure"]), @"
    ----- stderr -----
    error: the check `test` has two results
    ----- exit 64
    ");
    assert_snapshot!(world.run(["evidence", sha, "--why", "forgot the rest"]), @"
    ----- stderr -----
    error: `--why` is for evidence that is handed in: add `--approved-by` or `--check`
    ----- exit 64
    ");
    assert_snapshot!(world.run(["evidence", sha, "--withdraw", "--approved-by", "ben"]), @"
    ----- stderr -----
    error: the argument '--withdraw' cannot be used with '--approved-by <NAME>'

    Usage: katkit evidence --withdraw <SHA>...

    For more information, try '--help'.
    ----- exit 64
    ");
    assert_snapshot!(world.run(["evidence", sha]), @"
    <first>
      no evidence
    ----- exit 0
    ");
}

/// The script of the guide, with a `gh` that knows the pull request of one commit and who approved it.
#[test]
fn the_script_of_the_guide_hands_in_what_the_code_host_knows() {
    let mut world = World::shop();
    push(&mut world, &["second", "third"]);
    let guide = include_str!("../../../docs/reviews.md");
    let script = guide.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    world.write("evidence.sh", script);
    let gh = "#!/usr/bin/env bash\ncase \"$*\" in\n*/commits/@SHA@/pulls*) echo 17 ;;\n*/pulls*) ;;\n*graphql*number=17*) printf 'ben\\ncem\\n' ;;\n*) exit 1 ;;\nesac\n";
    world.write("bin/gh", &gh.replace("@SHA@", world.sha("third")));
    let run = format!(
        "chmod +x bin/gh && export PATH=$PWD/bin:$PATH GITHUB_REPOSITORY=acme/shop TEST=success MANIFEST=katkit.toml BEFORE={} && GIT_DIR=repos/shop/.git bash evidence.sh",
        world.sha("first")
    );
    assert_snapshot!(world.shell(&run), @"
    Recorded evidence 1 for <third>.
    ----- exit 0
    ");
    let shown = world.run(["evidence", world.sha("second"), world.sha("third")]);
    assert!(shown.stdout.contains("<second>\n  no evidence\n<third>\n"), "{shown}");
    assert!(
        shown.stdout.contains("pull request 17\n    approved by ben and cem\n    check `test`: success"),
        "{shown}"
    );
}
