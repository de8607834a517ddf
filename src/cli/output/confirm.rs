//! Confirmation prompts before a plan is carried out.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, IsTerminal, Write};

use clap::Args;

use crate::cli::error::CommandError;
use crate::domain::{LinkId, TenantName};
use crate::manifest::Manifest;
use crate::plan::Plan;

/// Consent given in advance
#[derive(Clone, Copy, Debug, Default, Args)]
pub(in crate::cli) struct Consent {
    /// Skip all confirmations, even for protected tenants
    #[arg(short, long, alias = "auto-approve", display_order = 102)]
    pub(in crate::cli) yes: bool,
}

impl Consent {
    /// `ask`, unless `--yes` was given.
    pub(in crate::cli) fn or(self, ask: Confirmation) -> Confirmation {
        if self.yes { Confirmation::Nothing } else { ask }
    }
}

/// What the user has to confirm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Confirmation {
    /// The plan, then the names of protected tenants.
    Everything,
    /// Only the names of protected tenants: the user named the links.
    Protected,
    /// Nothing: already reviewed or confirmed.
    Nothing,
}

/// Asks whether the plan, which has been shown, may be carried out.
///
/// Prompts only if the standard input is a terminal, wherever the output goes. Otherwise asks nothing and refuses to
/// change protected tenants.
pub(in crate::cli) fn confirm(
    plan: &Plan,
    manifest: &Manifest,
    ask: Confirmation,
) -> Result<bool, CommandError> {
    if ask == Confirmation::Nothing || !plan.has_steps() {
        return Ok(true);
    }
    let protected = protected(plan, manifest);
    if !is_terminal() {
        return protected.first().map_or(Ok(true), |first| Err(unasked(first)));
    }
    if ask == Confirmation::Everything && !agrees("Apply these changes? [y/N] ")? {
        return Ok(false);
    }
    names(protected.into_iter())
}

/// Asks whether what was shown may be removed. Without a terminal, or if `unseen`, refuses unless `--yes` was given.
pub(in crate::cli) fn confirm_removal(
    tenants: &BTreeSet<&TenantName>,
    manifest: &Manifest,
    consent: Consent,
    unseen: bool,
) -> Result<bool, CommandError> {
    if consent.yes {
        return Ok(true);
    }
    if unseen || !is_terminal() {
        let why =
            if unseen { "`--format json` does not prompt" } else { "there is no terminal to confirm on" };
        let hint = "add `--yes` to remove it, or `--dry-run` to only list it".to_owned();
        return Err(CommandError::refused(format!("nothing was removed: {why}"), hint));
    }
    if !agrees("Remove this for good? [y/N] ")? {
        return Ok(false);
    }
    let is_protected = |name: &&&TenantName| manifest.tenants.get(**name).is_some_and(|it| it.protected);
    names(tenants.iter().filter(is_protected).copied())
}

/// Refuses changes to protected tenants if nobody can be asked to confirm.
pub(in crate::cli) fn check<'l>(
    links: impl Iterator<Item = &'l LinkId>,
    manifest: &Manifest,
    consent: Consent,
) -> Result<(), CommandError> {
    let mut tenants = links.map(|link| &link.tenant);
    let is_protected = |name: &&TenantName| manifest.tenants.get(*name).is_some_and(|it| it.protected);
    match tenants.find(is_protected) {
        Some(tenant) if !consent.yes && !is_terminal() => Err(unasked(tenant)),
        _ => Ok(()),
    }
}

/// Whether changes to these links need an interactive confirmation.
pub(in crate::cli) fn is_asked<'l>(
    mut links: impl Iterator<Item = &'l LinkId>,
    manifest: &Manifest,
    consent: Consent,
) -> bool {
    let is_protected = |id: &LinkId| manifest.tenants.get(&id.tenant).is_some_and(|tenant| tenant.protected);
    !consent.yes && is_terminal() && links.any(is_protected)
}

fn is_terminal() -> bool {
    io::stdin().is_terminal()
}

/// Where to show a prompt: the standard error, else the standard output, else the controlling terminal.
fn terminal() -> Box<dyn Write> {
    if io::stderr().is_terminal() {
        return Box::new(io::stderr());
    }
    if io::stdout().is_terminal() {
        return Box::new(io::stdout());
    }
    let terminal = File::options().write(true).open("/dev/tty");
    terminal.map_or_else(|_| Box::new(io::stderr()) as Box<dyn Write>, |terminal| Box::new(terminal))
}

fn unasked(tenant: &TenantName) -> CommandError {
    let what = format!("the tenant `{tenant}` is protected, and there is no terminal to confirm on");
    CommandError::refused(what, "add `--yes`, or apply a saved plan with `--plan FILE`".to_owned())
}

/// The protected tenants that the plan changes, beyond recording what runs.
fn protected<'p>(plan: &'p Plan, manifest: &Manifest) -> BTreeSet<&'p TenantName> {
    if plan.refresh_only {
        return BTreeSet::new();
    }
    let changed = plan.links.iter().filter(|link| !link.steps.is_empty()).map(|link| &link.link.tenant);
    changed.filter(|name| manifest.tenants.get(*name).is_some_and(|tenant| tenant.protected)).collect()
}

/// Whether the user answers yes.
fn agrees(question: &str) -> Result<bool, CommandError> {
    Ok(matches!(answer(question)?.to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Whether the user types the name of each of these protected tenants.
fn names<'t>(protected: impl Iterator<Item = &'t TenantName>) -> Result<bool, CommandError> {
    for tenant in protected {
        if answer(&format!("`{tenant}` is protected. To change it, type its name: "))? != tenant.as_str() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The line that the user types; empty at the end of the input.
fn answer(question: &str) -> Result<String, CommandError> {
    let mut terminal = terminal();
    write!(terminal, "{question}")?;
    terminal.flush()?;
    let mut line = String::new();
    if io::stdin().read_line(&mut line)? == 0 {
        writeln!(terminal)?;
    }
    Ok(line.trim().to_owned())
}
