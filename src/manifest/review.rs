//! `review` of a policy.

use std::collections::BTreeSet;

use super::reader::{Located, Reader};
use super::suggest::quoted;
use super::tables::ReviewKeys;
use crate::domain::{CheckName, CommitReview};
use crate::policy::ReviewRule;

/// The rule of a table; `None` if it has a mistake, which is reported.
pub(super) fn rule(keys: &Located<ReviewKeys<'_>>, reader: &Reader<'_>) -> Option<ReviewRule> {
    let ReviewKeys { approvals, checks } = &keys.value;
    let mut names = BTreeSet::new();
    for check in checks.iter().flat_map(|list| &list.value) {
        match CheckName::new(check.value) {
            Ok(name) if names.contains(&name) => {
                reader.error(check.span, format!("the check {} twice", quoted(check.value)), "again");
                return None;
            }
            Ok(name) => drop(names.insert(name)),
            Err(error) => {
                reader.error(check.span, error.to_string(), "not the name of a check");
                return None;
            }
        }
    }
    if let Some(list) = checks.as_ref().filter(|_| names.len() > CommitReview::MOST) {
        let message = format!("a review with more than {} checks", CommitReview::MOST);
        reader.error(list.span, message, "too many");
        return None;
    }
    let approvals = approvals.as_ref().map_or(0, |count| count.value.0 as usize);
    if approvals == 0 && names.is_empty() {
        let help = "write `review = { approvals = 1 }`, or name `checks` that must have passed";
        reader.error_with_help(keys.span, "a review that requires nothing", "empty", help);
        return None;
    }
    Some(ReviewRule { approvals, checks: names })
}
