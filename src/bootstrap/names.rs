//! Replaces the placeholders (names in angle brackets) in policies. Pure.
//!
//! A missing value never widens a policy: if one placeholder in a statement has no value, the whole statement is
//! dropped. Wildcards in manifest text are escaped, so that the author of one included file cannot widen a policy
//! generated from all of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::Needs;
use crate::domain::COMMITS;

/// The values of all placeholders.
pub struct Names {
    /// Placeholders within a string; `None` has no value.
    texts: Vec<(&'static str, Option<String>)>,
    /// Placeholders that are the only element of a list; an empty set has no value.
    lists: BTreeMap<&'static str, BTreeSet<String>>,
}

impl Names {
    /// The values for `needs` in `account`.
    pub fn of(needs: &Needs, account: &Account) -> Self {
        let Account { region, number, service_roles, fleet: _ } = account;
        let partition = match region.split('-').next() {
            Some("cn") => "aws-cn",
            _ if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        let arn = |name: &str, service: &str, region: Option<&String>, kind: &str| {
            let name = literal(name);
            match name.starts_with("arn:") {
                true => name,
                false => {
                    let region = region.map_or_else(|| account.region.clone(), |region| literal(region));
                    format!("arn:{partition}:{service}:{region}:{number}:{kind}{name}")
                }
            }
        };
        let cluster =
            |(name, region): &(String, Option<String>)| arn(name, "ecs", region.as_ref(), "cluster/");
        let services: BTreeSet<_> = needs.service_clusters.iter().map(cluster).collect();
        let tasks: BTreeSet<_> = needs.tasks().map(|(_, tasks)| cluster(&tasks.cluster)).collect();
        let running: BTreeSet<_> = needs.tasks_in_use().map(|tasks| cluster(&tasks.cluster)).collect();
        let clusters: BTreeSet<_> = services.union(&tasks).cloned().collect();
        let groups = needs.tasks_in_use().filter_map(|tasks| tasks.log_group.as_ref());
        let groups: BTreeSet<_> = groups
            .map(|(name, place)| arn(name, "logs", place.region.as_ref(), "log-group:") + ":*")
            .collect();
        let roles =
            needs.tasks_in_use().flat_map(|tasks| tasks.task_role.iter().chain(&tasks.execution_role));
        let secrets = needs.tasks_in_use().flat_map(|tasks| &tasks.secrets).map(|arn| literal(arn));
        let (parameters, secrets): (BTreeSet<_>, BTreeSet<_>) =
            secrets.partition(|arn| arn.contains(":ssm:"));
        // These come from the administrator, not from a manifest, so their wildcards are intended.
        let service_roles = service_roles.iter().filter(|_| !services.is_empty()).cloned().collect();
        let bucket = needs.bucket.as_ref();
        let bucket_arn = bucket.map(|(name, ..)| format!("arn:{partition}:s3:::{}", literal(name)));
        let prefix = bucket.map(|(_, prefix, _)| below(&literal(prefix)));
        let root = bucket_arn.as_ref().zip(prefix.as_ref()).map(|(arn, prefix)| format!("{arn}/{prefix}"));
        let table = needs.table.as_ref().map(|(name, place)| {
            let region = place.region.as_ref().map_or_else(|| region.clone(), |region| literal(region));
            format!("arn:{partition}:dynamodb:{region}:{number}:table/{}", literal(name))
        });
        let (readable, writable) = root.map(|root| blobs(needs, &root)).unwrap_or_default();
        // For actions without resources, and for resources whose names are unknown here.
        let only_if = |asked: bool, all: String| asked.then_some(all).into_iter().collect::<BTreeSet<_>>();
        let any_if = |asked: bool| only_if(asked, "*".to_owned());
        let repositories = format!("arn:{partition}:ecr:*:*:repository/*");
        let any_group = format!("arn:{partition}:logs:*:{number}:log-group:*");
        let lists = BTreeMap::from([
            ("<any-if-clusters>", any_if(!clusters.is_empty())),
            ("<any-if-networks>", any_if(needs.tasks_in_use().any(|tasks| tasks.network))),
            ("<any-if-parameters>", any_if(!parameters.is_empty())),
            ("<any-if-phases>", any_if(!running.is_empty())),
            ("<any-if-services>", any_if(!services.is_empty())),
            ("<any-log-group-arns>", only_if(!groups.is_empty(), any_group)),
            ("<repository-arns>", only_if(!clusters.is_empty(), repositories.clone())),
            ("<phase-repository-arns>", only_if(!running.is_empty(), repositories)),
            ("<cluster-arns>", clusters),
            ("<service-cluster-arns>", services),
            ("<task-cluster-arns>", tasks),
            ("<run-cluster-arns>", running),
            ("<log-group-arns>", groups),
            ("<phase-role-arns>", roles.map(|arn| literal(arn)).collect()),
            ("<service-role-arns>", service_roles),
            ("<parameter-arns>", parameters),
            ("<secret-arns>", secrets),
            ("<readable-arns>", readable),
            ("<writable-arns>", writable),
        ]);
        let texts = vec![
            ("<table-arn>", table),
            ("<bucket-arn>", bucket_arn),
            ("<prefix>", prefix),
            ("<partition>", Some(partition.to_owned())),
            ("<account>", Some(number.clone())),
        ];
        Self { texts, lists }
    }

    /// Fills in a policy; `None` if no statement is left.
    pub fn fill(&self, mut policy: Value) -> Option<Value> {
        let statements = policy["Statement"].as_array_mut()?;
        statements.retain(|statement| self.stands(statement));
        for statement in &mut *statements {
            self.replace(statement);
        }
        let any = !statements.is_empty();
        any.then_some(policy)
    }

    /// Whether every placeholder in `value` has a value.
    fn stands(&self, value: &Value) -> bool {
        if let Some(list) = self.list(value) {
            return !list.is_empty();
        }
        match value {
            Value::String(text) => self.texts.iter().all(|(name, now)| now.is_some() || !text.contains(name)),
            Value::Array(values) => values.iter().all(|value| self.stands(value)),
            Value::Object(values) => values.values().all(|value| self.stands(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => true,
        }
    }

    /// The values, if `value` is a list placeholder.
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
                    *text = text.replace(name, now.as_deref().unwrap_or_default());
                }
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.replace(value)),
            Value::Object(values) => values.values_mut().for_each(|value| self.replace(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// The prefix of all keys in the bucket, with a trailing slash unless empty.
pub fn below(prefix: &str) -> String {
    if prefix.is_empty() { String::new() } else { format!("{prefix}/") }
}

/// Escapes the characters that IAM treats as wildcards or variables.
/// Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-specialchars>
fn literal(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '*' => safe.push_str("${*}"),
            '?' => safe.push_str("${?}"),
            '$' => safe.push_str("${$}"),
            other => safe.push(other),
        }
    }
    safe
}

/// The ARNs that an agent may read and write below `root`. It reads commits and its tenants' phases, and writes only
/// the output of replicas. It must not write `phase.json` or another tenant's status, because the phase's code has the
/// agent's rights. Without a tenant both are empty.
fn blobs(needs: &Needs, root: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let tenants: BTreeSet<_> = needs.fleets.values().flat_map(|fleet| &fleet.tenants).collect();
    let commits = tenants.first().map(|_| format!("{root}{COMMITS}/*"));
    let readable = tenants.iter().map(|tenant| format!("{root}{tenant}/*")).chain(commits);
    // One `*` each for link, sha, phase and attempt. Fewer would match the `phase.json` of a phase named `replica-1`.
    let writable = tenants.iter().map(|tenant| format!("{root}{tenant}/*/*/*/*/replica-*"));
    (readable.collect(), writable.collect())
}

/// Parameters of the document.
#[derive(Clone, Debug)]
pub struct Account {
    /// The default region of resources; `*` if unknown.
    pub region: String,
    /// The account number; `*` if unknown.
    pub number: String,
    /// The roles in the task definitions of rolled services, possibly with wildcards. The controller may pass only these.
    pub service_roles: Vec<String>,
    /// Limits the policies of agents and of ECS itself to this fleet; `None` means all fleets together.
    pub fleet: Option<String>,
}
