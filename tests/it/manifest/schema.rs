//! The schema that editors check manifests with.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use insta::assert_snapshot;
use katkit::manifest;
use serde_json::Value as Json;

use super::{Files, SKETCH};

/// The schema violations of `value`. Fails on a keyword this test does not know; a keyword newer than draft 7 would be
/// a mistake in the schema.
fn violations(value: &Json, schema: &Json, root: &Json, at: &str, found: &mut Vec<String>) {
    let mut check = |good: bool, keyword: &str| {
        if !good {
            found.push(format!("{at}: {keyword}"));
        }
    };
    let matches =
        |pattern: &Json, text: &str| regex::Regex::new(pattern.as_str().unwrap()).unwrap().is_match(text);
    let mut inner: Vec<(String, &Json, &Json)> = Vec::new();
    for (keyword, rule) in schema.as_object().unwrap() {
        match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" | "default" => {}
            "$ref" => {
                // Taplo validates by draft 7, which ignores everything beside a `$ref`.
                let silent = ["$ref", "$schema", "$defs", "title", "description"];
                assert!(schema.as_object().unwrap().keys().all(|key| silent.contains(&key.as_str())), "{at}");
                let pointer = rule.as_str().unwrap().trim_start_matches('#');
                inner.push((at.to_owned(), value, root.pointer(pointer).unwrap()));
            }
            "type" => {
                let good = match rule.as_str().unwrap() {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "integer" => value.is_i64(),
                    "number" => value.is_number(),
                    "boolean" => value.is_boolean(),
                    other => panic!("type {other}"),
                };
                check(good, keyword);
            }
            "const" => check(value == rule, keyword),
            "enum" => check(rule.as_array().unwrap().contains(value), keyword),
            "minimum" => check(value.as_f64().is_none_or(|it| it >= rule.as_f64().unwrap()), keyword),
            "maximum" => check(value.as_f64().is_none_or(|it| it <= rule.as_f64().unwrap()), keyword),
            "minLength" => {
                check(value.as_str().is_none_or(|it| it.len() as u64 >= rule.as_u64().unwrap()), keyword);
            }
            "pattern" => check(value.as_str().is_none_or(|it| matches(rule, it)), keyword),
            "propertyNames" => {
                let names = value.as_object().into_iter().flatten();
                let reserved = rule.pointer("/not/enum").and_then(Json::as_array);
                let taken =
                    |name: &str| reserved.is_some_and(|reserved| reserved.iter().any(|it| it == name));
                names.for_each(|(name, _)| check(matches(&rule["pattern"], name) && !taken(name), name));
            }
            "required" => {
                let keys = rule.as_array().unwrap().iter().map(|key| key.as_str().unwrap());
                keys.for_each(|key| check(value.get(key).is_some(), key));
            }
            "properties" => inner.extend(
                rule.as_object()
                    .unwrap()
                    .iter()
                    .filter_map(|(key, rule)| Some((format!("{at}.{key}"), value.get(key)?, rule))),
            ),
            "additionalProperties" => {
                let known = |key: &str| schema.get("properties").is_some_and(|keys| keys.get(key).is_some());
                for (key, value) in value.as_object().into_iter().flatten().filter(|(key, _)| !known(key)) {
                    match rule {
                        Json::Bool(false) => check(false, key),
                        rule => inner.push((format!("{at}.{key}"), value, rule)),
                    }
                }
            }
            "items" => inner.extend(
                value
                    .as_array()
                    .into_iter()
                    .flatten()
                    .enumerate()
                    .map(|(n, item)| (format!("{at}[{n}]"), item, rule)),
            ),
            "not" => {
                let mut inside = Vec::new();
                violations(value, rule, root, at, &mut inside);
                check(!inside.is_empty(), keyword);
            }
            "anyOf" | "oneOf" => {
                let fit = |rule: &&Json| {
                    let mut inside = Vec::new();
                    violations(value, rule, root, at, &mut inside);
                    inside.is_empty()
                };
                let fitting = rule.as_array().unwrap().iter().filter(fit).count();
                check(fitting == 1 || keyword == "anyOf" && fitting > 1, keyword);
            }
            "dependentRequired" => {
                for (key, others) in rule.as_object().unwrap() {
                    let others = others.as_array().unwrap().iter().map(|other| other.as_str().unwrap());
                    let all = others.into_iter().all(|other| value.get(other).is_some());
                    check(value.get(key).is_none() || all, keyword);
                }
            }
            other => panic!("the schema uses `{other}`, which this test does not know"),
        }
    }
    for (at, value, schema) in inner {
        violations(value, schema, root, &at, found);
    }
}

fn schema_says(text: &str) -> String {
    let (value, schema) = (toml::from_str::<Json>(text).unwrap(), manifest::schema());
    let mut found = Vec::new();
    violations(&value, &schema, &schema, "", &mut found);
    found.join("\n")
}

#[test]
fn editors_accept_what_the_reader_accepts() {
    assert_eq!(schema_says(SKETCH), "");
    assert_eq!(schema_says(&manifest::init::template(&super::edit::surroundings(true))), "");
    assert_eq!(schema_says(super::templates::MANIFEST), "");
    for text in examples() {
        assert_eq!(schema_says(&text), "");
    }
    assert_eq!(schema_says("include = ['a.toml']\nrepos.shop = { url = '.' }"), "");
}

/// The manifests of the examples.
fn examples() -> Vec<String> {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let manifests = fs::read_dir(examples).unwrap().map(|entry| entry.unwrap().path().join("katkit.toml"));
    let texts: Vec<_> = manifests.filter_map(|path| fs::read_to_string(path).ok()).collect();
    assert!(texts.len() >= 4, "where are the examples?");
    texts
}

/// As editors' validators see it, independent of this test's own validator.
#[test]
fn a_json_schema_validator_agrees() {
    let schema = manifest::schema();
    assert!(jsonschema::meta::is_valid(&schema));
    let validator = jsonschema::validator_for(&schema).unwrap();
    let wrong = |text: &str| {
        let value: Json = toml::from_str(text).unwrap();
        validator.iter_errors(&value).map(|error| error.instance_path().to_string()).collect::<Vec<_>>()
    };
    for text in examples().iter().map(String::as_str).chain([SKETCH, super::templates::MANIFEST]) {
        assert_eq!(wrong(text), Vec::<String>::new());
    }
    for (text, at) in [
        ("version = 2", "/version"),
        ("templates.web = { repo = 'shop', fodler = 'x' }", "/templates/web"),
        ("templates.web = { sha = 'main' }", "/templates/web/sha"),
        ("tenants.dev.use = 'web'", "/tenants/dev/use"),
        ("tenants.dev.use = [1]", "/tenants/dev/use/0"),
        ("tenants.dev.links.web = { sha = 'main' }", "/tenants/dev/links/web/sha"),
        ("tenants.dev.platform.kind = 'esc'", "/tenants/dev/platform/kind"),
        ("workflows.w.phases = [{ name = 'a', order = '0' }]", "/workflows/w/phases/0/order"),
        ("moved = [{ from = 'dev/x' }]", "/moved/0"),
        ("tenants.dev.links.web = { pipeline = 'x', branch = 'main' }", "/tenants/dev/links/web"),
        ("pipelines.x = { repo = 'x', stages = [{ name = 'beta' }] }", "/pipelines/x/stages/0"),
        (
            "pipelines.x = { repo = 'x', stages = [{ name = 'a', links = [], waves = [] }] }",
            "/pipelines/x/stages/0",
        ),
        ("policies.x.allow = [{ from = '9:00', to = '17:00', zone = 'UTC' }]", "/policies/x/allow/0/from"),
        (
            "policies.x.freeze = [{ start = 'fri', end = 'mon 08:00', zone = 'UTC' }]",
            "/policies/x/freeze/0/start",
        ),
    ] {
        assert_eq!(wrong(text), [at], "{text}");
    }
}

/// Editors complete keys from a table's properties: a template has the same as a link.
#[test]
fn templates_are_completed_as_links_are() {
    let schema = manifest::schema();
    let properties = &schema["$defs"]["manifest"]["properties"];
    let of = |table: &Json| table["additionalProperties"]["$ref"].clone();
    let tenant =
        schema.pointer(of(&properties["tenants"]).as_str().unwrap().trim_start_matches('#')).unwrap();
    assert_eq!(of(&properties["templates"]), of(&tenant["properties"]["links"]));
    assert_eq!(tenant["properties"]["use"]["items"]["type"], "string");
}

#[test]
fn editors_underline_what_the_reader_refuses() {
    assert_snapshot!(schema_says(
        "version = 2
        repos.shop = { brnach = 'main' }
        workflows.w.phases = [{ name = 'a', order = '0', timeout = 'long', retries = -1, image = 'x', kind = 'y' }]
        tenants.'a b' = { variables = { A-B = 'x', C = 3 } }
        tenants.commits = {}
        tenants.dev.links.shop = { repo = 'shop', sha = 'main', branch = 'main', folder = '/x' }"
    ), @r"
    .version: const
    .repos.shop: url
    .repos.shop: brnach
    .workflows.w.phases[0].order: type
    .workflows.w.phases[0].kind: enum
    .workflows.w.phases[0].image: pattern
    .workflows.w.phases[0].timeout: pattern
    .workflows.w.phases[0].retries: minimum
    .tenants: a b
    .tenants: commits
    .tenants.a b.variables: A-B
    .tenants.a b.variables.C: type
    .tenants.dev.links.shop: not
    .tenants.dev.links.shop.folder: pattern
    .tenants.dev.links.shop.sha: pattern
    ");
}

#[test]
fn the_reader_and_the_schema_know_the_same_keys() {
    let schema = manifest::schema();
    // The position of each schema table in a manifest.
    let tables = [
        ("manifest", "no-such-key = 1"),
        ("state", "state.no-such-key = 1"),
        ("blobs", "blobs.no-such-key = 1"),
        ("cache", "cache.no-such-key = 1"),
        ("repo", "repos.x.no-such-key = 1"),
        ("workflow", "workflows.x.no-such-key = 1"),
        ("phase", "workflows.x.phases = [{ no-such-key = 1 }]"),
        ("fleet", "fleets.x.no-such-key = 1"),
        ("tenant", "tenants.x.no-such-key = 1"),
        ("policy", "policies.x.no-such-key = 1"),
        ("daily_limit", "policies.x.max-per-day.no-such-key = 1"),
        ("calendar", "calendars.x.no-such-key = 1"),
        ("freeze", "policies.x.freeze = [{ no-such-key = 1 }]"),
        ("window", "policies.x.allow = [{ no-such-key = 1 }]"),
        ("review", "policies.x.review.no-such-key = 1"),
        ("approval", "policies.x.approvals = [{ no-such-key = 1 }]"),
        ("person", "people.x.no-such-key = 1"),
        ("access", "access.no-such-key = 1"),
        ("grant", "access.grants = [{ no-such-key = 1 }]"),
        ("audit", "audit.no-such-key = 1"),
        ("pipeline", "pipelines.x.no-such-key = 1"),
        ("stage", "pipelines.x.stages = [{ no-such-key = 1 }]"),
        ("pin", "tenants.x.links.x.pin.no-such-key = 1"),
        ("platform", "tenants.x.platform.no-such-key = 1"),
        ("link", "tenants.x.links.x.no-such-key = 1"),
        ("moved", "moved = [{ no-such-key = 1 }]"),
    ];
    let names: BTreeSet<_> = schema["$defs"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, tables.iter().map(|(name, _)| *name).collect());
    for (name, text) in tables {
        let found = Files::new(text).try_load().unwrap_err();
        let complaint = found.items.iter().find(|item| item.message.contains("unknown key")).unwrap();
        let help = complaint.help.as_deref().unwrap();
        let known: BTreeSet<_> =
            help.split('`').skip(if help.starts_with("the keys of `") { 3 } else { 1 }).step_by(2).collect();
        let keys = schema["$defs"][name]["properties"].as_object().unwrap();
        assert_eq!(known, keys.keys().map(String::as_str).collect(), "{name}");
        assert!(keys.values().all(|key| key["description"].as_str().is_some_and(|text| !text.is_empty())));
    }
}
