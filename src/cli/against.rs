//! `--against REV`: which links the manifest changes, compared with itself at a git revision.

use std::collections::BTreeSet;
use std::path::Path;

use super::error::CommandError;
use crate::app::{self, App};
use crate::domain::LinkId;
use crate::manifest::{Link, Manifest, Tenant};

/// The links that differ between the manifest and itself at `revision`, those that only one of them has included.
pub(super) fn changed(app: &App, revision: &str) -> Result<BTreeSet<LinkId>, CommandError> {
    let root = app.loaded.files.first().map_or(Path::new("katkit.toml"), |path| path.as_path());
    let before = app::load_at(root, revision)?;
    let (before, now) = (before.as_ref().map(|loaded| &loaded.manifest), app.manifest());
    let Some(before) = before else {
        // It did not exist then: everything is new.
        return Ok(now.links().map(|(id, _, _)| id).collect());
    };
    let mut ids: BTreeSet<_> = now.links().map(|(id, _, _)| id).collect();
    ids.extend(before.links().map(|(id, _, _)| id));
    ids.retain(|id| !same(before, now, id));
    Ok(ids)
}

/// Whether everything that the manifest says of a link is the same in both.
fn same(a: &Manifest, b: &Manifest, id: &LinkId) -> bool {
    let (Some((tenant_a, link_a)), Some((tenant_b, link_b))) = (a.link(id), b.link(id)) else { return false };
    let workflow = |manifest: &Manifest, link: &Link| {
        link.workflow.as_ref().and_then(|name| manifest.workflows.get(name)).cloned()
    };
    link_a == link_b
        && same_tenant(tenant_a, tenant_b)
        && a.repos.get(&link_a.repo) == b.repos.get(&link_b.repo)
        && workflow(a, link_a) == workflow(b, link_b)
        && a.fleets.get(&tenant_a.fleet) == b.fleets.get(&tenant_b.fleet)
}

/// Whether two tenants are the same but for what is linked to them.
fn same_tenant(a: &Tenant, b: &Tenant) -> bool {
    let Tenant { environment, fleet, build_fleet, platform, variables, secrets, links: _ } = a;
    *environment == b.environment
        && *fleet == b.fleet
        && *build_fleet == b.build_fleet
        && *platform == b.platform
        && *variables == b.variables
        && *secrets == b.secrets
}
