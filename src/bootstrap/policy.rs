//! What would be created, and who needs to be allowed what, as one JSON document.
//!
//! The policies lie in `state/iam` with names in angle brackets. A name that is a whole list stands for as many ARNs as the
//! manifest names; a statement whose list is empty is left out.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::state::dynamodb::Definition;

use super::{BootstrapError, FleetNeeds, Needs, bucket, log_group};

const CONTROLLER: &str = include_str!("../../state/iam/controller.json");
const AGENT: &str = include_str!("../../state/iam/agent.json");
const EXECUTION: &str = include_str!("../../state/iam/execution.json");
const READER: &str = include_str!("../../state/iam/reader.json");

/// Whom a document is for.
#[derive(Clone, Debug)]
pub struct Account {
    /// The region of whatever names none; `*` where nobody said.
    pub region: String,
    /// The number of the account, or `*`.
    pub number: String,
    /// The roles that the task definitions of the rolled services name. With none, any role of the account.
    pub service_roles: Vec<String>,
    /// The policies of agents and of ECS itself are for this fleet alone; else for all of them together.
    pub fleet: Option<String>,
}

/// What `make` would create for `needs`, and the policies of those who use it.
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
    let names = Names::of(needs, account);
    let phases = match &account.fleet {
        Some(fleet) => Names::of(&needs.only_with(fleet), account),
        None => Names::of(needs, account),
    };
    document["policies"] = json!({
        "controller": names.fill(parse(CONTROLLER)?),
        "agent": phases.fill(parse(AGENT)?),
        "reader": names.fill(parse(READER)?),
    });
    if !needs.fleets.is_empty() {
        document["policies"]["execution"] = phases.fill(parse(EXECUTION)?);
    }
    Ok(document)
}

fn below(prefix: &str) -> String {
    if prefix.is_empty() { String::new() } else { format!("{prefix}/") }
}

/// What stands in the place of what in a policy, and which of its statements are of no use here.
struct Names {
    texts: Vec<(&'static str, String)>,
    lists: BTreeMap<&'static str, BTreeSet<String>>,
    unused: Vec<&'static str>,
}

impl Names {
    fn of(needs: &Needs, account: &Account) -> Self {
        let Account { region, number, service_roles, fleet: _ } = account;
        let partition = match region.split('-').next() {
            Some("cn") => "aws-cn",
            _ if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        let mut unused = Vec::new();
        let (table, table_region) = match &needs.table {
            Some((name, place)) => (name.as_str(), place.region.as_ref().unwrap_or(region)),
            None => ("", region),
        };
        let (bucket, prefix) = needs.bucket.as_ref().map_or(("", ""), |(name, prefix, _)| (name, prefix));
        if table.is_empty() {
            unused.push("State");
        }
        if bucket.is_empty() {
            unused.push("Blobs");
        }
        if needs.fleets.is_empty() {
            unused.push("EcsTasks");
        }
        if !needs.services {
            unused.push("EcsServices");
        }
        if needs.clusters.is_empty() {
            unused.push("Ecs");
        }
        let arn =
            |name: &str, service: &str, region: Option<&String>, kind: &str| match name.starts_with("arn:") {
                true => name.to_owned(),
                false => {
                    let region = region.unwrap_or(&account.region);
                    format!("arn:{partition}:{service}:{region}:{number}:{kind}{name}")
                }
            };
        let clusters = needs.clusters.iter();
        let clusters = clusters.map(|(name, region)| arn(name, "ecs", region.as_ref(), "cluster/"));
        let groups = needs.log_groups().into_iter();
        let groups: BTreeSet<_> = groups
            .map(|(name, place)| arn(name, "logs", place.region.as_ref(), "log-group:") + ":*")
            .collect();
        // Which there are is asked of all of them.
        let any_group = groups.first().map(|_| format!("arn:{partition}:logs:*:{number}:log-group:*"));
        let any_group: BTreeSet<_> = any_group.into_iter().collect();
        let (readable, writable) = blobs(needs, &format!("arn:{partition}:s3:::{bucket}/{}", below(prefix)));
        let roles = needs.fleets.values().flat_map(roles).cloned();
        let any_role = || vec![format!("arn:{partition}:iam::{number}:role/*")];
        let service_roles = match service_roles.as_slice() {
            _ if !needs.services => Vec::new(),
            [] => any_role(),
            named => named.to_vec(),
        };
        let secrets: BTreeSet<String> =
            needs.fleets.values().flat_map(|fleet| fleet.secrets.clone()).collect();
        let (parameters, secrets): (BTreeSet<_>, BTreeSet<_>) =
            secrets.into_iter().partition(|arn| arn.contains(":ssm:"));
        // These are questions about no one thing that a policy could name.
        let all_if = |asked: bool| asked.then(|| "*".to_owned()).into_iter().collect::<BTreeSet<_>>();
        let networks = all_if(needs.fleets.values().any(|fleet| fleet.network));
        let texts = vec![
            ("<table-arn>", format!("arn:{partition}:dynamodb:{table_region}:{number}:table/{table}")),
            ("<bucket-arn>", format!("arn:{partition}:s3:::{bucket}")),
            ("<prefix>", below(prefix)),
            ("<partition>", partition.to_owned()),
            ("<account>", number.clone()),
        ];
        let lists = BTreeMap::from([
            ("<cluster-arns>", clusters.collect()),
            ("<phase-role-arns>", roles.collect()),
            ("<service-role-arns>", service_roles.into_iter().collect()),
            ("<readable-arns>", readable),
            ("<writable-arns>", writable),
            ("<log-groups-arns>", any_group),
            ("<log-group-arns>", groups),
            ("<networks>", networks),
            ("<parameters>", all_if(!parameters.is_empty())),
            ("<parameter-arns>", parameters),
            ("<secret-arns>", secrets),
        ]);
        Self { texts, lists, unused }
    }

    fn fill(&self, mut policy: Value) -> Value {
        if let Some(statements) = policy["Statement"].as_array_mut() {
            statements.retain(|statement| {
                let name = statement["Sid"].as_str().unwrap_or_default();
                let empty = self.list(&statement["Resource"]).is_some_and(BTreeSet::is_empty);
                !empty && !self.unused.iter().any(|unused| name.starts_with(unused))
            });
        }
        self.replace(&mut policy);
        policy
    }

    /// What a list of one name stands for.
    fn list(&self, value: &Value) -> Option<&BTreeSet<String>> {
        self.lists.get(value.as_array()?.first()?.as_str()?)
    }

    fn replace(&self, value: &mut Value) {
        if let Some(list) = self.list(value) {
            *value = json!(list);
            return;
        }
        match value {
            Value::String(text) => {
                for (name, now) in &self.texts {
                    *text = text.replace(name, now);
                }
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.replace(value)),
            Value::Object(values) => values.values_mut().for_each(|value| self.replace(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

fn roles(fleet: &FleetNeeds) -> impl Iterator<Item = &String> {
    fleet.task_role.iter().chain(&fleet.execution_role)
}

/// What an agent reads and writes below `root`: the commits and its tenants' phases, and of those only what its own kind
/// leaves behind. What a phase is to do is not among it, nor how another tenant's ended: the code can speak in the name
/// of its agent.
fn blobs(needs: &Needs, root: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let tenants: BTreeSet<_> = needs.fleets.values().flat_map(|fleet| &fleet.tenants).collect();
    if tenants.is_empty() {
        // Agents that are no tasks act in the name of whoever runs katkit.
        return (BTreeSet::from([format!("{root}*")]), BTreeSet::from([format!("{root}*/replica-*")]));
    }
    let readable = tenants.iter().map(|tenant| format!("{root}{tenant}/*"));
    let readable = readable.chain([format!("{root}commits/*")]);
    let writable = tenants.iter().map(|tenant| format!("{root}{tenant}/*/replica-*"));
    (readable.collect(), writable.collect())
}

#[cfg(test)]
mod tests {
    use crate::aws::Place;
    use crate::domain::TenantName;

    use super::*;

    fn account(region: &str, number: &str) -> Account {
        let (region, number) = (region.to_owned(), number.to_owned());
        Account { region, number, service_roles: Vec::new(), fleet: None }
    }

    fn needs() -> Needs {
        let there = Place { region: Some("cn-northwest-1".to_owned()), ..Place::default() };
        let fleet = FleetNeeds {
            log_group: Some(("/katkit/agents".to_owned(), there)),
            task_role: Some("arn:aws-cn:iam::123456789012:role/agent".to_owned()),
            execution_role: Some("arn:aws-cn:iam::123456789012:role/execution".to_owned()),
            tenants: BTreeSet::from([TenantName::new("prod").unwrap()]),
            secrets: BTreeSet::from(["arn:aws-cn:ssm:cn-north-1:123456789012:parameter/pass".to_owned()]),
            network: true,
        };
        Needs {
            table: Some(("deploys".to_owned(), Place::default())),
            bucket: Some(("acme".to_owned(), "katkit".to_owned(), Place::default())),
            clusters: BTreeSet::from([
                ("prod".to_owned(), None),
                ("tools".to_owned(), Some("cn-northwest-1".to_owned())),
            ]),
            services: true,
            fleets: BTreeMap::from([("phases".to_owned(), fleet)]),
        }
    }

    #[test]
    fn policies_name_what_the_manifest_names_and_nothing_else() {
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
    fn an_agent_cannot_write_what_another_phase_runs_or_how_it_ended() {
        let document = document(&needs(), &account("cn-north-1", "*")).unwrap();
        let agent = &document["policies"]["agent"]["Statement"];
        let root = "arn:aws-cn:s3:::acme/katkit/";
        let readable = [format!("{root}commits/*"), format!("{root}prod/*")];
        assert_eq!(agent[0]["Resource"], json!(readable));
        assert_eq!(agent[1]["Resource"], json!([format!("{root}prod/*/replica-*")]));
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
        // Nobody said which: it shows in a statement of its own.
        assert_eq!(passed(&[]), [of_phases, "[\"arn:aws-cn:iam::123456789012:role/*\"]"]);
    }

    #[test]
    fn what_verify_asks_for_is_allowed_and_no_more() {
        let allowed = |needs: &Needs| {
            let document = document(needs, &account("cn-north-1", "123456789012")).unwrap();
            let statements = document["policies"]["controller"]["Statement"].as_array().unwrap().clone();
            let asked = statements.into_iter().filter(|it| it["Sid"].as_str().unwrap().ends_with("Seen"));
            asked.map(|it| format!("{} {}", it["Action"], it["Resource"])).collect::<Vec<_>>()
        };
        let mut needs = needs();
        let images = "\"ecr:DescribeImages\" \"arn:aws-cn:ecr:*:*:repository/*\"";
        let roles = "\"iam:GetRole\" [\"arn:aws-cn:iam::123456789012:role/agent\",\"arn:aws-cn:iam::123456789012:role/execution\"]";
        let of_services = "\"iam:GetRole\" [\"arn:aws-cn:iam::123456789012:role/*\"]";
        let networks = "[\"ec2:DescribeSecurityGroups\",\"ec2:DescribeSubnets\"] [\"*\"]";
        assert_eq!(
            allowed(&needs),
            [images, networks, roles, of_services, "\"ssm:DescribeParameters\" [\"*\"]"]
        );
        let secret = "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:pass-AbCdEf";
        let fleet = needs.fleets.get_mut("phases").unwrap();
        (fleet.network, fleet.secrets) = (false, BTreeSet::from([secret.to_owned()]));
        let secrets = format!("\"secretsmanager:DescribeSecret\" [\"{secret}\"]");
        assert_eq!(allowed(&needs), [images, roles, of_services, &secrets]);
    }

    #[test]
    fn what_the_manifest_does_not_use_is_in_no_policy() {
        let needs =
            Needs { bucket: Some(("acme".to_owned(), String::new(), Place::default())), ..Needs::default() };
        let document = document(&needs, &account("eu-central-1", "*")).unwrap();
        assert!(document.get("table").is_none() && document.get("log_groups").is_none());
        let text = document.to_string();
        assert!(
            !text.contains("dynamodb") && !text.contains("ecs") && text.contains("\"arn:aws:s3:::acme/*\""),
            "{text}"
        );
    }
}
