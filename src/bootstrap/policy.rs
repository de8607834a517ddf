//! The output of `bootstrap --print`: one JSON document with the resources to create and the policies to attach.
//!
//! The policy templates are in `state/iam`, with placeholders in angle brackets (see `names`). A placeholder that is a
//! whole list expands to all ARNs that the manifest names.

use serde_json::{Value, json};

use crate::state::dynamodb::Definition;

use super::names::{Account, Names, below};
use super::{BootstrapError, Needs, bucket, log_group};

const CONTROLLER: &str = include_str!("../../state/iam/controller.json");
const AGENT: &str = include_str!("../../state/iam/agent.json");
const EXECUTION: &str = include_str!("../../state/iam/execution.json");
const READER: &str = include_str!("../../state/iam/reader.json");

/// What `make` would create for `needs`, and the policies for its users. Omits policies without a statement; `notes`
/// say why, and what else the reader should know.
pub fn document(needs: &Needs, account: &Account) -> Result<Value, BootstrapError> {
    let parse = |text| serde_json::from_str(text).map_err(|error| BootstrapError::Unsound(Box::new(error)));
    let mut document = json!({});
    if let Some((name, _)) = &needs.table {
        let mut table: Value = parse(Definition::TEXT)?;
        table["TableName"] = json!(name);
        document["table"] = table;
    }
    if let Some((name, prefix, _)) = &needs.bucket {
        document["bucket"] = json!({
            "name": name,
            "public_access": "blocked",
            "encryption": "AES256",
            "lifecycle": {
                "prefix": below(prefix),
                "expires_after_days": bucket::DAYS,
                "abort_uploads_after_days": bucket::PART_DAYS,
            },
        });
    }
    let groups = needs.log_groups().into_iter();
    let groups: Vec<_> =
        groups.map(|(name, _)| json!({ "name": name, "keeps_days": log_group::DAYS })).collect();
    if !groups.is_empty() {
        document["log_groups"] = json!(groups);
    }
    let of_phases = match &account.fleet {
        Some(fleet) => needs.only_with(fleet),
        None => needs.clone(),
    };
    let (names, phases) = (Names::of(needs, account), Names::of(&of_phases, account));
    document["policies"] = json!({});
    for (who, names, text) in [
        ("controller", &names, CONTROLLER),
        ("agent", &phases, AGENT),
        ("execution", &phases, EXECUTION),
        ("reader", &names, READER),
    ] {
        if let Some(policy) = names.fill(parse(text)?) {
            document["policies"][who] = policy;
        }
    }
    let notes = notes(&of_phases, account);
    if !notes.is_empty() {
        document["notes"] = json!(notes);
    }
    Ok(document)
}

/// Notes on the policies: what they leave out, and what is still missing.
fn notes(needs: &Needs, account: &Account) -> Vec<String> {
    let mut notes = Vec::new();
    if account.number == "*" {
        notes.push("no account is given, so ARNs contain `*` instead: set it with `--account`".to_owned());
    }
    let unused = needs.fleets.iter().filter(|(_, fleet)| fleet.tenants.is_empty());
    notes.extend(unused.map(|(name, _)| {
        format!("no tenant uses the fleet `{name}`, so its phases get no permissions; print this again when one does")
    }));
    if needs.bucket.is_some() && needs.fleets.is_empty() {
        let why = "no fleet has containers, so agents need no policy";
        notes.push(format!("{why}: those of `process` fleets act as the user who runs katkit"));
    }
    if !needs.service_clusters.is_empty() && account.service_roles.is_empty() {
        notes.push(
            "the manifest does not name the roles of the services' tasks, so the controller may pass none of them \
             (iam:PassRole); name each with `--service-role ARN`"
                .to_owned(),
        );
    }
    notes
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use crate::aws::AwsLocation;
    use crate::bootstrap::{FleetNeeds, TaskNeeds};
    use crate::domain::TenantName;

    use super::*;

    fn account(region: &str, number: &str) -> Account {
        let (region, number) = (region.to_owned(), number.to_owned());
        Account { region, number, service_roles: Vec::new(), fleet: None }
    }

    fn needs() -> Needs {
        let there = AwsLocation { region: Some("cn-northwest-1".to_owned()), ..AwsLocation::default() };
        let tasks = TaskNeeds {
            cluster: ("prod".to_owned(), None),
            log_group: Some(("/katkit/agents".to_owned(), there)),
            task_role: Some("arn:aws-cn:iam::123456789012:role/agent".to_owned()),
            execution_role: Some("arn:aws-cn:iam::123456789012:role/execution".to_owned()),
            secrets: BTreeSet::from(["arn:aws-cn:ssm:cn-north-1:123456789012:parameter/pass".to_owned()]),
            network: true,
        };
        let tenants = BTreeSet::from([TenantName::new("prod").unwrap()]);
        let fleet = FleetNeeds { tenants, tasks: Some(tasks) };
        Needs {
            table: Some(("deploys".to_owned(), AwsLocation::default())),
            bucket: Some(("acme".to_owned(), "katkit".to_owned(), AwsLocation::default())),
            service_clusters: BTreeSet::from([("tools".to_owned(), Some("cn-northwest-1".to_owned()))]),
            fleets: BTreeMap::from([("phases".to_owned(), fleet)]),
        }
    }

    #[test]
    fn policies_contain_only_the_resources_in_the_manifest() {
        let text = document(&needs(), &account("cn-north-1", "123456789012")).unwrap().to_string();
        for part in [
            "\"arn:aws-cn:dynamodb:cn-north-1:123456789012:table/deploys\"",
            "\"arn:aws-cn:s3:::acme/katkit/*\"",
            "\"arn:aws-cn:ecs:cn-north-1:123456789012:cluster/prod\"",
            "\"arn:aws-cn:ecs:cn-northwest-1:123456789012:cluster/tools\"",
            "\"arn:aws-cn:logs:cn-northwest-1:123456789012:log-group:/katkit/agents:*\"",
            "\"arn:aws-cn:ecs:*:123456789012:task-definition/katkit-*\"",
            "\"arn:aws-cn:ssm:cn-north-1:123456789012:parameter/pass\"",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains('<') && !text.contains("secretsmanager"), "{text}");
    }

    #[test]
    fn an_agent_cannot_write_the_code_or_status_of_another_phase() {
        let document = document(&needs(), &account("cn-north-1", "*")).unwrap();
        let agent = &document["policies"]["agent"]["Statement"];
        let root = "arn:aws-cn:s3:::acme/katkit/";
        let readable = [format!("{root}commits/*"), format!("{root}prod/*")];
        assert_eq!(agent[0]["Resource"], json!(readable));
        assert_eq!(agent[1]["Resource"], json!([format!("{root}prod/*/*/*/*/replica-*")]));
    }

    #[test]
    fn an_unused_fleet_gets_no_permissions() {
        let mut needs = needs();
        needs.fleets.get_mut("phases").unwrap().tenants.clear();
        let document = document(&needs, &account("cn-north-1", "123456789012")).unwrap();
        let policies = document["policies"].as_object().unwrap();
        assert_eq!(policies.keys().collect::<Vec<_>>(), ["controller", "reader"]);
        let controller = policies["controller"].to_string();
        for gone in ["ecs:RunTask", "iam:PassRole", "iam:GetRole", "logs:", "ec2:", "ssm:"] {
            assert!(!controller.contains(gone), "{gone} in {controller}");
        }
        // Tasks from when it was in use can still be stopped.
        assert!(controller.contains("ecs:StopTask"), "{controller}");
        let notes = document["notes"].to_string();
        assert!(notes.contains("no tenant uses the fleet `phases`"), "{notes}");
    }

    #[test]
    fn wildcards_in_a_manifest_are_escaped() {
        let mut needs = needs();
        needs.bucket = Some(("acme".to_owned(), "a*".to_owned(), AwsLocation::default()));
        needs.service_clusters = BTreeSet::from([("*".to_owned(), Some("*".to_owned()))]);
        let tasks = needs.fleets.get_mut("phases").unwrap().tasks.as_mut().unwrap();
        tasks.task_role = Some("arn:aws:iam::123456789012:role/*".to_owned());
        tasks.secrets = BTreeSet::from(["arn:aws:secretsmanager:eu:1:secret:?$".to_owned()]);
        let text = document(&needs, &account("eu-central-1", "123456789012")).unwrap().to_string();
        for part in [
            "\"arn:aws:s3:::acme/a${*}/*\"",
            "\"a${*}/*\"",
            "\"arn:aws:ecs:${*}:123456789012:cluster/${*}\"",
            "\"arn:aws:iam::123456789012:role/${*}\"",
            "\"arn:aws:secretsmanager:eu:1:secret:${?}${$}\"",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn no_policy_lists_the_bucket_beyond_the_prefix() {
        let document = document(&needs(), &account("cn-north-1", "123456789012")).unwrap();
        for who in ["controller", "reader"] {
            let statements = document["policies"][who]["Statement"].as_array().unwrap();
            let lists = statements.iter().find(|it| it["Action"] == "s3:ListBucket").unwrap();
            assert_eq!(lists["Condition"], json!({ "StringLike": { "s3:prefix": "katkit/*" } }));
        }
        assert!(!document["policies"]["agent"].to_string().contains("ListBucket"));
    }

    #[test]
    fn only_named_roles_are_passed() {
        let passed = |service_roles: &[&str]| {
            let service_roles = service_roles.iter().map(|role| (*role).to_owned()).collect();
            let account = Account { service_roles, ..account("cn-north-1", "123456789012") };
            let document = document(&needs(), &account).unwrap();
            let statements = document["policies"]["controller"]["Statement"].as_array().unwrap().clone();
            let passing = statements.into_iter().filter(|it| it["Action"] == "iam:PassRole");
            passing.map(|it| it["Resource"].to_string()).collect::<Vec<_>>()
        };
        let of_phases =
            "[\"arn:aws-cn:iam::123456789012:role/agent\",\"arn:aws-cn:iam::123456789012:role/execution\"]";
        assert_eq!(passed(&["arn:x"]), [of_phases, "[\"arn:x\"]"]);
        // Without any, none may be passed; a wildcard allows all.
        assert_eq!(passed(&[]), [of_phases]);
        let all = "arn:aws-cn:iam::123456789012:role/*";
        assert_eq!(passed(&[all]), [of_phases, &format!("[\"{all}\"]")]);
    }

    #[test]
    fn the_controller_may_read_what_verify_needs_and_no_more() {
        let allowed = |needs: &Needs| {
            let document = document(needs, &account("cn-north-1", "123456789012")).unwrap();
            let statements = document["policies"]["controller"]["Statement"].as_array().unwrap().clone();
            let asked = statements.into_iter().filter(|it| it["Sid"].as_str().unwrap().ends_with("Seen"));
            asked.map(|it| format!("{} {}", it["Action"], it["Resource"])).collect::<Vec<_>>()
        };
        let mut needs = needs();
        let images = "\"ecr:DescribeImages\" [\"arn:aws-cn:ecr:*:*:repository/*\"]";
        let roles = "\"iam:GetRole\" [\"arn:aws-cn:iam::123456789012:role/agent\",\"arn:aws-cn:iam::123456789012:role/execution\"]";
        let networks = "[\"ec2:DescribeSecurityGroups\",\"ec2:DescribeSubnets\"] [\"*\"]";
        assert_eq!(allowed(&needs), [images, networks, roles, "\"ssm:DescribeParameters\" [\"*\"]"]);
        let secret = "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:pass-AbCdEf";
        let fleet = needs.fleets.get_mut("phases").unwrap();
        let tasks = fleet.tasks.as_mut().unwrap();
        (tasks.network, tasks.secrets) = (false, BTreeSet::from([secret.to_owned()]));
        let secrets = format!("\"secretsmanager:DescribeSecret\" [\"{secret}\"]");
        assert_eq!(allowed(&needs), [images, roles, &secrets]);
    }

    #[test]
    fn services_that_the_manifest_does_not_use_are_in_no_policy() {
        let needs = Needs {
            bucket: Some(("acme".to_owned(), String::new(), AwsLocation::default())),
            ..Needs::default()
        };
        let document = document(&needs, &account("eu-central-1", "*")).unwrap();
        assert!(document.get("table").is_none() && document.get("log_groups").is_none());
        let text = document.to_string();
        assert!(
            !text.contains("dynamodb") && !text.contains("ecs") && text.contains("\"arn:aws:s3:::acme/*\""),
            "{text}"
        );
    }
}
