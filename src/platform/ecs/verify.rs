//! Checks whether the services of a link could be rolled, without rolling them.

use std::sync::Arc;

use aws_sdk_ecs::types::Service;
use futures::future::join_all;

use super::{EcsPlatform, Live, Target};
use crate::aws::ecs::metadata;
use crate::causes;
use crate::domain::Check;
use crate::platform::PlatformError;

/// Checks the cluster, the service of each role, and the IAM roles of its tasks.
pub async fn checks(platform: &EcsPlatform, target: &Target<'_>) -> Vec<Check> {
    let cluster = platform.services.cluster().check().await;
    if cluster.is_bad() {
        return vec![cluster];
    }
    let services = target.roles.iter().map(|role| of_service(platform, target, role));
    let services = join_all(services).await;
    std::iter::once(cluster).chain(services.into_iter().flatten()).collect()
}

async fn of_service(platform: &EcsPlatform, target: &Target<'_>, role: &str) -> Vec<Check> {
    let name = platform.names.service(target.link, role);
    let what = format!("service `{name}` of the role `{role}`");
    let (service, Live { definition, image, left }) = match read(platform, target, role).await {
        Ok(read) => read,
        Err(error) => return vec![Check::bad(what, causes::in_one_line(&error), error.hint())],
    };
    let left = left.iter().fold(String::new(), |text, left| format!("{text}; {left}"));
    let mut checks = vec![Check::good(what, format!("runs {image}{left}"))];
    checks.extend(metadata::check_service(
        &format!("the service `{name}`"),
        &service,
        &definition.definition,
    ));
    // The next revision keeps the IAM roles of this one.
    let roles = [
        ("task role", definition.definition.task_role_arn()),
        ("execution role", definition.definition.execution_role_arn()),
    ];
    let named = roles.into_iter().filter_map(|(kind, arn)| Some((kind, arn.filter(|arn| !arn.is_empty())?)));
    let cluster = platform.services.cluster();
    let name = &name;
    let looked = named.map(|(kind, arn)| async move {
        let what = format!("{kind} of the service `{name}`");
        // ECS also accepts, and then returns, a bare role name.
        // Source: <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TaskDefinition.html>
        match arn.starts_with("arn:") {
            true => cluster.check_role(what, arn).await,
            false => Check::unknown(what, format!("`{arn}` is not an ARN")),
        }
    });
    checks.extend(join_all(looked).await);
    checks
}

async fn read(
    platform: &EcsPlatform,
    target: &Target<'_>,
    role: &str,
) -> Result<(Arc<Service>, Live), PlatformError> {
    // One service was requested, so exactly one is returned.
    let service = platform.services_of(target.link, &[role]).await?.swap_remove(0);
    let image = target.images.get(role).map(String::as_str);
    let live = platform.read((target.link, target.formerly), role, &service, image).await?;
    Ok((service, live))
}
