//! `katkit bootstrap`

use clap::Args;

use super::ExitStatus;
use super::arguments::Global;
use super::error::CommandError;
use super::output::Output;
use crate::app;
use crate::aws::Aws;
use crate::bootstrap::{self, Finding, Needs};
use crate::views::{Document, visible};

/// Create in AWS what the manifest needs: table, bucket, log group
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Only show what would be created, and the IAM policies, as JSON; nothing is asked or changed
    #[arg(long)]
    print: bool,
    /// The number of the account, for the policies
    #[arg(long, value_name = "NUMBER", default_value = "*", requires = "print", value_parser = account)]
    account: String,
}

fn account(text: &str) -> Result<String, String> {
    let sound = text == "*" || text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    if sound { Ok(text.to_owned()) } else { Err("an account has twelve digits".to_owned()) }
}

pub(super) async fn run(
    arguments: &Arguments,
    global: &Global,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let loaded = app::load(&global.manifest())?;
    output.warnings(&loaded.warnings);
    let needs = Needs::of(&loaded.manifest);
    let aws = Aws::new();
    if arguments.print {
        let region = aws.region(&needs.place()).await.unwrap_or_else(|_| "*".to_owned());
        let document = bootstrap::document(&needs, &region, &arguments.account)?;
        output.show(Document::new(&document))?;
        return Ok(ExitStatus::Success);
    }
    if needs.is_nothing() {
        output.show("The manifest keeps nothing in AWS, so there is nothing to create.")?;
        return Ok(ExitStatus::Success);
    }
    let mut shown = Ok(());
    let made = bootstrap::make(&aws, &needs, |finding: Finding| {
        for line in finding.to_string().lines() {
            let said = output.show(visible(line));
            shown = std::mem::replace(&mut shown, Ok(())).and(said);
        }
    });
    made.await?;
    shown?;
    if global.verbose > 0 {
        output.note(aws.calls());
    }
    Ok(ExitStatus::Success)
}
