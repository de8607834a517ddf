//! The order of the links: those of a tenant wait for those of the tenants in its `after`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::domain::TenantName;
use crate::manifest::Manifest;
use crate::plan::LinkPlan;

/// The links that have not started yet.
#[derive(Debug)]
pub(super) struct Queue {
    /// Links that can start now.
    ready: VecDeque<LinkPlan>,
    /// Links that wait, by tenant.
    waiting: BTreeMap<TenantName, Vec<LinkPlan>>,
    /// The number of unfinished links per tenant.
    open: BTreeMap<TenantName, usize>,
    /// The tenants that each tenant comes after, directly or indirectly.
    before: BTreeMap<TenantName, BTreeSet<TenantName>>,
}

impl Queue {
    /// Queues all `links`, in their order as far as the tenants' order allows.
    pub(super) fn new(links: impl Iterator<Item = LinkPlan>, manifest: &Manifest) -> Self {
        let mut queue = Self {
            ready: VecDeque::new(),
            waiting: BTreeMap::new(),
            open: BTreeMap::new(),
            before: BTreeMap::new(),
        };
        let links: Vec<_> = links.collect();
        for link in &links {
            *queue.open.entry(link.link.tenant.clone()).or_default() += 1;
        }
        queue.before = queue.open.keys().map(|tenant| (tenant.clone(), before(manifest, tenant))).collect();
        for link in links {
            if queue.waits(&link.link.tenant) {
                queue.waiting.entry(link.link.tenant.clone()).or_default().push(link);
            } else {
                queue.ready.push_back(link);
            }
        }
        queue
    }

    /// The next link that can start now.
    pub(super) fn next(&mut self) -> Option<LinkPlan> {
        self.ready.pop_front()
    }

    /// Records that a link of the tenant has finished, whatever the result.
    pub(super) fn ended(&mut self, tenant: &TenantName) {
        let Some(open) = self.open.get_mut(tenant) else { return };
        *open = open.saturating_sub(1);
        if *open > 0 {
            return;
        }
        let free: Vec<_> = self.waiting.keys().filter(|waiting| !self.waits(waiting)).cloned().collect();
        for tenant in free {
            self.ready.extend(self.waiting.remove(&tenant).unwrap_or_default());
        }
    }

    fn waits(&self, tenant: &TenantName) -> bool {
        let is_open = |tenant| self.open.get(tenant).is_some_and(|open| *open > 0);
        self.before.get(tenant).is_some_and(|before| before.iter().any(is_open))
    }
}

/// The tenants that `tenant` comes after, directly or indirectly, even through tenants without links in the plan.
fn before(manifest: &Manifest, tenant: &TenantName) -> BTreeSet<TenantName> {
    let (mut found, mut next) = (BTreeSet::new(), vec![tenant]);
    while let Some(tenant) = next.pop() {
        for before in manifest.tenants.get(tenant).into_iter().flat_map(|tenant| &tenant.after) {
            if found.insert(before.clone()) {
                next.push(before);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::one_file;

    const MANIFEST: &str = r#"
        version = 1
        repos.shop.url = "shop"
        [tenants.dev.links]
        [tenants.beta]
        after = ["dev"]
        [tenants.prod]
        after = ["beta"]
        [tenants.tools.links]
    "#;

    fn queue(links: &[&str]) -> Queue {
        let link = |link: &&str| LinkPlan::with_steps(link, Vec::new());
        Queue::new(links.iter().map(link), &one_file::loaded(MANIFEST).manifest)
    }

    /// The links that can start now.
    fn begin(queue: &mut Queue) -> Vec<String> {
        std::iter::from_fn(|| queue.next()).map(|link| link.link.to_string()).collect()
    }

    fn end(queue: &mut Queue, tenant: &str) {
        queue.ended(&tenant.parse().unwrap());
    }

    #[test]
    fn a_tenant_waits_for_all_links_of_the_tenants_before_it() {
        let mut queue = queue(&["beta/shop", "dev/api", "dev/shop", "prod/shop", "tools/shop"]);
        assert_eq!(begin(&mut queue), ["dev/api", "dev/shop", "tools/shop"]);
        end(&mut queue, "dev");
        assert!(begin(&mut queue).is_empty());
        end(&mut queue, "dev");
        assert_eq!(begin(&mut queue), ["beta/shop"]);
        end(&mut queue, "tools");
        assert!(begin(&mut queue).is_empty());
        end(&mut queue, "beta");
        assert_eq!(begin(&mut queue), ["prod/shop"]);
    }

    #[test]
    fn the_order_holds_through_a_tenant_with_nothing_to_do() {
        let mut queue = queue(&["dev/shop", "prod/shop"]);
        assert_eq!(begin(&mut queue), ["dev/shop"]);
        end(&mut queue, "dev");
        assert_eq!(begin(&mut queue), ["prod/shop"]);
    }

    #[test]
    fn a_tenant_does_not_wait_for_tenants_without_links() {
        assert_eq!(begin(&mut queue(&["left/shop", "prod/shop"])), ["left/shop", "prod/shop"]);
    }
}
