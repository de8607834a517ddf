//! Images in ECR.

use serde_json::{Value, json};

use super::api::{AwsRequest, RequestBody, Service};
use super::{Aws, AwsError, AwsLocation};

/// An image in ECR: `ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY[:TAG][@DIGEST]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EcrImage<'a> {
    pub(super) account: &'a str,
    pub(super) region: &'a str,
    pub(super) repository: &'a str,
    id: ImageId<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ImageId<'a> {
    Tag(&'a str),
    Digest(&'a str),
}

/// Whether an image is in ECR, by its host.
pub fn is_in_ecr(image: &str) -> bool {
    EcrImage::parse(image).is_some()
}

/// The digest that the tag of an image in ECR points to; `None` if there is no such image. The region is that of the
/// image's host.
pub async fn digest(aws: &Aws, place: &AwsLocation, image: &str) -> Result<Option<String>, AwsError> {
    let Some(parsed) = EcrImage::parse(image) else { return Ok(None) };
    let place = AwsLocation { region: Some(parsed.region.to_owned()), ..place.clone() };
    match parsed.find(aws, &place).await {
        Ok(digest) => Ok(digest),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_absent(error: &AwsError) -> bool {
    matches!(error.code(), Some("ImageNotFoundException" | "RepositoryNotFoundException"))
}

impl<'a> EcrImage<'a> {
    pub(super) fn parse(image: &'a str) -> Option<Self> {
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

    /// What identifies the image in its repository.
    pub(super) fn named(&self) -> String {
        match self.id {
            ImageId::Tag(tag) => format!("the tag `{tag}`"),
            ImageId::Digest(digest) => format!("the digest `{digest}`"),
        }
    }

    /// The digest of the image.
    pub(super) async fn find(&self, aws: &Aws, place: &AwsLocation) -> Result<Option<String>, AwsError> {
        let Self { account, repository, .. } = self;
        let id = match self.id {
            ImageId::Tag(tag) => json!({ "imageTag": tag }),
            ImageId::Digest(digest) => json!({ "imageDigest": digest }),
        };
        let resource = format!("the repository `{repository}` of {account}");
        let body = json!({ "registryId": account, "repositoryName": repository, "imageIds": [id] });
        let (service, action, words) = (Service::Ecr, "ecr:DescribeImages", RequestBody::Json(body));
        let answer = aws.ask(place, AwsRequest { service, action, resource: &resource, words }).await?;
        let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
        Ok(answer["imageDetails"][0]["imageDigest"].as_str().map(str::to_owned))
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
