//! Ctrl-C, once and twice.

use insta::assert_snapshot;
use rustix::process::Signal;

use crate::world::{Output, World};

/// Announces itself, and waits for the test.
const WAITS: &str = r#"  { name = "build", order = 0, run = """
    echo "$KATKIT_ATTEMPT" >> @OUT@/began
    until test -e @OUT@/go; do sleep 0.01; done""" },
  { name = "deploy", order = 1, kind = "deployment" },"#;

fn interrupted(world: &World) -> Output {
    let apply = world.start(["apply"]);
    world.appears("began");
    apply.signal(Signal::INT);
    apply.wait()
}

#[test]
fn ctrl_c_removes_running_phases_and_the_next_apply_continues() {
    let world = World::shop_with(WAITS);
    assert_snapshot!(interrupted(&world), @r#"
    dev/shop  → <first>
      + run build  not run yet
      ~ deploy     `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<hubtag>-]{+<first>+}", "Replicas": 2 },

    Plan: 1 link to change (1 phase, 1 deployment), 0 up to date.

    Interrupted: 0 links done, 1 interrupted in <time>.
    ----- stderr -----
    dev/shop  starting run for <first>
    dev/shop  build  started
     WARN stopping: cancelling and removing what is running; press Ctrl-C again to exit at once
    dev/shop  build  cancelled  <time>
    ----- exit 130
    "#);
    world.nothing_is_left();
    assert_snapshot!(world.run(["plan"]), @r#"
    dev/shop  → <first>
      + run build  its last attempt was interrupted
      ~ deploy     `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<hubtag>-]{+<first>+}", "Replicas": 2 },

    Plan: 1 link to change (1 phase, 1 deployment), 0 up to date.
    ----- exit 0
    "#);
    world.release("go");
    assert_snapshot!(world.run(["apply"]), @r#"
    dev/shop  → <first>
      + run build  its last attempt was interrupted
      ~ deploy     `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "acme/web:[-<hubtag>-]{+<first>+}", "Replicas": 2 },

    Plan: 1 link to change (1 phase, 1 deployment), 0 up to date.

    Applied: 1 link done in <time>.
    ----- stderr -----
    dev/shop  build  started (attempt 2)
    dev/shop  build  succeeded  <time>
    dev/shop  deploying <first>
    dev/shop  <first> deployed  <time>
    ----- exit 0
    "#);
    assert_eq!(world.appears("began"), "1\n2\n");
    assert_eq!(world.run(["plan", "--detailed-exitcode"]).code, 0);
    world.nothing_is_left();
}

#[test]
fn sigterm_is_handled_like_ctrl_c() {
    let world = World::shop_with(WAITS);
    let apply = world.start(["apply"]);
    world.appears("began");
    apply.signal(Signal::TERM);
    assert_eq!(apply.wait().code, 130);
    world.nothing_is_left();
}

#[test]
fn a_second_ctrl_c_exits_at_once_and_the_next_apply_recovers() {
    // The code ignores SIGTERM, so the first Ctrl-C has to wait for it.
    let deaf = "trap '' TERM\n    echo $$ > @OUT@/pid\n    echo ";
    let world = World::shop_with(&WAITS.replace("echo ", deaf));
    let apply = world.start(["apply"]);
    world.appears("began");
    apply.signal(Signal::INT);
    let mut apply = apply;
    // Signals of one kind that arrive together count as one: the second is sent until it is noticed.
    crate::world::eventually("it leaves", || {
        if apply.has_ended() {
            return Some(());
        }
        apply.signal(Signal::INT);
        None
    });
    let code = std::path::Path::new("/proc").join(world.read("out/pid").trim());
    assert!(code.exists(), "it waited for the code");
    assert_eq!(apply.wait().code, 130);
    world.release("go");
    world.apply();
    assert_eq!(world.run(["plan", "--detailed-exitcode"]).code, 0);
    world.nothing_is_left();
}

#[test]
fn an_interrupted_apply_does_not_begin_waiting_links() {
    let world = World::shop_with(WAITS);
    world.edit(
        "links.shop = {",
        "links.after = { repo = \"shop\", workflow = \"standard\", branch = \"main\" }\nlinks.shop = {",
    );
    let apply = world.start(["apply", "--parallelism", "1"]);
    world.appears("began");
    apply.signal(Signal::INT);
    let output = apply.wait();
    assert_eq!(output.code, 130, "{output}");
    assert_eq!(world.appears("began"), "1\n");
    world.nothing_is_left();
}
