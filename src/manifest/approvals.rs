//! `approvals` of a policy.

use std::time::Duration;

use super::definitions::unknown;
use super::reader::{Located, Reader};
use super::suggest::quoted;
use super::tables::ApprovalKeys;
use crate::access::Access;
use crate::domain::{GroupName, PersonName};
use crate::policy::{ApprovalRule, Approver};

/// How long an approval lasts by default: a candidate that waits for a second approval holds the newer ones.
const WEEK: Duration = Duration::from_hours(7 * 24);

/// The rule of a table; `None` if it has a mistake, which is reported.
pub(super) fn rule(
    keys: Located<ApprovalKeys<'_>>,
    access: &Access,
    reader: &Reader<'_>,
) -> Option<ApprovalRule> {
    let ApprovalKeys { from, count, independent_of, expires, gates, assurance } = keys.value;
    let from = from?;
    let mut approvers = Vec::new();
    for name in from.value.iter().copied() {
        approvers.push(approver(name, access, reader)?);
    }
    let count = count.map_or(1, |count| count.value.0 as usize);
    let rule = ApprovalRule {
        from: approvers,
        count,
        independent_of: independent_of.map(|list| list.value).unwrap_or_default(),
        expires: expires.map_or(WEEK, |expires| expires.value.0),
        gates: gates.map(|gates| gates.value).unwrap_or_default(),
        assurance: assurance.map(|assurance| assurance.value).unwrap_or_default(),
    };
    let able = rule.members(access).len();
    if able < count {
        let people = if able == 1 { "1 person".to_owned() } else { format!("{able} people") };
        let message = format!("nobody can meet this rule: it needs {count} approvals from {people}");
        let help = "add people to `from` or to its groups, or lower `count`";
        reader.error_with_help(from.span, message, "too few people", help);
        return None;
    }
    Some(rule)
}

/// The group or person of this name; `None` if there is none, which is reported.
pub(super) fn approver(name: Located<&str>, access: &Access, reader: &Reader<'_>) -> Option<Approver> {
    if let Some((group, members)) = access.groups.get_key_value(name.value) {
        if members.is_empty() {
            reader.error(name.span, format!("the group {} has no members", quoted(name.value)), "empty");
            return None;
        }
        return Some(Approver::Group(group.clone()));
    }
    if let Some((person, _)) = access.people.get_key_value(name.value) {
        return Some(Approver::Person(person.clone()));
    }
    let groups = access.groups.keys().map(GroupName::as_str);
    unknown("group or person", name, groups.chain(access.people.keys().map(PersonName::as_str)), reader);
    None
}
