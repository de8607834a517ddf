//! The questions before a plan is carried out.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, IsTerminal, Write};

use clap::Args;

use super::error::CommandError;
use crate::domain::{LinkId, TenantName};
use crate::manifest::Manifest;
use crate::plan::Plan;

/// How questions are answered
#[derive(Clone, Copy, Debug, Default, Args)]
pub(super) struct Consent {
    /// Ask nothing, also where a tenant is protected
    #[arg(short, long, alias = "auto-approve", display_order = 102)]
    pub(super) yes: bool,
}

impl Consent {
    /// What is asked, if nobody answered before.
    pub(super) fn or(self, ask: Ask) -> Ask {
        if self.yes { Ask::Nothing } else { ask }
    }
}

/// How much is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// Whether to go on, then the names of protected tenants.
    Everything,
    /// The names of protected tenants alone: what is done was asked for by name.
    Protected,
    /// Nothing: it was reviewed, or said before.
    Nothing,
}

/// Whether the plan, which a person sees, may be carried out. A person is there if the standard input is a terminal, wherever the
/// output goes. Without one nobody is asked, and nothing is done to protected tenants.
pub(super) fn confirm(plan: &Plan, manifest: &Manifest, ask: Ask) -> Result<bool, CommandError> {
    if ask == Ask::Nothing || !plan.has_steps() {
        return Ok(true);
    }
    let protected = protected(plan, manifest);
    if !is_terminal() {
        return protected.first().map_or(Ok(true), |first| Err(unasked(first)));
    }
    if ask == Ask::Everything && !agrees("Apply these changes? [y/N] ")? {
        return Ok(false);
    }
    names(protected.into_iter())
}

/// Whether what a person was shown may be removed. Without a terminal, or `unseen`, nothing is removed unless it was agreed to
/// before.
pub(super) fn confirm_removal(
    tenants: &BTreeSet<&TenantName>,
    manifest: &Manifest,
    consent: Consent,
    unseen: bool,
) -> Result<bool, CommandError> {
    if consent.yes {
        return Ok(true);
    }
    if unseen || !is_terminal() {
        let why = if unseen { "nobody was shown what goes" } else { "there is no terminal to ask" };
        let hint = "add `--yes` to remove it, or `--dry-run` to see only what goes".to_owned();
        return Err(CommandError::refused(format!("nothing was removed: {why}"), hint));
    }
    if !agrees("Remove this for good? [y/N] ")? {
        return Ok(false);
    }
    let is_protected = |name: &&&TenantName| manifest.tenants.get(**name).is_some_and(|it| it.protected);
    names(tenants.iter().filter(is_protected).copied())
}

/// Refuses what could not be carried out in a protected tenant, because there is nobody to ask for its name.
pub(super) fn check<'l>(
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

/// Whether somebody would be asked before something is done to these links.
pub(super) fn is_asked<'l>(
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

/// Where a question is seen: the standard error, or else the standard output, or else the terminal that the process belongs to.
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
    let what = format!("the tenant `{tenant}` is protected, and there is no terminal to ask for its name");
    CommandError::refused(what, "add `--yes`, or apply a saved plan with `--plan FILE`".to_owned())
}

/// The protected tenants in which something is done, beyond recording what runs.
fn protected<'p>(plan: &'p Plan, manifest: &Manifest) -> BTreeSet<&'p TenantName> {
    if plan.refresh_only {
        return BTreeSet::new();
    }
    let changed = plan.links.iter().filter(|link| !link.steps.is_empty()).map(|link| &link.link.tenant);
    changed.filter(|name| manifest.tenants.get(*name).is_some_and(|tenant| tenant.protected)).collect()
}

/// Whether a person says yes.
fn agrees(question: &str) -> Result<bool, CommandError> {
    Ok(matches!(answer(question)?.to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Whether a person types the name of each of these protected tenants.
fn names<'t>(protected: impl Iterator<Item = &'t TenantName>) -> Result<bool, CommandError> {
    for tenant in protected {
        if answer(&format!("`{tenant}` is protected. To change it, type its name: "))? != tenant.as_str() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What a person types; empty if they end the input.
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
