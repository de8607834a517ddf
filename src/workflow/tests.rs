//! Parsing of realistic files, their conversion to manifests, and errors for invalid ones.

use insta::assert_snapshot;
use proptest::prelude::*;

use crate::domain::{Execution, PhaseKind, Placement, Workflow};

use super::*;

/// In realistic style: tabs, spaces before colons, keys that only the original knew.
const TYPICAL: &str = "[\t  \n\t {\n\t  \"EnvName\": \"default\",\n  \"LocalFleet\": \"true\", \n\t\"WorkFlow\" : [  \n\
    \t\t { \n\t\t\t\"Name\":\"PRE_DEPLOY_BUILD\",\n\t\t\t\"PhaseType\":4,\n\t\t\t\"BuildParams\":\"PHASE=PRE_DEPLOY_BUILD, FOO=BAR\",\n\
    \t\t\t\"Order\":0,\n\t\t\t\"Parallelism\":1,\n\t\t\t\"ContainerImage\":\"acme/zbuilder:v7\",\n\t\t\t\"Volumes\":\"/home:/cache\"\n\t\t },\n\
    \t\t {\"Name\":\"DEPLOY\",\"PhaseType\":1,\"BuildParams\":\"PHASE=DEPLOY\",\"Order\":1,\"Parallelism\":1,\"ContainerImage\":null},\n\
    \t\t {\"Name\":\"VERIFY\",\"PhaseType\":4,\"BuildParams\":\"PHASE=VERIFY\",\"Order\":2,\"Parallelism\":4,\"ContinerImage\":\"acme/t:1\"}\n\
    \t ]\n\t }\n]\n\n";

fn phase(rest: &str) -> String {
    format!(r#"{{ "Name": "BUILD", "PhaseType": 4, "Order": 0 {rest} }}"#)
}

fn config(phases: &str) -> KatkitConfig {
    let text = format!(r#"[{{ "EnvName": "dev", "WorkFlow": [{phases}] }}]"#);
    KatkitConfig::parse(text.as_bytes()).unwrap()
}

fn workflow(phases: &str) -> Workflow {
    config(phases).for_environment("dev").unwrap().workflow
}

fn mistake(phases: &str) -> String {
    config(phases).for_environment("dev").unwrap_err().to_string()
}

fn whole(text: &str) -> String {
    KatkitConfig::parse(text.as_bytes()).unwrap_err().to_string()
}

fn execution(workflow: &Workflow) -> &Execution {
    match &workflow.phases()[0].kind {
        PhaseKind::Execution(execution) => execution,
        PhaseKind::Deployment(_) => panic!("a deployment"),
    }
}

#[test]
fn a_typical_file_is_parsed() {
    let config = KatkitConfig::parse(TYPICAL.as_bytes()).unwrap();
    let workflow = config.for_environment("PROD").unwrap().workflow;
    let names: Vec<_> = workflow.phases().iter().map(|phase| phase.name.as_str()).collect();
    assert_eq!(names, ["PRE_DEPLOY_BUILD", "DEPLOY", "VERIFY"]);
    assert_eq!(workflow.deployment().unwrap().0.name.as_str(), "DEPLOY");
    let build = execution(&workflow);
    assert_eq!(build.image.as_deref(), Some("acme/zbuilder:v7"));
    assert_eq!(build.variables["PHASE"], "PRE_DEPLOY_BUILD");
    assert_eq!(build.variables["FOO"], "BAR");
    assert_eq!(build.timeout, Execution::default().timeout);
    let PhaseKind::Execution(verify) = &workflow.phases()[2].kind else { panic!() };
    assert_eq!((verify.parallelism, verify.image.as_deref()), (4, Some("acme/t:1")));
    let notes: Vec<_> = config.notes().iter().map(ToString::to_string).collect();
    assert_eq!(
        notes,
        [
            "`Volumes` of phase `PRE_DEPLOY_BUILD` of environment `default` has no effect; the fleet's `caches` set what \
          phases keep between runs (line 13, column 4)"
        ]
    );
}

#[test]
fn an_environment_is_found_by_its_name_in_any_case_with_default_as_fallback() {
    let read = |names: &[&str]| {
        let element = |name: &&str| {
            format!(
                r#"{{ "EnvName": "{name}", "WorkFlow": [{{ "Name": "X", "PhaseType": 1, "Order": 0 }}] }}"#
            )
        };
        let elements: Vec<_> = names.iter().map(element).collect();
        KatkitConfig::parse(format!("[{}]", elements.join(",")).as_bytes()).unwrap()
    };
    let chosen = |names: &[&str], environment: &str| {
        let ChosenWorkflow { name, is_default, .. } = read(names).for_environment(environment).unwrap();
        (name, is_default)
    };
    let own = |name: &str| (name.to_owned(), false);
    assert_eq!(chosen(&["default", "DEV"], "DEV"), own("DEV"));
    assert_eq!(chosen(&["default", "prod"], "PROD"), own("prod"));
    assert_eq!(chosen(&["default", "Köln"], "KÖLN"), own("Köln"));
    assert_eq!(chosen(&["Prod", "PROD", "prod"], "PROD"), own("PROD"));
    assert_eq!(chosen(&["default", "DEV"], "PROD"), ("default".to_owned(), true));
    assert_eq!(chosen(&["Default", "DEV"], "PROD"), ("Default".to_owned(), true));
    let refused = |names: &[&str], environment: &str| {
        let error = read(names).for_environment(environment).unwrap_err();
        format!("{error}; {}", error.advice().unwrap())
    };
    assert_snapshot!(refused(&["Prod", "prod", "default"], "PROD"), @"environment `PROD` may be `Prod` or `prod`; rename one of the two, or spell one as in the tenant");
    assert_snapshot!(refused(&["DEV"], "PROD"), @"there is no workflow for environment `PROD`, and none for `default`; the file has `DEV`; add an element whose `EnvName` is the tenant's environment");
}

#[test]
fn local_fleet_places_the_phases() {
    let placement = |value: &str| {
        let text = format!(r#"[{{ "EnvName": "dev", {value} "WorkFlow": [{}] }}]"#, phase(""));
        let config = KatkitConfig::parse(text.as_bytes()).unwrap();
        config
            .for_environment("dev")
            .map(|chosen| execution(&chosen.workflow).placement)
            .map_err(|e| e.to_string())
    };
    for own in ["", r#""LocalFleet": "true","#, r#""LocalFleet": true,"#, r#""LocalFleet": null,"#] {
        assert_eq!(placement(own), Ok(Placement::Tenant), "{own}");
    }
    for shared in [r#""LocalFleet": "false","#, r#""LocalFleet": false,"#, r#""LocalFleet": "False","#] {
        assert_eq!(placement(shared), Ok(Placement::Build), "{shared}");
    }
    assert_eq!(
        placement(r#""LocalFleet": "yes","#).unwrap_err(),
        "`LocalFleet` of environment `dev` is \"yes\", not \"true\" or \"false\" (line 1, column 36)"
    );
}

#[test]
fn numbers_may_be_written_as_strings_and_absent_values_have_defaults() {
    let read = workflow(r#"{ "Name": "B", "PhaseType": "4", "Order": "-2", "Parallelism": "3" }"#);
    assert_eq!((read.phases()[0].order, execution(&read).parallelism), (-2, 3));
    let read = workflow(&phase(r#", "Parallelism": null, "ContainerImage": "", "BuildParams": null"#));
    assert_eq!(*execution(&read), Execution::default());
}

#[test]
fn an_invalid_value_is_reported_with_its_phase_and_environment() {
    let with = |rest: &str| mistake(&phase(rest));
    let bare = |text: &str| mistake(text);
    assert_snapshot!(bare(r#"{ "Name": "X", "PhaseType": 7, "Order": 0 }"#), @"`PhaseType` of phase `X` of environment `dev` is 7 (line 1, column 63)");
    assert_snapshot!(bare(r#"{ "Name": "X", "PhaseType": "deploy", "Order": 0 }"#), @r#"`PhaseType` of phase `X` of environment `dev` is "deploy", not a whole number (line 1, column 63)"#);
    assert_snapshot!(bare(r#"{ "Name": "X", "Order": 0 }"#), @"phase `X` of environment `dev` has no `PhaseType` (line 1, column 35)");
    assert_snapshot!(bare(r#"{ "Name": "X", "PhaseType": 4 }"#), @"phase `X` of environment `dev` has no `Order` (line 1, column 35)");
    assert_snapshot!(bare(r#"{ "PhaseType": 4, "Order": 0 }"#), @"a phase of environment `dev` has no `Name` (line 1, column 35)");
    assert_snapshot!(bare(r#"{ "Name": "a/b", "PhaseType": 4, "Order": 0 }"#), @"`Name` of a phase of environment `dev` is not usable: `a/b` contains '/'; a phase name is printable text without `/`, and neither `.` nor `..` (line 1, column 45)");
    assert_snapshot!(bare(r#""BUILD""#), @r#"a phase of environment `dev` is "BUILD", not an object (line 1, column 35)"#);
    assert_snapshot!(with(r#", "Order": 1"#), @"`Order` is given twice (line 1, column 83)");
    assert_snapshot!(with(r#", "Parallelism": 0"#), @"`Parallelism` of phase `BUILD` of environment `dev` is 0, not between 1 and 1000 (line 1, column 98)");
    assert_snapshot!(with(r#", "Parallelism": 1.5"#), @"`Parallelism` of phase `BUILD` of environment `dev` is 1.5, not a whole number (line 1, column 98)");
    assert_snapshot!(with(r#", "BuildParams": "A=1, debug""#), @"`BuildParams` of phase `BUILD` of environment `dev` holds `debug`, which is not of the form `KEY=VALUE` (line 1, column 98)");
    assert_snapshot!(with(r#", "BuildParams": {}"#), @"`BuildParams` of phase `BUILD` of environment `dev` is an object, not a string (line 1, column 98)");
    assert_snapshot!(with(r#", "ContainerImage": "a b""#), @r#"`ContainerImage` of phase `BUILD` of environment `dev` is "a b", not the name of an image (line 1, column 101)"#);
    assert_snapshot!(with(r#", "ContainerImage": "a:1", "ContinerImage": "a:2""#), @"phase `BUILD` of environment `dev` has two builder images (line 1, column 125)");
}

#[test]
fn conflicting_phases_are_reported_at_the_second_one() {
    let deploy =
        |name: &str, order: i64| format!(r#"{{ "Name": "{name}", "PhaseType": 1, "Order": {order} }}"#);
    assert_snapshot!(mistake(&format!("{}, \n{}", phase(""), phase(""))), @"in environment `dev`, two phases are named `BUILD` (line 2, column 1)");
    assert_snapshot!(mistake(&format!("{}, \n{}", deploy("b", 2), deploy("a", 1))), @"in environment `dev`, `a` and `b` are both deployment phases; a workflow has at most one (line 1, column 35)");
}

#[test]
fn a_windows_phase_is_an_error_only_in_its_own_environment() {
    let windows = phase(r#", "ContainerPlatform": "5""#);
    assert_snapshot!(mistake(&windows), @"phase `BUILD` of environment `dev` requests a Windows container (`ContainerPlatform` is 5) (line 1, column 104)");
    let text = format!(
        r#"[{{ "EnvName": "win", "WorkFlow": [{windows}] }}, {{ "EnvName": "dev", "WorkFlow": [{}] }}]"#,
        phase(r#", "ContainerPlatform": 0"#)
    );
    let config = KatkitConfig::parse(text.as_bytes()).unwrap();
    assert!(config.for_environment("dev").is_ok());
    assert!(config.for_environment("win").unwrap_err().to_string().contains("Windows"));
    let deployment = workflow(r#"{ "Name": "D", "PhaseType": 1, "Order": 0, "ContainerPlatform": 5 }"#);
    assert!(deployment.deployment().is_some());
}

#[test]
fn a_file_without_a_valid_list_of_environments_is_refused() {
    assert_snapshot!(whole("{}"), @"the file holds an object, not a list of environments (line 1, column 1)");
    assert_snapshot!(whole("[]"), @"the list of environments is empty (line 1, column 1)");
    assert_snapshot!(whole("[1]"), @"an environment is an object, not 1 (line 1, column 2)");
    assert_snapshot!(whole("[{}]"), @"an environment has no `EnvName` (line 1, column 2)");
    assert_snapshot!(whole(r#"[{"EnvName": " "}]"#), @r#"`EnvName` is " ", not the name of an environment (line 1, column 14)"#);
    assert_snapshot!(whole(r#"[{"EnvName": "a\nb"}]"#), @r#"`EnvName` is "a\nb", not the name of an environment (line 1, column 14)"#);
    assert_snapshot!(whole("[{\"EnvName\": \"a\"},\n{\"EnvName\": \"a\"}]"), @"environment `a` is given twice (line 2, column 13)");
    assert_snapshot!(whole("module.exports = []"), @"`module.exports = []` is code, not data (line 1, column 1)");
    assert!(KatkitConfig::parse(b"\xff").unwrap_err().to_string().contains("UTF-8"));
}

#[test]
fn a_workflow_without_phases_is_refused() {
    let of = |rest: &str| {
        let text = format!(r#"[{{ "EnvName": "dev"{rest} }}]"#);
        KatkitConfig::parse(text.as_bytes()).unwrap().for_environment("dev").unwrap_err().to_string()
    };
    assert_snapshot!(of(""), @"environment `dev` has no `WorkFlow` (line 1, column 2)");
    assert_snapshot!(of(r#", "WorkFlow": []"#), @"the `WorkFlow` of environment `dev` has no phases (line 1, column 34)");
    assert_snapshot!(of(r#", "WorkFlow": {}"#), @"`WorkFlow` of environment `dev` is an object, not a list of phases (line 1, column 34)");
}

#[test]
fn unknown_keys_are_noted_and_the_likely_meaning_suggested() {
    let config = config(&phase(r#", "Paralelism": 2, "Cloud": 4"#));
    let notes: Vec<_> = config.notes().iter().map(|note| note.what.as_str()).collect();
    assert_eq!(
        notes,
        [
            "`Paralelism` of phase `BUILD` of environment `dev` has no effect; did you mean `Parallelism`?",
            "`Cloud` of phase `BUILD` of environment `dev` has no effect",
        ]
    );
}

const ALL_KINDS: &str = r#"[
  { "EnvName": "default", "LocalFleet": "false", "WorkFlow": [
    { "Name": "BUILD", "PhaseType": 4, "Order": 0, "BuildParams": "PHASE=BUILD, MY.KEY=a\"b, ENV=x, K=a\"b", "ContainerImage": "acme/z" },
    { "Name": "DEPLOY", "PhaseType": 1, "Order": 1, "Cloud": 4 } ] },
  { "EnvName": "QA 1", "WorkFlow": [ { "Name": "TEST", "PhaseType": 4, "Order": 0, "Parallelism": 2 } ] },
  { "EnvName": "QA-1", "WorkFlow": [ { "Name": "TEST", "PhaseType": 9, "Order": 0 } ] },
]"#;

#[test]
fn the_equivalent_manifest_is_readable() {
    let config = KatkitConfig::parse(ALL_KINDS.as_bytes()).unwrap();
    assert_snapshot!(to_manifest(&config), @r#"
    # For every environment that has no workflow of its own.
    # fleet = "build": in the tenant's `build-fleet`, if it has one (LocalFleet is false).
    # The variable `ENV` of `BUILD` is left out: a manifest cannot set it.
    # The variable `MY.KEY` of `BUILD` is left out: a manifest cannot set it.
    [workflows.default]
    phases = [
      { name = "BUILD", order = 0, image = "acme/z:latest", variables = { K = 'a"b', PHASE = "BUILD" }, fleet = "build" },
      { name = "DEPLOY", order = 1, kind = "deployment" },
    ]

    # For the environment `QA 1`.
    [workflows.QA-1-2]
    phases = [
      { name = "TEST", order = 0, parallelism = 2 },
    ]

    # The workflow of environment `QA-1` is left out: `PhaseType` of phase `TEST` of environment `QA-1` is 9 (line 6, column 69).

    # Not carried over from the repository's katkitconfig.js:
    # - `Cloud` of phase `DEPLOY` of environment `default` has no effect (line 4, column 53)
    "#);
    let (repo, link) = ("shop".parse().unwrap(), "web".parse().unwrap());
    let skeleton = ManifestDraft {
        repo: &repo,
        url: "https://github.com/acme/shop.git",
        branch: "main",
        link: &link,
        folder: "services/web",
    };
    let text = to_skeleton(&KatkitConfig::parse(TYPICAL.as_bytes()).unwrap(), &skeleton);
    assert_snapshot!(text, @r#"
    # What should run where. `katkit plan` shows what is missing; `katkit apply` carries it out.
    version = 1

    [repos.shop]
    url = "https://github.com/acme/shop.git"
    branch = "main"

    # The workflows of the repository's katkitconfig.js. A link that names no workflow uses that file instead, from
    # the commit that is deployed.

    # For every environment that has no workflow of its own.
    [workflows.default]
    phases = [
      { name = "PRE_DEPLOY_BUILD", order = 0, image = "acme/zbuilder:v7", variables = { FOO = "BAR", PHASE = "PRE_DEPLOY_BUILD" } },
      { name = "DEPLOY", order = 1, kind = "deployment" },
      { name = "VERIFY", order = 2, image = "acme/t:1", variables = { PHASE = "VERIFY" }, parallelism = 4 },
    ]

    # Not carried over from the repository's katkitconfig.js:
    # - `Volumes` of phase `PRE_DEPLOY_BUILD` of environment `default` has no effect; the fleet's `caches` set what phases keep between runs (line 13, column 4)

    # Give this tenant the name of your environment, and add one for each of the others.
    [tenants.default]
    environment = "default"
    # fleet = "…" # left out: phases run as processes on this machine
    # platform = { kind = "…" } # left out: services are files, under .katkit/platform

    [tenants.default.links.web]
    repo = "shop"
    folder = "services/web"
    workflow = "default"
    branch = "main" # follows the branch; `katkit set` names one commit instead
    "#);
}

proptest! {
    #[test]
    fn a_manifest_is_valid_toml_whatever_the_file_holds(
        name in r#"(\PC|["'\\#\[\].]){1,12}"#, value in r"[^,\x00]{0,12}", phase in "[^/\\\\\\pC]{1,12}"
    ) {
        let text = serde_json::json!([{ "EnvName": name, "WorkFlow": [
            { "Name": phase, "PhaseType": 4, "Order": 0, "BuildParams": format!("K={value}") } ] }]).to_string();
        if let Ok(config) = KatkitConfig::parse(text.as_bytes())
            && let Ok(ChosenWorkflow { workflow, .. }) = config.for_environment(&name)
        {
            let (repo, link) = ("r".parse().unwrap(), "l".parse().unwrap());
            let skeleton = ManifestDraft { repo: &repo, url: &value, branch: &value, link: &link, folder: &value };
            let manifest = to_skeleton(&config, &skeleton);
            let table: toml::Table = manifest.parse().map_err(|error| TestCaseError::fail(format!("{error}\n{manifest}")))?;
            let workflows = table["workflows"].as_table().unwrap();
            let written = &workflows.values().next().unwrap()["phases"][0];
            prop_assert_eq!(written["name"].as_str().unwrap(), workflow.phases()[0].name.as_str());
            prop_assert_eq!(written["variables"]["K"].as_str().unwrap(), value.trim());
            prop_assert_eq!(table["repos"]["r"]["url"].as_str().unwrap(), &value);
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = KatkitConfig::parse(&bytes);
    }

    #[test]
    fn no_values_make_the_reader_panic(
        keys in prop::collection::vec((
            prop::sample::select(vec!["Name", "PhaseType", "BuildParams", "Order", "Parallelism", "ContainerImage", "ContinerImage", "ContainerPlatform", "X"]),
            prop::sample::select(vec!["4", "1", "\"5\"", "null", "[]", "{}", "\"a=b, c\"", "-1", "1e9", "\"\"", "true"]),
        ), 0..10)
    ) {
        let fields: Vec<_> = keys.iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
        let text = format!(r#"[{{ "EnvName": "e", "WorkFlow": [{{ {} }}] }}]"#, fields.join(", "));
        let config = KatkitConfig::parse(text.as_bytes()).unwrap();
        if let Err(error) = config.for_environment("e") {
            prop_assert!(error.place().is_some(), "{}", error);
        }
        let _ = to_manifest(&config);
    }
}
