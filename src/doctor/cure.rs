//! What mends something of a link: never said without having asked the planner.

use crate::plan::{Hold, LinkInput, LinkPlan, Step};

/// A link, and what the next `apply` would do with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cure<'a> {
    pub(super) link: &'a LinkInput,
    /// `None`: nothing.
    pub(super) plan: Option<&'a LinkPlan>,
}

impl Cure<'_> {
    /// The first of the steps that the next `apply` would take for which `mends` has words.
    pub(super) fn step<T>(self, mends: impl Fn(&Step) -> Option<T>) -> Option<T> {
        self.plan?.steps.iter().find_map(mends)
    }

    /// Whether the next `apply` would do anything.
    pub(super) fn works(self) -> bool {
        self.plan.is_some_and(|plan| !plan.steps.is_empty())
    }

    /// `katkit apply` and what it does, as soon as nothing holds it back.
    pub(super) fn once_free(self, does: &str) -> String {
        let hold = self.plan.and_then(|plan| plan.holds.first());
        let Some(Hold { reason, hint }) = hold else { return format!("`katkit apply` {does}") };
        let hint = hint.as_ref().map_or_else(String::new, |hint| format!(": {hint}"));
        format!("`katkit apply` {does}, but it is held back, since {}{hint}", reason.describe())
    }
}
