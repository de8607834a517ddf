//! Links that deploy to the same target, as far as the manifest shows: they would undo each other forever.

use std::collections::BTreeMap;

use super::diagnostic::{Diagnostic, Report};
use super::model::{Link, Manifest, PlatformConfig};
use super::source::Span;
use crate::domain::LinkId;

/// The placeholder for a role, whose name only the repository has.
const ROLE: &str = "{role}";

/// Reports each link that deploys to the same place as an earlier one. `spans` are the positions of the links, in
/// order.
pub(super) fn check(manifest: &Manifest, spans: &[Span], report: &Report) {
    let mut first = BTreeMap::<_, (LinkId, &Link, Span)>::new();
    for ((id, tenant, link), span) in manifest.links().zip(spans) {
        let Some(place) = tenant.platform.place(&id, ROLE).filter(|_| deploys(manifest, link) != Some(false))
        else {
            continue;
        };
        // Services are named after roles. Two links certainly have the same roles if they use the same folder.
        let source = match tenant.platform {
            PlatformConfig::File { .. } => None,
            PlatformConfig::Docker { .. } | PlatformConfig::Ecs { .. } => {
                Some((link.repo.as_str(), link.folder.as_str()))
            }
        };
        let key = (place, source);
        let Some((other, before, related)) = first.get(&key) else {
            first.insert(key, (id, link, *span));
            continue;
        };
        let certain = [link, before].iter().all(|link| deploys(manifest, link) == Some(true));
        let message = format!("`{id}` and `{other}` deploy to the same target: {}", key.0);
        let item = match certain {
            true => Diagnostic::error(*span, message),
            // Only the repository says whether its workflow deploys.
            false => Diagnostic::warning(*span, message),
        };
        let differs = if id.tenant == other.tenant { "link" } else { "tenant" };
        let help = match tenant.platform {
            PlatformConfig::File { .. } => "give one of the tenants another `path`".to_owned(),
            PlatformConfig::Docker { .. } | PlatformConfig::Ecs { .. } => format!(
                "give their services different names, like `service-name = \"{{{differs}}}-{ROLE}\"` in the platform, or \
                 clusters of their own"
            ),
        };
        report.add(item.label("the second").related(*related, "the first").help(help));
    }
}

/// Whether a link deploys anything; `None` if only its repository says so.
fn deploys(manifest: &Manifest, link: &Link) -> Option<bool> {
    let workflow = manifest.workflows.get(link.workflow.as_ref()?)?;
    Some(workflow.deployment().is_some())
}
