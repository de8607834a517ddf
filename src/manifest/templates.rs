//! `[templates]`: what links of several tenants have in common. A link of a tenant that `use`s a template has the template's
//! name, its keys, and those that the tenant's own table overrides.

use std::collections::BTreeMap;

use super::build::{Defined, Definitions, unknown};
use super::diagnostic::Diagnostic;
use super::reader::{At, Reader};
use super::suggest::quoted;
use super::tables::LinkKeys;
use super::variables::Pairs;

/// All templates, each read once.
#[derive(Default)]
pub(super) struct Templates<'i, 'r>(BTreeMap<&'i str, Template<'i, 'r>>);

struct Template<'i, 'r> {
    it: Defined<'i, 'r>,
    keys: LinkKeys<'i>,
}

impl<'i, 'r> Templates<'i, 'r> {
    /// Reads all definitions.
    pub(super) fn read(definitions: Definitions<'i, 'r>) -> Self {
        let template = |(name, it): (_, Defined<'i, 'r>)| Some((name, Template { it, keys: it.read()? }));
        Self(definitions.into_iter().filter_map(template).collect())
    }

    /// What a template says; `None`, and reported, if there is none of that name.
    pub(super) fn get(&self, name: At<&'i str>, reader: &Reader<'_>) -> Option<&LinkKeys<'i>> {
        let found = self.0.get(name.value);
        if found.is_none() {
            unknown("template", name, self.0.keys().copied(), reader);
        }
        found.map(|template| &template.keys)
    }

    /// Warns of templates that no tenant uses.
    pub(super) fn check_used<'u>(&self, used: impl Iterator<Item = &'u At<&'i str>>)
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
                .add(item.label("not used").help(format!("`use = [\"{name}\"]` in a tenant does")));
        }
    }
}

/// The keys of a link that a template and the tenant's own table make together.
pub(super) fn merged<'i>(own: LinkKeys<'i>, template: &LinkKeys<'i>) -> LinkKeys<'i> {
    let LinkKeys { repo, folder, workflow, sha, branch, watch, changes, skip, variables } = template.clone();
    // One says what should run, and so takes the place of both.
    let (sha, branch) = match (&own.sha, &own.branch) {
        (None, None) => (sha, branch),
        _ => (own.sha, own.branch),
    };
    LinkKeys {
        repo: own.repo.or(repo),
        folder: own.folder.or(folder),
        workflow: own.workflow.or(workflow),
        sha,
        branch,
        watch: own.watch.or(watch),
        changes: own.changes.or(changes),
        skip: own.skip.or(skip),
        variables: variables_of(own.variables, variables),
    }
}

/// Variables of both, the own ones where both have them.
fn variables_of<'i>(own: Option<At<Pairs<'i>>>, template: Option<At<Pairs<'i>>>) -> Option<At<Pairs<'i>>> {
    let (Some(own), Some(template)) = (&own, &template) else { return own.or(template) };
    let is_own = |name: &str| own.value.0.iter().any(|(own, _)| own.value == name);
    let inherited = template.value.0.iter().filter(|(name, _)| !is_own(name.value));
    let pairs = own.value.0.iter().chain(inherited).copied().collect();
    Some(At { value: Pairs(pairs), span: own.span })
}
