//! What a cache is called where a machine keeps it.

use sha2::{Digest, Sha256};

use crate::domain::TenantName;

/// The name of the cache that a tenant's phases have at `path` in a fleet: readable, safe in a path and in the name of a
/// volume, at most 57 bytes long, and another for every other path, tenant and fleet. `/root/.m2` and `/root/-m2` look
/// alike once they are made a name, and so do the tenant `b-c` of the fleet `a` and the tenant `c` of the fleet `a-b`.
pub fn cache_name(fleet: &str, tenant: &TenantName, path: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let shown: String = path.trim_matches('/').chars().map(plain).take(40).collect();
    // No name holds a NUL.
    let whole = format!("{fleet}\0{tenant}\0{path}");
    let digest: String = Sha256::digest(whole)[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{shown}-{digest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_has_a_name_that_no_other_has() {
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
