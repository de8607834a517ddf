//! `katkit release`

use clap::Args;

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
    let Options { links, why, .. } = &arguments.options;
    let opened = global.open(host).await?;
    let estate = &*opened.estate;
    let mut is_done = false;
    for requested in link::all_requested(estate, links).await? {
        let (id, by) = (&requested.id, (&opened.actor, why.as_deref()));
        for Consent { id: number, by, what, .. } in
            consents::release(estate, by, id, &arguments.commit).await?
        {
            let ConsentKind::Rejection { sha, .. } = what else { continue };
            let (by, short) = (by.name, sha.short());
            let text = format!("Ended rejection {number} by {by}: {short} may run again in {id}.");
            output.show(hang("", 0, &text, output.style()))?;
            is_done = true;
        }
    }
    if is_done {
        return Ok(ExitStatus::Success);
    }
    drop(opened);
    request::run(arguments, global, host, output).await
}
