//! What else is live in a tenant, for the phases that run there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::ApplyError;
use crate::domain::{Deployment, LinkId, TenantName};
use crate::estate::Estate;
use crate::state::StateError;
use crate::views::{Document, PeersJson};

/// How long an answer of the record counts: phases are often launched together.
const FRESH: Duration = Duration::from_secs(5);

/// Reads what is live in each tenant, at most once in [`FRESH`].
#[derive(Debug, Default)]
pub(super) struct PeerReader {
    read: Mutex<BTreeMap<TenantName, Arc<tokio::sync::Mutex<Option<Reading>>>>>,
}

/// What was live in a tenant.
#[derive(Debug)]
struct Reading {
    /// When it was asked for, by the clock's elapsed time.
    asked: Duration,
    at: Timestamp,
    live: Vec<(LinkId, Deployment)>,
}

impl PeerReader {
    /// What is live in the tenant besides `link`, as the JSON document for its phases.
    pub(super) async fn document(&self, estate: &Estate, link: &LinkId) -> Result<String, ApplyError> {
        let slot = {
            let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(read.entry(link.tenant.clone()).or_default())
        };
        // Held while reading, so that launches at the same time read once.
        let mut slot = slot.lock().await;
        let is_fresh = |reading: &Reading| estate.clock.elapsed().saturating_sub(reading.asked) < FRESH;
        let reading = match slot.take().filter(is_fresh) {
            Some(reading) => reading,
            None => read(estate, link).await?,
        };
        let Reading { asked: _, at, live } = slot.insert(reading);
        let others = live.iter().filter(|(other, _)| other != link);
        Ok(Document::new(&PeersJson::of(&link.tenant, *at, others)).to_string())
    }
}

/// Reads what is live in the tenant of `link`.
async fn read(estate: &Estate, link: &LinkId) -> Result<Reading, ApplyError> {
    let (asked, at) = (estate.clock.elapsed(), estate.clock.now());
    let links =
        estate.manifest().tenants.get(&link.tenant).into_iter().flat_map(|tenant| tenant.links.keys());
    let links: Vec<_> =
        links.map(|name| LinkId { tenant: link.tenant.clone(), link: name.clone() }).collect();
    if links.len() < 2 {
        return Ok(Reading { asked, at, live: Vec::new() });
    }
    let live = match estate.state.heads(Some(&links)).await {
        Ok(heads) => heads.into_iter().filter_map(|(id, head)| Some((id, head.deployed?))).collect(),
        // The record of another link must not stop this one.
        Err(StateError::Corrupt { .. } | StateError::NewerRecord { .. }) => {
            let heads = estate.state.survey().await?.heads.into_iter();
            let heads = heads.filter(|(id, _)| links.binary_search(id).is_ok());
            heads.filter_map(|(id, head)| Some((id, head.deployed?))).collect()
        }
        Err(error) => return Err(error.into()),
    };
    Ok(Reading { asked, at, live })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply::note;
    use crate::domain::{Event, Images, Owner};

    const MANIFEST: &str = r#"
        version = 1
        repos.shop.url = "https://git.example/acme/shop.git"
        [tenants.dev.links]
        api = { repo = "shop", branch = "main" }
        shop = { repo = "shop", branch = "main" }
        web = { repo = "shop", branch = "main" }
        [tenants.prod.links]
        api = { repo = "shop", branch = "main" }
    "#;

    async fn adopt(estate: &Estate, link: &str) {
        let owner = Owner {
            id: "one".to_owned(),
            host: "laptop".to_owned(),
            boot: None,
            pid: 1,
            started_ticks: None,
            actor: "ana".to_owned(),
        };
        let images: Images = [("web".to_owned(), "acme/web:1".to_owned())].into_iter().collect();
        let event = Event::Adopted { sha: "a".repeat(40).parse().unwrap(), images, revision: "1".to_owned() };
        let link = link.parse().unwrap();
        note(&estate.state, &estate.clock, (&owner, &"ana".into()), &link, vec![event]).await.unwrap();
    }

    #[tokio::test]
    async fn launches_at_the_same_time_read_the_record_once_and_no_link_sees_itself() {
        let (estate, reader) = (Estate::in_memory(MANIFEST), PeerReader::default());
        let seen = async |link: &str| {
            let text = reader.document(&estate, &link.parse().unwrap()).await.unwrap();
            let document: serde_json::Value = serde_json::from_str(&text).unwrap();
            let links = document["links"].as_array().unwrap().iter();
            links.map(|link| link["link"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        for link in ["dev/api", "dev/shop", "prod/api"] {
            adopt(&estate, link).await;
        }
        assert_eq!(seen("dev/web").await, ["dev/api", "dev/shop"]);
        adopt(&estate, "dev/web").await;
        assert_eq!(seen("dev/shop").await, ["dev/api"], "the answer is used again");
        assert_eq!(seen("prod/api").await, Vec::<String>::new());
        let other = PeerReader::default();
        let text = other.document(&estate, &"dev/shop".parse().unwrap()).await.unwrap();
        assert!(text.contains("dev/api") && text.contains("dev/web") && !text.contains("dev/shop"), "{text}");
    }
}
