//! Whether a secret is there, by its ARN. Its value is never asked for.

use serde_json::{Value, json};

use super::{bad, good, in_region, unseen};
use crate::aws::ask::{Question, Service, Words};
use crate::aws::{Aws, AwsError, Place};
use crate::domain::Found;

const FIX: &str = "create it, or correct its ARN in the manifest";

/// The ARN of a secret, and what ECS takes behind it: a key of the JSON that is its value, a stage, a version.
/// Source: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html>
#[derive(Clone, Debug, PartialEq, Eq)]
struct SecretArn<'a> {
    /// The secret's own ARN.
    own: &'a str,
    region: &'a str,
    key: Option<&'a str>,
}

/// The ARN of the secret or parameter itself, without the key and the version that may stand behind it.
pub fn itself(arn: &str) -> &str {
    match arn.match_indices(':').nth(6) {
        Some((end, _)) if arn.contains(":secretsmanager:") => &arn[..end],
        _ => arn,
    }
}

/// Looks at a secret of Secrets Manager or a parameter of Parameter Store. `reader` is the ARN of the role that reads it,
/// where that is known.
pub async fn look(aws: &Aws, place: &Place, arn: &str, reader: Option<&str>) -> Found {
    let Some(parsed) = SecretArn::parse(arn) else {
        return bad(format!("`{arn}` is not a whole ARN"), "write it as the console shows it");
    };
    let place = in_region(place, parsed.region);
    let asked = async {
        match arn.contains(":ssm:") {
            true => parameter(aws, &place, parsed.own, reader).await,
            false => secret(aws, &place, parsed.own).await,
        }
    };
    match (aws.shared.seen.found(&place, parsed.own, asked).await, parsed.key) {
        (Found::Good(how), Some(key)) => {
            good(format!("{how}; that it holds the key `{key}` shows when a task is run"))
        }
        (found, _) => found,
    }
}

async fn secret(aws: &Aws, place: &Place, arn: &str) -> Found {
    let (service, action) = (Service::SecretsManager, "secretsmanager:DescribeSecret");
    let words = Words::Json(json!({ "SecretId": arn }));
    let answer = match aws.ask(place, Question { service, action, resource: arn, words }).await {
        Ok(answer) => answer,
        Err(AwsError::Refused { code, .. }) if code == "ResourceNotFoundException" => {
            return bad(format!("there is no secret {arn}"), FIX);
        }
        Err(error) => return unseen(&error),
    };
    let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
    if !answer["DeletedDate"].is_null() {
        return bad(
            "the secret is to be deleted, and cannot be read any more",
            "restore it, or name another",
        );
    }
    good("is in Secrets Manager")
}

/// Asked for by a filter: it answers with what is known of a parameter, and never with its value.
async fn parameter(aws: &Aws, place: &Place, arn: &str, reader: Option<&str>) -> Found {
    let name = arn.split_once(":parameter/").map_or("", |(_, name)| name);
    // Only in a hierarchy does a name begin with a slash, and its ARN does not say so.
    let names =
        if name.contains('/') { vec![format!("/{name}")] } else { vec![name.to_owned(), format!("/{name}")] };
    let filter = json!({ "Key": "Name", "Option": "Equals", "Values": names });
    let (service, action) = (Service::Ssm, "ssm:DescribeParameters");
    let words = Words::Json(json!({ "ParameterFilters": [filter] }));
    let answer = match aws.ask(place, Question { service, action, resource: arn, words }).await {
        Ok(answer) => answer,
        Err(error) => return unseen(&error),
    };
    let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
    let found = answer["Parameters"].as_array().is_some_and(|found| {
        found.iter().filter_map(|it| it["Name"].as_str()).any(|it| names.iter().any(|name| name == it))
    });
    match found {
        true => good("is in Parameter Store"),
        // What another account shares is not among one's own.
        false if reader.is_some_and(|reader| account(reader) != account(arn)) => {
            Found::Unknown("it belongs to another account, which is not asked".to_owned())
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
    fn what_ecs_takes_behind_an_arn_is_no_part_of_it() {
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
