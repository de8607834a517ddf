//! The log group of the agents in ECS tasks.

use crate::aws::{Aws, AwsError, Place};

use super::{BootstrapError, Finding, LOG_GROUP};

/// How long it keeps what agents say themselves; the logs of phases are blobs.
pub const DAYS: i32 = 30;

pub async fn make(aws: &Aws, place: &Place, tell: &mut impl FnMut(Finding)) -> Result<(), BootstrapError> {
    let client = aws.logs(place).await?;
    let created = match client.create_log_group().log_group_name(LOG_GROUP).send().await {
        Ok(_) => true,
        Err(error)
            if error.as_service_error().is_some_and(aws_sdk_cloudwatchlogs::operation::create_log_group::CreateLogGroupError::is_resource_already_exists_exception) =>
        {
            false
        }
        Err(error) => return Err(AwsError::of("logs:CreateLogGroup", LOG_GROUP, error).into()),
    };
    let what = format!("log group `{LOG_GROUP}`");
    if !created {
        let found = client.describe_log_groups().log_group_name_prefix(LOG_GROUP).send().await;
        let found = found.map_err(|error| AwsError::of("logs:DescribeLogGroups", LOG_GROUP, error))?;
        let group = found.log_groups().iter().find(|group| group.log_group_name() == Some(LOG_GROUP));
        if group.is_some_and(|group| group.retention_in_days().is_some()) {
            tell(Finding::Present(what));
            return Ok(());
        }
    }
    let keep = client.put_retention_policy().log_group_name(LOG_GROUP).retention_in_days(DAYS).send().await;
    keep.map_err(|error| AwsError::of("logs:PutRetentionPolicy", LOG_GROUP, error))?;
    tell(Finding::Created(format!("{what}, which keeps {DAYS} days")));
    Ok(())
}
