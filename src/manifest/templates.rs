//! `[templates]`: keys that links of several tenants share. A tenant that `use`s a template gets a link with the
//! template's name and keys; the tenant's own table for that link overrides keys.

use std::collections::BTreeMap;

use super::definitions::{Definitions, NamedTable, unknown};
use super::diagnostic::Diagnostic;
use super::reader::{Located, Reader};
use super::suggest::quoted;
use super::tables::LinkKeys;
use super::variables::VariablePairs;

/// All templates, each read once.
#[derive(Default)]
pub(super) struct Templates<'i, 'r>(BTreeMap<&'i str, Template<'i, 'r>>);

struct Template<'i, 'r> {
    it: NamedTable<'i, 'r>,
    keys: LinkKeys<'i>,
}

impl<'i, 'r> Templates<'i, 'r> {
    /// Reads all definitions.
    pub(super) fn read(definitions: Definitions<'i, 'r>) -> Self {
        let template = |(name, it): (_, NamedTable<'i, 'r>)| Some((name, Template { it, keys: it.read()? }));
        Self(definitions.into_iter().filter_map(template).collect())
    }

    /// The keys of a template. Reports a name without a template.
    pub(super) fn get(&self, name: Located<&'i str>, reader: &Reader<'_>) -> Option<&LinkKeys<'i>> {
        let found = self.0.get(name.value);
        if found.is_none() {
            unknown("template", name, self.0.keys().copied(), reader);
        }
        found.map(|template| &template.keys)
    }

    /// Warns of templates that no tenant uses.
    pub(super) fn check_used<'u>(&self, used: impl Iterator<Item = &'u Located<&'i str>>)
    where
        'i: 'u,
    {
        let mut unused: BTreeMap<_, _> = self.0.iter().collect();
        for name in used {
            unused.remove(&name.value);
        }
        for (name, Template { it, .. }) in unused {
            let item = Diagnostic::warning(it.key, format!("no tenant uses the template {}", quoted(name)));
            it.reader
                .report
                .add(item.label("not used").help(format!("write `use = [\"{name}\"]` in a tenant")));
        }
    }
}

/// The keys of a link: those of the tenant's own table, then those of the template.
pub(super) fn merged<'i>(own: LinkKeys<'i>, template: &LinkKeys<'i>) -> LinkKeys<'i> {
    let LinkKeys { repo, folder, workflow, sha, branch, pipeline, pin, watch, changes, skip, variables } =
        template.clone();
    // They exclude each other, so any of them replaces all.
    let (sha, branch, pipeline) = match (&own.sha, &own.branch, &own.pipeline) {
        (None, None, None) => (sha, branch, pipeline),
        _ => (own.sha, own.branch, own.pipeline),
    };
    LinkKeys {
        repo: own.repo.or(repo),
        folder: own.folder.or(folder),
        workflow: own.workflow.or(workflow),
        sha,
        branch,
        pipeline,
        pin: own.pin.or(pin),
        watch: own.watch.or(watch),
        changes: own.changes.or(changes),
        skip: own.skip.or(skip),
        variables: variables_of(own.variables, variables),
    }
}

/// The variables of both; the link's own win.
fn variables_of<'i>(
    own: Option<Located<VariablePairs<'i>>>,
    template: Option<Located<VariablePairs<'i>>>,
) -> Option<Located<VariablePairs<'i>>> {
    let (Some(own), Some(template)) = (&own, &template) else { return own.or(template) };
    let is_own = |name: &str| own.value.0.iter().any(|(own, _)| own.value == name);
    let inherited = template.value.0.iter().filter(|(name, _)| !is_own(name.value));
    let pairs = own.value.0.iter().chain(inherited).copied().collect();
    Some(Located { value: VariablePairs(pairs), span: own.span })
}
