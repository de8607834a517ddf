//! Two users at once.

use insta::assert_snapshot;

use crate::world::World;

/// Announces itself, and waits for the test.
const WAITS: &str = r#"{ name = "build", order = 0, run = """
    echo "$KATKIT_LINK $KATKIT_ATTEMPT" >> @OUT@/began
    until test -e @OUT@/go; do sleep 0.01; done""" },
  { name = "deploy", order = 1, kind = "deployment" },"#;

fn without_owner(text: &str) -> String {
    let words = text
        .split(' ')
        .map(|word| if word.chars().all(|c| c.is_ascii_digit()) && word.len() > 1 { "<pid>" } else { word });
    let text = words.collect::<Vec<_>>().join(" ");
    let mut out = String::new();
    for line in text.lines() {
        let line = match line.split_once("<pid> on ") {
            Some((before, after)) => {
                let host = after.find(')').map_or(after, |at| &after[..at]);
                format!("{before}<pid> on <host>{}", &after[host.len()..])
            }
            None => line.to_owned(),
        };
        out.push_str(&line);
        out.push('\n');
    }
    out
}

#[test]
fn of_two_applies_of_one_link_one_works_and_the_other_names_it() {
    let world = World::shop_with(WAITS);
    let first = world.start(["apply"]);
    world.appears("began");
    assert_snapshot!(without_owner(&world.run(["plan"]).to_string()), @r"
    dev/shop  → <first>
      ! held: ana (process <pid> on <host>) is working on it
          hint: wait for it, or `katkit cancel dev/shop`

    Plan: nothing to change, 1 held, 0 up to date.
    ----- exit 0
    ");
    assert_snapshot!(without_owner(&world.run(["apply"]).to_string()), @r"
    dev/shop  → <first>
      ! held: ana (process <pid> on <host>) is working on it
          hint: wait for it, or `katkit cancel dev/shop`

    Plan: nothing to change, 1 held, 0 up to date.
    ----- exit 3
    ");
    world.release("go");
    assert_eq!(first.wait().code, 0);
    assert_eq!(world.appears("began"), "shop 1\n");
    assert_eq!(world.run(["plan", "--detailed-exitcode"]).code, 0);
    world.nothing_is_left();
}

#[test]
fn applies_of_different_links_do_not_interfere() {
    let world = World::shop_with(WAITS);
    world.edit(
        "links.shop = {",
        "links.other = { repo = \"shop\", workflow = \"standard\", branch = \"main\" }\nlinks.shop = {",
    );
    let first = world.start(["apply", "--target", "dev/shop"]);
    world.appears("began");
    let second = world.start(["apply", "--target", "dev/other"]);
    crate::world::eventually("both began", || (world.appears("began").lines().count() == 2).then_some(()));
    world.release("go");
    let (first, second) = (first.wait(), second.wait());
    assert_eq!((first.code, second.code), (0, 0), "{first}\n{second}");
    world.nothing_is_left();
}

#[test]
fn many_concurrent_applies_run_every_phase_once() {
    let world = World::shop();
    world.edit(
        "links.shop = {",
        "links.other = { repo = \"shop\", workflow = \"standard\", branch = \"main\" }\nlinks.shop = {",
    );
    let applies: Vec<_> = (0..6).map(|_| world.start(["apply"])).collect();
    let ended: Vec<_> = applies.into_iter().map(crate::world::Running::wait).collect();
    assert!(ended.iter().all(|output| matches!(output.code, 0 | 3)), "{ended:#?}");
    assert_eq!(world.ran().lines().count(), 2, "{}", world.ran());
    world.apply();
    assert_eq!(world.run(["plan", "--detailed-exitcode"]).code, 0);
    world.nothing_is_left();
}

#[test]
fn phases_of_one_order_never_deadlock() {
    let phases: String =
        ('a'..='f').map(|name| format!("  {{ name = \"{name}\", order = 0, run = \"true\" }},\n")).collect();
    for _ in 0..3 {
        let world = World::shop_with(&phases);
        let link = "links.shop = { repo = \"shop\", workflow = \"standard\", branch = \"main\" }\n";
        let more: String =
            (0..6).map(|number| link.replace("links.shop", &format!("links.shop{number}"))).collect();
        world.edit(link, &more);
        let applied = world.run(["apply"]);
        assert!(applied.stdout.contains("Applied: 6 links done"), "{applied}");
    }
}
