//! Combines the files of a manifest: every definition once, every name resolved.

use std::collections::BTreeMap;
use std::path::Path;

use crate::access::Access;
use crate::domain::{FleetName, PolicyName, RepoName, WorkflowName};

use super::access;
use super::after;
use super::audit;
use super::definitions::{Definitions, NamedTable, checked, twice};
use super::diagnostic::{Diagnostic, Report};
use super::gather::Gathered;
use super::known::Known;
use super::model::{DockerConfig, FleetConfig, FleetKind, Manifest, Repo};
use super::moved;
use super::moves::Moves;
use super::pipelines::{self, Pipelines};
use super::policies;
use super::reader::{Keys, Located, Reader, Section};
use super::rights;
use super::settings;
use super::shared;
use super::suggest::nearest;
use super::tables::{FileKeys, RepoKeys};
use super::templates::Templates;
use super::tenants::{self, TenantParts};
use super::url;
use super::workflows;

/// All definitions, before names are resolved.
#[derive(Default)]
struct NamedTables<'i, 'r> {
    repos: Definitions<'i, 'r>,
    workflows: Definitions<'i, 'r>,
    fleets: Definitions<'i, 'r>,
    policies: Definitions<'i, 'r>,
    calendars: Definitions<'i, 'r>,
    pipelines: Definitions<'i, 'r>,
    templates: Definitions<'i, 'r>,
    tenants: BTreeMap<&'i str, TenantParts<'i, 'r>>,
}

/// The built-in fleet of a manifest that declares none.
pub(super) const PROCESS: &str = "process";

/// A manifest and, for each link in the order of [`Manifest::links`], the number of the file that defines it.
pub(super) fn build(gathered: &Gathered<'_>, report: &Report) -> Option<(Manifest, Vec<u32>)> {
    let root: &Path = &gathered.trees.first()?.directory;
    let mut all = NamedTables::default();
    let (mut state, mut blobs, mut cache, mut access) = (None, None, None, Access::default());
    let (mut signing, mut access_at) = (None, None);
    let mut moves = (Moves::default(), Vec::new());
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
            policies,
            calendars,
            people,
            access: ac,
            audit: au,
            pipelines,
            templates,
            tenants,
            moved: renamed,
        } = keys;
        if file == 0 {
            // A misspelled key was reported already.
            let is_misspelled = tree.table.keys().any(|key| nearest(key.get_ref(), ["version"]).is_some());
            if version.is_none() && !is_misspelled {
                let item = Diagnostic::error(start, "missing key `version`");
                report.absent(item.label("write `version = 1` at the top"));
            }
            state = settings::state(st, &reader);
            blobs = settings::blobs(bl, &reader);
            cache = settings::cache(ca, &reader);
            access_at = ac.as_ref().map(|table| table.span);
            access = access::access(people, ac, &reader);
            signing = audit::audit(au, &reader);
        } else {
            let places = [
                ("state", st.map(|t| t.span)),
                ("blobs", bl.map(|t| t.span)),
                ("cache", ca.map(|t| t.span)),
                ("people", people.map(|t| t.span)),
                ("access", ac.map(|t| t.span)),
                ("audit", au.map(|t| t.span)),
            ];
            for (key, span) in places.into_iter().filter_map(|(key, span)| Some((key, span?))) {
                let item = Diagnostic::error(span, format!("`[{key}]` in an included file"));
                report.add(item.label("allowed only in the root file: all teams share it"));
            }
        }
        define(&mut all.repos, repos, "repository", reader);
        define(&mut all.workflows, workflows, "workflow", reader);
        define(&mut all.fleets, fleets, "fleet", reader);
        define(&mut all.policies, policies, "policy", reader);
        define(&mut all.calendars, calendars, "calendar", reader);
        define(&mut all.pipelines, pipelines, "pipeline", reader);
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
    let calendars = policies::calendars(&all.calendars);
    let mut policies = BTreeMap::new();
    for (name, it) in &all.policies {
        let policy = checked::<PolicyName>(name, it).zip(policies::policy(name, *it, &access, &calendars));
        // Without its policy, a tenant would be open: never for a reason that was not reported.
        if policy.is_none() && !report.failed() {
            it.reader.error(it.key, format!("the policy `{name}` cannot be read"), "has a mistake");
        }
        policies.extend(policy);
    }
    let pipelines = Pipelines::read(&all.pipelines, &all.repos);
    let templates = Templates::read(all.templates);
    templates.check_used(all.tenants.values().flat_map(TenantParts::used));
    let known = Known {
        repos: all.repos,
        fleets: names,
        flows,
        templates,
        policies: all.policies.keys().copied().collect(),
        pipelines: all.pipelines.keys().copied().collect(),
    };
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
        policies,
        access,
        audit: signing,
        pipelines: pipelines.built,
        tenants,
        moved: moves.0,
        digest: gathered.digest.clone(),
    };
    // If a tenant was refused, its links are missing, and these checks would report false errors.
    if manifest.links().count() == spans.len() {
        shared::check(&manifest, &spans, report);
    }
    // What a link follows is known only if it has no mistake.
    if !report.failed() {
        pipelines::check(&manifest, &pipelines.places, &spans, report);
        rights::check(&manifest, access_at, report);
    }
    if manifest.links().count() == spans.len() {
        moved::check(&manifest, &moves.1, report);
    }
    Some((manifest, spans.into_iter().map(|span| span.file).collect()))
}

/// Adds the definitions of a file; reports a name that is already defined.
fn define<'i, 'r, T>(
    into: &mut Definitions<'i, 'r>,
    section: Option<Located<Section<'i, T>>>,
    called: &str,
    reader: Reader<'r>,
) {
    for (key, raw) in section.into_iter().flat_map(|section| section.value.table) {
        let name = key.get_ref().as_ref();
        let new = NamedTable { reader, key: reader.span_of(key), raw };
        match into.get(name) {
            Some(first) => twice(called, name, new.key, first.key, &reader),
            None => {
                into.insert(name, new);
            }
        }
    }
}

fn repository(name: &str, it: NamedTable<'_, '_>) -> Option<(RepoName, Repo)> {
    let name = checked(name, &it);
    let RepoKeys { url, branch } = it.read()?;
    let url = url::repository(url?, &it.reader)?;
    let branch = branch.map_or("main", |branch| branch.value.0).to_owned();
    Some((name?, Repo { url, branch }))
}

fn fleet(name: &str, it: NamedTable<'_, '_>) -> Option<(FleetName, FleetConfig)> {
    let name = checked(name, &it);
    let fleet = settings::fleet(it.read()?, it.key, &it.reader)?;
    Some((name?, fleet))
}
