//! The services called without an SDK client: endpoints, signing and protocol versions.

use aws_config::SdkConfig;
use aws_types::service_config::ServiceConfigKey;

/// A service that katkit calls without an SDK client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// For subnets and security groups.
    Ec2,
    /// For images.
    Ecr,
    /// For roles. One endpoint serves all regions of a partition.
    Iam,
    /// For secrets.
    SecretsManager,
    /// For parameters in Parameter Store.
    Ssm,
    /// For the caller's identity.
    Sts,
}

/// AWS's own endpoint of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// The URL.
    pub endpoint: String,
    /// The region to sign requests for.
    pub signed_for: String,
}

impl Service {
    /// The SDK's service id, used in request counts and environment variable names.
    pub fn id(self) -> &'static str {
        match self {
            Self::Ec2 => "EC2",
            Self::Ecr => "ECR",
            Self::Iam => "IAM",
            Self::SecretsManager => "Secrets Manager",
            Self::Ssm => "SSM",
            Self::Sts => "STS",
        }
    }

    /// The service name in request signatures.
    pub fn signing_name(self) -> &'static str {
        match self {
            Self::Ec2 => "ec2",
            Self::Ecr => "ecr",
            Self::Iam => "iam",
            Self::SecretsManager => "secretsmanager",
            Self::Ssm => "ssm",
            Self::Sts => "sts",
        }
    }

    /// The API version: a date for query APIs, a target prefix for JSON APIs.
    pub fn version(self) -> &'static str {
        match self {
            Self::Ec2 => "2016-11-15",
            Self::Ecr => "AmazonEC2ContainerRegistry_V20150921",
            Self::Iam => "2010-05-08",
            Self::SecretsManager => "secretsmanager",
            Self::Ssm => "AmazonSSM",
            Self::Sts => "2011-06-15",
        }
    }

    /// The default endpoint for a region.
    /// Source: <https://docs.aws.amazon.com/general/latest/gr/aws-service-information.html>
    pub fn home(self, region: &str) -> Home {
        let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let (host, signed_for) = match self {
            Self::Iam if region.starts_with("cn-") => ("iam.cn-north-1".to_owned(), "cn-north-1"),
            Self::Iam if region.starts_with("us-gov-") => ("iam.us-gov".to_owned(), "us-gov-west-1"),
            Self::Iam => ("iam".to_owned(), "us-east-1"),
            Self::Ecr => (format!("api.ecr.{region}"), region),
            Self::Ec2 | Self::SecretsManager | Self::Ssm | Self::Sts => {
                (format!("{}.{region}", self.signing_name()), region)
            }
        };
        Home { endpoint: format!("https://{host}.{domain}"), signed_for: signed_for.to_owned() }
    }

    /// The endpoint set in the environment or profile, for this service or for all, resolved as SDK clients do.
    pub fn named_endpoint(self, sdk: &SdkConfig) -> Option<String> {
        let key = ServiceConfigKey::builder().service_id(self.id()).env("AWS_ENDPOINT_URL");
        let own = key.profile("endpoint_url").build().ok();
        let own = own.and_then(|key| sdk.service_config()?.load_config(key));
        own.or_else(|| sdk.endpoint_url().map(str::to_owned))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_endpoint_depends_on_service_and_partition() {
        let at = |service: Service, region: &str| {
            let Home { endpoint, signed_for } = service.home(region);
            format!("{endpoint} {signed_for}")
        };
        assert_eq!(at(Service::Iam, "eu-central-1"), "https://iam.amazonaws.com us-east-1");
        assert_eq!(at(Service::Iam, "cn-northwest-1"), "https://iam.cn-north-1.amazonaws.com.cn cn-north-1");
        assert_eq!(at(Service::Iam, "us-gov-east-1"), "https://iam.us-gov.amazonaws.com us-gov-west-1");
        assert_eq!(at(Service::Ec2, "eu-central-1"), "https://ec2.eu-central-1.amazonaws.com eu-central-1");
        assert_eq!(at(Service::Ecr, "cn-north-1"), "https://api.ecr.cn-north-1.amazonaws.com.cn cn-north-1");
    }
}
