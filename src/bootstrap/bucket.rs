//! Creates the bucket for blobs and checks its settings.

use std::error::Error;

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, BucketLocationConstraint,
    CreateBucketConfiguration, ExpirationStatus, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter,
    PublicAccessBlockConfiguration, ServerSideEncryption, ServerSideEncryptionByDefault,
    ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::aws::{Aws, AwsError, AwsLocation};

use super::{BootstrapError, Finding, lifecycle};

/// After how many days blobs expire. Expired commit packs are rebuilt when needed.
pub const DAYS: i32 = 365;
/// After how many days incomplete multipart uploads are removed.
pub const PART_DAYS: i32 = 7;

struct Bucket<'a> {
    client: Client,
    name: &'a str,
}

pub async fn make(
    aws: &Aws,
    name: &str,
    prefix: &str,
    place: &AwsLocation,
    tell: &mut impl FnMut(Finding),
) -> Result<(), BootstrapError> {
    let bucket = Bucket { client: aws.s3(place).await?, name };
    let region = aws.region(place).await?;
    let created = bucket.create(&region).await?;
    let mut changed = Vec::new();
    let mut differs = Vec::new();
    for (what, done) in [
        ("public access block", bucket.block().await?),
        ("default encryption", bucket.encrypt().await?),
        ("expiry of old objects", bucket.expire(prefix).await?),
    ] {
        match done {
            Done::Now => changed.push(what),
            Done::Before => {}
            Done::Otherwise(how) => differs.push(how),
        }
    }
    let what = format!("S3 bucket `{name}`");
    match (created, changed.is_empty(), differs.is_empty()) {
        (true, _, _) => tell(Finding::Created(format!("{what}, encrypted, with public access blocked"))),
        (false, false, _) => tell(Finding::Created(format!("settings of {what}: {}", changed.join(", ")))),
        (false, true, true) => tell(Finding::Present(what.clone())),
        (false, true, false) => {}
    }
    for (how, hint) in differs {
        tell(Finding::Differs { what: format!("{what}: {how}"), hint });
    }
    Ok(())
}

/// The result for one setting.
enum Done {
    Now,
    Before,
    /// Someone set it differently: how, and what to do about it.
    Otherwise((String, String)),
}

/// Whether AWS returned one of these error codes.
fn is<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>, codes: &[&str]) -> bool {
    error.as_service_error().and_then(ProvideErrorMetadata::code).is_some_and(|code| codes.contains(&code))
}

impl Bucket<'_> {
    fn fault<E>(&self, action: &'static str, error: SdkError<E, HttpResponse>) -> BootstrapError
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        AwsError::of(action, &format!("bucket {}", self.name), error).into()
    }

    /// Creates the bucket if it does not exist. Returns whether it did.
    async fn create(&self, region: &str) -> Result<bool, BootstrapError> {
        match self.client.head_bucket().bucket(self.name).send().await {
            Ok(_) => return Ok(false),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(aws_sdk_s3::operation::head_bucket::HeadBucketError::is_not_found) => {}
            Err(error) => {
                return Err(match AwsError::of("s3:ListBucket", &format!("bucket {}", self.name), error) {
                    AwsError::Denied { .. } => {
                        let what = "belongs to another account, or is not accessible with these credentials";
                        BootstrapError::Foreign { what: format!("S3 bucket `{}` {what}", self.name) }
                    }
                    error => error.into(),
                });
            }
        }
        let mut create = self.client.create_bucket().bucket(self.name);
        // S3 rejects a location constraint for its default region.
        if region != "us-east-1" {
            let here = BucketLocationConstraint::from(region);
            let here = CreateBucketConfiguration::builder().location_constraint(here).build();
            create = create.create_bucket_configuration(here);
        }
        match create.send().await {
            Ok(_) => Ok(true),
            Err(error) if is(&error, &["BucketAlreadyOwnedByYou"]) => Ok(false),
            Err(error) if is(&error, &["BucketAlreadyExists"]) => {
                let what = format!("S3 bucket `{}` exists and belongs to another account", self.name);
                Err(BootstrapError::Foreign { what })
            }
            Err(error) => Err(self.fault("s3:CreateBucket", error)),
        }
    }

    async fn block(&self) -> Result<Done, BootstrapError> {
        match self.client.get_public_access_block().bucket(self.name).send().await {
            Ok(answer) => {
                let all = answer.public_access_block_configuration().is_some_and(|block| {
                    [
                        block.block_public_acls(),
                        block.ignore_public_acls(),
                        block.block_public_policy(),
                        block.restrict_public_buckets(),
                    ]
                    .iter()
                    .all(|on| *on == Some(true))
                });
                let how = "public access is not fully blocked".to_owned();
                let hint = "block all public access, unless something needs it".to_owned();
                return Ok(if all { Done::Before } else { Done::Otherwise((how, hint)) });
            }
            Err(error) if is(&error, &["NoSuchPublicAccessBlockConfiguration"]) => {}
            Err(error) => return Err(self.fault("s3:GetBucketPublicAccessBlock", error)),
        }
        let all = PublicAccessBlockConfiguration::builder()
            .block_public_acls(true)
            .ignore_public_acls(true)
            .block_public_policy(true)
            .restrict_public_buckets(true)
            .build();
        let put = self.client.put_public_access_block().bucket(self.name);
        let put = put.public_access_block_configuration(all).send().await;
        put.map_err(|error| self.fault("s3:PutBucketPublicAccessBlock", error))?;
        Ok(Done::Now)
    }

    async fn encrypt(&self) -> Result<Done, BootstrapError> {
        match self.client.get_bucket_encryption().bucket(self.name).send().await {
            Ok(_) => return Ok(Done::Before),
            Err(error) if is(&error, &["ServerSideEncryptionConfigurationNotFoundError"]) => {}
            Err(error) => return Err(self.fault("s3:GetEncryptionConfiguration", error)),
        }
        let default = ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::Aes256);
        let invalid = |error: aws_sdk_s3::error::BuildError| BootstrapError::Unsound(error.into());
        let rule = ServerSideEncryptionRule::builder()
            .apply_server_side_encryption_by_default(default.build().map_err(invalid)?)
            .bucket_key_enabled(true)
            .build();
        let rules = ServerSideEncryptionConfiguration::builder().rules(rule).build().map_err(invalid)?;
        let put = self.client.put_bucket_encryption().bucket(self.name);
        let put = put.server_side_encryption_configuration(rules).send().await;
        put.map_err(|error| self.fault("s3:PutEncryptionConfiguration", error))?;
        Ok(Done::Now)
    }

    async fn expire(&self, prefix: &str) -> Result<Done, BootstrapError> {
        let below = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        match self.client.get_bucket_lifecycle_configuration().bucket(self.name).send().await {
            Ok(answer) => {
                let otherwise = lifecycle::otherwise(answer.rules(), &below);
                return Ok(otherwise.map_or(Done::Before, Done::Otherwise));
            }
            Err(error) if is(&error, &["NoSuchLifecycleConfiguration"]) => {}
            Err(error) => return Err(self.fault("s3:GetLifecycleConfiguration", error)),
        }
        let abort = AbortIncompleteMultipartUpload::builder().days_after_initiation(PART_DAYS);
        let rule = LifecycleRule::builder()
            .id("katkit")
            .status(ExpirationStatus::Enabled)
            .filter(LifecycleRuleFilter::builder().prefix(below).build())
            .expiration(LifecycleExpiration::builder().days(DAYS).build())
            .abort_incomplete_multipart_upload(abort.build())
            .build()
            .map_err(|error| BootstrapError::Unsound(error.into()))?;
        let rules = BucketLifecycleConfiguration::builder().rules(rule).build();
        let rules = rules.map_err(|error| BootstrapError::Unsound(error.into()))?;
        let put = self.client.put_bucket_lifecycle_configuration().bucket(self.name);
        let put = put.lifecycle_configuration(rules).send().await;
        put.map_err(|error| self.fault("s3:PutLifecycleConfiguration", error))?;
        Ok(Done::Now)
    }
}
