//! `katkit reject`

use clap::Args;

use crate::app::Host;
use crate::cli::ExitStatus;
use crate::cli::arguments::{Global, link};
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::consents::{self, Rejected};
use crate::views::hang;

/// Reject a commit, and every commit that contains it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit reject prod-eu/shop 3f2a9c1 --why \"breaks the login\"

In a pipeline, this also holds the other links of the stage and the stages
after it. It ends when a commit reverts the rejected one or says `Fixes: SHA`,
and with `katkit release`.")]
pub(in crate::cli) struct Arguments {
    /// `tenant/link`
    #[arg(value_name = "LINK")]
    link: String,
    /// The commit: a sha, a prefix of it, a branch or a tag
    #[arg(value_name = "COMMIT")]
    commit: String,
    /// Reason, shown wherever the rejection holds something
    #[arg(long, value_name = "TEXT")]
    why: String,
}

pub(in crate::cli) async fn run(
    arguments: &Arguments,
    global: &Global,
    host: &Host,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let Arguments { link, commit, why } = arguments;
    let opened = global.open(host).await?;
    let estate = &*opened.estate;
    let (id, head) = link::requested(estate, link).await?;
    let Rejected { consent, sha, is_old, others } =
        consents::reject(estate, (&opened.actor, why), (&id, &head), commit).await?;
    let (short, number) = (sha.short(), consent.id);
    let done = match is_old {
        true => format!("You had rejected {short} for {id} before (rejection {number})."),
        false => format!("Rejected {short} for {id} (rejection {number})."),
    };
    let also = match others.as_slice() {
        [] => String::new(),
        [other] => format!(" It must not run in {other} either."),
        others => format!(" It must not run in {} other links of the pipeline either.", others.len()),
    };
    let text = format!("{done}{also} `katkit release {id} {short}` releases it.");
    output.show(hang("", 0, &text, output.style()))?;
    Ok(ExitStatus::Success)
}
