//! Confirmation before changes.

use insta::assert_snapshot;

use crate::world::{Output, World};

/// Terminal output after these lines are typed, and the exit code. Without cursor movements.
fn typed(world: &World, command: &str, lines: &str) -> Output {
    let script = format!(
        "printf '{lines}' | NO_COLOR=1 TERM=dumb script --quiet --return --command '{command}' /dev/null >seen; \
         code=$?; tr -d '\\033\\r' <seen; exit $code"
    );
    world.shell(&script)
}

fn katkit() -> &'static str {
    env!("CARGO_BIN_EXE_katkit")
}

fn changes(world: &World) -> usize {
    world.ran().lines().count()
}

fn protected() -> World {
    let world = World::shop();
    world.edit("[tenants.dev]\n", "[tenants.dev]\nprotected = true\n");
    world
}

#[test]
fn a_terminal_asks_after_the_plan_and_defaults_to_no() {
    let world = World::shop();
    let apply = format!("{} apply", katkit());
    for no in ["\\n", "n\\n", "nein\\n"] {
        let refused = typed(&world, &apply, no);
        assert_eq!((refused.code, changes(&world)), (1, 0), "{refused}");
    }
    let refused = typed(&world, &apply, "n\\n");
    assert_snapshot!(refused.stdout.split_once("0 up to date.").unwrap().1, @"Apply these changes? [y/N] Nothing was changed.");
    let agreed = typed(&world, &apply, "y\\n");
    assert_eq!((agreed.code, changes(&world)), (0, 1), "{agreed}");
    let nothing = typed(&world, &apply, "");
    assert_eq!(nothing.code, 0, "nothing to do, nothing to confirm: {nothing}");
}

#[test]
fn both_names_of_yes_skip_the_question() {
    for yes in ["--yes", "--auto-approve"] {
        let world = protected();
        let applied = typed(&world, &format!("{} apply {yes}", katkit()), "");
        assert_eq!((applied.code, changes(&world)), (0, 1), "{applied}");
    }
}

#[test]
fn a_protected_tenant_must_be_confirmed_by_name() {
    let world = protected();
    let apply = format!("{} apply", katkit());
    let refused = typed(&world, &apply, "y\\ny\\n");
    assert_eq!((refused.code, changes(&world)), (1, 0), "{refused}");
    assert!(refused.stdout.contains("`dev` is protected. To change it, type its name: "), "{refused}");
    let agreed = typed(&world, &apply, "y\\ndev\\n");
    assert_eq!((agreed.code, changes(&world)), (0, 1), "{agreed}");
}

#[test]
fn without_a_terminal_a_protected_tenant_needs_explicit_consent() {
    let world = protected();
    let refused = world.run(["apply"]);
    assert_eq!((refused.code, changes(&world)), (1, 0), "{refused}");
    assert_snapshot!(refused.stderr, @r"
    error: the tenant `dev` is protected, and there is no terminal to confirm on
     hint: add `--yes`, or apply a saved plan with `--plan FILE`
    ");
    assert_eq!(world.run(["apply", "--yes"]).code, 0);
    assert_eq!(world.run(["apply", "--refresh-only"]).code, 0, "only the record would change");
}

#[test]
fn a_request_for_a_protected_tenant_is_confirmed_only_by_its_name() {
    let mut world = protected();
    assert_eq!(world.run(["apply", "--yes"]).code, 0);
    world.change("shop", |repo| repo.file("new", "").commit("second"));
    assert_eq!(world.run(["apply", "--yes"]).code, 0);
    let back = world.run(["rollback", "dev/shop", "--apply"]);
    assert_eq!(back.code, 1, "{back}");
    assert!(back.stderr.contains("`dev` is protected"), "{back}");
    assert!(!world.run(["status"]).stdout.contains("ana asked"), "nothing was recorded");
    let rollback = format!("{} rollback dev/shop --apply", katkit());
    let refused = typed(&world, &rollback, "prod\\n");
    assert_eq!(refused.code, 1, "{refused}");
    assert!(refused.stdout.contains("Nothing was recorded or changed."), "{refused}");
    assert!(!world.run(["status"]).stdout.contains("asked"), "a refused request is not kept");
    let back = typed(&world, &rollback, "dev\\n");
    assert!(world.deployed("dev/shop").contains("acme/web:<first>"), "{back}");
    assert_eq!(
        back.stdout.matches("Plan: 1 link to change").count(),
        1,
        "what was agreed to is shown once: {back}"
    );
}

#[test]
fn the_question_is_asked_wherever_the_output_goes_if_standard_input_is_a_terminal() {
    let apply = |redirected: &str| format!("sh -c \"{} apply {redirected}\"", katkit());
    for redirected in ["2>errors", ">plan", ">plan 2>errors"] {
        let world = World::shop();
        let refused = typed(&world, &apply(redirected), "n\\n");
        assert_eq!((refused.code, changes(&world)), (1, 0), "{redirected}: {refused}");
        assert!(refused.stdout.contains("Apply these changes? [y/N]"), "{redirected}: {refused}");
        let agreed = typed(&world, &apply(redirected), "y\\n");
        assert_eq!((agreed.code, changes(&world)), (0, 1), "{redirected}: {agreed}");
    }
    let world = World::shop();
    let piped = typed(&world, &apply("</dev/null"), "");
    assert_eq!((piped.code, changes(&world)), (0, 1), "nobody is there to answer: {piped}");
    assert!(!piped.stdout.contains("Apply these changes?"), "{piped}");
}

#[test]
fn a_saved_plan_needs_no_further_confirmation() {
    let world = protected();
    assert_eq!(world.run(["plan", "--out", "saved.plan"]).code, 0);
    assert_eq!(world.run(["apply", "--plan", "saved.plan"]).code, 0);
    assert_eq!(changes(&world), 1);
}
