//! Links that are deployed to one place, as far as the manifest alone shows it: they would undo each other for ever.

use std::collections::BTreeMap;

use super::diagnostic::{Diagnostic, Report};
use super::model::{Link, Manifest, PlatformConfig};
use super::source::Span;
use crate::domain::LinkId;

/// What stands for a role whose name is in a repository.
const ROLE: &str = "{role}";

/// Reports each link that is deployed where one before it is. `spans` say where the links stand, in their order.
pub(super) fn check(manifest: &Manifest, spans: &[Span], report: &Report) {
    let mut first = BTreeMap::<_, (LinkId, &Link, Span)>::new();
    for ((id, tenant, link), span) in manifest.links().zip(spans) {
        let Some(place) = tenant.platform.place(&id, ROLE).filter(|_| deploys(manifest, link) != Some(false))
        else {
            continue;
        };
        // A service bears the name of a role. Two links have certainly the same roles if they are of the same folder.
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
        let message = format!("`{id}` and `{other}` are deployed to one place: {}", key.0);
        let item = match certain {
            true => Diagnostic::error(*span, message),
            // Whether its workflow deploys is written in its repository.
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

/// Whether a link deploys anything; `None` if that stands in its repository.
fn deploys(manifest: &Manifest, link: &Link) -> Option<bool> {
    let workflow = manifest.workflows.get(link.workflow.as_ref()?)?;
    Some(workflow.deployment().is_some())
}
