//! How long phases usually take, for users who watch one run.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::LinkId;
use crate::estate::Estate;
use crate::journal::Usual;
use crate::queries::{self, ActivePhase};
use crate::views::pace;

/// Status lines for running phases. Reads the usual durations once per link.
#[derive(Debug, Default)]
pub(in crate::cli) struct UsualDurations {
    usual: BTreeMap<LinkId, Usual>,
}

impl UsualDurations {
    pub(in crate::cli) async fn lines(&mut self, estate: &Estate, running: &[ActivePhase]) -> Vec<String> {
        let now = estate.clock.now();
        let mut lines = Vec::new();
        for ActivePhase { link, name, is_deployment, started } in running {
            let phase = (!is_deployment).then_some(name);
            let usual = match self.usual.get(link).map(|usual| usual.lasts(phase)) {
                Some(lasts) => lasts,
                None => {
                    let usual = queries::usual_durations(&*estate.state, link).await;
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
