//! `after`: which tenants one `apply` works on before others.

use std::collections::{BTreeMap, BTreeSet};

use super::build::unknown;
use super::diagnostic::Diagnostic;
use super::reader::{At, Reader};

/// What one tenant names, and where.
pub(super) struct Named<'i, 'k, 'r> {
    pub(super) reader: Reader<'r>,
    pub(super) after: &'k [At<&'i str>],
}

/// Reports tenants that do not exist, and those that would wait for themselves.
pub(super) fn check<'i>(tenants: &BTreeMap<&'i str, Named<'i, '_, '_>>) {
    for (tenant, Named { reader, after }) in tenants {
        for (at, name) in after.iter().enumerate() {
            if !tenants.contains_key(name.value) {
                unknown("tenant", *name, tenants.keys().copied(), reader);
            } else if let Some(first) = after[..at].iter().find(|other| other.value == name.value) {
                let item = Diagnostic::error(name.span, format!("`{}` is named twice", name.value));
                reader.report.add(item.label("the second").related(first.span, "the first"));
            } else if reaches(tenants, name.value, tenant) {
                let message = if name.value == *tenant {
                    format!("`{tenant}` would wait for itself")
                } else {
                    format!("`{tenant}` and `{}` would wait for each other", name.value)
                };
                let help =
                    "`after` names tenants that come before this one, so it cannot go round in a circle";
                reader.error_with_help(name.span, message, "leads back here", help);
            }
        }
    }
}

/// Whether a tenant is another, or comes after it.
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
