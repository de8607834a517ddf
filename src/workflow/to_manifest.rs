//! Converts a `katkitconfig.js` to manifest text, as the start of a new manifest.

use std::collections::BTreeSet;
use std::fmt::Write;

use toml_edit::{InlineTable, Key, Value};

use crate::domain::{LinkName, Phase, PhaseKind, PhaseName, Placement, RepoName, Workflow, WorkflowName};

use super::config::{Environment, KatkitConfig};

/// Values that a manifest needs and a `katkitconfig.js` does not contain.
#[derive(Clone, Copy, Debug)]
pub struct ManifestDraft<'a> {
    /// The name for the repository.
    pub repo: &'a RepoName,
    /// The repository's URL, as `git` understands it.
    pub url: &'a str,
    /// The home branch.
    pub branch: &'a str,
    /// The name for its links.
    pub link: &'a LinkName,
    /// The folder of the service; empty for the root.
    pub folder: &'a str,
}

/// The `[workflows.…]` of a manifest: one per environment, with its name or the nearest name that a manifest allows.
///
/// A workflow with a mistake is replaced by a comment that describes the mistake.
pub fn to_manifest(config: &KatkitConfig) -> String {
    let mut text = String::new();
    for (environment, name) in named(config) {
        if !text.is_empty() {
            text.push('\n');
        }
        match &environment.workflow {
            Ok(workflow) => {
                if environment.is_default() {
                    comment(&mut text, "For every environment that has no workflow of its own.");
                } else if environment.name != name.as_str() {
                    comment(&mut text, &format!("For the environment `{}`.", environment.name));
                }
                push_workflow(&mut text, &name, workflow);
            }
            Err(error) => {
                comment(
                    &mut text,
                    &format!("The workflow of environment `{}` is left out: {error}.", environment.name),
                );
            }
        }
    }
    if !config.notes().is_empty() {
        text.push('\n');
        comment(&mut text, "Not carried over from the repository's katkitconfig.js:");
    }
    for note in config.notes() {
        comment(&mut text, &format!("- {note}"));
    }
    text
}

/// What [`to_manifest`] leaves out, one line each: workflows with mistakes, variables that a manifest cannot set, and
/// keys without effect.
pub fn left_out(config: &KatkitConfig) -> Vec<String> {
    let mut lines = Vec::new();
    for environment in config.environments() {
        match &environment.workflow {
            Ok(workflow) => {
                let of = |(phase, name)| {
                    format!("the variable `{name}` of `{phase}` of environment `{}`", environment.name)
                };
                lines.extend(unsettable(workflow).map(of));
            }
            Err(error) => lines.push(format!("the workflow of environment `{}`: {error}", environment.name)),
        }
    }
    lines.extend(config.notes().iter().map(ToString::to_string));
    lines
}

/// The variables that a manifest cannot set, with their phases.
fn unsettable(workflow: &Workflow) -> impl Iterator<Item = (&PhaseName, &str)> {
    workflow.phases().iter().flat_map(|phase| {
        let variables = match &phase.kind {
            PhaseKind::Execution(execution) => Some(&execution.variables),
            PhaseKind::Deployment(_) => None,
        };
        let names = variables.into_iter().flatten().map(|(name, _)| name.as_str());
        names.filter(|name| !is_settable(name)).map(|name| (&phase.name, name))
    })
}

/// A complete initial manifest: the repository, the workflows, and a tenant per environment.
pub fn to_skeleton(config: &KatkitConfig, skeleton: &ManifestDraft<'_>) -> String {
    let ManifestDraft { repo, url, branch, link, folder } = *skeleton;
    let (repo_key, url_text, branch_text) = (key(repo.as_str()), quoted(url), quoted(branch));
    let mut text = format!(
        "# What should run where. `katkit plan` shows what is missing; `katkit apply` carries it out.\n\
         version = 1\n\n\
         [repos.{repo_key}]\nurl = {url_text}\nbranch = {branch_text}\n\n\
         # The workflows of the repository's katkitconfig.js. A link that names no workflow uses that file instead, from\n\
         # the commit that is deployed.\n\n"
    );
    text.push_str(&to_manifest(config));
    for (environment, name) in named(config).into_iter().filter(|(it, _)| it.workflow.is_ok()) {
        let tenant = key(name.as_str());
        text.push('\n');
        if environment.is_default() {
            comment(
                &mut text,
                "Give this tenant the name of your environment, and add one for each of the others.",
            );
        }
        let _ = write!(
            text,
            "[tenants.{tenant}]\nenvironment = {}\n\
             # fleet = \"…\" # left out: phases run as processes on this machine\n\
             # platform = {{ kind = \"…\" }} # left out: services are files, under .katkit/platform\n\n\
             [tenants.{tenant}.links.{}]\nrepo = {}\n",
            quoted(&environment.name),
            key(link.as_str()),
            quoted(repo.as_str()),
        );
        if !folder.is_empty() {
            let _ = writeln!(text, "folder = {}", quoted(folder));
        }
        let _ = write!(
            text,
            "workflow = {}\n\
             branch = {branch_text} # follows the branch; `katkit set` names one commit instead\n",
            quoted(name.as_str()),
        );
    }
    text
}

fn push_workflow(text: &mut String, name: &WorkflowName, workflow: &Workflow) {
    let built_elsewhere = workflow
        .phases()
        .iter()
        .any(|phase| matches!(&phase.kind, PhaseKind::Execution(it) if it.placement == Placement::Build));
    if built_elsewhere {
        comment(
            text,
            "fleet = \"build\": in the tenant's `build-fleet`, if it has one (LocalFleet is false).",
        );
    }
    for (phase, name) in unsettable(workflow) {
        comment(text, &format!("The variable `{name}` of `{phase}` is left out: a manifest cannot set it."));
    }
    let _ = writeln!(text, "[workflows.{}]\nphases = [", key(name.as_str()));
    for phase in workflow.phases() {
        let _ = writeln!(text, "  {},", inline(phase).to_string().trim());
    }
    text.push_str("]\n");
}

/// A phase with every key that differs from the manifest's default.
fn inline(phase: &Phase) -> InlineTable {
    let mut table = InlineTable::new();
    table.insert("name", phase.name.as_str().into());
    table.insert("order", phase.order.into());
    let execution = match &phase.kind {
        PhaseKind::Deployment(_) => {
            table.insert("kind", "deployment".into());
            return table;
        }
        PhaseKind::Execution(execution) => execution,
    };
    if let Some(image) = &execution.image {
        table.insert("image", with_tag(image).into());
    }
    let variables = execution.variables.iter().filter(|(name, _)| is_settable(name));
    let variables: InlineTable = variables.map(|(name, value)| (Key::new(name), value)).collect();
    if !variables.is_empty() {
        table.insert("variables", Value::InlineTable(variables));
    }
    if execution.parallelism != 1 {
        table.insert("parallelism", i64::from(execution.parallelism).into());
    }
    if execution.placement == Placement::Build {
        table.insert("fleet", "build".into());
    }
    table
}

/// Whether a manifest may set the variable: every shell accepts the name, and katkit does not set it itself.
fn is_settable(name: &str) -> bool {
    const RESERVED: [&str; 8] =
        ["GIT_REPO", "GIT_SHA", "CODE_PATH", "ENV", "REPLICA_ID", "LOG_PATH", "LOG_FILE", "S3_BUCKET"];
    let legal = |(at, c): (usize, char)| c == '_' || c.is_ascii_alphabetic() || at > 0 && c.is_ascii_digit();
    name.len() <= 255
        && name.char_indices().all(legal)
        && !RESERVED.contains(&name)
        && !name.starts_with("KATKIT_")
}

/// Adds the implicit tag of an image: a manifest requires an explicit one.
fn with_tag(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or(image);
    if image.contains('@') || last.contains(':') { image.to_owned() } else { format!("{image}:latest") }
}

/// The environments, each with a valid name for its workflow and tenant.
fn named(config: &KatkitConfig) -> Vec<(&Environment, WorkflowName)> {
    let mut taken = BTreeSet::new();
    // Reserve the names that are already valid, so that no derived name collides with them.
    taken.extend(config.environments().iter().filter_map(|it| WorkflowName::new(it.name.as_str()).ok()));
    let name = |environment: &Environment| {
        if let Ok(name) = WorkflowName::new(environment.name.as_str()) {
            return Some(name);
        }
        let near: String = environment
            .name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' })
            .take(50)
            .collect();
        let near = near.trim_matches(['-', '_', '.']);
        let base = if near.is_empty() { "environment" } else { near };
        let numbered = (2_u32..).map(|number| format!("{base}-{number}"));
        let name = std::iter::once(base.to_owned())
            .chain(numbered)
            .find_map(|candidate| WorkflowName::new(candidate).ok().filter(|name| !taken.contains(name)))?;
        taken.insert(name.clone());
        Some(name)
    };
    let names: Vec<_> = config.environments().iter().map(name).collect();
    config.environments().iter().zip(names).filter_map(|(it, name)| Some((it, name?))).collect()
}

/// Adds one comment line. Control characters become spaces.
fn comment(text: &mut String, what: &str) {
    let line: String = what.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let _ = writeln!(text, "# {line}");
}

fn key(name: &str) -> String {
    Key::new(name).to_string()
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
