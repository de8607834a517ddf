//! The JSON of a plan.

use insta::assert_snapshot;
use serde_json::Value;

use super::*;
use crate::views::plan::PlanJson;
use crate::views::schema;
use crate::views::terminal::is_deceptive;

fn json(plan: &Plan) -> Value {
    serde_json::to_value(PlanJson::from(plan)).unwrap()
}

#[test]
fn a_commit_on_its_way_through_a_workflow() {
    let mut json = json(&plan(vec![ordinary("dev/shop")]));
    assert_eq!(json["katkit_version"], env!("CARGO_PKG_VERSION"));
    json["katkit_version"] = "0".into();
    json["links"][0]["steps"][3]["commits"].as_array_mut().unwrap().truncate(1);
    assert_snapshot!(serde_json::to_string_pretty(&json).unwrap().replace(&"m".repeat(64), "MANIFEST"), @r#"
    {
      "format_version": "2.10",
      "katkit_version": "0",
      "manifest": "MANIFEST",
      "summary": {
        "to_change": 1,
        "held": 0,
        "errors": 0,
        "up_to_date": 9,
        "phases": 3,
        "deployments": 1,
        "to_adopt": 0,
        "to_forget": 0,
        "to_recover": 0,
        "to_record": 0,
        "sweeps": 0
      },
      "links": [
        {
          "link": "dev/shop",
          "generation": 7,
          "deployed": "1111111111111111111111111111111111111111",
          "wanted": "2222222222222222222222222222222222222222",
          "steps": [
            {
              "kind": "start_run",
              "sha": "2222222222222222222222222222222222222222",
              "reason": "new_sha",
              "phases": [
                {
                  "name": "build",
                  "order": 0,
                  "deployment": false,
                  "skipped": false,
                  "kept": false,
                  "reused": null
                },
                {
                  "name": "lint",
                  "order": 0,
                  "deployment": false,
                  "skipped": false,
                  "kept": false,
                  "reused": null
                },
                {
                  "name": "scan",
                  "order": 0,
                  "deployment": false,
                  "skipped": true,
                  "kept": false,
                  "reused": null
                },
                {
                  "name": "deploy",
                  "order": 1,
                  "deployment": true,
                  "skipped": false,
                  "kept": false,
                  "reused": null
                },
                {
                  "name": "verify",
                  "order": 2,
                  "deployment": false,
                  "skipped": false,
                  "kept": false,
                  "reused": null
                }
              ],
              "workflow": "w1",
              "test": null,
              "request": null
            },
            {
              "kind": "run",
              "phase": "build",
              "order": 0,
              "reason": "not_run_yet",
              "attempt": null,
              "replicas": 1,
              "image": null,
              "timeout_seconds": 3600,
              "retries": 0
            },
            {
              "kind": "run",
              "phase": "lint",
              "order": 0,
              "reason": "not_run_yet",
              "attempt": null,
              "replicas": 1,
              "image": null,
              "timeout_seconds": 3600,
              "retries": 0
            },
            {
              "kind": "deploy",
              "phase": "deploy",
              "order": 1,
              "reason": "upgrade",
              "from": "1111111111111111111111111111111111111111",
              "to": "2222222222222222222222222222222222222222",
              "images": [
                {
                  "role": "web",
                  "from": "acme/web:1111111111111111111111111111111111111111",
                  "to": "acme/web:2222222222222222222222222222222222222222"
                }
              ],
              "pinned": false,
              "diff": "--- a/s.js\n+++ b/s.js\n@@ -4 +4 @@\n-      \"DockerImage\": \"acme/web:1111111111111111111111111111111111111111\",\n+      \"DockerImage\": \"acme/web:2222222222222222222222222222222222222222\",\n",
              "commits": [
                {
                  "sha": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                  "author": "Ann Lee",
                  "subject": "change a"
                }
              ],
              "more_commits": 10,
              "strategy": "ordered",
              "timeout_seconds": 1800,
              "on_failure": "hold",
              "barrier": null
            },
            {
              "kind": "run",
              "phase": "verify",
              "order": 2,
              "reason": "not_run_yet",
              "attempt": null,
              "replicas": 4,
              "image": null,
              "timeout_seconds": 3600,
              "retries": 0
            }
          ],
          "on_failure": null,
          "holds": [],
          "notes": []
        }
      ],
      "sweeps": []
    }
    "#);
}

#[test]
fn every_kind_of_step_in_a_line() {
    let json = json(&plan(vec![every_step()]));
    let steps: Vec<_> = json["links"][0]["steps"].as_array().unwrap().iter().map(Value::to_string).collect();
    let mut steps = steps.join("\n");
    for digit in ['1', '2', '3'] {
        steps = steps.replace(sha(digit).as_str(), &format!("SHA{digit}"));
    }
    assert_snapshot!(steps, @r#"
    {"kind":"grant","request":{"id":"r-1","by":"ann","actor":{"name":"ann","kind":"person","door":"cli","delivery":null,"subject":null,"assurance":"asserted"},"at":"2026-01-02T03:04:05Z","request_kind":"retry","sha":"SHA2","to":null,"phase":"build","request":null,"why":"flaky network"}}
    {"kind":"grant","request":{"id":"r-1","by":"ann","actor":{"name":"ann","kind":"person","door":"cli","delivery":null,"subject":null,"assurance":"asserted"},"at":"2026-01-02T03:04:05Z","request_kind":"skip","sha":"SHA2","to":null,"phase":"verify","request":null,"why":null}}
    {"kind":"grant","request":{"id":"r-1","by":"ann","actor":{"name":"ann","kind":"person","door":"cli","delivery":null,"subject":null,"assurance":"asserted"},"at":"2026-01-02T03:04:05Z","request_kind":"cancel","sha":"SHA2","to":null,"phase":null,"request":null,"why":null}}
    {"kind":"grant","request":{"id":"r-1","by":"ann","actor":{"name":"ann","kind":"person","door":"cli","delivery":null,"subject":null,"assurance":"asserted"},"at":"2026-01-02T03:04:05Z","request_kind":"rollback","sha":"SHA2","to":"SHA1","phase":null,"request":null,"why":null}}
    {"kind":"grant","request":{"id":"r-1","by":"ann","actor":{"name":"ann","kind":"person","door":"cli","delivery":null,"subject":null,"assurance":"asserted"},"at":"2026-01-02T03:04:05Z","request_kind":"release","sha":"SHA2","to":null,"phase":null,"request":null,"why":null}}
    {"kind":"refuse","request":{"id":"r-1","by":"ann","actor":{"name":"ann","kind":"person","door":"cli","delivery":null,"subject":null,"assurance":"asserted"},"at":"2026-01-02T03:04:05Z","request_kind":"cancel","sha":"SHA1","to":null,"phase":null,"request":null,"why":null},"why":"no run is in progress"}
    {"kind":"recover","phase":"build","attempt":2}
    {"kind":"finalize","sha":"SHA2"}
    {"kind":"release_lease","owner":"ana (process 7 on h)"}
    {"kind":"end_run","run":"6","sha":"SHA1","outcome":"superseded","because":null}
    {"kind":"adopt","sha":"SHA3","images":{"web":"acme/web:SHA3"},"revision":"rev-3"}
    {"kind":"start_run","sha":"SHA2","reason":"retry","phases":[{"name":"build","order":0,"deployment":false,"skipped":false,"kept":false,"reused":null},{"name":"smoke","order":3,"deployment":false,"skipped":true,"kept":false,"reused":null}],"workflow":"w1","test":null,"request":null}
    {"kind":"skip","phase":"verify","sha":"SHA2"}
    {"kind":"run","phase":"build","order":0,"reason":"retry","attempt":null,"replicas":1,"image":null,"timeout_seconds":3600,"retries":0}
    {"kind":"run","phase":"unit","order":1,"reason":"lost","attempt":null,"replicas":2,"image":null,"timeout_seconds":3600,"retries":0}
    {"kind":"run","phase":"integration","order":2,"reason":"interrupted","attempt":null,"replicas":1,"image":null,"timeout_seconds":3600,"retries":0}
    {"kind":"run","phase":"browser","order":3,"reason":"in_flight","attempt":2,"replicas":16,"image":null,"timeout_seconds":3600,"retries":0}
    {"kind":"deploy","phase":null,"order":1,"reason":"repair","from":"SHA1","to":"SHA2","images":[{"role":"web","from":"acme/web:SHA1","to":"acme/web:SHA2"}],"pinned":false,"diff":"--- a/s.js\n+++ b/s.js\n@@ -4 +4 @@\n-      \"DockerImage\": \"acme/web:SHA1\",\n+      \"DockerImage\": \"acme/web:SHA2\",\n","commits":[],"more_commits":0,"strategy":"ordered","timeout_seconds":1800,"on_failure":"hold","barrier":null}
    {"kind":"quarantine","sha":"SHA2","why":"it lost orders","restored":null,"with_descendants":true}
    {"kind":"deploy","phase":null,"order":1,"reason":"rollback","from":"SHA1","to":"SHA2","images":[{"role":"web","from":"acme/web:SHA1","to":"acme/web:SHA2"}],"pinned":false,"diff":"--- a/s.js\n+++ b/s.js\n@@ -4 +4 @@\n-      \"DockerImage\": \"acme/web:SHA1\",\n+      \"DockerImage\": \"acme/web:SHA2\",\n","commits":[],"more_commits":0,"strategy":"ordered","timeout_seconds":1800,"on_failure":"hold","barrier":null}
    {"kind":"forget"}
    {"kind":"move","from":"old/shop"}
    "#);
}

#[test]
fn every_kind_of_hold_in_a_line() {
    let json = json(&plan(vec![every_hold("dev/shop")]));
    let holds: Vec<_> = json["links"][0]["holds"].as_array().unwrap().iter().map(Value::to_string).collect();
    assert_snapshot!(holds.join("\n").replace(sha('2').as_str(), "SHA2"), @r#"
    {"scope":"link","kind":"phase_failed","message":"`build` failed for 2222222222: exit code 3","hint":"`katkit why dev/shop` shows the log; `katkit retry dev/shop` tries again from `build`","is_error":false,"sha":"SHA2","phase":"build","since":null,"policy":null,"until":null}
    {"scope":"link","kind":"cancelled","message":"the run for 2222222222 was cancelled by bob (wrong branch) at 2026-01-02 03:04 UTC","hint":"`katkit retry dev/shop` resumes it","is_error":false,"sha":"SHA2","phase":null,"since":"2026-01-02T03:04:05Z","policy":null,"until":null}
    {"scope":"link","kind":"lease_held","message":"ann (process 7 on laptop) is working on it","hint":"wait for it, or `katkit cancel dev/shop`","is_error":false,"sha":null,"phase":null,"since":null,"policy":null,"until":null}
    {"scope":"link","kind":"quarantined","message":"2222222222 has been quarantined since 2026-01-02 03:04 UTC: it lost orders","hint":null,"is_error":false,"sha":"SHA2","phase":null,"since":"2026-01-02T03:04:05Z","policy":null,"until":null}
    {"scope":"link","kind":"move_waits","message":"the record of `old/shop`, which is moved here, is in use: ann (process 7 on laptop) is working on it","hint":"wait for it, then apply again","is_error":false,"sha":null,"phase":null,"since":null,"policy":null,"until":null}
    {"scope":"link","kind":"outside_windows","message":"the last deployment window of the policy `office` has passed","hint":null,"is_error":false,"sha":null,"phase":null,"since":null,"policy":"office","until":null}
    {"scope":"link","kind":"unavailable","message":"branch `man` is not in the repository","hint":"`git ls-remote` shows which there are","is_error":true,"sha":null,"phase":null,"since":null,"policy":null,"until":null}
    "#);
}

#[test]
fn what_waits_at_a_gate() {
    let json = json(&plan(vec![waiting("dev/shop"), drifted("dev/web")]));
    let holds = json["links"].as_array().unwrap().iter().map(|link| link["holds"][0].to_string());
    assert_snapshot!(holds.collect::<Vec<_>>().join("\n").replace(sha('2').as_str(), "SHA2"), @r#"
    {"scope":"phase","kind":"frozen","message":"the policy `office` freezes deployments until Mon 2026-01-05 08:00 UTC: it is Friday","hint":"wait until Monday","is_error":false,"sha":null,"phase":"deploy","since":null,"policy":"office","until":"2026-01-05T08:00:00Z"}
    {"scope":"repair","kind":"frozen","message":"the policy `office` freezes deployments until Mon 2026-01-05 08:00 UTC: it is Friday","hint":"wait until Monday","is_error":false,"sha":null,"phase":null,"since":null,"policy":"office","until":"2026-01-05T08:00:00Z"}
    "#);
}

#[test]
fn orphaned_services() {
    let json = json(&all_kinds());
    assert_snapshot!(json["sweeps"], @r#"[{"fleet":"shared","handle":"/var/tmp/katkit/0000","token":"00000000000000000000000000000000-0","link":"dev/shop"},{"fleet":"shared","handle":"/var/tmp/katkit/0001","token":"00000000000000000000000000000001-0","link":null}]"#);
    assert_snapshot!(json["summary"], @r#"{"to_change":2,"held":1,"errors":1,"up_to_date":9,"phases":7,"deployments":3,"to_adopt":1,"to_forget":1,"to_recover":1,"to_record":0,"sweeps":2}"#);
}

#[test]
fn the_full_description_is_not_included() {
    let mut plan = all_kinds();
    plan.links[0].on_failure = Some(deployment(DeployPurpose::Rollback));
    let json = PlanJson::from(&plan).to_string();
    assert!(json.contains("\"on_failure\": {") && !json.contains("THE WHOLE DESCRIPTION"), "{json}");
}

#[test]
fn the_output_is_safe_to_print_and_parses_to_the_same_value() {
    let mut plan = hostile();
    plan.links[0].notes.push("\u{9b}2J \u{7f} \u{e0041} \u{feff}".to_owned());
    let printed = PlanJson::from(&plan).to_string();
    assert!(!printed.chars().any(|c| (c.is_control() && c != '\n') || is_deceptive(c)), "{printed}");
    assert!(printed.contains(r"\u009b2J \u007f \udb40\udc41 \ufeff"), "{printed}");
    assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), json(&plan));
}

#[test]
fn every_key_is_described_in_the_schema() {
    let schema = schema::<PlanJson<'_>>();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let waiting = plan(vec![waiting("dev/shop"), drifted("dev/web")]);
    for plan in [all_kinds(), hostile(), many(3), waiting, plan(Vec::new())] {
        if let Err(wrong) = fits(&json(&plan), &schema, &schema) {
            panic!("{wrong}")
        }
    }
}

#[test]
fn undescribed_values_do_not_fit_the_schema() {
    let schema = schema::<PlanJson<'_>>();
    let good = json(&all_kinds());
    let spoil = |change: &dyn Fn(&mut Value)| {
        let mut json = good.clone();
        change(&mut json);
        fits(&json, &schema, &schema).unwrap_err()
    };
    assert_snapshot!(spoil(&|json| json["summary"]["held"] = "two".into()), @r#"summary: held: "two" is string, not "integer""#);
    assert_snapshot!(spoil(&|json| json["surprise"] = 1.into()), @"`surprise` is not described");
    assert_snapshot!(spoil(&|json| drop(json.as_object_mut().unwrap().remove("sweeps"))), @"`sweeps` is missing");
    assert_snapshot!(spoil(&|json| json["links"][0]["steps"][0]["kind"] = "dance".into()), @r#"links: steps: {"kind":"dance","sha":"2222222222222222222222222222222222222222","reason":"new_sha","phases":[{"name":"build","order":0,"deployment":false,"skipped":false,"kept":false,"reused":null},{"name":"lint","order":0,"deployment":false,"skipped":false,"kept":false,"reused":null},{"name":"scan","order":0,"deployment":false,"skipped":true,"kept":false,"reused":null},{"name":"deploy","order":1,"deployment":true,"skipped":false,"kept":false,"reused":null},{"name":"verify","order":2,"deployment":false,"skipped":false,"kept":false,"reused":null}],"workflow":"w1","test":null,"request":null} fits 0 of oneOf"#);
}

/// Validates with the part of JSON Schema that our schemas use. Stricter in one point: every key must be described.
fn fits(value: &Value, schema: &Value, root: &Value) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = root.pointer(reference.trim_start_matches('#')).ok_or(format!("no {reference}"))?;
        // Keys beside a reference are checked as if they were in its target.
        let mut merged = target.clone();
        for (key, own) in schema.as_object().into_iter().flatten().filter(|(key, _)| *key != "$ref") {
            match (merged.get_mut(key), own) {
                (Some(Value::Object(into)), Value::Object(own)) => into.extend(own.clone()),
                (Some(Value::Array(into)), Value::Array(own)) => into.extend(own.clone()),
                _ => drop(merged.as_object_mut().map(|merged| merged.insert(key.clone(), own.clone()))),
            }
        }
        return fits(value, &merged, root);
    }
    for choice in ["oneOf", "anyOf"] {
        if let Some(choices) = schema[choice].as_array() {
            let fitting = choices.iter().filter(|choice| fits(value, choice, root).is_ok()).count();
            return if fitting == 1 { Ok(()) } else { Err(format!("{value} fits {fitting} of {choice}")) };
        }
    }
    if let Some(constant) = schema.get("const") {
        return if value == constant { Ok(()) } else { Err(format!("{value} is not {constant}")) };
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let kinds = &schema["type"];
    if kinds != kind && !kinds.as_array().is_some_and(|kinds| kinds.iter().any(|one| one == kind)) {
        return Err(format!("{value} is {kind}, not {kinds}"));
    }
    for item in value.as_array().into_iter().flatten() {
        fits(item, &schema["items"], root)?;
    }
    for (key, value) in value.as_object().into_iter().flatten() {
        let others = schema.get("additionalProperties");
        let described =
            schema["properties"].get(key).or(others).ok_or(format!("`{key}` is not described"))?;
        fits(value, described, root).map_err(|wrong| format!("{key}: {wrong}"))?;
    }
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    match required.filter(|_| value.is_object()).find(|key| value.get(key).is_none()) {
        Some(missing) => Err(format!("`{missing}` is missing")),
        None => Ok(()),
    }
}
