//! Copies live task definitions in full, with other images. Pure.

use aws_sdk_ecs::operation::register_task_definition::builders::RegisterTaskDefinitionInputBuilder;
use aws_sdk_ecs::types::{Tag, TaskDefinition};
use sha2::{Digest, Sha256};

use crate::domain::LinkId;

/// Tag of revisions registered by katkit: the link they are for.
pub const LINK: &str = "katkit:link";

/// Tag with the service they are for, since services may share a family: `<cluster>/<service>`.
pub const PLACE: &str = "katkit:place";

/// Maximum length of a tag value in characters.
/// Source: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-using-tags.html#tag-restrictions>
const LONGEST: usize = 256;

/// The value of the [`PLACE`] tag for a service.
pub fn place(cluster: &str, service: &str) -> String {
    let place = format!("{}/{service}", short(cluster));
    if place.len() <= LONGEST {
        return place;
    }
    let digest = Sha256::digest(&place);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A task definition with its tags.
#[derive(Clone, Debug, PartialEq)]
pub struct Described {
    /// The registered definition.
    pub definition: TaskDefinition,
    /// Tags of this revision.
    pub tags: Vec<Tag>,
}

impl Described {
    /// Its ARN.
    pub fn arn(&self) -> &str {
        self.definition.task_definition_arn().unwrap_or_default()
    }

    /// Whether services can be rolled to it.
    pub fn is_active(&self) -> bool {
        self.definition.status().is_none_or(|status| status.as_str() == "ACTIVE")
    }

    /// The link for which katkit registered it, if any.
    pub fn registered_for(&self) -> Option<&str> {
        self.tag(LINK)
    }

    /// The link that deployed it to `place`, if any.
    pub fn deployed_by(&self, place: &str) -> Option<&str> {
        self.registered_for().filter(|_| self.tag(PLACE) == Some(place))
    }

    /// Whether `link` can roll the service to it without the service carrying a foreign mark.
    pub fn is_free_for(&self, link: &LinkId, place: &str) -> bool {
        let is_own = |by: &str| by == link.to_string();
        self.tag(PLACE).is_none() || self.deployed_by(place).is_some_and(is_own)
    }

    fn tag(&self, key: &str) -> Option<&str> {
        self.tags.iter().find(|tag| tag.key() == Some(key))?.value()
    }

    /// The request that registers it again: every property of a task definition except its tags.
    #[allow(deprecated, reason = "a live definition may still use features that AWS no longer offers")]
    pub fn copy(&self) -> RegisterTaskDefinitionInputBuilder {
        let it = self.definition.clone();
        RegisterTaskDefinitionInputBuilder::default()
            .set_family(it.family)
            .set_task_role_arn(it.task_role_arn.filter(filled))
            .set_execution_role_arn(it.execution_role_arn.filter(filled))
            .set_network_mode(it.network_mode.filter(|mode| !mode.as_str().is_empty()))
            .set_container_definitions(it.container_definitions)
            .set_volumes(it.volumes)
            .set_placement_constraints(it.placement_constraints)
            .set_requires_compatibilities(it.requires_compatibilities)
            .set_cpu(it.cpu.filter(filled))
            .set_memory(it.memory.filter(filled))
            .set_pid_mode(it.pid_mode.filter(|mode| !mode.as_str().is_empty()))
            .set_ipc_mode(it.ipc_mode.filter(|mode| !mode.as_str().is_empty()))
            .set_proxy_configuration(it.proxy_configuration)
            .set_inference_accelerators(it.inference_accelerators)
            .set_ephemeral_storage(it.ephemeral_storage)
            .set_runtime_platform(it.runtime_platform)
            .set_enable_fault_injection(it.enable_fault_injection)
    }

    /// Like [`Self::copy`], with another image in the given containers.
    pub fn with_image(&self, rolled: &[usize], image: &str) -> RegisterTaskDefinitionInputBuilder {
        let mut containers = self.definition.container_definitions.clone().unwrap_or_default();
        for &at in rolled {
            if let Some(container) = containers.get_mut(at) {
                container.image = Some(image.to_owned());
            }
        }
        self.copy().set_container_definitions(Some(containers))
    }

    /// The tags for its successor, registered for `place`.
    pub fn tags_for(&self, link: &LinkId, place: &str) -> Vec<Tag> {
        // AWS's own tags cannot be set.
        let others = |key: &str| ![LINK, PLACE].contains(&key) && !key.starts_with("aws:");
        let kept = self.tags.iter().filter(|tag| tag.key().is_some_and(others)).cloned();
        let own = [(LINK, link.to_string()), (PLACE, place.to_owned())];
        kept.chain(own.map(|(key, value)| Tag::builder().key(key).value(value).build())).collect()
    }
}

#[allow(clippy::ptr_arg, reason = "what `Option::filter` wants")]
fn filled(text: &String) -> bool {
    !text.is_empty()
}

/// The family and revision in an ARN.
pub fn family_of(arn: &str) -> Option<(&str, u64)> {
    let (_, name) = arn.rsplit_once('/')?;
    let (family, revision) = name.rsplit_once(':')?;
    Some((family, revision.parse().ok()?))
}

/// The short form used by humans: `family:revision`.
pub fn short(arn: &str) -> &str {
    arn.rsplit_once('/').map_or(arn, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ecs::types::{
        ContainerDefinition, EphemeralStorage, HealthCheck, IpcMode, KeyValuePair, NetworkMode, PidMode,
        PortMapping, RuntimePlatform, TaskDefinitionStatus, Volume,
    };
    use proptest::prelude::*;

    fn described(images: &[String]) -> Described {
        let container = |(at, image): (usize, &String)| {
            ContainerDefinition::builder()
                .name(format!("c{at}"))
                .image(image)
                .cpu(i32::try_from(at).unwrap())
                .essential(at == 0)
                .command("serve")
                .environment(KeyValuePair::builder().name("A").value("b").build())
                .port_mappings(PortMapping::builder().container_port(80).build())
                .health_check(HealthCheck::builder().command("true").build().unwrap())
                .readonly_root_filesystem(true)
                .build()
        };
        let definition = TaskDefinition::builder()
            .task_definition_arn("arn:aws:ecs:eu-central-1:1:task-definition/web:7")
            .family("web")
            .revision(7)
            .status(TaskDefinitionStatus::Active)
            .task_role_arn("arn:role")
            .network_mode(NetworkMode::Awsvpc)
            .set_container_definitions(Some(images.iter().enumerate().map(container).collect()))
            .volumes(Volume::builder().name("v").build())
            .cpu("256")
            .memory("512")
            .pid_mode(PidMode::Task)
            .ipc_mode(IpcMode::None)
            .ephemeral_storage(EphemeralStorage::builder().size_in_gib(30).build())
            .runtime_platform(RuntimePlatform::builder().build())
            .enable_fault_injection(true)
            .registered_by("someone")
            .build();
        let tag = |key: &str| Tag::builder().key(key).value("x").build();
        Described { definition, tags: vec![tag("team"), tag("aws:cloudformation:stack-name"), tag(LINK)] }
    }

    proptest! {
        #[test]
        fn nothing_but_the_images_of_some_containers_changes(
            images in proptest::collection::vec("[a-z]{1,8}:[0-9]{1,3}", 1..5),
            pick in proptest::collection::vec(any::<prop::sample::Index>(), 1..3),
            new in "[a-z]{1,8}:[0-9]{1,3}",
        ) {
            let live = described(&images);
            let rolled: Vec<_> = pick.iter().map(|pick| pick.index(images.len())).collect();
            let changed = live.with_image(&rolled, &new);
            // Restoring the images restores the original.
            let mut back = changed.get_container_definitions().clone().unwrap();
            prop_assert!(rolled.iter().all(|at| back[*at].image() == Some(new.as_str())));
            for &at in &rolled {
                back[at].image = Some(images[at].clone());
            }
            prop_assert_eq!(changed.set_container_definitions(Some(back)), live.copy());
        }
    }

    #[test]
    fn empty_strings_are_not_registered() {
        let mut live = described(&["web:1".into()]);
        live.definition.task_role_arn = Some(String::new());
        live.definition.pid_mode = Some(PidMode::from(""));
        live.definition.ipc_mode = Some(IpcMode::from(""));
        let copy = live.copy();
        assert_eq!(
            (copy.get_task_role_arn(), copy.get_pid_mode(), copy.get_ipc_mode()),
            (&None, &None, &None)
        );
    }

    #[test]
    fn tags_are_kept_and_name_the_link() {
        let tags = described(&["web:1".into()]).tags_for(&"dev/shop".parse().unwrap(), "dev/web");
        let tags: Vec<_> = tags.iter().map(|tag| (tag.key().unwrap(), tag.value().unwrap())).collect();
        assert_eq!(tags, [("team", "x"), (LINK, "dev/shop"), (PLACE, "dev/web")]);
    }

    #[test]
    fn a_revision_belongs_to_the_link_that_deployed_it_to_this_service() {
        let (dev, prod): (LinkId, LinkId) = ("dev/shop".parse().unwrap(), "prod/shop".parse().unwrap());
        let by_hand = described(&["web:1".into()]);
        let arn = "arn:aws:ecs:eu-central-1:1:cluster/all";
        let here = place(arn, "web");
        assert_eq!((here.as_str(), place("all", "web")), ("all/web", here.clone()));
        // Without a place tag it may be meant for any service of the family.
        assert!(by_hand.deployed_by(&here).is_none() && by_hand.is_free_for(&dev, &here));
        let devs = Described { tags: by_hand.tags_for(&dev, &here), ..by_hand };
        assert_eq!(devs.deployed_by(&here), Some("dev/shop"));
        assert!(devs.is_free_for(&dev, &here) && !devs.is_free_for(&prod, &here));
        let there = place("all", "web-2");
        assert_eq!(devs.deployed_by(&there), None);
        assert!(!devs.is_free_for(&dev, &there));
        let long = place("all", &"w".repeat(255));
        assert!(long.len() == 64 && long != place("all", &"v".repeat(255)));
    }

    #[test]
    fn family_and_revision_are_parsed_from_an_arn() {
        let arn = "arn:aws:ecs:eu-central-1:1:task-definition/web:7";
        assert_eq!((family_of(arn), short(arn)), (Some(("web", 7)), "web:7"));
        assert_eq!(family_of("nonsense"), None);
    }
}
