//! Detects links with the same deployment target before they deploy. Afterwards the platform reads the owner's mark.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use super::input::{LinkInput, PlanInput, Problem};
use crate::domain::LinkId;

/// The links that deploy, or will deploy, to each target. Computed once a link has a new target.
pub(super) struct Claims<'a> {
    all: &'a PlanInput<'a>,
    by_place: OnceCell<BTreeMap<String, Vec<&'a LinkId>>>,
}

impl<'a> Claims<'a> {
    pub(super) fn of(all: &'a PlanInput<'a>) -> Self {
        Self { all, by_place: OnceCell::new() }
    }

    fn by_place(&self) -> &BTreeMap<String, Vec<&'a LinkId>> {
        self.by_place.get_or_init(|| {
            let mut claims = BTreeMap::<_, Vec<_>>::new();
            for link in &self.all.links {
                for (place, _) in places(self.all, link) {
                    claims.entry(place).or_default().push(&link.id);
                }
            }
            claims
        })
    }

    /// Why a link must not use a new target: another link deploys there, or is about to.
    pub(super) fn contested(&self, link: &LinkInput) -> Option<Problem> {
        let begins = places(self.all, link).into_iter().filter(|(_, is_deployed)| !is_deployed);
        let contested = begins.filter_map(|(place, _)| {
            let other = self.by_place().get(&place)?.iter().find(|other| ***other != link.id)?;
            Some(Problem {
                what: format!("{place} is also the target of `{other}`, and two links with one target undo each other"),
                hint: Some(
                    "give one of them another target: on ECS, a `service-name` like `{tenant}-{link}-{role}`, or another \
                     `cluster`"
                        .to_owned(),
                ),
            })
        });
        contested.into_iter().next()
    }
}

/// The targets of a link's roles, each with whether the link has deployed there.
fn places(all: &PlanInput<'_>, link: &LinkInput) -> BTreeMap<String, bool> {
    let (Some(_), Some((tenant, _))) = (&link.want, all.manifest.link(&link.id)) else {
        return BTreeMap::new();
    };
    let deploying = link.facts.iter().flatten().filter(|facts| facts.workflow.deployment().is_some());
    let wanted = deploying.flat_map(|facts| &facts.roles).map(|role| (role, false));
    let deployed =
        link.head.deployed.iter().flat_map(|deployed| deployed.images.keys()).map(|role| (role, true));
    let roles = wanted.chain(deployed);
    roles
        .filter_map(|(role, is_deployed)| Some((tenant.platform.place(&link.id, role)?, is_deployed)))
        .collect()
}
