//! `katkit attest`

use clap::{Args, Subcommand};

use super::signing::signing_key;
use crate::app::Host;
use crate::attesting::{self, Attestation, Question};
use crate::cli::ExitStatus;
use crate::cli::arguments::{Global, link};
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::views::visible;

/// Print a signed statement about the images of a commit
#[derive(Debug, Args)]
#[command(subcommand_help_heading = "Statements", disable_help_subcommand = true)]
#[command(after_help = "\
Examples:
  katkit attest provenance beta/shop            How the live images were built
  katkit attest verification prod/shop 3f2a9c1  That this commit passed prod/shop

The key of `[audit]` signs them; `katkit audit key --pem` prints its public half.")]
pub(in crate::cli) struct Arguments {
    #[command(subcommand)]
    statement: Statement,
}

#[derive(Debug, Subcommand)]
enum Statement {
    /// How the images were built: SLSA provenance
    Provenance(StatementArguments),
    /// That the images passed a link: a SLSA verification summary
    Verification(StatementArguments),
}

#[derive(Debug, Args)]
struct StatementArguments {
    /// `tenant/link`
    #[arg(value_name = "LINK")]
    link: String,
    /// The commit: its sha, or a prefix of it [default: the live commit, else the last verified one]
    #[arg(value_name = "COMMIT")]
    commit: Option<String>,
}

pub(in crate::cli) async fn run(
    arguments: &Arguments,
    global: &Global,
    host: &Host,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let opened = global.look(host, output).await?;
    let estate = &*opened.estate;
    let key = signing_key(&opened, "attestations").await?;
    let (Statement::Provenance(chosen) | Statement::Verification(chosen)) = &arguments.statement;
    let (link, head) = link::recorded(estate, &chosen.link).await?;
    let question = Question { link: &link, head: &head, commit: chosen.commit.as_deref() };
    let made = match &arguments.statement {
        Statement::Provenance(_) => attesting::provenance(estate, &key, question).await?,
        Statement::Verification(_) => attesting::verification(estate, &key, question).await?,
    };
    let Attestation { envelope, left_out, reused } = made;
    for image in left_out {
        let image = visible(&image);
        output.note(match &arguments.statement {
            Statement::Provenance(_) => format!("left out: {image}, which no phase listed"),
            Statement::Verification(_) => format!("left out: {image}, which was deployed by tag"),
        });
    }
    for (phase, other) in reused {
        output.note(format_args!("left out: the images of `{phase}`, which `{other}` built"));
    }
    output.show(format_args!("{envelope}\n"))?;
    Ok(ExitStatus::Success)
}
