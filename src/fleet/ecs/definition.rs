//! The task definition of a phase: one per distinct content, shared by all phases with that content. Pure.
//!
//! The family is named after a digest of the content, so it is found again without a record. Anything that differs
//! between phases (log location, replica) is an override of the launch.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use aws_sdk_ecs::operation::register_task_definition::builders::RegisterTaskDefinitionInputBuilder;
use aws_sdk_ecs::types::{
    Compatibility, ContainerDefinition, HostVolumeProperties, KernelCapabilities, KeyValuePair,
    LinuxParameters, LogConfiguration, LogDriver, MountPoint, NetworkMode, Secret, Tag, Volume,
};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::sizes::{self, Size};
use super::{Capacity, Settings};
use crate::fleet::{Launch, cache_name};

/// Name of the phase's only container.
pub const CONTAINER: &str = "phase";

/// Seconds between SIGTERM and SIGKILL: ten for the code itself, the rest for the agent to store the log and the
/// status.
const STOP_TIMEOUT: i32 = 60;

/// Host directory of all caches.
const CACHES: &str = "/var/lib/katkit/caches";

/// Socket of the host's Docker engine.
const SOCKET: &str = "/var/run/docker.sock";

/// Everything that determines a task definition. The digest is computed from its JSON, so names and order must not
/// change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Content {
    version: u32,
    image: String,
    fargate: bool,
    awsvpc: bool,
    cpu: Option<u32>,
    memory: Option<u32>,
    task_role: Option<String>,
    execution_role: Option<String>,
    /// Group and region.
    log: Option<(String, String)>,
    /// Host path and container path.
    mounts: Vec<(String, String)>,
    environment: BTreeMap<String, String>,
    secrets: BTreeMap<String, String>,
}

/// The content for a launch, or the reason why there can be none.
pub fn content(settings: &Settings, launch: &Launch, region: &str) -> Result<Content, String> {
    let image = launch.image.as_ref().or(settings.image.as_ref()).ok_or_else(|| {
        "neither the phase nor its fleet names an image; set `image` on one of them".to_owned()
    })?;
    if let Some(name) = launch.secrets.0.keys().next() {
        return Err(format!(
            "an ECS task would show the value of the secret `{name}` to anyone who can describe the task; put it \
             into Secrets Manager or Parameter Store, and write its ARN into the manifest"
        ));
    }
    if let Some(path) = launch.log_path.strip_prefix("file://") {
        return Err(format!(
            "its task could not reach the blob store, the directory {path}; set `blobs.url` to `s3://bucket/prefix`"
        ));
    }
    let needs_execution_role = !launch.secret_arns.is_empty() || settings.log_group.is_some();
    if needs_execution_role && settings.execution_role.is_none() {
        let what = if settings.log_group.is_some() { "`log-group` needs" } else { "the secrets need" };
        return Err(format!("{what} an `execution-role` in the fleet, which ECS uses to access it"));
    }
    let fargate = settings.capacity.is_fargate();
    let (cpu, memory) = (launch.cpu.or(settings.cpu), launch.memory.or(settings.memory));
    let (cpu, memory) = if fargate {
        let Size { cpu, memory } = sizes::fargate(cpu, memory)
            .ok_or("Fargate has no size that large; the largest has 16 cores and 122880 MiB")?;
        (Some(cpu), Some(memory))
    } else {
        // On EC2 a memory limit is required, a CPU limit is not.
        (cpu.map(sizes::units), Some(memory.unwrap_or(1024)))
    };
    let mut mounts: Vec<(String, String)> = Vec::new();
    if settings.docker_socket {
        mounts.push((SOCKET.to_owned(), SOCKET.to_owned()));
    }
    mounts.extend(settings.caches.iter().map(|path| (on_host(settings, launch, path), path.clone())));
    if fargate && !mounts.is_empty() {
        return Err("Fargate has neither a docker socket nor caches; use EC2, or remove them".to_owned());
    }
    Ok(Content {
        version: 2,
        image: image.clone(),
        fargate,
        awsvpc: network_mode(settings) == NetworkMode::Awsvpc,
        cpu,
        memory,
        task_role: settings.task_role.clone(),
        execution_role: settings.execution_role.clone(),
        log: settings.log_group.clone().map(|group| (group, region.to_owned())),
        mounts,
        environment: settings.environment.clone(),
        secrets: launch.secret_arns.clone(),
    })
}

/// The network mode of a fleet's tasks.
pub fn network_mode(settings: &Settings) -> NetworkMode {
    let own = settings.capacity.is_fargate() || !settings.subnets.is_empty();
    if own { NetworkMode::Awsvpc } else { NetworkMode::Bridge }
}

/// Host path of a cache. Each katkit, fleet and tenant has its own, because phases execute what they find in a cache.
/// Path components are filesystem-safe and at most 64 bytes long.
fn on_host(settings: &Settings, launch: &Launch, path: &str) -> String {
    let Settings { owner, name, .. } = settings;
    let tenant = &launch.link.tenant;
    format!("{CACHES}/{owner}/{name}/{tenant}/{}", cache_name(name, tenant, path))
}

impl Content {
    /// The family that holds this content and nothing else.
    pub fn family(&self) -> String {
        let text = serde_json::to_vec(self).unwrap_or_default();
        let mut family = "katkit-".to_owned();
        for byte in &Sha256::digest(text)[..12] {
            let _ = write!(family, "{byte:02x}");
        }
        family
    }

    /// The registration request.
    pub fn register(&self) -> RegisterTaskDefinitionInputBuilder {
        let text = |number: u32| number.to_string();
        let compatibility = if self.fargate { Compatibility::Fargate } else { Compatibility::Ec2 };
        let volume = |(number, (host, _)): (usize, &(String, String))| {
            let host = HostVolumeProperties::builder().source_path(host).build();
            Volume::builder().name(format!("host-{number}")).host(host).build()
        };
        let family = self.family();
        let input = RegisterTaskDefinitionInputBuilder::default()
            .container_definitions(self.container())
            .requires_compatibilities(compatibility)
            .network_mode(if self.awsvpc { NetworkMode::Awsvpc } else { NetworkMode::Bridge })
            .set_task_role_arn(self.task_role.clone())
            .set_execution_role_arn(self.execution_role.clone())
            .set_volumes(Some(self.mounts.iter().enumerate().map(volume).collect()))
            .tags(Tag::builder().key("katkit:content").value(&family).build())
            .family(family);
        if self.fargate {
            return input.set_cpu(self.cpu.map(text)).set_memory(self.memory.map(text));
        }
        input
    }

    fn container(&self) -> ContainerDefinition {
        let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        let mount = |(number, (_, path)): (usize, &(String, String))| {
            MountPoint::builder().source_volume(format!("host-{number}")).container_path(path).build()
        };
        let pair =
            |(name, value): (&String, &String)| KeyValuePair::builder().name(name).value(value).build();
        let environment = self.environment.iter().map(pair);
        let secrets = self
            .secrets
            .iter()
            .filter_map(|(name, arn)| Secret::builder().name(name).value_from(arn).build().ok());
        let log = self.log.as_ref().and_then(|(group, region)| {
            LogConfiguration::builder()
                .log_driver(LogDriver::Awslogs)
                .options("awslogs-group", group)
                .options("awslogs-region", region)
                .options("awslogs-stream-prefix", "katkit")
                .build()
                .ok()
        });
        let container = ContainerDefinition::builder()
            .name(CONTAINER)
            .image(&self.image)
            .essential(true)
            // Overrides the image's own entry point; `env` finds `katkit` in the image's PATH.
            .entry_point("/usr/bin/env")
            .command("katkit")
            .command("agent")
            .stop_timeout(STOP_TIMEOUT)
            // Fargate allows this too.
            // Source: <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_KernelCapabilities.html>
            .linux_parameters(
                LinuxParameters::builder()
                    .capabilities(KernelCapabilities::builder().drop("MKNOD").build())
                    .build(),
            )
            .set_environment(Some(environment.collect()))
            .set_secrets(Some(secrets.collect()))
            .set_mount_points(Some(self.mounts.iter().enumerate().map(mount).collect()))
            .set_log_configuration(log);
        if self.fargate {
            return container.build();
        }
        container.set_cpu(self.cpu.map(number)).set_memory(self.memory.map(number)).build()
    }
}

/// Environment variables for the agent, set at launch.
pub fn environment(launch: &Launch) -> Vec<KeyValuePair> {
    let pair = |name: &str, value: &str| KeyValuePair::builder().name(name).value(value).build();
    vec![
        pair("LOG_PATH", &launch.log_path),
        pair("KATKIT_REPLICA", &launch.replica.to_string()),
        // Phase code sees everything that the image, the fleet and ECS put into the environment, task role credentials
        // included.
        pair("KATKIT_CONTAINER", "1"),
        pair(TOKEN, launch.token.as_str()),
    ]
}

/// Variable that identifies a task by its token.
pub const TOKEN: &str = "KATKIT_TOKEN";

/// Tag that holds the link.
pub const LINK: &str = "katkit:link";

/// Tags shown in the console and on the bill.
pub fn tags(launch: &Launch) -> Vec<Tag> {
    let tag = |key: &str, value: &str| Tag::builder().key(key).value(tag_value(value)).build();
    vec![
        tag("katkit:token", launch.token.as_str()),
        tag(LINK, &launch.link.to_string()),
        tag("katkit:run", launch.run.as_str()),
        tag("katkit:phase", launch.phase.as_str()),
        tag("katkit:attempt", &launch.attempt.to_string()),
    ]
}

/// Replaces characters not allowed in tags: at most 256 letters, digits, blanks and `+-=._:/@` are.
/// Source: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-using-tags.html>
fn tag_value(text: &str) -> String {
    let fine = |c: char| c.is_alphanumeric() || c == ' ' || "+-=._:/@".contains(c);
    text.chars().take(256).map(|c| if fine(c) { c } else { '_' }).collect()
}

/// Whether `arn` is a role ARN.
pub fn is_role(arn: &str) -> bool {
    let mut parts = arn.splitn(6, ':');
    let mut next = || parts.next().unwrap_or_default();
    let (head, partition, service, _region, account, resource) =
        (next(), next(), next(), next(), next(), next());
    head == "arn"
        && partition.starts_with("aws")
        && service == "iam"
        && account.len() == 12
        && account.bytes().all(|byte| byte.is_ascii_digit())
        && resource.strip_prefix("role/").is_some_and(|name| !name.is_empty())
}

impl Capacity {
    /// Whether tasks run on Fargate.
    pub fn is_fargate(&self) -> bool {
        match self {
            Self::Fargate => true,
            Self::Ec2 => false,
            Self::Providers(providers) => {
                providers.iter().any(|provider| matches!(provider.as_str(), "FARGATE" | "FARGATE_SPOT"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{AttemptNumber, PhaseName, RunId, Token};
    use crate::fleet::Secrets;

    fn settings(capacity: Capacity) -> Settings {
        Settings {
            capacity,
            image: Some("builder:1".into()),
            execution_role: Some("arn:aws:iam::1:role/exec".into()),
            ..Settings::default()
        }
    }

    fn launch() -> Launch {
        Launch {
            token: Token("0a-0".into()),
            link: "dev/shop".parse().unwrap(),
            run: RunId("1".into()),
            phase: PhaseName::new("POST DEPLOY: 100 %").unwrap(),
            attempt: AttemptNumber(1),
            replica: 0,
            log_path: "s3://b/dev/shop".into(),
            image: None,
            cpu: None,
            memory: None,
            secrets: Secrets::default(),
            secret_arns: BTreeMap::new(),
        }
    }

    #[test]
    fn phases_with_equal_needs_share_a_definition_and_others_do_not() {
        let settings = settings(Capacity::Ec2);
        let family = |launch: &Launch| content(&settings, launch, "eu-central-1").unwrap().family();
        let (one, mut other) = (launch(), launch());
        other.token = Token("0b-1".into());
        other.log_path = "elsewhere".into();
        assert_eq!(family(&one), family(&other));
        assert_eq!(family(&one).len(), "katkit-".len() + 24);
        other.memory = Some(4096);
        assert_ne!(family(&one), family(&other));
    }

    #[test]
    fn fargate_gets_a_listed_size_and_ec2_the_requested_one() {
        let mut launch = launch();
        (launch.cpu, launch.memory) = (Some(600), Some(700));
        let fargate = content(&settings(Capacity::Fargate), &launch, "r").unwrap().register();
        assert_eq!(
            (fargate.get_cpu().as_deref(), fargate.get_memory().as_deref()),
            (Some("1024"), Some("2048"))
        );
        assert_eq!(fargate.get_network_mode(), &Some(NetworkMode::Awsvpc));
        let ec2 = content(&settings(Capacity::Ec2), &launch, "r").unwrap().register();
        let container = &ec2.get_container_definitions().as_ref().unwrap()[0];
        assert_eq!((ec2.get_cpu(), container.cpu(), container.memory()), (&None, 615, Some(700)));
        for registered in [fargate, ec2] {
            let container = &registered.get_container_definitions().as_ref().unwrap()[0];
            let linux = container.linux_parameters().and_then(|linux| linux.capabilities());
            assert_eq!(linux.unwrap().drop(), ["MKNOD"]);
        }
    }

    #[test]
    fn caches_are_separate_per_katkit_fleet_and_tenant() {
        let mounts = |owner: &str, fleet: &str, link: &str, path: &str| {
            let (owner, name) = (owner.to_owned(), fleet.to_owned());
            let settings = Settings { owner, name, caches: vec![path.to_owned()], ..settings(Capacity::Ec2) };
            let launch = Launch { link: link.parse().unwrap(), ..launch() };
            content(&settings, &launch, "r").unwrap().mounts
        };
        let own = mounts("0a1b", "builds", "dev/shop", "/root/.m2");
        let host = "/var/lib/katkit/caches/0a1b/builds/dev/root--m2-";
        assert!(own[0].0.starts_with(host) && own[0].1 == "/root/.m2", "{own:?}");
        // All links of a tenant share it.
        assert_eq!(mounts("0a1b", "builds", "dev/other", "/root/.m2"), own);
        let others = [
            mounts("ffff", "builds", "dev/shop", "/root/.m2"),
            mounts("0a1b", "other", "dev/shop", "/root/.m2"),
            mounts("0a1b", "builds", "prod/shop", "/root/.m2"),
            mounts("0a1b", "builds", "dev/shop", "/root/-m2"),
        ];
        assert!(others.iter().all(|other| other[0].0 != own[0].0), "{others:?}");
        let names = "n".repeat(64);
        let link = format!("{names}/shop");
        let longest = mounts("0123456789abcdef", &names, &link, &"/long äöü".repeat(400));
        assert!(longest[0].0.len() < 300 && longest[0].0.is_ascii(), "{longest:?}");
    }

    #[test]
    fn an_impossible_content_is_refused_with_a_reason() {
        let refused = |settings: &Settings, launch: &Launch| content(settings, launch, "r").unwrap_err();
        let mut with_secret = launch();
        with_secret.secrets.0.insert("PASS".into(), "hunter2".into());
        let message = refused(&settings(Capacity::Ec2), &with_secret);
        assert!(
            message.contains("`PASS`") && message.contains("Parameter Store") && !message.contains("hunter2")
        );
        let bare = Settings { image: None, ..settings(Capacity::Ec2) };
        assert!(refused(&bare, &launch()).contains("names an image"));
        let cached = Settings { caches: vec!["/root/.m2".into()], ..settings(Capacity::Fargate) };
        assert!(refused(&cached, &launch()).contains("use EC2"));
        let logged =
            Settings { log_group: Some("g".into()), execution_role: None, ..settings(Capacity::Ec2) };
        assert!(refused(&logged, &launch()).contains("`execution-role`"));
        let mut local = launch();
        local.log_path = "file:///var/blobs/dev/shop".into();
        assert!(refused(&settings(Capacity::Fargate), &local).contains("could not reach the blob store"));
        // A cache that holds the blob store would expose everyone's blobs to every phase.
        let shared = Settings { caches: vec!["/var/blobs".into()], ..settings(Capacity::Ec2) };
        assert!(refused(&shared, &local).contains("could not reach the blob store"));
        let mut large = launch();
        large.memory = Some(200_000);
        assert!(refused(&settings(Capacity::Fargate), &large).contains("no size that large"));
    }

    #[test]
    fn tags_hold_only_allowed_characters() {
        let tags = tags(&launch());
        let value = |key: &str| tags.iter().find(|tag| tag.key() == Some(key)).unwrap().value().unwrap();
        assert_eq!(value("katkit:link"), "dev/shop");
        assert_eq!(value("katkit:phase"), "POST DEPLOY: 100 _");
    }
}
