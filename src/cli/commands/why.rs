//! `katkit why`

use clap::Args;

use crate::app::Host;
use crate::cli::ExitStatus;
use crate::cli::arguments::{Format, Global, link};
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::queries::{self, WhyQuestion};
use crate::views::{WhyJson, WhyText};

/// Explain why a commit is live, or why it is not
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit why prod/shop          Is the wanted commit live, and if not, why?
  katkit why prod/shop 3f2a9c1  What happened to this commit here?")]
pub(in crate::cli) struct Arguments {
    /// `tenant/link`
    #[arg(value_name = "LINK")]
    link: String,
    /// The commit to explain: its sha, or a prefix of it [default: the wanted commit]
    #[arg(value_name = "SHA")]
    sha: Option<String>,
    /// Output format: text, or json (schema: `katkit schema why`)
    #[arg(long, default_value = "text", hide_possible_values = true)]
    format: Format,
}

pub(in crate::cli) async fn run(
    arguments: &Arguments,
    global: &Global,
    host: &Host,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let opened = global.look(host, output).await?;
    let estate = &*opened.estate;
    let (id, head) = link::find(estate, &arguments.link).await?;
    if let Some(to) = link::renamed(estate, &id).filter(|_| !head.is_blank()) {
        let what = format!("`{id}` is called `{to}` in the manifest");
        return Err(CommandError::refused(what, format!("use `katkit why {to}`")));
    }
    let question = WhyQuestion { commit: arguments.sha.as_deref(), unattended: !opened.actor.is_person() };
    let facts = queries::why(estate, &id, head, question).await?;
    let why = facts.why(estate.clock.now());
    match arguments.format {
        Format::Text => output.show(WhyText { why, style: output.style() })?,
        Format::Json => output.json(&WhyJson::of(&why))?,
    }
    Ok(ExitStatus::Success)
}
