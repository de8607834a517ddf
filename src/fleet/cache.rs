//! Names for caches on the host.

use sha2::{Digest, Sha256};

use crate::domain::TenantName;

/// Name of the cache at `path` for a tenant's phases in a fleet: readable, safe in paths and volume names, at most 57
/// bytes, and unique per path, tenant and fleet. The digest separates `/root/.m2` from `/root/-m2`, which look alike
/// once sanitized, and tenant `b-c` of fleet `a` from tenant `c` of fleet `a-b`.
pub fn cache_name(fleet: &str, tenant: &TenantName, path: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let shown: String = path.trim_matches('/').chars().map(plain).take(40).collect();
    // Names never contain NUL.
    let whole = format!("{fleet}\0{tenant}\0{path}");
    let digest: String = Sha256::digest(whole)[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{shown}-{digest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fleet_tenant_and_path_gets_its_own_cache_name() {
        let name = |fleet: &str, tenant: &str, path: &str| {
            let tenant = TenantName::new(tenant).unwrap();
            cache_name(fleet, &tenant, path)
        };
        let own = name("a", "b-c", "/root/.m2");
        assert!(own.starts_with("root--m2-"), "{own}");
        assert_eq!(name("a", "b-c", "/root/.m2"), own);
        let others = [
            name("a-b", "c", "/root/.m2"),
            name("a", "b", "/root/.m2"),
            name("b", "b-c", "/root/.m2"),
            name("a", "b-c", "/root/-m2"),
        ];
        assert!(!others.contains(&own), "{own} {others:?}");
        let long = name("a", "b", &"/long äöü".repeat(400));
        assert!(long.len() <= 57 && long.is_ascii(), "{long}");
    }
}
