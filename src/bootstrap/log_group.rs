//! Creates the log groups for agents in ECS tasks.

use aws_sdk_cloudwatchlogs::operation::create_log_group::CreateLogGroupError;

use crate::aws::{Aws, AwsError, AwsLocation};

use super::{BootstrapError, Finding};

/// Retention of the agents' own logs. Phase logs are blobs.
pub const DAYS: i32 = 30;

pub async fn make(
    aws: &Aws,
    name: &str,
    place: &AwsLocation,
    tell: &mut impl FnMut(Finding),
) -> Result<(), BootstrapError> {
    let client = aws.logs(place).await?;
    let there = CreateLogGroupError::is_resource_already_exists_exception;
    let created = match client.create_log_group().log_group_name(name).send().await {
        Ok(_) => true,
        Err(error) if error.as_service_error().is_some_and(there) => false,
        Err(error) => return Err(AwsError::of("logs:CreateLogGroup", name, error).into()),
    };
    let what = format!("log group `{name}`");
    if !created {
        let found = client.describe_log_groups().log_group_name_prefix(name).send().await;
        let found = found.map_err(|error| AwsError::of("logs:DescribeLogGroups", name, error))?;
        let group = found.log_groups().iter().find(|group| group.log_group_name() == Some(name));
        if group.is_some_and(|group| group.retention_in_days().is_some()) {
            tell(Finding::Present(what));
            return Ok(());
        }
    }
    let keep = client.put_retention_policy().log_group_name(name).retention_in_days(DAYS).send().await;
    keep.map_err(|error| AwsError::of("logs:PutRetentionPolicy", name, error))?;
    tell(Finding::Created(format!("{what}, with {DAYS} days of retention")));
    Ok(())
}
