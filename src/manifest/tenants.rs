//! `[tenants]` and their links.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{FleetName, LinkName, PhaseName, TenantName};

use super::after::Named;
use super::build::{Defined, Definitions, Known, checked, twice, unknown};
use super::commit::Folder;
use super::diagnostic::Diagnostic;
use super::ecs;
use super::model::{EcsCluster, Link, PlatformConfig, Tenant, Want};
use super::reader::{At, Keys, Reader, Section};
use super::settings::{self, docker_host, joined, misplaced};
use super::source::Span;
use super::suggest::quoted;
use super::tables::{LinkKeys, PlatformKeys, TenantKeys};
use super::words::{Changes, PlatformKind};

/// Seconds that a container without a health check must run before it counts as healthy, unless something else is said.
const SETTLE: u64 = 5;

/// A tenant as the files together define it: its settings in one of them, its links in any.
pub(super) struct TenantParts<'i, 'r> {
    /// The name, where it stands first.
    first: Defined<'i, 'r>,
    /// Where the settings stand, once something other than `links` was found.
    settings: Option<Defined<'i, 'r>>,
    keys: TenantKeys<'i>,
    links: Definitions<'i, 'r>,
}

/// Adds the tenants of a file to those of the files before it.
pub(super) fn collect<'i, 'r>(
    into: &mut BTreeMap<&'i str, TenantParts<'i, 'r>>,
    section: Option<At<Section<'i, TenantKeys<'i>>>>,
    reader: Reader<'r>,
) {
    for (key, raw) in section.into_iter().flat_map(|section| section.value.table) {
        let name = key.get_ref().as_ref();
        let it = Defined { reader, key: reader.span_of(key), raw };
        let Some(table) = reader.table(raw) else { continue };
        let mut keys = TenantKeys::read_keys(table, it.key, &reader);
        let links = keys.links.take();
        let parts = into.entry(name).or_insert_with(|| TenantParts {
            first: it,
            settings: None,
            keys: TenantKeys::default(),
            links: Definitions::new(),
        });
        if table.keys().any(|key| key.get_ref() != "links") {
            if let Some(first) = parts.settings {
                twice("tenant", name, it.key, first.key, &reader);
            } else {
                (parts.settings, parts.keys) = (Some(it), keys);
            }
        }
        for (key, raw) in links.into_iter().flat_map(|links| links.value.table) {
            let link = key.get_ref().as_ref();
            let new = Defined { reader, key: reader.span_of(key), raw };
            match parts.links.get(link) {
                Some(first) => twice("link", &format!("{name}/{link}"), new.key, first.key, &reader),
                None => {
                    parts.links.insert(link, new);
                }
            }
        }
    }
}

impl<'i, 'r> TenantParts<'i, 'r> {
    /// The tenants that come before this one.
    pub(super) fn named<'k>(&'k self) -> Named<'i, 'k, 'r> {
        let reader = self.settings.unwrap_or(self.first).reader;
        Named { reader, after: self.keys.after.as_ref().map_or(&[], |after| &after.value) }
    }
}

/// Checks a tenant with its links; appends to `spans` where each link stands.
pub(super) fn tenant<'i>(
    name: &'i str,
    parts: &TenantParts<'i, '_>,
    known: &Known<'i, '_>,
    spans: &mut Vec<Span>,
) -> Option<(TenantName, Tenant)> {
    let it = parts.settings.unwrap_or(parts.first);
    let reader = it.reader;
    let TenantKeys {
        environment,
        fleet,
        build_fleet,
        platform,
        variables,
        secrets,
        after,
        protected,
        links: _,
    } = &parts.keys;
    let checked_name = checked::<TenantName>(name, &it).filter(|name| !is_reserved(name, &it));
    let fleet = match fleet {
        Some(fleet) => fleet_name(*fleet, known, &reader),
        None => only_fleet(it.key, known, &reader),
    };
    let build_fleet = build_fleet.map(|fleet| fleet_name(fleet, known, &reader));
    let platform = match platform {
        Some(platform) => platform_of(name, &platform.value, platform.span, &reader),
        None => Some(PlatformConfig::File { path: joined(reader.root, format!(".katkit/platform/{name}")) }),
    };
    let environment = match environment {
        Some(At { value, span }) if value.trim().is_empty() => {
            reader.error(*span, "an empty environment", "phases see it as `ENV`");
            None
        }
        Some(At { value, .. }) => Some((*value).to_owned()),
        None => Some(name.to_uppercase()),
    };
    let secret_names: BTreeMap<&str, Span> =
        secrets.iter().flat_map(|pairs| pairs.value.names()).map(|name| (name.value, name.span)).collect();
    let mut scope = Scope { tenant: name, secrets: secret_names, checked: BTreeSet::new(), known };
    for variable in variables.iter().flat_map(|pairs| pairs.value.names()) {
        scope.refuse_secret(variable, &reader);
    }
    let before = spans.len();
    let mut links = BTreeMap::new();
    for (name, it) in &parts.links {
        if let (Some(name), Some(link)) = (checked::<LinkName>(name, it), scope.link(it)) {
            links.insert(name, link);
            spans.push(it.key);
        }
    }
    debug_assert_eq!(spans.len() - before, links.len());
    let tenant = Tenant {
        environment: environment?,
        fleet: fleet?,
        build_fleet: build_fleet.flatten(),
        platform: platform?,
        after: after.iter().flat_map(|after| &after.value).filter_map(|at| at.value.parse().ok()).collect(),
        protected: protected.is_some_and(|protected| protected.value),
        variables: variables.as_ref().map(|pairs| pairs.value.to_map()).unwrap_or_default(),
        secrets: secrets.as_ref().map(|pairs| pairs.value.to_secrets(&reader)).unwrap_or_default(),
        links,
    };
    Some((checked_name?, tenant))
}

/// Reports a name under which something else lies in the blob store.
fn is_reserved(name: &TenantName, it: &Defined<'_, '_>) -> bool {
    if name.is_reserved() {
        let message = format!("no tenant can be called {}", quoted(name.as_str()));
        let help = "katkit itself keeps blobs under this name, beside those of the tenants; choose another";
        it.reader.error_with_help(it.key, message, "reserved", help);
    }
    name.is_reserved()
}

fn fleet_name(name: At<&str>, known: &Known<'_, '_>, reader: &Reader<'_>) -> Option<FleetName> {
    if !known.fleets.contains(&name.value) {
        unknown("fleet", name, known.fleets.iter().copied(), reader);
    }
    FleetName::new(name.value).ok()
}

/// The fleet of a tenant that names none, where there is no choice.
fn only_fleet(tenant: Span, known: &Known<'_, '_>, reader: &Reader<'_>) -> Option<FleetName> {
    if let [only] = known.fleets.as_slice() {
        return FleetName::new(*only).ok();
    }
    let fleets = super::suggest::listed(known.fleets.iter().copied());
    let item = Diagnostic::error(tenant, "missing key `fleet`").label("a tenant needs it");
    reader
        .report
        .absent(item.help(format!("it may be left out only where one fleet is defined; there are {fleets}")));
    None
}

fn platform_of(
    tenant: &str,
    keys: &PlatformKeys<'_>,
    span: Span,
    reader: &Reader<'_>,
) -> Option<PlatformConfig> {
    let PlatformKeys { kind, path, cluster, host, network, settle, region, endpoint, service_name } = keys;
    let kind = kind.as_ref()?.value;
    if !matches!(kind, PlatformKind::File) {
        misplaced("path", path.map(|path| path.span), "it belongs to `kind = \"file\"`", reader);
    }
    if !matches!(kind, PlatformKind::Ecs) {
        let why = "it belongs to `kind = \"ecs\"`";
        for (key, text) in
            [("cluster", cluster), ("region", region), ("endpoint", endpoint), ("service-name", service_name)]
        {
            misplaced(key, text.map(|text| text.span), why, reader);
        }
    }
    if !matches!(kind, PlatformKind::Docker) {
        let why = "it belongs to `kind = \"docker\"`";
        misplaced("host", host.map(|host| host.span), why, reader);
        misplaced("network", network.map(|network| network.span), why, reader);
        misplaced("settle", settle.map(|settle| settle.span), why, reader);
    }
    let texts = [*path, *cluster, *network, *region, *endpoint, *service_name];
    let empty = texts.into_iter().flatten().find(|text| text.value.trim().is_empty());
    if let Some(At { span, .. }) = empty {
        reader.error(span, "an empty text", "something must stand here");
        return None;
    }
    match kind {
        PlatformKind::Docker => Some(PlatformConfig::Docker {
            host: host.and_then(|host| docker_host(host, reader)),
            network: network.map(|network| network.value.to_owned()),
            settle: settle.map_or(SETTLE, |settle| settle.value.0),
        }),
        PlatformKind::File => {
            let path = match path {
                Some(path) => joined(reader.root, path.value),
                None => joined(reader.root, format!(".katkit/platform/{tenant}")),
            };
            Some(PlatformConfig::File { path })
        }
        PlatformKind::Ecs => {
            let Some(cluster) = cluster else {
                let item =
                    Diagnostic::error(span, "missing key `cluster`").label("an `ecs` platform needs it");
                reader.report.absent(item);
                return None;
            };
            Some(PlatformConfig::Ecs {
                cluster: EcsCluster {
                    name: cluster.value.to_owned(),
                    region: region.and_then(|name| settings::region(name, reader)),
                    endpoint: endpoint.and_then(|url| settings::endpoint(url, reader)),
                },
                service_name: service_name.and_then(|text| ecs::service_name(text, reader)),
            })
        }
    }
}

/// Reports a link that does not say what should run. One that says it wrongly was reported already.
fn check_wanted(it: &Defined<'_, '_>) {
    let says = |key: &str| it.raw.get_ref().as_table().is_some_and(|table| table.contains_key(key));
    if !says("sha") && !says("branch") {
        let item = Diagnostic::error(it.key, "neither `sha` nor `branch`").label("what should run here?");
        let help = "write `sha = \"…\"` for one commit, or `branch = \"…\"` to follow a branch";
        it.reader.report.absent(item.help(help));
    }
}

/// The paths that a link watches beside its folder.
fn watched(watch: At<Vec<At<Folder>>>, folder: Option<&At<Folder>>, reader: &Reader<'_>) -> Vec<String> {
    let whole = |folder: &Folder| folder.0.is_empty();
    if folder.is_none_or(|folder| whole(&folder.value)) {
        let item = Diagnostic::warning(watch.span, "`watch` leaves nothing out")
            .label("beside the whole repository");
        let help =
            "the link's folder is the root of its repository, which every commit changes; say `folder`";
        reader.report.add(item.help(help));
    }
    let mut paths = Vec::with_capacity(watch.value.len());
    for At { value: Folder(path), span } in watch.value {
        if let Some(at) = path.find(['*', '?']) {
            let message = format!("{} is not a folder or a file", quoted(&path));
            let plain = path[..at].trim_end_matches('/');
            let help =
                format!("patterns are not known here; a folder stands for all that is in it: `\"{plain}\"`");
            reader.error_with_help(span, message, "a pattern", help);
        }
        paths.push(path);
    }
    paths
}

/// What the links of one tenant are checked against.
struct Scope<'i, 'k, 'r> {
    tenant: &'i str,
    secrets: BTreeMap<&'i str, Span>,
    /// The workflows whose variables were compared with the tenant's secrets.
    checked: BTreeSet<&'i str>,
    known: &'k Known<'i, 'r>,
}

impl<'i> Scope<'i, '_, '_> {
    /// Reports a variable that is a secret of the tenant as well.
    fn refuse_secret(&self, variable: At<&str>, reader: &Reader<'_>) {
        if let Some(secret) = self.secrets.get(variable.value) {
            let tenant = self.tenant;
            let message = format!("`{}` is a variable and a secret of `{tenant}`", variable.value);
            let item = Diagnostic::error(variable.span, message).label("the variable");
            reader.report.add(item.related(*secret, "the secret").help("take one of them away"));
        }
    }

    fn link(&mut self, it: &Defined<'i, '_>) -> Option<Link> {
        let LinkKeys { repo, folder, workflow, sha, branch, watch, changes, skip, variables } = it.read()?;
        let reader = &it.reader;
        if let Some(repo) = repo.filter(|repo| !self.known.repos.contains_key(repo.value)) {
            unknown("repository", repo, self.known.repos.keys().copied(), reader);
        }
        if let Some(workflow) = workflow {
            self.check_workflow(workflow, reader);
        }
        let want = match (sha, branch) {
            (Some(sha), Some(branch)) => {
                let item =
                    Diagnostic::error(branch.span, "both `sha` and `branch`").label("this follows a branch");
                let item = item
                    .related(sha.span, "this names a commit")
                    .help("exactly one of them says what should run");
                reader.report.add(item);
                None
            }
            (Some(sha), None) => Some(Want::Sha(sha.value)),
            (None, Some(branch)) => Some(Want::Branch(branch.value.0.to_owned())),
            (None, None) => {
                check_wanted(it);
                None
            }
        };
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

    fn check_workflow(&mut self, workflow: At<&'i str>, reader: &Reader<'_>) {
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
        skip: &[At<&'i str>],
        workflow: Option<At<&'i str>>,
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
