//! How long phases usually take, for users who watch one run.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::app::App;
use crate::domain::{Head, LinkId, PhaseName, PhaseStatus};
use crate::journal::Usual;
use crate::state::State;
use crate::views::pace;

/// How many of a link's last events to read: more than ten runs of most workflows.
const EVENTS: usize = 256;

/// The usual durations of a link's phases; empty if the journal cannot be read.
pub(in crate::cli) async fn of(state: &dyn State, link: &LinkId) -> Usual {
    state.journal(link, None, EVENTS).await.map(|events| Usual::of(&events)).unwrap_or_default()
}

/// A running phase of a link, or its deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Running {
    link: LinkId,
    name: PhaseName,
    is_deployment: bool,
    started: Timestamp,
}

impl Running {
    /// The running phases of a link.
    pub(in crate::cli) fn of<'a>(link: &'a LinkId, head: &'a Head) -> impl Iterator<Item = Self> + 'a {
        let phases = head.open_run().into_iter().flat_map(|run| &run.phases);
        let running = phases.filter(|phase| phase.status == PhaseStatus::Running);
        running.filter_map(|phase| {
            let (link, name, is_deployment) = (link.clone(), phase.name.clone(), phase.deployment);
            Some(Self { link, name, is_deployment, started: phase.began()? })
        })
    }
}

/// Status lines for running phases. Reads the usual durations once per link.
#[derive(Debug, Default)]
pub(in crate::cli) struct UsualDurations {
    usual: BTreeMap<LinkId, Usual>,
}

impl UsualDurations {
    pub(in crate::cli) async fn lines(&mut self, app: &App, running: &[Running]) -> Vec<String> {
        let now = app.clock.now();
        let mut lines = Vec::new();
        for Running { link, name, is_deployment, started } in running {
            let phase = (!is_deployment).then_some(name);
            let usual = match self.usual.get(link).map(|usual| usual.lasts(phase)) {
                Some(lasts) => lasts,
                None => {
                    let usual = of(&*app.state, link).await;
                    let lasts = usual.lasts(phase);
                    self.usual.insert(link.clone(), usual);
                    lasts
                }
            };
            // The clocks of two machines may differ.
            let elapsed = Duration::try_from(now.duration_since(*started)).unwrap_or_default();
            lines.push(format!("{link} {name}  {}", pace(elapsed, usual)));
        }
        lines
    }
}
