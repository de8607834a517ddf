//! `katkit release`

use std::collections::BTreeSet;

use clap::Args;

use super::carry_out::{ApplyOptions, carry_out};
use super::plan::{self, Selection};
use super::request::{self, Options, RequestCommand};
use crate::app::Host;
use crate::cli::ExitStatus;
use crate::cli::arguments::{Global, link};
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::consents;
use crate::domain::{Consent, ConsentKind};
use crate::requests::Action;
use crate::views::hang;

/// Release a commit that was rejected or rolled back
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit release prod-eu/shop 3f2a9c1 --why \"the alarm was false\"

Name the link for which it was rejected, or where it was rolled back. A
rejection ends at once; the release of a rolled-back commit is a request.")]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    options: Options,
    /// The commit: a sha, or a prefix of it
    #[arg(value_name = "COMMIT")]
    commit: String,
}

impl RequestCommand for Arguments {
    const VERB: &'static str = "release";

    fn options(&self) -> &Options {
        &self.options
    }

    fn action(&self) -> Action {
        Action::Release { sha: self.commit.clone() }
    }
}

pub(in crate::cli) async fn run(
    arguments: &Arguments,
    global: &Global,
    host: &Host,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let Options { links, why, apply, consent } = &arguments.options;
    let opened = global.open(host).await?;
    let estate = &*opened.estate;
    let ids: Vec<_> = link::all_requested(estate, links).await?.into_iter().map(|it| it.id).collect();
    let by = (&opened.actor, why.as_deref());
    let ended = consents::release(estate, by, &ids, &arguments.commit).await?;
    if ended.is_empty() {
        drop(opened);
        return request::run(arguments, global, host, output).await;
    }
    let released: BTreeSet<_> = ended.iter().map(|(id, _)| id).collect();
    for id in ids.iter().filter(|id| !released.contains(id)) {
        let note = format!("left out {id}: the commit was not rejected for it");
        output.note(hang("", 2, &note, output.error_style()).trim_end());
    }
    for (id, Consent { id: number, by, what, .. }) in &ended {
        let ConsentKind::Rejection { sha, .. } = what else { continue };
        let text = format!("Ended rejection {number} by {}: {} may run again in {id}.", by.name, sha.short());
        output.show(hang("", 0, &text, output.style()))?;
    }
    if !apply {
        return Ok(ExitStatus::Success);
    }
    let targets = released.iter().map(ToString::to_string).collect();
    let plan = plan::make(&opened, &Selection { targets, ..Selection::default() }, true).await?;
    carry_out(&opened, plan, ApplyOptions::request(*consent), output).await
}
