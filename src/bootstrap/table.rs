//! Creates the state table and checks its settings.

use std::time::{Duration, Instant};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    BillingMode, PointInTimeRecoverySpecification, PointInTimeRecoveryStatus, TableDescription, TableStatus,
    TimeToLiveSpecification, TimeToLiveStatus,
};

use crate::aws::{Aws, AwsError, AwsLocation};
use crate::state::DynamodbState;
use crate::state::dynamodb::{Definition, EXPIRES};

use super::{BootstrapError, Finding};

/// How long to wait for a new table, and how often to poll it.
const TIMEOUT: Duration = Duration::from_mins(5);
const INTERVAL: Duration = Duration::from_millis(500);

pub async fn make(
    aws: &Aws,
    name: &str,
    place: &AwsLocation,
    tell: &mut impl FnMut(Finding),
) -> Result<(), BootstrapError> {
    let client = aws.dynamodb(place).await?;
    let definition = Definition::read().map_err(|error| BootstrapError::Unsound(error.into()))?;
    let created = describe(&client, name).await?.is_none();
    if created {
        let call = definition.create(client.create_table(), name);
        let call = call.map_err(|error| BootstrapError::Unsound(error.into()))?;
        if let Err(error) = call.send().await
            // Another bootstrap was faster.
            && !error.as_service_error().is_some_and(aws_sdk_dynamodb::operation::create_table::CreateTableError::is_resource_in_use_exception)
        {
            return Err(AwsError::of("dynamodb:CreateTable", name, error).into());
        }
    }
    let table = active(&client, name).await?;
    let state = DynamodbState::new(aws.clone(), place.clone(), name.to_owned());
    check_keys(&table, name)?;
    if state.is_new().await? {
        // Never written to: just created, perhaps by a bootstrap that was interrupted here.
        recover(&client, name).await?;
        expire(&client, name).await?;
        state.begin().await?;
        let what = format!("DynamoDB table `{name}`, with point-in-time recovery");
        let what = if created { what } else { format!("{what}, in an existing empty table") };
        tell(Finding::Created(what));
        if created {
            return Ok(());
        }
        for finding in drift(&client, name, &table).await? {
            tell(finding);
        }
        return Ok(());
    }
    let drift = drift(&client, name, &table).await?;
    if drift.is_empty() {
        tell(Finding::Present(format!("DynamoDB table `{name}`")));
    }
    for finding in drift {
        tell(finding);
    }
    Ok(())
}

async fn describe(client: &Client, name: &str) -> Result<Option<TableDescription>, BootstrapError> {
    match client.describe_table().table_name(name).send().await {
        Ok(answer) => Ok(answer.table),
        Err(error)
            if error.as_service_error().is_some_and(aws_sdk_dynamodb::operation::describe_table::DescribeTableError::is_resource_not_found_exception) =>
        {
            Ok(None)
        }
        Err(error) => Err(AwsError::of("dynamodb:DescribeTable", name, error).into()),
    }
}

async fn active(client: &Client, name: &str) -> Result<TableDescription, BootstrapError> {
    let begin = Instant::now();
    loop {
        if let Some(table) = describe(client, name).await?
            && matches!(table.table_status(), Some(TableStatus::Active | TableStatus::Updating))
        {
            return Ok(table);
        }
        if begin.elapsed() > TIMEOUT {
            let what = format!("DynamoDB table `{name}`");
            return Err(BootstrapError::Slow { what, after: TIMEOUT });
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

fn check_keys(table: &TableDescription, name: &str) -> Result<(), BootstrapError> {
    let keys: Vec<_> =
        table.key_schema().iter().map(aws_sdk_dynamodb::types::KeySchemaElement::attribute_name).collect();
    if keys == ["pk", "sk"] {
        return Ok(());
    }
    let what = format!("DynamoDB table `{name}` exists and has the key {}, not pk, sk", keys.join(", "));
    Err(BootstrapError::Foreign { what })
}

async fn recover(client: &Client, name: &str) -> Result<(), BootstrapError> {
    let on = PointInTimeRecoverySpecification::builder().point_in_time_recovery_enabled(true).build();
    let on = on.map_err(|error| BootstrapError::Unsound(error.into()))?;
    let begin = Instant::now();
    loop {
        let set = client.update_continuous_backups().table_name(name);
        match set.point_in_time_recovery_specification(on.clone()).send().await {
            Ok(_) => return Ok(()),
            // Not available right after a table is created.
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(aws_sdk_dynamodb::operation::update_continuous_backups::UpdateContinuousBackupsError::is_continuous_backups_unavailable_exception)
                    && begin.elapsed() < TIMEOUT =>
            {
                tokio::time::sleep(INTERVAL).await;
            }
            Err(error) => return Err(AwsError::of("dynamodb:UpdateContinuousBackups", name, error).into()),
        }
    }
}

async fn expire(client: &Client, name: &str) -> Result<(), BootstrapError> {
    if expires(client, name).await? {
        return Ok(());
    }
    let on = TimeToLiveSpecification::builder().enabled(true).attribute_name(EXPIRES).build();
    let on = on.map_err(|error| BootstrapError::Unsound(error.into()))?;
    let set = client.update_time_to_live().table_name(name).time_to_live_specification(on).send().await;
    set.map(drop).map_err(|error| AwsError::of("dynamodb:UpdateTimeToLive", name, error).into())
}

async fn expires(client: &Client, name: &str) -> Result<bool, BootstrapError> {
    let asked = client.describe_time_to_live().table_name(name).send().await;
    let asked = asked.map_err(|error| AwsError::of("dynamodb:DescribeTimeToLive", name, error))?;
    let now = asked.time_to_live_description();
    Ok(now.is_some_and(|now| {
        matches!(now.time_to_live_status(), Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling))
            && now.attribute_name() == Some(EXPIRES)
    }))
}

async fn drift(
    client: &Client,
    name: &str,
    table: &TableDescription,
) -> Result<Vec<Finding>, BootstrapError> {
    let mut found = Vec::new();
    let mut differs = |how: String, hint: String| {
        found.push(Finding::Differs { what: format!("DynamoDB table `{name}`: {how}"), hint });
    };
    let backups = client.describe_continuous_backups().table_name(name).send().await;
    let backups = backups.map_err(|error| AwsError::of("dynamodb:DescribeContinuousBackups", name, error))?;
    let recovery = backups
        .continuous_backups_description()
        .and_then(|backups| backups.point_in_time_recovery_description())
        .and_then(|recovery| recovery.point_in_time_recovery_status());
    if recovery != Some(&PointInTimeRecoveryStatus::Enabled) {
        let command = format!(
            "`aws dynamodb update-continuous-backups --table-name {name} --point-in-time-recovery-specification PointInTimeRecoveryEnabled=true` turns it on"
        );
        differs("point-in-time recovery is off".to_owned(), command);
    }
    if !expires(client, name).await? {
        let command = format!(
            "`aws dynamodb update-time-to-live --table-name {name} --time-to-live-specification Enabled=true,AttributeName={EXPIRES}` turns it on"
        );
        differs(format!("items do not expire by `{EXPIRES}`"), command);
    }
    if table.deletion_protection_enabled() != Some(true) {
        let command = format!(
            "`aws dynamodb update-table --table-name {name} --deletion-protection-enabled` turns it on"
        );
        differs("deletion protection is off".to_owned(), command);
    }
    let mode = table.billing_mode_summary().and_then(|summary| summary.billing_mode());
    if mode != Some(&BillingMode::PayPerRequest) {
        let command = format!(
            "check that it is sufficient, or switch with `aws dynamodb update-table --table-name {name} --billing-mode PAY_PER_REQUEST`"
        );
        differs("its capacity is provisioned".to_owned(), command);
    }
    Ok(found)
}
