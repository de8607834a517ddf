//! The AWS identity behind the credentials.

use super::api::{AwsRequest, RequestBody, Service, records};
use super::{Aws, AwsError, AwsLocation};

/// The ARN of the caller. The call needs no permission.
/// Source: <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>
pub async fn arn(aws: &Aws, place: &AwsLocation) -> Result<String, AwsError> {
    let action = "sts:GetCallerIdentity";
    let resource = "the caller";
    let question =
        AwsRequest { service: Service::Sts, action, resource, words: RequestBody::Query(Vec::new()) };
    let answer = aws.ask(place, question).await?;
    let found = records(&answer, &["GetCallerIdentityResult"], ["Arn"]).into_iter().next();
    found.map(|[arn]| arn).filter(|arn| arn.starts_with("arn:")).ok_or_else(|| AwsError::Implausible {
        action,
        resource: resource.to_owned(),
        what: "names no caller".to_owned(),
    })
}

/// A display name for the caller: the user name, or `role/session`.
pub fn name(arn: &str) -> &str {
    let resource = arn.splitn(6, ':').last().unwrap_or(arn);
    match resource.split_once('/') {
        Some(("user", user)) => user.rsplit('/').next().unwrap_or(user),
        Some((_, rest)) => rest,
        None => resource,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_is_named_by_user_or_by_role_and_session() {
        for (arn, expected) in [
            ("arn:aws:iam::123456789012:user/team/ana", "ana"),
            ("arn:aws:sts::123456789012:assumed-role/deploy/ana@example.com", "deploy/ana@example.com"),
            ("arn:aws-cn:sts::123456789012:federated-user/bea", "bea"),
            ("arn:aws:iam::123456789012:root", "root"),
        ] {
            assert_eq!(name(arn), expected);
        }
    }
}
