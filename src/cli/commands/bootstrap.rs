//! `katkit bootstrap`

use clap::Args;
use serde_json::Value;

use crate::app;
use crate::aws::Aws;
use crate::bootstrap::{self, Account, Finding, Needs};
use crate::cli::ExitStatus;
use crate::cli::arguments::Global;
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::views::{Document, hang, visible};

/// Create the table, bucket and log groups the manifest needs in AWS
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Only print what would be created, and the IAM policies, as JSON; queries and changes nothing
    #[arg(long)]
    print: bool,
    /// Account number to use in the policies
    #[arg(long, value_name = "NUMBER", default_value = "*", requires = "print", value_parser = account)]
    account: String,
    /// Role that the task definition of a deployed service names; repeatable. The controller may pass only these roles
    /// to ECS; the name `*` means any role of the account
    #[arg(long, value_name = "ARN", requires = "print", value_parser = role)]
    service_role: Vec<String>,
    /// Limit the agent and execution policies to this container fleet and the tenants that use it
    #[arg(long, value_name = "FLEET", requires = "print")]
    fleet: Option<String>,
}

fn account(text: &str) -> Result<String, String> {
    let is_valid = text == "*" || text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_valid { Ok(text.to_owned()) } else { Err("an account has twelve digits".to_owned()) }
}

fn role(text: &str) -> Result<String, String> {
    let mut parts = text.splitn(6, ':');
    let mut next = || parts.next().unwrap_or_default();
    let (head, _partition, service, _region, account, resource) =
        (next(), next(), next(), next(), next(), next());
    // Without an account, the ARN would match roles of any account.
    let is_valid = head == "arn"
        && service == "iam"
        && account.len() == 12
        && account.bytes().all(|byte| byte.is_ascii_digit())
        && resource.strip_prefix("role/").is_some_and(|name| !name.is_empty());
    if is_valid { Ok(text.to_owned()) } else { Err("write `arn:aws:iam::ACCOUNT:role/NAME`".to_owned()) }
}

pub(in crate::cli) async fn run(
    arguments: &Arguments,
    global: &Global,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let loaded = app::load(&global.manifest()?)?;
    output.warnings(&loaded.warnings);
    let needs = Needs::of(&loaded.manifest);
    let aws = Aws::new();
    if arguments.print {
        if let Some(fleet) = arguments.fleet.as_ref().filter(|fleet| !needs.fleets.contains_key(*fleet)) {
            let known: Vec<_> = needs.fleets.keys().map(|name| format!("`{name}`")).collect();
            let hint = if known.is_empty() {
                "the manifest has none".to_owned()
            } else {
                format!("container fleets: {}", known.join(", "))
            };
            return Err(CommandError::usage(
                format!("there is no container fleet `{fleet}` in the manifest"),
                hint,
            ));
        }
        let account = Account {
            region: aws.region(&needs.place()).await.unwrap_or_else(|_| "*".to_owned()),
            number: arguments.account.clone(),
            service_roles: arguments.service_role.clone(),
            fleet: arguments.fleet.clone(),
        };
        let document = bootstrap::document(&needs, &account)?;
        output.show(Document::new(&document))?;
        for note in document["notes"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            output.note(hang("note: ", 6, note, output.error_style()).trim_end());
        }
        return Ok(ExitStatus::Success);
    }
    if needs.is_nothing() {
        output.show("The manifest uses nothing in AWS, so there is nothing to create.")?;
        return Ok(ExitStatus::Success);
    }
    let mut shown = Ok(());
    let made = bootstrap::make(&aws, &needs, |finding: Finding| {
        for line in finding.to_string().lines() {
            let written = output.show(visible(line));
            shown = std::mem::replace(&mut shown, Ok(())).and(written);
        }
    });
    made.await?;
    shown?;
    if global.verbose > 0 {
        output.note(aws.calls());
    }
    Ok(ExitStatus::Success)
}
