//! Puts the files of a manifest together: every definition once, every name resolved.

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;

use crate::domain::{FleetName, NameError, RepoName, WorkflowName};

use super::after;
use super::diagnostic::{Diagnostic, Report};
use super::gather::Gathered;
use super::model::{DockerConfig, FleetConfig, FleetKind, Manifest, Repo};
use super::moved;
use super::reader::{At, Keys, Raw, Reader, Section};
use super::settings;
use super::shared;
use super::source::Span;
use super::suggest::{did_you_mean, listed, nearest, quoted};
use super::tables::{FileKeys, RepoKeys};
use super::templates::Templates;
use super::tenants::{self, TenantParts};
use super::url;
use super::workflows::{self, Flow};

/// A named thing that is still to be read, with the reader of its file.
#[derive(Clone, Copy)]
pub(super) struct Defined<'i, 'r> {
    pub reader: Reader<'r>,
    pub key: Span,
    pub raw: &'i Raw<'i>,
}

/// Named things of one kind, from all files.
pub(super) type Definitions<'i, 'r> = BTreeMap<&'i str, Defined<'i, 'r>>;

/// Everything that names can refer to.
pub(super) struct Known<'i, 'r> {
    pub repos: Definitions<'i, 'r>,
    pub fleets: Vec<&'i str>,
    pub flows: BTreeMap<&'i str, Flow<'i>>,
    pub templates: Templates<'i, 'r>,
}

/// What was defined where, before names are resolved.
#[derive(Default)]
struct Collected<'i, 'r> {
    repos: Definitions<'i, 'r>,
    workflows: Definitions<'i, 'r>,
    fleets: Definitions<'i, 'r>,
    templates: Definitions<'i, 'r>,
    tenants: BTreeMap<&'i str, TenantParts<'i, 'r>>,
}

/// The built-in fleet of a manifest that declares none.
pub(super) const PROCESS: &str = "process";

/// A manifest and, for each link in the order of [`Manifest::links`], the number of the file that defines it.
pub(super) fn build(gathered: &Gathered<'_>, report: &Report) -> Option<(Manifest, Vec<u32>)> {
    let root: &Path = &gathered.trees.first()?.directory;
    let mut all = Collected::default();
    let (mut state, mut blobs, mut cache) = (None, None, None);
    let mut moves = (moved::Moves::default(), Vec::new());
    for (file, tree) in (0_u32..).zip(&gathered.trees) {
        let reader = Reader { file, directory: &tree.directory, root, report };
        let start = reader.span(&(0..0));
        let keys = FileKeys::read_keys(&tree.table, start, &reader);
        let FileKeys {
            version,
            include: _,
            state: st,
            blobs: bl,
            cache: ca,
            repos,
            workflows,
            fleets,
            templates,
            tenants,
            moved: renamed,
        } = keys;
        if file == 0 {
            // A misspelt one was reported already.
            let said = tree.table.keys().any(|key| nearest(key.get_ref(), ["version"]).is_some());
            if version.is_none() && !said {
                let item = Diagnostic::error(start, "missing key `version`");
                report.absent(item.label("write `version = 1` at the top"));
            }
            state = settings::state(st, &reader);
            blobs = settings::blobs(bl, &reader);
            cache = settings::cache(ca, &reader);
        } else {
            let places =
                [("state", st.map(|t| t.span)), ("blobs", bl.map(|t| t.span)), ("cache", ca.map(|t| t.span))];
            for (key, span) in places.into_iter().filter_map(|(key, span)| Some((key, span?))) {
                let item = Diagnostic::error(span, format!("`[{key}]` in an included file"));
                report.add(item.label("only in the root file: every team shares it"));
            }
        }
        define(&mut all.repos, repos, "repository", reader);
        define(&mut all.workflows, workflows, "workflow", reader);
        define(&mut all.fleets, fleets, "fleet", reader);
        define(&mut all.templates, templates, "template", reader);
        tenants::collect(&mut all.tenants, tenants, reader);
        moved::read(renamed, &reader, &mut moves);
    }
    let repos = all.repos.iter().filter_map(|(name, it)| repository(name, *it)).collect();
    let mut fleets: BTreeMap<_, _> = all.fleets.iter().filter_map(|(name, it)| fleet(name, *it)).collect();
    let names = if all.fleets.is_empty() { vec![PROCESS] } else { all.fleets.keys().copied().collect() };
    if all.fleets.is_empty() {
        let kind = FleetKind::Process;
        let built_in = FleetConfig {
            kind,
            docker_socket: false,
            caches: Vec::new(),
            image: None,
            cpu: None,
            memory: None,
            env: BTreeMap::new(),
            docker: DockerConfig::default(),
            ecs: None,
        };
        fleets.extend(FleetName::new(PROCESS).ok().map(|name| (name, built_in)));
    }
    let mut flows = BTreeMap::new();
    let mut built = BTreeMap::new();
    for (name, it) in &all.workflows {
        let checked = checked::<WorkflowName>(name, it);
        let flow = it.read().map(|keys| workflows::workflow(keys, &it.reader)).unwrap_or_default();
        built.extend(checked.zip(flow.workflow.clone()));
        flows.insert(*name, flow);
    }
    let templates = Templates::read(all.templates);
    templates.check_used(all.tenants.values().flat_map(TenantParts::used));
    let known = Known { repos: all.repos, fleets: names, flows, templates };
    let mut spans = Vec::new();
    after::check(&all.tenants.iter().map(|(name, parts)| (*name, parts.named())).collect());
    let mut tenants = BTreeMap::new();
    for (name, parts) in all.tenants {
        tenants.extend(tenants::tenant(name, &parts, &known, &mut spans));
    }
    let manifest = Manifest {
        directory: root.to_owned(),
        state: state?,
        blobs: blobs?,
        cache: cache?,
        repos,
        workflows: built,
        fleets,
        tenants,
        moved: moves.0,
        digest: gathered.digest.clone(),
    };
    // Where a tenant was refused, its links are missing, and more than this is wrong.
    if manifest.links().count() == spans.len() {
        shared::check(&manifest, &spans, report);
        moved::check(&manifest, &moves.1, report);
    }
    Some((manifest, spans.into_iter().map(|span| span.file).collect()))
}

impl<'i> Defined<'i, '_> {
    /// Reads the table that stands behind the name.
    pub fn read<T: Keys<'i>>(&self) -> Option<T> {
        Some(T::read_keys(self.reader.table(self.raw)?, self.key, &self.reader))
    }
}

/// Notes what a file defines; a name that another place defines already is reported.
fn define<'i, 'r, T>(
    into: &mut Definitions<'i, 'r>,
    section: Option<At<Section<'i, T>>>,
    called: &str,
    reader: Reader<'r>,
) {
    for (key, raw) in section.into_iter().flat_map(|section| section.value.table) {
        let name = key.get_ref().as_ref();
        let new = Defined { reader, key: reader.span_of(key), raw };
        match into.get(name) {
            Some(first) => twice(called, name, new.key, first.key, &reader),
            None => {
                into.insert(name, new);
            }
        }
    }
}

/// Reports a second definition.
pub(super) fn twice(called: &str, name: &str, second: Span, first: Span, reader: &Reader<'_>) {
    let item = Diagnostic::error(second, format!("the {called} {} is defined twice", quoted(name)));
    reader.report.add(item.label("the second").related(first, "the first"));
}

/// The name as its type has it, or a report of why it is none.
pub(super) fn checked<N: FromStr<Err = NameError>>(name: &str, it: &Defined<'_, '_>) -> Option<N> {
    match name.parse() {
        Ok(name) => Some(name),
        Err(error) => {
            it.reader.error(it.key, error.to_string(), "not a name");
            None
        }
    }
}

fn repository(name: &str, it: Defined<'_, '_>) -> Option<(RepoName, Repo)> {
    let name = checked(name, &it);
    let RepoKeys { url, branch } = it.read()?;
    let url = url::repository(url?, &it.reader)?;
    let branch = branch.map_or("main", |branch| branch.value.0).to_owned();
    Some((name?, Repo { url, branch }))
}

fn fleet(name: &str, it: Defined<'_, '_>) -> Option<(FleetName, FleetConfig)> {
    let name = checked(name, &it);
    let fleet = settings::fleet(it.read()?, it.key, &it.reader)?;
    Some((name?, fleet))
}

/// Reports a name that nothing has.
pub(super) fn unknown<'a>(
    called: &str,
    name: At<&str>,
    names: impl Iterator<Item = &'a str> + Clone,
    reader: &Reader<'_>,
) {
    let guess = if reader.report.is_full() { None } else { nearest(name.value, names.clone()) };
    let message = format!("there is no {called} {}{}", quoted(name.value), did_you_mean(guess));
    let item = Diagnostic::error(name.span, message).label("not defined");
    let help = match names.clone().count() {
        _ if guess.is_some() => None,
        0 => Some(format!("no {called} is defined at all")),
        1 => Some(format!("there is only {}", listed(names))),
        _ => Some(format!("there are {}", listed(names))),
    };
    reader.report.absent(Diagnostic { help, ..item });
}
