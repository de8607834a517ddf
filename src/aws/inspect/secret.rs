//! Whether a secret exists, by its ARN. Never requests its value.

use serde_json::{Value, json};

use super::{bad, good, in_region, unseen};
use crate::aws::api::{AwsRequest, RequestBody, Service};
use crate::aws::{Aws, AwsError, AwsLocation};
use crate::domain::CheckResult;

const FIX: &str = "create it, or correct its ARN in the manifest";

/// The ARN of a secret, with the suffixes that ECS accepts: a key in its JSON value, a stage, a version.
/// Source: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html>
#[derive(Clone, Debug, PartialEq, Eq)]
struct SecretArn<'a> {
    /// The secret's own ARN.
    own: &'a str,
    region: &'a str,
    key: Option<&'a str>,
}

/// The ARN of the secret or parameter itself, without an ECS suffix (key, stage, version).
pub fn itself(arn: &str) -> &str {
    match arn.match_indices(':').nth(6) {
        Some((end, _)) if arn.contains(":secretsmanager:") => &arn[..end],
        _ => arn,
    }
}

/// Checks a secret in Secrets Manager or a parameter in Parameter Store. `reader` is the ARN of the role that reads it,
/// if known.
pub async fn inspect(aws: &Aws, place: &AwsLocation, arn: &str, reader: Option<&str>) -> CheckResult {
    let Some(parsed) = SecretArn::parse(arn) else {
        return bad(format!("`{arn}` is not a complete ARN"), "copy it from the AWS console");
    };
    let place = in_region(place, parsed.region);
    let asked = async {
        match arn.contains(":ssm:") {
            true => parameter(aws, &place, parsed.own, reader).await,
            false => secret(aws, &place, parsed.own).await,
        }
    };
    match (aws.shared.seen.found(&place, parsed.own, asked).await, parsed.key) {
        (CheckResult::Good(how), Some(key)) => {
            good(format!("{how}; only a running task shows whether it has the key `{key}`"))
        }
        (found, _) => found,
    }
}

async fn secret(aws: &Aws, place: &AwsLocation, arn: &str) -> CheckResult {
    let (service, action) = (Service::SecretsManager, "secretsmanager:DescribeSecret");
    let words = RequestBody::Json(json!({ "SecretId": arn }));
    let answer = match aws.ask(place, AwsRequest { service, action, resource: arn, words }).await {
        Ok(answer) => answer,
        Err(AwsError::Refused { code, .. }) if code == "ResourceNotFoundException" => {
            return bad(format!("there is no secret {arn}"), FIX);
        }
        Err(error) => return unseen(&error),
    };
    let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
    if !answer["DeletedDate"].is_null() {
        return bad("the secret is scheduled for deletion and cannot be read", "restore it, or name another");
    }
    good("is in Secrets Manager")
}

/// Uses a filtered `DescribeParameters`, whose response never contains the value.
async fn parameter(aws: &Aws, place: &AwsLocation, arn: &str, reader: Option<&str>) -> CheckResult {
    let name = arn.split_once(":parameter/").map_or("", |(_, name)| name);
    // Names in a hierarchy start with a slash that the ARN omits.
    let names =
        if name.contains('/') { vec![format!("/{name}")] } else { vec![name.to_owned(), format!("/{name}")] };
    let filter = json!({ "Key": "Name", "Option": "Equals", "Values": names });
    let (service, action) = (Service::Ssm, "ssm:DescribeParameters");
    let words = RequestBody::Json(json!({ "ParameterFilters": [filter] }));
    let answer = match aws.ask(place, AwsRequest { service, action, resource: arn, words }).await {
        Ok(answer) => answer,
        Err(error) => return unseen(&error),
    };
    let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
    let found = answer["Parameters"].as_array().is_some_and(|found| {
        found.iter().filter_map(|it| it["Name"].as_str()).any(|it| names.iter().any(|name| name == it))
    });
    match found {
        true => good("is in Parameter Store"),
        // The listing does not include parameters shared by other accounts.
        false if reader.is_some_and(|reader| account(reader) != account(arn)) => {
            CheckResult::Unknown("it belongs to another account, which is not checked".to_owned())
        }
        false => bad(format!("there is no parameter {arn}"), FIX),
    }
}

fn account(arn: &str) -> Option<&str> {
    arn.split(':').nth(4)
}

impl<'a> SecretArn<'a> {
    fn parse(arn: &'a str) -> Option<Self> {
        let parts: Vec<&str> = arn.split(':').collect();
        let (region, resource) = (*parts.get(3)?, *parts.get(5)?);
        if region.is_empty() || resource.is_empty() || itself(arn).ends_with(':') {
            return None;
        }
        let key = if parts[2] == "secretsmanager" { parts.get(7).copied() } else { None };
        Some(Self { own: itself(arn), region, key: key.filter(|key| !key.is_empty()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ecs_suffix_is_not_part_of_the_arn() {
        let own = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:a/b-AbCdEf";
        for (arn, key) in [
            (own.to_owned(), None),
            (format!("{own}:password::"), Some("password")),
            (format!("{own}::AWSPREVIOUS:"), None),
        ] {
            let parsed = SecretArn::parse(&arn).unwrap();
            assert_eq!(parsed, SecretArn { own, region: "eu-central-1", key });
        }
        let parameter = "arn:aws:ssm:eu-central-1:123456789012:parameter/a/b";
        assert_eq!((itself(parameter), SecretArn::parse("arn:aws:ssm:eu")), (parameter, None));
    }
}
