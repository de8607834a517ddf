//! `verify` reports what a plan would refuse, with the same message, before a plan is requested.

use serde_json::Value;

use crate::world::{Repo, World};

/// Messages with their hints, anywhere in a document.
fn collect_messages(document: &Value, message: &str, hint: &str, found: &mut Vec<(String, String)>) {
    match document {
        Value::Object(object) => {
            if let Some(Value::String(text)) = object.get(message) {
                let hint = object.get(hint).and_then(Value::as_str).unwrap_or_default();
                found.push((text.clone(), hint.to_owned()));
            }
            object.values().for_each(|value| collect_messages(value, message, hint, found));
        }
        Value::Array(items) => items.iter().for_each(|value| collect_messages(value, message, hint, found)),
        _ => {}
    }
}

fn json(world: &World, command: &str) -> Value {
    let output = world.run([command, "--format", "json"]);
    assert_eq!(output.code, 1, "{output}");
    serde_json::from_str(&output.stdout).unwrap()
}

/// The single error in a world's plan.
fn refused(world: &World) -> (String, String) {
    let mut found = Vec::new();
    collect_messages(&json(world, "plan")["links"], "message", "hint", &mut found);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

#[test]
fn verify_reports_what_a_plan_refuses_with_the_same_message() {
    let description = "servicedescription/servicedescription.js";
    let untagged = |repo: Repo| repo.description("acme/web:v1").commit("second");
    let broken = |repo: Repo| repo.file(description, "module.exports = [{ \"Name\": }]\n").commit("second");
    let faults: [(&str, &dyn Fn(Repo) -> Repo); 4] = [
        ("there is no `ci.sh` at <second>, which `build` runs", &|repo| {
            repo.without("ci.sh").commit("second")
        }),
        ("`deploy` is a deployment, but there is no `servicedescription/servicedescription.js`", &|repo| {
            repo.without(description).commit("second")
        }),
        ("no role in `servicedescription/servicedescription.js` has an image with `<hubtag>`", &untagged),
        ("servicedescription/servicedescription.js cannot be read: ", &broken),
    ];
    for (begins, fault) in faults {
        let mut world = World::shop();
        world.change("shop", fault);
        let (message, hint) = refused(&world);
        assert!(message.starts_with(begins), "{message}");
        let mut named = Vec::new();
        collect_messages(&json(&world, "verify"), "message", "fix", &mut named);
        let same = named.iter().filter(|found| **found == (message.clone(), hint.clone()));
        assert_eq!(same.count(), 1, "{message:?} with {hint:?} in {named:#?}");
    }
}

#[test]
fn verify_accepts_what_a_plan_accepts() {
    let world = World::shop();
    assert_eq!(world.run(["plan"]).code, 0);
    let verified = world.run(["verify"]);
    assert_eq!(verified.code, 0, "{verified}");
    // A phase with its own command needs no script.
    let mut world = World::shop();
    world.edit(r#"{ name = "build", order = 0 }"#, r#"{ name = "build", order = 0, run = "true" }"#);
    world.change("shop", |repo| repo.without("ci.sh").commit("second"));
    assert_eq!(world.run(["verify"]).code, 0);
    world.apply();
}
