//! Lists the containers of a tenant's services.

use std::collections::BTreeSet;

use bollard::models::{ContainerSummary, ContainerSummaryStateEnum};
use sha2::{Digest, Sha256};

use super::Settings;
use crate::docker::{Engine, EngineError, OWNER};
use crate::domain::{FormerName, Images, LinkId, TenantName, Token};

/// Tenant that owns the service.
pub const TENANT: &str = "katkit.tenant";
/// Link of the service.
pub const LINK: &str = "katkit.link";
/// Role in the link's service description.
pub const ROLE: &str = "katkit.role";
/// Deployment that created the container.
pub const TOKEN: &str = "katkit.token";
/// Image it was created from, as named in the deployment.
pub const IMAGE: &str = "katkit.image";

/// A container of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    pub id: String,
    pub name: String,
    /// Link in its labels: by the current name, or by the name at the time of its creation.
    pub link: LinkId,
    pub role: String,
    pub image: String,
    /// Id of the image it runs, whatever its name refers to now.
    pub image_id: String,
    /// Whether it is running, or about to restart.
    pub runs: bool,
    pub token: Option<String>,
    /// Created by a deployment that never started it, so there is nothing to roll back to.
    pub is_left_over: bool,
    /// Seconds since 1970, by the engine's clock.
    pub created: i64,
}

impl Service {
    /// Whether this deployment created it.
    pub fn is_of(&self, token: &Token) -> bool {
        self.token.as_deref() == Some(token.as_str())
    }
}

/// Every container of a tenant, except those owned by another katkit.
pub async fn of_tenant(
    engine: &Engine,
    settings: &Settings,
    tenant: &TenantName,
) -> Result<Vec<Service>, EngineError> {
    list(engine, settings, vec![format!("{TENANT}={tenant}"), ROLE.to_owned(), LINK.to_owned()]).await
}

/// Every container of a link, including those created under a former name.
pub async fn of_link(
    engine: &Engine,
    settings: &Settings,
    link: &LinkId,
    formerly: &[FormerName],
) -> Result<Vec<Service>, EngineError> {
    let mut found = list(engine, settings, labels(link)).await?;
    let names: BTreeSet<_> = FormerName::names(formerly).filter(|former| *former != link).collect();
    for former in names {
        found.extend(list(engine, settings, labels(former)).await?);
    }
    Ok(found)
}

async fn list(
    engine: &Engine,
    settings: &Settings,
    labels: Vec<String>,
) -> Result<Vec<Service>, EngineError> {
    let listed = engine.containers(labels).await?.into_iter();
    let shows = |shown: &str, image: &str| engine.shows(shown, image);
    Ok(listed.filter_map(|container| read(container, &settings.owner, shows)).collect())
}

/// The labels of a link's containers.
pub fn labels(link: &LinkId) -> Vec<String> {
    vec![format!("{TENANT}={}", link.tenant), ROLE.to_owned(), format!("{LINK}={}", link.link)]
}

/// Reads a listed container. `shows` compares a listed image with a name.
fn read(container: ContainerSummary, owner: &str, shows: impl Fn(&str, &str) -> bool) -> Option<Service> {
    use ContainerSummaryStateEnum::{CREATED, PAUSED, RESTARTING, RUNNING};
    let mut labels = container.labels.unwrap_or_default();
    if labels.get(OWNER).is_some_and(|other| other != owner) {
        return None;
    }
    let runs = matches!(container.state, Some(RUNNING | PAUSED | RESTARTING));
    let name = container.names.unwrap_or_default().into_iter().next().unwrap_or_default();
    // If the name has moved to another image, the engine shows the id of the running image instead.
    let shown = container.image.unwrap_or_default();
    let image = match labels.remove(IMAGE) {
        Some(image) if shown.starts_with("sha256:") || is_id(&shown) || shows(&shown, &image) => image,
        _ => shown,
    };
    let token = labels.remove(TOKEN);
    Some(Service {
        is_left_over: token.is_some() && container.state == Some(CREATED),
        id: container.id?,
        name: name.trim_start_matches('/').to_owned(),
        // Only valid names are listed.
        link: LinkId::new(labels.remove(TENANT)?.parse().ok()?, labels.remove(LINK)?.parse().ok()?),
        role: labels.remove(ROLE)?,
        image,
        image_id: container.image_id.unwrap_or_default(),
        runs,
        token,
        created: container.created.unwrap_or_default(),
    })
}

/// Whether the text is a shortened image id, as older engines show it.
fn is_id(shown: &str) -> bool {
    shown.len() >= 12 && shown.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The image of every running role.
pub fn images(services: &[Service]) -> Images {
    let mut running: Vec<_> = services.iter().filter(|service| service.runs).collect();
    running.sort_by_key(|service| service.created);
    running.into_iter().map(|service| (service.role.clone(), service.image.clone())).collect()
}

/// Changes if and only if another container runs for a role.
pub fn revision(services: &[Service]) -> String {
    let running = services.iter().filter(|service| service.runs);
    let mut lines: Vec<_> =
        running.map(|service| format!("{} {} {}", service.role, service.id, service.image)).collect();
    lines.sort();
    let digest = Sha256::digest(lines.join("\n"));
    digest[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(id: &str, image: &str, labels: &[(&str, &str)]) -> ContainerSummary {
        let mut all = vec![(TENANT, "dev"), (LINK, "shop"), (ROLE, "web")];
        all.extend(labels);
        ContainerSummary {
            id: Some(id.to_owned()),
            names: Some(vec![format!("/{id}")]),
            image: Some(image.to_owned()),
            state: Some(ContainerSummaryStateEnum::RUNNING),
            created: Some(1),
            labels: Some(all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()),
            ..Default::default()
        }
    }

    fn equal(shown: &str, image: &str) -> bool {
        shown == image
    }

    #[test]
    fn containers_of_another_katkit_are_hidden_and_manual_ones_are_seen() {
        assert_eq!(read(container("a", "web:1", &[(OWNER, "other")]), "me", equal), None);
        assert!(read(container("a", "web:1", &[(OWNER, "me")]), "me", equal).is_some());
        assert!(read(container("a", "web:1", &[]), "me", equal).is_some());
    }

    #[test]
    fn the_image_is_the_running_one_under_its_deployed_name() {
        let image = |shown: &str, label: &str| {
            read(container("a", shown, &[(IMAGE, label)]), "me", equal).unwrap().image
        };
        assert_eq!(image("acme/web:1", "acme/web:1"), "acme/web:1");
        // The tag has moved since.
        assert_eq!(image("sha256:0123", "acme/web:1"), "acme/web:1");
        assert_eq!(image("0123456789ab", "acme/web:1"), "acme/web:1");
        // Someone copied the labels to a container of another image.
        assert_eq!(image("acme/web:2", "acme/web:1"), "acme/web:2");
        // An engine that prints image names differently.
        let shown = container("a", "localhost/acme/web:1", &[(IMAGE, "acme/web:1")]);
        let seen = read(shown, "me", crate::docker::podman::shows).unwrap();
        assert_eq!(seen.image, "acme/web:1");
    }

    #[test]
    fn a_revision_identifies_the_running_containers() {
        let one = read(container("a", "web:1", &[]), "", equal).unwrap();
        let other = Service { id: "b".into(), ..one.clone() };
        let stopped = Service { runs: false, ..other.clone() };
        assert_eq!(revision(&[one.clone(), stopped]), revision(std::slice::from_ref(&one)));
        assert_ne!(revision(&[other]), revision(&[one]));
    }
}
