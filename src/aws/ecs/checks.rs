//! Preflight checks before running a task or rolling a service. Failed checks come with a fix.

use super::Cluster;
use crate::aws::AwsError;
use crate::aws::inspect::{image, network, role, secret};
use crate::domain::Check;

impl Cluster {
    /// Whether the cluster exists and accepts tasks.
    pub async fn check(&self) -> Check {
        let what = format!("cluster `{}`", self.name);
        match self.status().await {
            Ok(Some(status)) if status == "ACTIVE" => Check::good(what, "is active"),
            Ok(Some(status)) => {
                let fix = "create it again, or name another in the manifest".to_owned();
                Check::bad(what, format!("is {}", status.to_lowercase()), fix)
            }
            Ok(None) => {
                let fix = "correct `cluster` or `region` in the manifest, or create it".to_owned();
                Check::bad(what, "does not exist", fix)
            }
            Err(error) => Check::bad(what, error.to_string(), error.hint()),
        }
    }

    /// Whether a log group exists in the cluster's region.
    pub async fn check_log_group(&self, name: &str) -> Check {
        let what = format!("log group `{name}`");
        let asked = async {
            let describe =
                self.aws.logs(&self.place).await?.describe_log_groups().log_group_name_prefix(name);
            let described = describe.send().await;
            described.map_err(|error| AwsError::of("logs:DescribeLogGroups", name, error))
        };
        match asked.await {
            Ok(found) if found.log_groups().iter().any(|group| group.log_group_name() == Some(name)) => {
                Check::good(what, "exists")
            }
            Ok(_) => {
                let fix = "`katkit bootstrap` creates it; no task starts without it".to_owned();
                Check::bad(what, "does not exist in the cluster's region", fix)
            }
            Err(error) => Check::bad(what, error.to_string(), error.hint()),
        }
    }

    /// Whether tasks can be placed in these subnets with these security groups. No checks without subnets.
    pub async fn check_network(&self, subnets: &[String], groups: &[String]) -> Vec<Check> {
        if subnets.is_empty() {
            return Vec::new();
        }
        let (subnets, groups) = network::inspect(&self.aws, &self.place, subnets, groups).await;
        let subnets = Check { what: "`subnets`".to_owned(), found: subnets };
        let groups = groups.map(|found| Check { what: "`security-groups`".to_owned(), found });
        [Some(subnets), groups].into_iter().flatten().collect()
    }

    /// Whether tasks can assume the role `arn`. `what` is the subject of the check.
    pub async fn check_role(&self, what: String, arn: &str) -> Check {
        Check { what, found: role::inspect(&self.aws, &self.place, arn).await }
    }

    /// Whether the secret `arn` exists. `reader` is the ARN of the role that reads it.
    pub async fn check_secret(&self, name: &str, arn: &str, reader: Option<&str>) -> Check {
        let found = secret::inspect(&self.aws, &self.place, arn, reader).await;
        Check { what: format!("secret `{name}`"), found }
    }

    /// Whether an image exists in its registry.
    pub async fn check_image(&self, image: &str) -> Check {
        Check { what: format!("image `{image}`"), found: image::inspect(&self.aws, &self.place, image).await }
    }
}
