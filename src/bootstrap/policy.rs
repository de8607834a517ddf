//! What would be created, and who needs to be allowed what, as one JSON document.

use serde_json::{Value, json};

use crate::state::dynamodb::Definition;

use super::{BootstrapError, LOG_GROUP, Needs, bucket, log_group};

const CONTROLLER: &str = include_str!("../../state/iam/controller.json");
const AGENT: &str = include_str!("../../state/iam/agent.json");
const READER: &str = include_str!("../../state/iam/reader.json");

/// What `make` would create for `needs`, and the policies of those who use it. `account`: the number of the account, or
/// `*`.
pub fn document(needs: &Needs, region: &str, account: &str) -> Result<Value, BootstrapError> {
    let parse = |text| serde_json::from_str(text).map_err(|error| BootstrapError::Unsound(Box::new(error)));
    let mut document = json!({});
    if let Some((name, _)) = &needs.table {
        let mut table: Value = parse(Definition::TEXT)?;
        table["TableName"] = json!(name);
        document["table"] = table;
    }
    if let Some((name, prefix, _)) = &needs.bucket {
        let below = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        document["bucket"] = json!({
            "name": name,
            "public_access": "blocked",
            "encryption": "AES256",
            "lifecycle": {
                "prefix": below,
                "expires_after_days": bucket::DAYS,
                "abort_uploads_after_days": bucket::PART_DAYS,
            },
        });
    }
    if needs.tasks {
        document["log_group"] = json!({ "name": LOG_GROUP, "keeps_days": log_group::DAYS });
    }
    let names = Names::of(needs, region, account);
    document["policies"] = json!({
        "controller": names.fill(parse(CONTROLLER)?),
        "agent": names.fill(parse(AGENT)?),
        "reader": names.fill(parse(READER)?),
    });
    Ok(document)
}

/// What stands in the place of what in a policy, and which of its statements are of no use here.
struct Names {
    texts: Vec<(&'static str, String)>,
    clusters: Vec<String>,
    unused: Vec<&'static str>,
}

impl Names {
    fn of(needs: &Needs, region: &str, account: &str) -> Self {
        let partition = match region.split('-').next() {
            Some("cn") => "aws-cn",
            _ if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        let mut unused = Vec::new();
        let table = needs.table.as_ref().map_or("", |(name, _)| name);
        let (bucket, prefix) = needs.bucket.as_ref().map_or(("", ""), |(name, prefix, _)| (name, prefix));
        if table.is_empty() {
            unused.push("State");
        }
        if bucket.is_empty() {
            unused.push("Blobs");
        }
        if needs.clusters.is_empty() && !needs.tasks {
            unused.push("Ecs");
        }
        let arn = |name: &String| match name.starts_with("arn:") {
            true => name.clone(),
            false => format!("arn:{partition}:ecs:{region}:{account}:cluster/{name}"),
        };
        let mut clusters: Vec<_> = needs.clusters.iter().map(arn).collect();
        if clusters.is_empty() {
            clusters.push(format!("arn:{partition}:ecs:{region}:{account}:cluster/*"));
        }
        let below = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let texts = vec![
            ("<table-arn>", format!("arn:{partition}:dynamodb:{region}:{account}:table/{table}")),
            ("<bucket-arn>", format!("arn:{partition}:s3:::{bucket}")),
            ("<prefix>", below),
            ("<partition>", partition.to_owned()),
            ("<account>", account.to_owned()),
        ];
        Self { texts, clusters, unused }
    }

    fn fill(&self, mut policy: Value) -> Value {
        if let Some(statements) = policy["Statement"].as_array_mut() {
            statements.retain(|statement| {
                let name = statement["Sid"].as_str().unwrap_or_default();
                !self.unused.iter().any(|unused| name.starts_with(unused))
            });
        }
        self.replace(&mut policy);
        policy
    }

    fn replace(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                for (name, now) in &self.texts {
                    *text = text.replace(name, now);
                }
            }
            Value::Array(values) if values.first() == Some(&json!("<cluster-arns>")) => {
                *values = self.clusters.iter().map(|cluster| json!(cluster)).collect();
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.replace(value)),
            Value::Object(values) => values.values_mut().for_each(|value| self.replace(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::aws::Place;

    use super::*;

    #[test]
    fn policies_name_what_the_manifest_names_and_nothing_else() {
        let needs = Needs {
            table: Some(("deploys".to_owned(), Place::default())),
            bucket: Some(("acme".to_owned(), "katkit".to_owned(), Place::default())),
            clusters: vec!["prod".to_owned()],
            tasks: true,
        };
        let text = document(&needs, "cn-north-1", "123456789012").unwrap().to_string();
        for part in [
            "\"arn:aws-cn:dynamodb:cn-north-1:123456789012:table/deploys\"",
            "\"arn:aws-cn:s3:::acme/katkit/*\"",
            "\"arn:aws-cn:ecs:cn-north-1:123456789012:cluster/prod\"",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains('<'), "{text}");
    }

    #[test]
    fn what_the_manifest_does_not_use_is_in_no_policy() {
        let needs =
            Needs { bucket: Some(("acme".to_owned(), String::new(), Place::default())), ..Needs::default() };
        let document = document(&needs, "eu-central-1", "*").unwrap();
        assert!(document.get("table").is_none() && document.get("log_group").is_none());
        let text = document.to_string();
        assert!(
            !text.contains("dynamodb") && !text.contains("ecs") && text.contains("\"arn:aws:s3:::acme/*\""),
            "{text}"
        );
    }
}
