//! `katkit evidence`

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;

use crate::app::Host;
use crate::cli::ExitStatus;
use crate::cli::arguments::{Format, Global};
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::consents;
use crate::domain::{CheckName, CheckOutcome, CommitReview, CommitSha, Consent, ConsentKind, ReviewerName};
use crate::estate::Estate;
use crate::views::{EvidenceJson, EvidenceText, hang};

/// Record that commits were reviewed and checked, or show it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit evidence $SHA --pull-request 17 --approved-by ana --check test=success
  katkit evidence $SHA             Show what was handed in
  katkit evidence $SHA --withdraw  It no longer counts

It counts where a policy has `review` and the actor has the right `evidence`. A
CI job hands it in after a merge, for each commit that the merge put on the
branch: `git rev-list --first-parent BEFORE..AFTER` lists them.")]
pub(in crate::cli) struct Arguments {
    /// The commits: their full shas
    #[arg(value_name = "SHA", required = true)]
    commits: Vec<CommitSha>,
    /// The pull request that they came with: a number or a URL
    #[arg(long, value_name = "TEXT", conflicts_with = "withdraw", value_parser = one_line)]
    pull_request: Option<String>,
    /// Someone who approved the pull request; repeatable
    #[arg(long, value_name = "NAME", conflicts_with = "withdraw")]
    approved_by: Vec<ReviewerName>,
    /// How a check ended, `success` or `failure`; repeatable
    #[arg(long = "check", value_name = "NAME=RESULT", conflicts_with = "withdraw", value_parser = check)]
    checks: Vec<(CheckName, CheckOutcome)>,
    /// Withdraw all evidence for them
    #[arg(long)]
    withdraw: bool,
    /// Reason, for the record
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
    /// Output format: text, or json (schema: `katkit schema evidence`)
    #[arg(long, default_value = "text", hide_possible_values = true)]
    format: Format,
}

fn one_line(text: &str) -> Result<String, String> {
    match ReviewerName::new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// A name may contain `=`.
fn check(text: &str) -> Result<(CheckName, CheckOutcome), String> {
    let Some((name, result)) = text.rsplit_once('=') else {
        return Err("write the name and the result, like `test=success`".to_owned());
    };
    let outcomes = [CheckOutcome::Success, CheckOutcome::Failure];
    let outcome = outcomes.into_iter().find(|outcome| outcome.word() == result);
    let outcome = outcome.ok_or_else(|| format!("the result is `success` or `failure`, not `{result}`"))?;
    Ok((name.parse::<CheckName>().map_err(|error| error.to_string())?, outcome))
}

pub(in crate::cli) async fn run(
    arguments: &Arguments,
    global: &Global,
    host: &Host,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let Arguments { commits, pull_request, approved_by, checks, withdraw, why, format } = arguments;
    let review = CommitReview {
        pull_request: pull_request.clone(),
        approved_by: approved_by.iter().cloned().collect(),
        checks: once_each(checks)?,
    };
    if review.approved_by.len() > CommitReview::MOST || review.checks.len() > CommitReview::MOST {
        let what = format!("at most {0} approvals and {0} checks", CommitReview::MOST);
        return Err(CommandError::usage(what, None));
    }
    if *withdraw || !review.is_empty() {
        let opened = global.open(host).await?;
        let (estate, by) = (&*opened.estate, (&opened.actor, why.as_deref()));
        let mut done = Vec::new();
        for sha in each(commits) {
            done.push(match withdraw {
                true => withdrawn(sha, &consents::withdraw_evidence(estate, by, sha).await?),
                false => handed_in(sha, consents::hand_in(estate, by, sha, &review).await?),
            });
        }
        return match format {
            Format::Text => {
                for line in done {
                    output.show(hang("", 0, &line, output.style()))?;
                }
                Ok(ExitStatus::Success)
            }
            Format::Json => show(estate, commits, *format, output).await,
        };
    }
    if why.is_some() {
        let what = "`--why` is for evidence that is handed in: add `--approved-by` or `--check`";
        return Err(CommandError::usage(what, None));
    }
    let opened = global.look(host, output).await?;
    show(&opened.estate, commits, *format, output).await
}

/// The results of the checks; fails if one has two.
fn once_each(
    checks: &[(CheckName, CheckOutcome)],
) -> Result<BTreeMap<CheckName, CheckOutcome>, CommandError> {
    let mut found = BTreeMap::new();
    for (name, outcome) in checks {
        if found.insert(name.clone(), *outcome).is_some_and(|before| before != *outcome) {
            return Err(CommandError::usage(format!("the check `{name}` has two results"), None));
        }
    }
    Ok(found)
}

/// The commits in their order, each once.
fn each(commits: &[CommitSha]) -> impl Iterator<Item = &CommitSha> {
    let mut seen = BTreeSet::new();
    commits.iter().filter(move |sha| seen.insert(*sha))
}

fn handed_in(sha: &CommitSha, (Consent { id, .. }, is_old): (Consent, bool)) -> String {
    let short = sha.short();
    match is_old {
        true => format!("You had handed in the same for {short} before (evidence {id})."),
        false => format!("Recorded evidence {id} for {short}."),
    }
}

fn withdrawn(sha: &CommitSha, before: &[Consent]) -> String {
    let short = sha.short();
    let ids: Vec<_> = before.iter().map(|consent| consent.id.to_string()).collect();
    match ids.as_slice() {
        [] => format!("There is no evidence for {short}."),
        ids => format!("Withdrew evidence {} for {short}.", crate::domain::enumerated(ids)),
    }
}

async fn show(
    estate: &Estate,
    commits: &[CommitSha],
    format: Format,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let found = estate.state.evidence(commits).await?;
    let of = |sha: &CommitSha| {
        let is_for = |it: &&Consent| matches!(&it.what, ConsentKind::Evidence { sha: of, .. } if of == sha);
        found.iter().filter(is_for).collect()
    };
    let commits: Vec<_> = each(commits).map(|sha| (sha, of(sha))).collect();
    match format {
        Format::Text => output.show(EvidenceText { commits: &commits, style: output.style() })?,
        Format::Json => output.json(&EvidenceJson::of(&commits))?,
    }
    Ok(ExitStatus::Success)
}
