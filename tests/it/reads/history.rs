//! `history` of several links, of a time range, and of deployments.

use serde_json::Value;

use super::assert_shown;
use crate::world::{TELLS, World};

/// Two tenants with a link each that deploy `first` and then `bad`, where `prod` fails.
fn two_tenants() -> World {
    let mut world = World::new()
        .repo("shop", |repo| repo.ci(TELLS).description("acme/web:<hubtag>").commit("first"))
        .manifest(
            r#"version = 1
repos.shop.url = "repos/shop"
fleets.local.kind = "process"
workflows.standard.phases = [
  { name = "deploy", order = 0, kind = "deployment" },
  { name = "verify", order = 1 },
]

[tenants.dev]
links.shop = { repo = "shop", workflow = "standard", branch = "main" }

[tenants.prod]
links.shop = { repo = "shop", workflow = "standard", branch = "main" }
"#,
        )
        .applied();
    world.change("shop", |repo| repo.ci("test $KATKIT_TENANT != prod").commit("bad"));
    assert_eq!(world.run(["apply"]).code, 1);
    world
}

fn history(world: &World, arguments: &[&str]) -> Value {
    let output = world.command().arg("history").args(arguments).args(["--format", "json"]).output().unwrap();
    assert!(output.status.success(), "{arguments:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn all_links_are_shown_as_one_stream_in_order_of_time() {
    let world = two_tenants();
    let all = history(&world, &["-n", "1000"]);
    let events = all["events"].as_array().unwrap();
    // As times: their texts have as many digits as they need, and do not sort.
    let time = |event: &Value| event["at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let times: Vec<_> = events.iter().map(time).collect();
    assert!(times.is_sorted(), "{times:?}");
    assert_eq!((&all["link"], &all["before"], &all["more"]), (&Value::Null, &Value::Null, &false.into()));
    for link in ["dev/shop", "prod/shop"] {
        let alone = history(&world, &[link, "-n", "1000"]);
        let merged: Vec<_> = events.iter().filter(|event| event["link"] == link).collect();
        assert_eq!(alone["events"].as_array().unwrap().iter().collect::<Vec<_>>(), merged);
        assert_eq!(alone["link"], link);
    }
    let last = history(&world, &["*/shop", "-n", "7"]);
    assert_eq!(last["events"].as_array().unwrap(), &events[events.len() - 7..]);
    assert_eq!(last["more"], true);
    assert_shown!(world.run(["history", "prod", "-n", "3"]), @"
    … earlier events: use `-n` to show more

      <date> <clock>  prod/shop  ana  `verify` attempt 1 failed: exit code 1
      <date> <clock>  prod/shop  ana  `verify` attempt 1: its service was removed
      <date> <clock>  prod/shop  ana  the run failed

    Times are in UTC.
    ----- exit 0
    ");
}

#[test]
fn deployments_take_one_line_each() {
    let world = two_tenants();
    assert_eq!(world.run(["rollback", "prod/shop", "--why", "red", "--apply"]).code, 0);
    assert_shown!(world.run(["history", "prod", "--deployments"]), @r"
    TIME (UTC)           LINK       COMMIT      BY   OUTCOME
    <date> <clock>  prod/shop  <first>  ana  deployed after <time>
    <date> <clock>  prod/shop  <bad>  ana  deployed after <time>
    <date> <clock>  prod/shop  <first>  ana  rollback: deployed after <time>
    ----- exit 0
    ");
    let deployments = |arguments: &[&str]| {
        let document = history(&world, arguments);
        assert_eq!(document["events"], Value::Array(Vec::new()));
        let kinds = document["deployments"].as_array().unwrap().iter();
        let kinds: Vec<_> = kinds.map(|it| (it["link"].clone(), it["reason"].clone())).collect();
        (kinds, document["more"].clone())
    };
    let (all, more) = deployments(&["--deployments"]);
    assert_eq!((all.len(), more), (5, false.into()));
    let newest = vec![("prod/shop".into(), "rollback".into())];
    assert_eq!(deployments(&["--deployments", "-n", "1"]), (newest, true.into()));
    assert_eq!(deployments(&["dev/shop", "--deployments"]).0.len(), 2);
}

#[test]
fn since_and_until_limit_the_events_shown() {
    let world = two_tenants();
    let count = |arguments: &[&str]| history(&world, arguments)["events"].as_array().unwrap().len();
    let all = history(&world, &["dev/shop", "-n", "1000"]);
    let at = |index: usize| all["events"][index]["at"].as_str().unwrap().to_owned();
    let (third, fifth) = (at(2), at(4));
    assert_eq!(count(&["dev/shop", "--since", &third, "--until", &fifth]), 2);
    assert_eq!(count(&["dev", "--since", &third, "--until", &fifth]), 2);
    assert_eq!(count(&["--until", "2020-01-02"]), 0);
    assert_eq!(count(&["dev/shop", "--since", "3d", "-n", "1000"]), all["events"].as_array().unwrap().len());
    assert_shown!(world.run(["history", "dev/shop", "--until", "2020-01-02"]), @r"
    No events for dev/shop in that time range.
    ----- exit 0
    ");
    assert_shown!(world.run(["history", "dev/shop", "--since", "yesterday"]), @r"
    ----- stderr -----
    error: invalid value 'yesterday' for '--since <TIME>': expected a duration such as 2h or 3d, a date such as <date>, or an RFC 3339 time

    For more information, try '--help'.
    ----- exit 64
    ");
    assert_shown!(world.run(["history", "--before", "7"]), @r"
    ----- stderr -----
    error: `--before` needs a single link
     hint: name one link, or use `--until TIME`
    ----- exit 64
    ");
}
