//! Whether an image exists in its registry. ECR only.

use serde_json::{Value, json};

use super::{bad, good, in_region, unseen};
use crate::aws::api::{AwsRequest, RequestBody, Service};
use crate::aws::{Aws, AwsLocation};
use crate::domain::CheckResult;

/// An image in ECR: `ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY[:TAG][@DIGEST]`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct EcrImage<'a> {
    account: &'a str,
    region: &'a str,
    repository: &'a str,
    id: ImageId<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ImageId<'a> {
    Tag(&'a str),
    Digest(&'a str),
}

/// Checks an image. Unknown for registries other than ECR.
pub async fn inspect(aws: &Aws, place: &AwsLocation, image: &str) -> CheckResult {
    let Some(parsed) = EcrImage::parse(image) else {
        let why = "its registry is not ECR, so it is not checked; only a running task shows whether it can be pulled";
        return CheckResult::Unknown(why.to_owned());
    };
    let place = in_region(place, parsed.region);
    aws.shared.seen.found(&place, image, parsed.ask(aws, &place)).await
}

impl<'a> EcrImage<'a> {
    fn parse(image: &'a str) -> Option<Self> {
        let (host, path) = image.split_once('/')?;
        let (account, host) = host.split_once(".dkr.ecr")?;
        let host = host.strip_prefix("-fips").unwrap_or(host).strip_prefix('.')?;
        let (region, domain) = host.split_once('.')?;
        let digits = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        if !digits || !matches!(domain, "amazonaws.com" | "amazonaws.com.cn") {
            return None;
        }
        let (name, digest) = path.split_once('@').map_or((path, None), |(name, it)| (name, Some(it)));
        let (repository, tag) = name.split_once(':').unwrap_or((name, "latest"));
        let id = digest.map_or(ImageId::Tag(tag), ImageId::Digest);
        Some(Self { account, region, repository, id })
    }

    async fn ask(&self, aws: &Aws, place: &AwsLocation) -> CheckResult {
        let Self { account, region, repository, id } = *self;
        let (id, named) = match id {
            ImageId::Tag(tag) => (json!({ "imageTag": tag }), format!("the tag `{tag}`")),
            ImageId::Digest(digest) => (json!({ "imageDigest": digest }), format!("the digest `{digest}`")),
        };
        let resource = format!("the repository `{repository}` of {account}");
        let body = json!({ "registryId": account, "repositoryName": repository, "imageIds": [id] });
        let (service, action, words) = (Service::Ecr, "ecr:DescribeImages", RequestBody::Json(body));
        let missing = || {
            let problem = format!("there is no image with {named} in {resource}");
            bad(problem, "push it, or name an existing one")
        };
        match aws.ask(place, AwsRequest { service, action, resource: &resource, words }).await {
            Ok(answer) => {
                let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
                let there = answer["imageDetails"].as_array().is_some_and(|found| !found.is_empty());
                if there { good("is in its registry") } else { missing() }
            }
            Err(error) => match error.code() {
                Some("ImageNotFoundException") => missing(),
                Some("RepositoryNotFoundException") => {
                    let problem = format!("there is no repository `{repository}` of {account} in {region}");
                    bad(problem, "create it and push the image, or name another image")
                }
                _ => unseen(&error),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ecr_image_is_recognized_by_its_host() {
        let host = "123456789012.dkr.ecr.eu-central-1.amazonaws.com";
        let parse = |rest: &str| {
            let image = format!("{host}/{rest}");
            let parsed = EcrImage::parse(&image).unwrap();
            assert_eq!((parsed.account, parsed.region), ("123456789012", "eu-central-1"));
            format!("{} {:?}", parsed.repository, parsed.id)
        };
        assert_eq!(parse("acme/web:v1"), "acme/web Tag(\"v1\")");
        assert_eq!(parse("web"), "web Tag(\"latest\")");
        assert_eq!(parse("web:v1@sha256:ab"), "web Digest(\"sha256:ab\")");
        let china = "123456789012.dkr.ecr-fips.cn-north-1.amazonaws.com.cn/web:1";
        assert_eq!(EcrImage::parse(china).unwrap().region, "cn-north-1");
        for other in
            ["web:1", "acme/web:1", "ghcr.io/acme/web", "public.ecr.aws/x/y:1", "1.dkr.ecr.x.amazonaws.com/y"]
        {
            assert_eq!(EcrImage::parse(other), None, "{other}");
        }
    }
}
