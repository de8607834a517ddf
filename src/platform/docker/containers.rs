//! The containers of a tenant's services, as one list of the engine shows them.

use std::collections::BTreeSet;

use bollard::models::{ContainerSummary, ContainerSummaryStateEnum};
use sha2::{Digest, Sha256};

use super::Settings;
use crate::docker::{Engine, EngineError, OWNER};
use crate::domain::{FormerName, Images, LinkId, TenantName, Token};

/// Whose service it is.
pub const TENANT: &str = "katkit.tenant";
/// Of which link.
pub const LINK: &str = "katkit.link";
/// Which role of the link's service description.
pub const ROLE: &str = "katkit.role";
/// The deployment that made it.
pub const TOKEN: &str = "katkit.token";
/// The image that it was made from, by the name that the deployment gave.
pub const IMAGE: &str = "katkit.image";

/// A container of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    pub id: String,
    pub name: String,
    /// The link that it says it is of: as it is called now, or as it was when the container was made.
    pub link: LinkId,
    pub role: String,
    pub image: String,
    /// The image that it runs, whatever has its name now.
    pub image_id: String,
    /// Whether it runs, or is about to again.
    pub runs: bool,
    pub token: Option<String>,
    /// Made for a deployment that never started it: nothing to go back to.
    pub is_left_over: bool,
    /// Seconds since 1970, by the engine's clock.
    pub created: i64,
}

impl Service {
    /// Whether this deployment made it.
    pub fn is_of(&self, token: &Token) -> bool {
        self.token.as_deref() == Some(token.as_str())
    }
}

/// Every container of a tenant that no other katkit owns.
pub async fn of_tenant(
    engine: &Engine,
    settings: &Settings,
    tenant: &TenantName,
) -> Result<Vec<Service>, EngineError> {
    list(engine, settings, vec![format!("{TENANT}={tenant}"), ROLE.to_owned(), LINK.to_owned()]).await
}

/// The same of one link, those included that were made when it had another name.
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

/// `shows` compares an image in the list with a name.
fn read(container: ContainerSummary, owner: &str, shows: impl Fn(&str, &str) -> bool) -> Option<Service> {
    use ContainerSummaryStateEnum::{CREATED, PAUSED, RESTARTING, RUNNING};
    let mut labels = container.labels.unwrap_or_default();
    if labels.get(OWNER).is_some_and(|other| other != owner) {
        return None;
    }
    let runs = matches!(container.state, Some(RUNNING | PAUSED | RESTARTING));
    let name = container.names.unwrap_or_default().into_iter().next().unwrap_or_default();
    // A name that came to mean another image is shown as the id of the image that runs.
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
        // No other names are asked for.
        link: LinkId::new(labels.remove(TENANT)?.parse().ok()?, labels.remove(LINK)?.parse().ok()?),
        role: labels.remove(ROLE)?,
        image,
        image_id: container.image_id.unwrap_or_default(),
        runs,
        token,
        created: container.created.unwrap_or_default(),
    })
}

/// Older engines show the beginning of an id.
fn is_id(shown: &str) -> bool {
    shown.len() >= 12 && shown.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The image of every role that runs.
pub fn images(services: &[Service]) -> Images {
    let mut running: Vec<_> = services.iter().filter(|service| service.runs).collect();
    running.sort_by_key(|service| service.created);
    running.into_iter().map(|service| (service.role.clone(), service.image.clone())).collect()
}

/// Changes whenever another container runs for a role, and for no other reason.
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
    fn what_another_katkit_made_is_not_seen_and_what_people_made_is() {
        assert_eq!(read(container("a", "web:1", &[(OWNER, "other")]), "me", equal), None);
        assert!(read(container("a", "web:1", &[(OWNER, "me")]), "me", equal).is_some());
        assert!(read(container("a", "web:1", &[]), "me", equal).is_some());
    }

    #[test]
    fn the_image_is_what_runs_under_the_name_that_was_given() {
        let image = |shown: &str, label: &str| {
            read(container("a", shown, &[(IMAGE, label)]), "me", equal).unwrap().image
        };
        assert_eq!(image("acme/web:1", "acme/web:1"), "acme/web:1");
        // The tag was moved since.
        assert_eq!(image("sha256:0123", "acme/web:1"), "acme/web:1");
        assert_eq!(image("0123456789ab", "acme/web:1"), "acme/web:1");
        // Somebody copied the labels to a container of another image.
        assert_eq!(image("acme/web:2", "acme/web:1"), "acme/web:2");
        // An engine that shows names in its own way.
        let shown = container("a", "localhost/acme/web:1", &[(IMAGE, "acme/web:1")]);
        let seen = read(shown, "me", crate::docker::podman::shows).unwrap();
        assert_eq!(seen.image, "acme/web:1");
    }

    #[test]
    fn a_revision_stands_for_the_containers_that_run() {
        let one = read(container("a", "web:1", &[]), "", equal).unwrap();
        let other = Service { id: "b".into(), ..one.clone() };
        let stopped = Service { runs: false, ..other.clone() };
        assert_eq!(revision(&[one.clone(), stopped]), revision(std::slice::from_ref(&one)));
        assert_ne!(revision(&[other]), revision(&[one]));
    }
}
