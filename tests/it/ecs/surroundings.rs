//! What tasks depend on outside ECS, created in the emulator as a user would: networks, roles, secrets, images.

use std::process::Command;

use serde_json::{Value, json};

use crate::engines::{ENDPOINT, REGION, SECRET};

/// The services around ECS in one account.
pub struct Surroundings {
    /// The account's number.
    pub number: String,
}

impl Surroundings {
    /// Creates a network; returns its id.
    pub fn vpc(&self) -> String {
        let made = self.query("ec2", "2016-11-15", &[("Action", "CreateVpc"), ("CidrBlock", "10.0.0.0/16")]);
        between(&made, "<vpcId>", "</vpcId>")
    }

    /// Creates a subnet of a network; returns its id.
    pub fn subnet(&self, vpc: &str, number: u8) -> String {
        let cidr = format!("10.0.{number}.0/24");
        let words = [("Action", "CreateSubnet"), ("VpcId", vpc), ("CidrBlock", &cidr)];
        between(&self.query("ec2", "2016-11-15", &words), "<subnetId>", "</subnetId>")
    }

    /// Creates a security group of a network; returns its id.
    pub fn group(&self, vpc: &str) -> String {
        let words = [
            ("Action", "CreateSecurityGroup"),
            ("VpcId", vpc),
            ("GroupName", "phases"),
            ("GroupDescription", "phases"),
        ];
        between(&self.query("ec2", "2016-11-15", &words), "<groupId>", "</groupId>")
    }

    /// Creates a role that a service may assume; returns its ARN.
    pub fn role(&self, name: &str, service: &str) -> String {
        let principal = json!({ "Service": service });
        let statement = json!({ "Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole" });
        let policy = json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
        let words = [
            ("Action", "CreateRole"),
            ("RoleName", name),
            ("Path", "/katkit/"),
            ("AssumeRolePolicyDocument", &policy),
        ];
        between(&self.query("iam", "2010-05-08", &words), "<Arn>", "</Arn>")
    }

    /// Creates a secret; returns its ARN.
    pub fn secret(&self, name: &str) -> String {
        let token = "00000000-0000-0000-0000-000000000000";
        let body =
            json!({ "Name": name, "SecretString": "{\"key\":\"hunter2\"}", "ClientRequestToken": token });
        let made = self.call("secretsmanager", "secretsmanager.CreateSecret", &body);
        made["ARN"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
    }

    /// Schedules a secret for deletion in a month.
    pub fn delete_secret(&self, arn: &str) {
        self.call("secretsmanager", "secretsmanager.DeleteSecret", &json!({ "SecretId": arn }));
    }

    /// Creates a parameter, whose name is a whole path; returns its ARN.
    pub fn parameter(&self, name: &str) -> String {
        let body = json!({ "Name": name, "Value": "hunter2", "Type": "SecureString" });
        self.call("ssm", "AmazonSSM.PutParameter", &body);
        format!("arn:aws:ssm:{REGION}:{}:parameter{name}", self.number)
    }

    /// Creates an image repository; returns the prefix of its image names.
    pub fn repository(&self, name: &str) -> String {
        let body = json!({ "repositoryName": name });
        self.call("ecr", "AmazonEC2ContainerRegistry_V20150921.CreateRepository", &body);
        format!("{}.dkr.ecr.{REGION}.amazonaws.com/{name}", self.number)
    }

    /// Adds an image to a repository.
    pub fn image(&self, repository: &str, tag: &str) {
        self.content(repository, tag, tag);
    }

    /// Lets a tag of a repository stand for an image with this content.
    pub fn content(&self, repository: &str, tag: &str, content: &str) {
        let manifest = json!({ "schemaVersion": 2, "of": content }).to_string();
        let body = json!({ "repositoryName": repository, "imageTag": tag, "imageManifest": manifest });
        self.call("ecr", "AmazonEC2ContainerRegistry_V20150921.PutImage", &body);
    }

    fn query(&self, service: &str, version: &str, words: &[(&str, &str)]) -> String {
        let mut curl = self.curl(service);
        curl.args(["--data-urlencode", &format!("Version={version}")]);
        for (name, value) in words {
            curl.args(["--data-urlencode", &format!("{name}={value}")]);
        }
        super::run(&mut curl)
    }

    fn call(&self, service: &str, target: &str, body: &Value) -> Value {
        let mut curl = self.curl(service);
        curl.args(["--header", &format!("X-Amz-Target: {target}")]);
        curl.args(["--header", "Content-Type: application/x-amz-json-1.1", "--data", &body.to_string()]);
        serde_json::from_str(&super::run(&mut curl)).unwrap()
    }

    fn curl(&self, service: &str) -> Command {
        let mut curl = Command::new("curl");
        curl.args(["--fail-with-body", "--silent", "--show-error", "--aws-sigv4"]);
        curl.args([&format!("aws:amz:{REGION}:{service}"), "--user", &format!("{}:{SECRET}", self.number)]);
        curl.arg(format!("{ENDPOINT}/"));
        curl
    }
}

fn between(text: &str, before: &str, after: &str) -> String {
    let found = text.split_once(before).and_then(|(_, rest)| rest.split_once(after));
    found.unwrap_or_else(|| panic!("no {before} in {text}")).0.to_owned()
}
