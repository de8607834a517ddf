//! `after`: the order in which one `apply` works on tenants.

use std::collections::{BTreeMap, BTreeSet};

use super::definitions::unknown;
use super::diagnostic::Diagnostic;
use super::reader::{Located, Reader};

/// The `after` list of one tenant.
pub(super) struct Named<'i, 'k, 'r> {
    pub(super) reader: Reader<'r>,
    pub(super) after: &'k [Located<&'i str>],
}

/// Reports unknown tenants and cycles.
pub(super) fn check<'i>(tenants: &BTreeMap<&'i str, Named<'i, '_, '_>>) {
    for (tenant, Named { reader, after }) in tenants {
        for (at, name) in after.iter().enumerate() {
            if !tenants.contains_key(name.value) {
                unknown("tenant", *name, tenants.keys().copied(), reader);
            } else if let Some(first) = after[..at].iter().find(|other| other.value == name.value) {
                let item = Diagnostic::error(name.span, format!("`{}` is listed twice", name.value));
                reader.report.add(item.label("the second").related(first.span, "the first"));
            } else if reaches(tenants, name.value, tenant) {
                let message = if name.value == *tenant {
                    format!("`{tenant}` would wait for itself")
                } else {
                    format!("`{tenant}` and `{}` would wait for each other", name.value)
                };
                let help = "`after` lists the tenants that come before this one, so it cannot form a cycle";
                reader.error_with_help(name.span, message, "leads back here", help);
            }
        }
    }
}

/// Whether `from` is `to`, or comes after it.
fn reaches(tenants: &BTreeMap<&str, Named<'_, '_, '_>>, from: &str, to: &str) -> bool {
    let (mut next, mut seen) = (vec![from], BTreeSet::new());
    while let Some(name) = next.pop() {
        if name == to {
            return true;
        }
        if seen.insert(name) {
            next.extend(tenants.get(name).into_iter().flat_map(|named| named.after).map(|at| at.value));
        }
    }
    false
}
