//! `[access.roles]` and `grants` of `[access]`: who may do what.

use std::collections::{BTreeMap, BTreeSet};

use super::approvals;
use super::definitions::{NamedTable, checked, unknown};
use super::diagnostic::{Diagnostic, Report};
use super::model::Manifest;
use super::reader::{Located, Reader, Section, Value as _};
use super::root_tables::GrantKeys;
use super::source::Span;
use crate::access::{Access, Grant, Grantee, Right};
use crate::domain::{LinkId, LinkPatterns, RoleName};
use crate::policy::Approver;

type Roles = BTreeMap<RoleName, BTreeSet<Right>>;

/// The grants of the root file; `None` if it has none, so that everyone may do everything. `access` has the people and
/// the groups.
pub(super) fn grants(
    roles: Option<Located<Section<'_, Vec<Right>>>>,
    grants: Option<Located<Vec<Located<GrantKeys<'_>>>>>,
    access: &Access,
    reader: &Reader<'_>,
) -> Option<Vec<Grant>> {
    let (mut known, mut named) = (Roles::new(), BTreeSet::<RoleName>::new());
    let roles_at = roles.as_ref().map(|roles| roles.span);
    for (key, raw) in roles.into_iter().flat_map(|section| section.value.table) {
        let it = NamedTable { reader: *reader, key: reader.span_of(key), raw };
        let name = checked::<RoleName>(key.get_ref(), &it);
        named.extend(name.clone());
        let rights = Vec::<Right>::read(raw, reader);
        if rights.as_ref().is_some_and(Vec::is_empty) {
            reader.error(reader.span_of(raw), "a role without rights", "empty");
        }
        known.extend(name.zip(rights).map(|(name, rights)| (name, rights.into_iter().collect())));
    }
    match (roles_at, &grants) {
        (Some(span), None) => {
            let message = "roles without `grants`: everyone may do everything";
            let help = "add `grants` to `[access]`, for instance `grants = [{ role = \"…\", to = [\"…\"] }]`";
            reader.error_with_help(span, message, "granted to nobody", help);
            None
        }
        (_, Some(_)) => {
            let grants = grants.into_iter().flat_map(|list| list.value);
            Some(grants.filter_map(|keys| grant(keys.value, (&known, &named), access, reader)).collect())
        }
        (None, None) => None,
    }
}

/// The grant of a table; `None` if it has a mistake, which is reported.
fn grant(
    keys: GrantKeys<'_>,
    (roles, named): (&Roles, &BTreeSet<RoleName>),
    access: &Access,
    reader: &Reader<'_>,
) -> Option<Grant> {
    let GrantKeys { role, to, on } = keys;
    let (role, to) = (role?, to?);
    // A role with a mistake was reported already.
    if named.contains(role.value) && !roles.contains_key(role.value) {
        return None;
    }
    let Some((name, rights)) = roles.get_key_value(role.value) else {
        unknown("role", role, roles.keys().map(RoleName::as_str), reader);
        return None;
    };
    let mut grantees = BTreeSet::new();
    for name in to.value.iter().copied() {
        grantees.insert(grantee(name, access, reader)?);
    }
    if grantees.is_empty() {
        reader.error(to.span, "a grant to nobody", "empty");
        return None;
    }
    if let Some(on) = on.as_ref().filter(|on| on.value.is_empty()) {
        reader.error_with_help(on.span, "a grant for no link", "empty", "leave `on` out for all links");
        return None;
    }
    let on = match on {
        None => None,
        Some(on) => {
            let texts: Vec<String> = on.value.iter().map(|text| text.value.to_owned()).collect();
            match LinkPatterns::try_from(texts) {
                Ok(patterns) => Some(patterns),
                Err(error) => {
                    reader.error(on.span, error.to_string(), "not a list of tenants, links and patterns");
                    return None;
                }
            }
        }
    };
    Some(Grant { role: name.clone(), rights: rights.clone(), to: grantees, on })
}

fn grantee(name: Located<&str>, access: &Access, reader: &Reader<'_>) -> Option<Grantee> {
    if name.value == "*" {
        return Some(Grantee::Everyone);
    }
    Some(match approvals::approver(name, access, reader)? {
        Approver::Group(group) => Grantee::Group(group),
        Approver::Person(person) => Grantee::Person(person),
    })
}

/// Reports links where conditions could never be met: where nobody may hand in the evidence that a policy requires, and
/// where someone may override conditions, but no other could forgive the debt of that.
pub(super) fn check(manifest: &Manifest, at: Option<Span>, report: &Report) {
    let access = &manifest.access;
    let Some((_, span)) = access.grants.as_ref().zip(at) else { return };
    let lacks_evidence = |link: &LinkId| {
        let requires = manifest.policy_of(link).is_some_and(|(_, policy)| policy.review.is_some());
        requires
            && !access.everyone_has(Right::Evidence, link)
            && access.people_with(Right::Evidence, link).is_empty()
    };
    if let Some((link, _, _)) = manifest.links().find(|(link, _, _)| lacks_evidence(link)) {
        let message =
            format!("the policy of `{link}` requires a `review`, and nobody has the right `evidence`");
        let item = Diagnostic::error(span, message).label("nobody can hand it in");
        report.add(item.help("grant `evidence` to the CI job that runs `katkit evidence`"));
    }
    let is_stuck = |link: &LinkId| {
        let may_override = !access.people_with(Right::BreakGlass, link).is_empty()
            || access.everyone_has(Right::BreakGlass, link);
        may_override
            && !access.everyone_has(Right::Approve, link)
            && access.people_with(Right::Approve, link).len() < 2
    };
    if let Some((link, _, _)) = manifest.links().find(|(link, _, _)| is_stuck(link)) {
        let message =
            format!("`break-glass` on `{link}`, where fewer than two people have the right `approve`");
        let item = Diagnostic::error(span, message).label("nobody else could forgive an override");
        let help =
            "what an override waives is owed until another person forgives it: grant `approve` to two people";
        report.add(Diagnostic { help: Some(help.to_owned()), ..item });
    }
}
