//! Links of which the same is to be told are told of once.

use std::collections::BTreeMap;

use crate::domain::LinkId;
use crate::plan::LinkPlan;

/// What is said for the id of the link itself, where several are told of at once.
pub(super) const ANY_LINK: &str = "LINK";

/// Links of which the same is to be told.
#[derive(Debug)]
pub(super) struct Group<'a, T> {
    /// Which, in the plan's order.
    pub ids: Vec<&'a LinkId>,
    /// What is told of all of them.
    pub told: T,
}

/// Groups `links` by what `tell` says of each, in the order in which each is first told.
///
/// `tell` is given the name to call the link by in commands. It is called without the id for every link, and once
/// more with it for one that turns out to be alone.
pub(super) fn grouped<'a, T: Ord + Clone>(
    links: &'a [LinkPlan],
    tell: impl Fn(&'a LinkPlan, &str) -> T,
) -> Vec<Group<'a, T>> {
    let mut seen = BTreeMap::new();
    let mut groups: Vec<(Group<'a, T>, &'a LinkPlan)> = Vec::new();
    for link in links {
        let told = tell(link, ANY_LINK);
        let at = *seen.entry(told.clone()).or_insert(groups.len());
        match groups.get_mut(at) {
            Some((group, _)) => group.ids.push(&link.link),
            None => groups.push((Group { ids: vec![&link.link], told }, link)),
        }
    }
    let named = |(group, link): (Group<'a, T>, &'a LinkPlan)| match group.ids[..] {
        [id] => Group { told: tell(link, &id.to_string()), ..group },
        _ => group,
    };
    groups.into_iter().map(named).collect()
}
