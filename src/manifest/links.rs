//! Checks one link of a tenant, with the keys of its template, against the rest of the manifest.

use std::collections::{BTreeMap, BTreeSet};

use super::checks::filled;
use super::commit::{Branch, Folder};
use super::definitions::{NamedTable, unknown};
use super::diagnostic::Diagnostic;
use super::inputs;
use super::known::Known;
use super::model::{Link, Pin, Wanted};
use super::reader::{Located, Reader};
use super::source::Span;
use super::suggest::{nearest, quoted};
use super::tables::{LinkKeys, PinKeys};
use super::templates;
use super::words::Changes;
use crate::domain::{CommitSha, PhaseName};

/// Reports a link without a repository. An invalid one was reported already.
fn missing_repo(it: &NamedTable<'_, '_>, is_table: bool) {
    let table = it.raw.get_ref().as_table().filter(|_| is_table);
    let says = |key: &str| nearest(key, ["repo"]).is_some();
    if !table.is_some_and(|table| table.keys().any(|key| says(key.get_ref()))) {
        let item = Diagnostic::error(it.key, "missing key `repo`");
        it.reader.report.absent(item.label("a link needs it"));
    }
}

/// Reports a link without a wanted commit. An invalid one was reported already.
fn check_wanted(it: &NamedTable<'_, '_>, is_table: bool) {
    let says = |key: &str| it.raw.get_ref().as_table().is_some_and(|table| table.contains_key(key));
    if !is_table || !["sha", "branch", "pipeline"].into_iter().any(says) {
        let message = "neither `sha` nor `branch` nor `pipeline`";
        let item = Diagnostic::error(it.key, message).label("what should run here?");
        let help = "write `sha = \"…\"` for one commit, `branch = \"…\"` to follow a branch, or `pipeline = \"…\"` for \
                    what a pipeline chooses";
        it.reader.report.absent(item.help(help));
    }
}

fn pinned(keys: PinKeys<'_>, reader: &Reader<'_>) -> Option<Pin> {
    let PinKeys { sha, why } = keys;
    let why = filled(why?, reader)?;
    Some(Pin { sha: sha?.value, why: why.trim().to_owned() })
}

/// The paths that a link watches besides its folder.
fn watched(
    watch: Located<Vec<Located<Folder>>>,
    folder: Option<&Located<Folder>>,
    reader: &Reader<'_>,
) -> Vec<String> {
    let whole = |folder: &Folder| folder.0.is_empty();
    if folder.is_none_or(|folder| whole(&folder.value)) {
        let item =
            Diagnostic::warning(watch.span, "`watch` has no effect").label("the whole repository is watched");
        let help =
            "the link's folder is the root of its repository, which every commit changes; set `folder`";
        reader.report.add(item.help(help));
    }
    let mut paths = Vec::with_capacity(watch.value.len());
    for Located { value: Folder(path), span } in watch.value {
        if let Some(at) = path.find(['*', '?']) {
            let message = format!("{} is not a folder or a file", quoted(&path));
            let plain = path[..at].trim_end_matches('/');
            let help =
                format!("patterns are not supported here; a folder includes all its files: `\"{plain}\"`");
            reader.error_with_help(span, message, "a pattern", help);
        }
        paths.push(path);
    }
    paths
}

/// The keys that say what should run; a link has one of them.
type WantedKeys<'i> = (Option<Located<CommitSha>>, Option<Located<Branch<'i>>>, Option<Located<&'i str>>);

/// A link as the files define it.
#[derive(Clone, Copy)]
pub(super) struct Linked<'i, 'k, 'r> {
    /// Its own table, or the tenant's use of its template.
    pub(super) it: NamedTable<'i, 'r>,
    /// Whether it has a table of its own.
    pub(super) is_table: bool,
    /// Its template.
    pub(super) template: Option<&'k LinkKeys<'i>>,
}

/// The context for checking the links of one tenant.
pub(super) struct Scope<'i, 'k, 'r> {
    tenant: &'i str,
    secrets: BTreeMap<&'i str, Span>,
    /// The workflows whose variables were already compared with the tenant's secrets.
    checked: BTreeSet<&'i str>,
    known: &'k Known<'i, 'r>,
}

impl<'i, 'k, 'r> Scope<'i, 'k, 'r> {
    pub(super) fn new(tenant: &'i str, secrets: BTreeMap<&'i str, Span>, known: &'k Known<'i, 'r>) -> Self {
        Self { tenant, secrets, checked: BTreeSet::new(), known }
    }

    /// Reports a variable that is also a secret of the tenant.
    pub(super) fn refuse_secret(&self, variable: Located<&str>, reader: &Reader<'_>) {
        if let Some(secret) = self.secrets.get(variable.value) {
            let tenant = self.tenant;
            let message = format!("`{}` is both a variable and a secret of `{tenant}`", variable.value);
            let item = Diagnostic::error(variable.span, message).label("the variable");
            reader.report.add(item.related(*secret, "the secret").help("remove one of them"));
        }
    }

    pub(super) fn link(&mut self, linked: Linked<'i, '_, '_>) -> Option<Link> {
        let Linked { it, is_table, template } = linked;
        let own = if is_table { it.read()? } else { LinkKeys::default() };
        let keys = match template {
            Some(template) => templates::merged(own, template),
            None => own,
        };
        let LinkKeys { repo, folder, workflow, sha, branch, pipeline, pin, watch, changes, skip, variables } =
            keys;
        let reader = &it.reader;
        if repo.is_none() {
            missing_repo(&it, is_table);
        }
        if let Some(repo) = repo.filter(|repo| !self.known.repos.contains_key(repo.value)) {
            unknown("repository", repo, self.known.repos.keys().copied(), reader);
        }
        if let Some(workflow) = workflow {
            self.check_workflow(workflow, reader);
        }
        let want = self.wanted((sha, branch, pipeline), pin, &it, is_table);
        let any = changes.is_some_and(|changes| changes.value == Changes::Any);
        let watch = watch.filter(|_| !any).map(|watch| watched(watch, folder.as_ref(), reader));
        let skip = skip.map(|skip| self.skipped(&skip.value, workflow, reader)).unwrap_or_default();
        for variable in variables.iter().flat_map(|pairs| pairs.value.names()) {
            self.refuse_secret(variable, reader);
        }
        Some(Link {
            repo: repo?.value.parse().ok()?,
            folder: folder.map(|folder| folder.value.0).unwrap_or_default(),
            workflow: workflow.and_then(|workflow| workflow.value.parse().ok()),
            want: want?,
            watch,
            skip,
            variables: variables.map(|pairs| pairs.value.to_map()).unwrap_or_default(),
        })
    }

    fn wanted(
        &self,
        (sha, branch, pipeline): WantedKeys<'i>,
        pin: Option<Located<PinKeys<'i>>>,
        it: &NamedTable<'_, '_>,
        is_table: bool,
    ) -> Option<Wanted> {
        let reader = &it.reader;
        let named = [
            ("sha", sha.as_ref().map(|it| it.span)),
            ("branch", branch.as_ref().map(|it| it.span)),
            ("pipeline", pipeline.as_ref().map(|it| it.span)),
        ];
        let named: Vec<_> = named.into_iter().filter_map(|(key, span)| Some((key, span?))).collect();
        if let [(first, before), (second, span), ..] = named.as_slice() {
            let says = |key: &str| match key {
                "sha" => "the commit",
                "branch" => "the branch",
                _ => "the pipeline",
            };
            let item = Diagnostic::error(*span, format!("both `{first}` and `{second}`")).label(says(second));
            let item = item.related(*before, says(first)).help("keep only one of them");
            reader.report.add(item);
            return None;
        }
        if let (Some(pin), None) = (&pin, &pipeline) {
            let help = "write `sha = \"…\"` for a link that stays at one commit";
            reader.error_with_help(pin.span, "`pin` without `pipeline`", "pins no pipeline", help);
            return None;
        }
        match (sha, branch, pipeline) {
            (Some(sha), ..) => Some(Wanted::Sha(sha.value)),
            (_, Some(branch), _) => Some(Wanted::Branch(branch.value.0.to_owned())),
            (.., Some(pipeline)) => {
                if !self.known.pipelines.contains(&pipeline.value) {
                    unknown("pipeline", pipeline, self.known.pipelines.iter().copied(), reader);
                }
                let pin = match pin {
                    Some(pin) => Some(pinned(pin.value, reader)?),
                    None => None,
                };
                Some(Wanted::Pipeline { name: pipeline.value.parse().ok()?, pin })
            }
            (None, None, None) => {
                check_wanted(it, is_table);
                None
            }
        }
    }

    fn check_workflow(&mut self, workflow: Located<&'i str>, reader: &Reader<'_>) {
        let Some(flow) = self.known.flows.get(workflow.value) else {
            unknown("workflow", workflow, self.known.flows.keys().copied(), reader);
            return;
        };
        if !self.secrets.is_empty() && self.checked.insert(workflow.value) {
            for variable in &flow.variables {
                self.refuse_secret(*variable, reader);
            }
        }
    }

    fn skipped(
        &self,
        skip: &[Located<&'i str>],
        workflow: Option<Located<&'i str>>,
        reader: &Reader<'_>,
    ) -> Vec<PhaseName> {
        let flow = workflow.and_then(|workflow| self.known.flows.get(workflow.value));
        let mut names = Vec::with_capacity(skip.len());
        for (at, phase) in skip.iter().enumerate() {
            if let Some(first) = skip[..at].iter().find(|other| other.value == phase.value) {
                let item = Diagnostic::error(phase.span, format!("{} is skipped twice", quoted(phase.value)));
                reader.report.add(item.label("the second").related(first.span, "the first"));
            } else if let Some(flow) = flow.filter(|flow| !flow.phases.contains(&phase.value)) {
                unknown("phase", *phase, flow.phases.iter().copied(), reader);
            }
            match PhaseName::new(phase.value) {
                Ok(name) => names.push(name),
                Err(error) => reader.error(phase.span, error.to_string(), "not the name of a phase"),
            }
        }
        if let Some(flow) = flow {
            inputs::check_skipped(skip, &flow.inputs, reader);
        }
        let all =
            flow.is_some_and(|flow| flow.phases.iter().all(|phase| skip.iter().any(|it| it.value == *phase)));
        if let (true, Some(first)) = (all, skip.first()) {
            let item =
                Diagnostic::warning(first.span, "every phase is skipped").label("nothing is left to do");
            reader.report.add(item);
        }
        names
    }
}
