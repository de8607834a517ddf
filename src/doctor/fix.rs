//! Fixes for a link. The planner confirms every fix that uses `apply`.

use crate::plan::{Hold, LinkInput, LinkPlan, Step};

/// A link and what the next `apply` would do with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fix<'a> {
    pub(super) link: &'a LinkInput,
    /// `None` if `apply` would do nothing.
    pub(super) plan: Option<&'a LinkPlan>,
}

impl Fix<'_> {
    /// The first result of `describe` for a step that the next `apply` would take.
    pub(super) fn step<T>(self, describe: impl Fn(&Step) -> Option<T>) -> Option<T> {
        self.plan?.steps.iter().find_map(describe)
    }

    /// Whether the next `apply` would take any step.
    pub(super) fn works(self) -> bool {
        self.plan.is_some_and(|plan| !plan.steps.is_empty())
    }

    /// The fix "`katkit apply` does this", with the reason if the link is held back.
    pub(super) fn once_free(self, does: &str) -> String {
        let hold = self.plan.and_then(|plan| plan.holds.first());
        let Some(hold) = hold else { return format!("`katkit apply` {does}") };
        let Hold { scope: _, reason: _, hint, until: _ } = hold;
        let hint = hint.as_ref().map_or_else(String::new, |hint| format!("; {hint}"));
        format!("`katkit apply` {does}, but it is held back: {}{hint}", hold.describe())
    }
}
