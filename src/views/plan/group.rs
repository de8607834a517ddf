//! Groups links that have the same content.

use std::collections::BTreeMap;

use crate::domain::LinkId;
use crate::plan::LinkPlan;

/// Stands for the id of the link in the text of a group of several.
pub(super) const ANY_LINK: &str = "LINK";

/// Links with the same content.
#[derive(Debug)]
pub(super) struct Group<'a, T> {
    /// The links, in the plan's order.
    pub ids: Vec<&'a LinkId>,
    /// Their common content.
    pub told: T,
}

/// Groups `links` by what `tell` returns for each, in order of first appearance.
///
/// `tell` receives the name to use for the link in commands: [`ANY_LINK`] for every link, and once more the id for a
/// link that is alone in its group.
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
