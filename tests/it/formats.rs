//! Machine-readable output of the commands, validated against `katkit schema`.

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::cli::audit::PEM;
use crate::world::{TELLS, World};

/// Every JSON format.
const FORMATS: [&str; 16] = [
    "validate",
    "verify",
    "plan",
    "apply",
    "status",
    "why",
    "logs",
    "artifacts",
    "history",
    "doctor",
    "prune",
    "rollback",
    "wait",
    "audit",
    "audit-verify",
    "audit-checkpoint",
];

/// One format's schema.
struct Format {
    schema: Value,
    validator: Validator,
}

impl Format {
    fn of(name: &str) -> Self {
        let schema: Value = serde_json::from_str(&World::new().run(["schema", name]).stdout).unwrap();
        Self { validator: jsonschema::validator_for(&schema).unwrap(), schema }
    }

    /// The schema violations of a document, and its keys that the schema does not describe.
    fn complaints(&self, document: &Value) -> Vec<String> {
        let errors = self.validator.iter_errors(document);
        let mut found: Vec<_> = errors.map(|error| format!("{}: {error}", error.instance_path())).collect();
        self.unknown(&[&self.schema], document, "", &mut found);
        found
    }

    /// Keys, at any depth, that none of the schemas for a value describes.
    fn unknown(&self, schemas: &[&Value], value: &Value, at: &str, found: &mut Vec<String>) {
        let mut all = Vec::new();
        for schema in schemas {
            self.branches(schema, &mut all);
        }
        for (key, value) in value.as_object().into_iter().flatten() {
            let of = |schema: &&'_ Value| {
                schema["properties"].get(key).or(schema.get("additionalProperties")).is_some()
            };
            let below: Vec<&Value> = all
                .iter()
                .filter(|schema| of(schema))
                .map(|schema| schema["properties"].get(key).unwrap_or(&schema["additionalProperties"]))
                .collect();
            if below.is_empty() {
                found.push(format!("{at}: the schema knows nothing of `{key}`"));
            }
            self.unknown(&below, value, &format!("{at}/{key}"), found);
        }
        let items: Vec<&Value> = all.iter().filter_map(|schema| schema.get("items")).collect();
        for item in value.as_array().into_iter().flatten() {
            self.unknown(&items, item, &format!("{at}/*"), found);
        }
    }

    /// A schema and its subschemas.
    fn branches<'a>(&'a self, schema: &'a Value, found: &mut Vec<&'a Value>) {
        found.push(schema);
        if let Some(name) = schema["$ref"].as_str() {
            self.branches(self.schema.pointer(name.trim_start_matches('#')).unwrap(), found);
        }
        for key in ["oneOf", "anyOf", "allOf"] {
            for one in schema[key].as_array().into_iter().flatten() {
                self.branches(one, found);
            }
        }
    }
}

/// A command's output with `--format json`: one document, or one per line.
fn documents(world: &World, arguments: &[&str]) -> Vec<Value> {
    let output = world.command().args(arguments).args(["--format", "json"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let documents: Result<Vec<_>, _> = serde_json::Deserializer::from_str(&text).into_iter().collect();
    documents.unwrap_or_else(|error| panic!("{arguments:?}: {error}: {text}"))
}

/// Validates the output of every command in this world. Returns the number of documents.
fn hold(world: &World) -> usize {
    let questions: [&[&str]; 22] = [
        &["validate"],
        &["verify"],
        &["plan"],
        &["status"],
        &["why", "dev/shop"],
        &["why", "dev/shop", world.sha("first")],
        &["logs", "dev/shop"],
        &["logs", "dev/shop", "--phase", "build"],
        &["logs"],
        &["logs", "-f", "dev/shop", "--attempt", "1"],
        &["logs", "dev", "--timestamps"],
        &["artifacts", "dev/shop", "--phase", "build"],
        &["history", "dev/shop", "-n", "1000"],
        &["history"],
        &["audit", "-n", "1000"],
        &["history", "dev", "--deployments"],
        &["doctor"],
        &["rollback", "dev/shop", "--list"],
        &["wait", "--timeout", "0s"],
        &["apply"],
        &["prune", "--older-than", "0s", "--history", "--dry-run"],
        &["prune", "--older-than", "0s", "--history", "--yes"],
    ];
    let mut held = 0;
    for question in questions {
        let format = Format::of(question[0]);
        for document in documents(world, question) {
            assert_eq!(format.complaints(&document), Vec::<String>::new(), "{question:?} {document:#}");
            held += 1;
        }
    }
    held
}

/// A build that keeps a file, a deployment, and a `verify` with two replicas that fails at the commit `bad`.
fn shop() -> World {
    World::shop_with(
        r#"  { name = "build", order = 0, artifacts = ["*.sh"] },
  { name = "deploy", order = 1, kind = "deployment" },
  { name = "verify", order = 2, parallelism = 2, retries = 1 },"#,
    )
}

const FAILS: &str = "if [ $KATKIT_PHASE = verify ]; then echo '2 of 40 tests failed'; exit 3; fi";

#[test]
fn command_output_matches_its_schema() {
    let mut world = shop();
    // The first pass ends with an apply, so the second one reports on a successful run.
    assert!(hold(&world) > 10);
    assert!(hold(&world) > 10);
    world.change("shop", |repo| repo.ci(FAILS).commit("bad"));
    hold(&world);
    assert_eq!(world.run(["retry", "dev/shop", "--why", "flaky"]).code, 0);
    assert_eq!(world.run(["skip", "dev/shop", "verify"]).code, 0);
    hold(&world);
    assert_eq!(world.run(["rollback", "dev/shop", "--apply"]).code, 0);
    hold(&world);
    world.edit("links.shop = { repo = \"shop\", workflow = \"standard\", branch = \"main\" }\n", "");
    hold(&world);
    world.edit("kind = \"process\"", "kind = \"proces\"");
    let (format, found) = (Format::of("validate"), documents(&world, &["validate"]));
    assert_eq!(format.complaints(&found[0]), Vec::<String>::new());
    assert_eq!(found[0]["diagnostics"][0]["severity"], "error");
}

#[test]
fn a_schema_rejects_missing_and_unknown_keys() {
    let world = shop();
    world.write("audit.pem", PEM);
    let manifest = world.read("katkit.toml");
    let audit = "[audit]\norigin = \"katkit.example.com\"\nsigning-key = \"file:audit.pem\"";
    world.write("katkit.toml", &format!("{manifest}\n{audit}\n"));
    let applied = documents(&world, &["apply"]);
    assert_eq!(applied.len(), 9, "{applied:#?}");
    let documents = [
        ("validate", documents(&world, &["validate"]).remove(0)),
        ("verify", documents(&world, &["verify"]).remove(0)),
        ("plan", documents(&world, &["plan"]).remove(0)),
        ("apply", applied.last().unwrap().clone()),
        ("status", documents(&world, &["status"]).remove(0)),
        ("why", documents(&world, &["why", "dev/shop"]).remove(0)),
        ("logs", documents(&world, &["logs", "dev/shop"]).remove(0)),
        ("artifacts", documents(&world, &["artifacts", "dev/shop", "-p", "build"]).remove(0)),
        ("history", documents(&world, &["history", "dev/shop"]).remove(0)),
        ("doctor", documents(&world, &["doctor"]).remove(0)),
        ("prune", documents(&world, &["prune", "--older-than", "0s", "--dry-run"]).remove(0)),
        ("rollback", documents(&world, &["rollback", "dev/shop", "--list"]).remove(0)),
        ("wait", documents(&world, &["wait"]).remove(0)),
        ("audit", documents(&world, &["audit", "-n", "1000"]).remove(0)),
        ("audit-verify", documents(&world, &["audit", "verify"]).remove(0)),
        ("audit-checkpoint", documents(&world, &["audit", "checkpoint"]).remove(0)),
    ];
    assert_eq!(documents.each_ref().map(|(name, _)| *name), FORMATS);
    for (name, document) in documents {
        let format = Format::of(name);
        assert_eq!(format.complaints(&document), Vec::<String>::new(), "{name}");
        for key in document.as_object().unwrap().keys() {
            let mut less = document.clone();
            less.as_object_mut().unwrap().remove(key);
            assert!(!format.complaints(&less).is_empty(), "{name} without {key}");
        }
        for (key, value) in [("format_version", json!("3.0")), ("no_such_key", json!(1))] {
            let mut other = document.clone();
            other[key] = value;
            assert!(!format.complaints(&other).is_empty(), "{name} with another {key}");
        }
    }
}

/// Every property of every object in the schema, with its name.
fn properties<'a>(schema: &'a Value, found: &mut Vec<(&'a str, &'a Value)>) {
    match schema {
        Value::Object(keys) => {
            let named = keys.get("properties").and_then(Value::as_object).into_iter().flatten();
            found.extend(named.map(|(name, property)| (name.as_str(), property)));
            keys.values().for_each(|value| properties(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| properties(item, found)),
        _ => {}
    }
}

#[test]
fn every_schema_property_has_a_description() {
    for name in FORMATS {
        let Format { schema, validator: _ } = Format::of(name);
        let title = schema["title"].as_str().unwrap();
        assert!(title.starts_with(&format!("katkit {name}")), "{title}");
        assert!(schema["description"].as_str().unwrap().contains("format_version"), "{name}");
        let mut all = Vec::new();
        properties(&schema, &mut all);
        assert!(all.len() > 5, "{name}");
        for (property, of) in all {
            // A constant discriminates variants; each variant describes itself.
            let explained = of["description"].is_string() || of["const"].is_string();
            assert!(explained, "{name}: {property}: {of}");
        }
    }
}

#[test]
fn the_manifest_schema_accepts_a_manifest_and_rejects_unknown_keys() {
    let schema: Value = serde_json::from_str(&World::new().run(["schema"]).stdout).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let manifest = |text: &str| toml::from_str::<Value>(text).unwrap();
    let world = World::new().repo("shop", |repo| repo.ci(TELLS).commit("first"));
    let world = world.manifest(crate::world::ONE_LINK);
    assert!(validator.is_valid(&manifest(&world.read("katkit.toml"))));
    assert!(!validator.is_valid(&manifest("version = 1\nno-such-key = 2\n")));
}

#[test]
fn the_examples_in_the_documentation_match_their_schemas() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reading.md");
    let page = std::fs::read_to_string(path).unwrap();
    let mut shown = 0;
    for chapter in page.split("\n### `katkit ").skip(1) {
        let format = Format::of(chapter.split(' ').next().unwrap());
        let block = chapter.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        for document in serde_json::Deserializer::from_str(block).into_iter::<Value>() {
            assert_eq!(format.complaints(&document.unwrap()), Vec::<String>::new(), "{chapter}");
            shown += 1;
        }
    }
    assert_eq!(shown, 9);
}
