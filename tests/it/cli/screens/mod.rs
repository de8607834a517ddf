//! Every screen as seen in a pipe: 80 columns, no colour. Also in 40 columns if a narrow layout differs.

mod answers;
mod changes;
mod checks;

use crate::world::World;

/// The verification fails at commits with a file `bad`.
const CHECKS: &str = "[ \"$KATKIT_PHASE\" != verify ] || [ ! -e bad ] || { echo checking; echo '503 Service Unavailable'; exit 3; }\n";

const MANIFEST: &str = r#"version = 1

[repos.shop]
url = "repos/shop"

[workflows.standard]
phases = [
  { name = "build", order = 0 },
  { name = "deploy", order = 1, kind = "deployment" },
  { name = "verify", order = 2 },
]

[fleets.local]
kind = "process"

[templates.shop]
repo = "shop"
workflow = "standard"
branch = "main"

[tenants.dev]
use = ["shop"]

[tenants.prod]
use = ["shop"]
"#;

const REGISTRY: &str = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/acme/web:<hubtag>";

/// Two tenants with the same link, and nothing applied yet.
fn estate() -> World {
    World::new()
        .repo("shop", |repo| repo.ci(CHECKS).description(REGISTRY).commit("first"))
        .manifest(MANIFEST)
        .variable("COLUMNS", "80")
}

/// The first commit is live in both; the second was deployed and failed in both.
fn failed() -> World {
    let mut world = estate().applied();
    world.change("shop", |repo| repo.file("bad", "").commit("second"));
    assert_eq!(world.run(["apply"]).code, 1);
    world
}

/// The same on a narrow terminal.
fn narrow(mut world: World) -> World {
    world.with_variable("COLUMNS", "40");
    world
}

/// Links run concurrently: the order of lines is undefined.
fn sorted(text: &str) -> String {
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

/// Output without what differs between runs: times, tokens and ages.
fn shown<const N: usize>(world: &World, arguments: [&str; N]) -> String {
    let replace = |text: &str, pattern: &str, with: &str| {
        regex::Regex::new(pattern).unwrap().replace_all(text, with).into_owned()
    };
    let text = world.run(arguments).to_string();
    let text = replace(&text, "just now|[0-9]+[sm] ago", "<ago>");
    let text = replace(&text, "[0-9]{2}:[0-9]{2}:[0-9]{2}", "<clock>");
    let text = replace(&text, "`[0-9a-f]{32}`", "`<token>`");
    // More digits of a commit than are shown elsewhere.
    replace(&text, "(<[a-z]+>)[0-9a-f]{2}`", "$1`")
}
