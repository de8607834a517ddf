//! Whether an image exists in its registry. ECR only.

use super::{bad, good, in_region, unseen};
use crate::aws::ecr::EcrImage;
use crate::aws::{Aws, AwsLocation};
use crate::domain::CheckResult;

/// Checks an image. Unknown for registries other than ECR.
pub async fn inspect(aws: &Aws, place: &AwsLocation, image: &str) -> CheckResult {
    let Some(parsed) = EcrImage::parse(image) else {
        let why = "its registry is not ECR, so it is not checked; only a running task shows whether it can be pulled";
        return CheckResult::Unknown(why.to_owned());
    };
    let place = in_region(place, parsed.region);
    aws.shared.seen.found(&place, image, check(aws, &place, &parsed)).await
}

async fn check(aws: &Aws, place: &AwsLocation, image: &EcrImage<'_>) -> CheckResult {
    let EcrImage { account, region, repository, .. } = image;
    let missing = || {
        let problem =
            format!("there is no image with {} in the repository `{repository}` of {account}", image.named());
        bad(problem, "push it, or name an existing one")
    };
    match image.find(aws, place).await {
        Ok(Some(_)) => good("is in its registry"),
        Ok(None) => missing(),
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
