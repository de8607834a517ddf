//! What else is live in a phase's tenant: the file that `KATKIT_PEERS` names.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::json::KATKIT_VERSION;
use crate::domain::{Deployment, LinkId, TenantName};

/// What else is live in the tenant of a phase, according to the record. Commits are full 40-digit ids, times RFC 3339.
///
/// The first number of `format_version` rises when something is removed or changes meaning, the second when something
/// is added; readers ignore keys they do not know. Absent values are null, never left out.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(title = "katkit peers")]
pub struct PeersJson<'a> {
    /// The version of this format.
    #[schemars(regex(pattern = r"^1\.[0-9]+$"))]
    pub format_version: &'static str,
    /// The katkit version that wrote this document.
    pub katkit_version: &'static str,
    /// The tenant.
    pub tenant: &'a str,
    /// When the record was read.
    pub read_at: String,
    /// The tenant's other links that have something deployed, ordered by name.
    pub links: Vec<PeerJson<'a>>,
}

/// Another link of the tenant.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PeerJson<'a> {
    /// `tenant/link`.
    pub link: String,
    /// The deployed commit.
    pub sha: &'a str,
    /// When it was deployed.
    pub at: String,
    /// The image of every role, by role name.
    pub images: BTreeMap<&'a str, &'a str>,
}

impl<'a> PeersJson<'a> {
    /// The format version this build writes.
    pub const FORMAT_VERSION: &'static str = "1.0";

    /// The document for these links, read at `at`.
    pub fn of(
        tenant: &'a TenantName,
        at: Timestamp,
        links: impl Iterator<Item = &'a (LinkId, Deployment)>,
    ) -> Self {
        Self {
            format_version: Self::FORMAT_VERSION,
            katkit_version: KATKIT_VERSION,
            tenant: tenant.as_str(),
            read_at: at.to_string(),
            links: links.map(|(link, deployment)| PeerJson::of(link, deployment)).collect(),
        }
    }
}

impl<'a> PeerJson<'a> {
    fn of(
        link: &LinkId,
        Deployment { sha, at, images, revision: _, token: _, barrier: _ }: &'a Deployment,
    ) -> Self {
        let images = images.iter().map(|(role, image)| (role.as_str(), image.as_str())).collect();
        Self { link: link.to_string(), sha: sha.as_str(), at: at.to_string(), images }
    }
}
