//! Renamed links: moves their records to the new names, or says what prevents that.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::draft::PlanDraft;
use super::input::{LinkInput, Observed, Problem};
use super::{Hold, HoldReason, HoldScope, Holder, Step};
use crate::domain::{Actor, Event, Generation, Lease, LinkId, RecordedEvent};
use crate::journal;
use crate::manifest::{Manifest, PlatformConfig};

/// The effect of a rename in the manifest on a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Renamed {
    /// The record of its old name becomes its own; [`LinkInput::head`] is the result.
    From {
        /// Its old name.
        from: LinkId,
        /// The generation of the old name's record.
        base: Generation,
        /// The generation of the new name's record.
        own: Generation,
        /// The lease of a dead owner of the old name.
        takes_over: Option<Lease>,
    },
    /// The record of its old name cannot move here, at least not yet.
    Held(Hold),
    /// This is an old name whose record cannot move to that link yet.
    To(LinkId),
}

impl LinkInput {
    /// The generation of the record under the link's own name.
    pub fn recorded(&self) -> Generation {
        match self.renamed.as_deref() {
            Some(Renamed::From { own, .. }) => *own,
            _ => self.head.generation,
        }
    }

    /// The name that holds the link's record.
    pub fn recorded_as(&self) -> &LinkId {
        match self.renamed.as_deref() {
            Some(Renamed::From { from, .. }) => from,
            _ => &self.id,
        }
    }
}

/// The new names of recorded links, by their old names. Leaves out names without a record, which were moved before or
/// never existed. A damaged record counts as one.
pub fn renames<'a>(
    manifest: &Manifest,
    names: impl Iterator<Item = (&'a LinkId, bool)>,
) -> BTreeMap<LinkId, LinkId> {
    if manifest.moved.is_empty() {
        return BTreeMap::new();
    }
    let left = names.filter(|(id, has_record)| *has_record && manifest.link(id).is_none());
    let of = |(id, _): (&LinkId, bool)| {
        let to = manifest.moved.target(id).filter(|to| manifest.link(to).is_some())?;
        Some((id.clone(), to))
    };
    left.filter_map(of).collect()
}

/// Gives renamed links the records of their old names, as they would be if they moved `now`, or says why not. `links`
/// are sorted by id, before and after.
pub fn relocate(manifest: &Manifest, links: Vec<LinkInput>, now: Timestamp) -> Vec<LinkInput> {
    let has_record = |link: &LinkInput| !link.head.is_blank() || link.damage.is_some();
    let renames = renames(manifest, links.iter().map(|link| (&link.id, has_record(link))));
    if renames.is_empty() {
        let mut links = links;
        keep_names_apart(manifest, &mut links);
        return links;
    }
    let (mut left, mut links): (Vec<_>, Vec<_>) =
        links.into_iter().partition(|link| renames.contains_key(&link.id));
    let mut old: BTreeMap<&LinkId, Vec<LinkInput>> = BTreeMap::new();
    for link in left.drain(..) {
        if let Some(to) = renames.get(&link.id) {
            old.entry(to).or_default().push(link);
        }
    }
    for (to, mut old) in old {
        if let Ok(at) = links.binary_search_by(|link| link.id.cmp(to)) {
            let new = &mut links[at];
            match rename_obstacle(new, &old) {
                Some(hold) => new.renamed = Some(Box::new(Renamed::Held(hold))),
                None => old.drain(..).for_each(|old| arrive(new, old, now)),
            }
        }
        left.extend(
            old.into_iter()
                .map(|link| LinkInput { renamed: Some(Box::new(Renamed::To(to.clone()))), ..link }),
        );
    }
    links.extend(left);
    links.sort_by(|a, b| a.id.cmp(&b.id));
    keep_names_apart(manifest, &mut links);
    links
}

/// Why the records of the old names cannot move to `new`.
fn rename_obstacle(new: &LinkInput, old: &[LinkInput]) -> Option<Hold> {
    let to = &new.id;
    let error = |what: String, hint: String| Some(Problem { what, hint: Some(hint) }.into());
    let [only] = old else {
        let names: Vec<_> = old.iter().map(|old| format!("`{}`", old.id)).collect();
        let what =
            format!("{} are moved to `{to}`, which can take over only one record", names.join(" and "));
        return error(what, "remove the others from `moved` in the manifest".to_owned());
    };
    let from = &only.id;
    if !new.head.is_blank() || new.damage.is_some() {
        let what = format!("the record of `{from}` cannot be moved here, since `{to}` has one of its own");
        let hint =
            format!("remove the entry from `moved` in the manifest, or give what was `{from}` another name");
        return error(what, hint);
    }
    if let Some(Problem { what, hint }) = only.damage.clone() {
        let hint = hint.unwrap_or_else(|| format!("`katkit doctor {from}` shows details"));
        return error(format!("the record of `{from}`, which is moved here, cannot be read: {what}"), hint);
    }
    let wait = |because: String, hint: String| {
        let reason = HoldReason::MoveWaits { from: from.clone(), because };
        Some(Hold { scope: HoldScope::Link, reason, hint: Some(hint), until: None })
    };
    if let Holder::Other(owner) = &only.holder {
        return wait(format!("{owner} is working on it"), "wait for it, then apply again".to_owned());
    }
    let deploying = only.head.deploying.as_ref()?;
    wait(
        format!("its deployment of {} is in flight", deploying.sha.short()),
        format!("apply the manifest as it was before `{from}` was renamed: that finishes the deployment"),
    )
}

/// Moves the record of `old` to `new`.
fn arrive(new: &mut LinkInput, old: LinkInput, now: Timestamp) {
    let LinkInput { id: from, head, holder, lease, requests, .. } = old;
    let (base, own) = (head.generation, new.head.generation);
    let moved = RecordedEvent {
        generation: Generation(base.max(own).0 + 1),
        at: now,
        by: Actor::nobody(),
        event: Event::MovedFrom { from: from.clone(), record: String::new() },
        previous: None,
    };
    // Legal for every head that is not blank and has no deployment in flight.
    new.head = journal::step(&head, &moved).map_or(head, Box::new);
    new.requests.extend(requests);
    new.requests.sort_by(|a, b| a.id.cmp(&b.id));
    let takes_over = lease.filter(|_| matches!(holder, Holder::Dead(_))).map(|lease| *lease);
    new.renamed = Some(Box::new(Renamed::From { from, base, own, takes_over }));
}

/// Holds a new link that has a former name of another link, if the platform identifies deployments by name.
fn keep_names_apart(manifest: &Manifest, links: &mut [LinkInput]) {
    let former: BTreeMap<LinkId, LinkId> = links
        .iter()
        .flat_map(|link| link.head.former_names().into_iter().map(|name| (name, link.id.clone())))
        .filter(|(name, now)| name != now)
        .collect();
    if former.is_empty() {
        return;
    }
    for link in links {
        let known_by_name =
            |tenant: &crate::manifest::Tenant| matches!(tenant.platform, PlatformConfig::Docker { .. });
        let is_new = link.renamed.is_none() && link.head.is_blank();
        let docker = manifest.link(&link.id).is_some_and(|(tenant, _)| known_by_name(tenant));
        if let (true, true, Some(other)) = (is_new, docker, former.get(&link.id)) {
            let problem = Problem {
                what: format!("containers of `{other}` may still have this name, its former name"),
                hint: Some("give this link another name".to_owned()),
            };
            link.renamed = Some(Box::new(Renamed::Held(problem.into())));
        }
    }
}

/// Plans the rename before all other steps of the link.
pub(super) fn move_first(draft: &mut PlanDraft<'_>) {
    let input = draft.input;
    let Some(Renamed::From { from, base, own: _, takes_over }) = input.renamed.as_deref() else { return };
    // Never write under a name that another process holds.
    if matches!(input.holder, Holder::Other(_)) {
        return;
    }
    let step = Step::Move { from: from.clone(), base: *base, takes_over: takes_over.clone() };
    draft.plan.steps.insert(0, step);
    draft.plan.notes.extend(elsewhere(draft.manifest, input, from));
}

/// A note that the new name deploys to another target, if both targets are known.
fn elsewhere(manifest: &Manifest, input: &LinkInput, from: &LinkId) -> Option<String> {
    let deployed = input.head.deployed.as_ref()?;
    let role = deployed.images.keys().next()?;
    let now = manifest.link(&input.id)?.0.platform.place(&input.id, role)?;
    let before = manifest.tenants.get(&from.tenant)?.platform.place(from, role)?;
    let is_there = !matches!(input.observed, Observed::Absent);
    (before != now && !is_there)
        .then(|| format!("under its new name it is deployed to {now}; {before} is left as it is"))
}
