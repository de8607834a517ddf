//! Whether a role exists and tasks can assume it.

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::{bad, good, unseen};
use crate::aws::api::{AwsRequest, RequestBody, Service, records};
use crate::aws::{Aws, AwsLocation};
use crate::domain::CheckResult;

/// The service principal that assumes task roles.
/// Source: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html>
const TASKS: &str = "ecs-tasks.amazonaws.com";

/// Whether a role's trust policy trusts ECS tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    Given,
    /// Subject to conditions that are known only when a task runs.
    Depends,
    Missing,
}

/// Checks a role by its ARN.
pub async fn inspect(aws: &Aws, place: &AwsLocation, arn: &str) -> CheckResult {
    aws.shared.seen.found(place, arn, ask(aws, place, arn)).await
}

async fn ask(aws: &Aws, place: &AwsLocation, arn: &str) -> CheckResult {
    // The path before the name is not part of it.
    let name = arn.rsplit('/').next().unwrap_or(arn);
    let words = RequestBody::Query(vec![("RoleName".to_owned(), name.to_owned())]);
    let question = AwsRequest { service: Service::Iam, action: "iam:GetRole", resource: arn, words };
    let answer = match aws.ask(place, question).await {
        Ok(answer) => answer,
        Err(error) if error.code() == Some("NoSuchEntity") => {
            let fix = format!("create it, trusted by `{TASKS}`, or name another");
            return bad(format!("there is no role `{name}`"), fix);
        }
        Err(error) => return unseen(&error),
    };
    let found = records(&answer, &["GetRoleResult", "Role"], ["Arn", "AssumeRolePolicyDocument"]);
    let Some([there, policy]) = found.into_iter().next() else {
        return CheckResult::Unknown("IAM's response could not be parsed".to_owned());
    };
    if there != arn {
        let problem = format!("`{arn}` is not the ARN of the role `{name}`, which is `{there}`");
        return bad(problem, "use that ARN, with its account and path");
    }
    let policy = percent_decode_str(&policy).decode_utf8_lossy();
    match serde_json::from_str(&policy).map(|policy| trust(&policy)) {
        Ok(Trust::Given) => good(format!(
            "{arn} can be assumed by tasks; only starting one shows whether katkit may pass it (iam:PassRole)"
        )),
        Ok(Trust::Depends) => CheckResult::Unknown(format!(
            "{arn} trusts `{TASKS}` under conditions; only starting a task shows whether it meets them"
        )),
        Ok(Trust::Missing) => {
            let fix = format!("let its trust policy allow `sts:AssumeRole` to the service `{TASKS}`");
            bad(format!("{arn} cannot be assumed by tasks: it does not trust `{TASKS}`"), fix)
        }
        Err(_) => CheckResult::Unknown("its trust policy could not be parsed".to_owned()),
    }
}

fn trust(policy: &Value) -> Trust {
    let (mut given, mut perhaps, mut doubt) = (false, false, false);
    for statement in each(&policy["Statement"]) {
        let open = ["NotPrincipal", "NotAction"].iter().any(|not| !statement[*not].is_null());
        let anyone = statement["Principal"] == "*";
        let named = each(&statement["Principal"]["Service"]).any(|service| service == TASKS);
        let assumes = each(&statement["Action"]).filter_map(Value::as_str).any(is_to_assume);
        if !open && !(assumes && (named || anyone)) {
            continue;
        }
        let certain = !open && !anyone && statement["Condition"].is_null();
        match (statement["Effect"].as_str(), certain) {
            (Some("Deny"), true) => return Trust::Missing,
            (Some("Deny"), false) => doubt = true,
            (_, true) => given = true,
            (_, false) => perhaps = true,
        }
    }
    match (given, perhaps, doubt) {
        (true, _, false) => Trust::Given,
        (false, false, _) => Trust::Missing,
        _ => Trust::Depends,
    }
}

/// The elements of a list, or a single value as a list of one.
fn each(value: &Value) -> impl Iterator<Item = &Value> {
    match value {
        Value::Array(values) => values.as_slice(),
        Value::Null => &[],
        one => std::slice::from_ref(one),
    }
    .iter()
}

/// Actions are case-insensitive and may end in `*`.
fn is_to_assume(action: &str) -> bool {
    let (action, wanted) = (action.to_ascii_lowercase(), "sts:assumerole");
    match action.strip_suffix('*') {
        Some(start) => wanted.starts_with(start),
        None => action == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(statements: &Value) -> Trust {
        trust(&json!({ "Version": "2012-10-17", "Statement": statements }))
    }

    fn statement(effect: &str, service: &Value, action: &Value) -> Value {
        json!({ "Effect": effect, "Principal": { "Service": service }, "Action": action })
    }

    #[test]
    fn the_trust_policy_decides_whether_tasks_can_assume_a_role() {
        let assume = json!("sts:AssumeRole");
        let tasks = statement("Allow", &json!(TASKS), &assume);
        let lists =
            statement("Allow", &json!(["ec2.amazonaws.com", TASKS]), &json!(["sts:TagSession", "sts:*"]));
        assert_eq!([of(&tasks), of(&json!([lists]))], [Trust::Given; 2]);
        let other = statement("Allow", &json!("ecs.amazonaws.com"), &assume);
        let less = statement("Allow", &json!(TASKS), &json!("sts:TagSession"));
        let user = json!({ "Effect": "Allow", "Principal": { "AWS": "arn:x" }, "Action": "sts:AssumeRole" });
        assert_eq!(of(&json!([other, less, user])), Trust::Missing);
        assert_eq!(of(&json!([other, tasks])), Trust::Given);
        let denied = statement("Deny", &json!(TASKS), &json!("*"));
        assert_eq!(of(&json!([tasks, denied])), Trust::Missing);
        assert_eq!(of(&json!(null)), Trust::Missing);
    }

    #[test]
    fn a_condition_makes_the_result_unknown() {
        let mut limited = statement("Allow", &json!(TASKS), &json!("sts:AssumeRole"));
        limited["Condition"] = json!({ "StringEquals": { "aws:SourceAccount": "1" } });
        assert_eq!(of(&limited), Trust::Depends);
        let tasks = statement("Allow", &json!(TASKS), &json!("sts:AssumeRole"));
        assert_eq!(of(&json!([limited, tasks])), Trust::Given);
        limited["Effect"] = json!("Deny");
        assert_eq!(of(&json!([limited, tasks])), Trust::Depends);
        let anyone = json!({ "Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole" });
        assert_eq!(of(&anyone), Trust::Depends);
    }
}
