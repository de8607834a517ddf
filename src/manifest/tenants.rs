//! `[tenants]` and their links.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::{FleetName, LinkName, PolicyName, TenantName};

use super::after::Named;
use super::checks::{self, misplaced};
use super::definitions::{Definitions, NamedTable, checked, twice, unknown};
use super::diagnostic::Diagnostic;
use super::ecs;
use super::files::joined;
use super::known::Known;
use super::links::{Linked, Scope};
use super::model::{EcsCluster, PlatformConfig, Tenant};
use super::reader::{Keys, Located, Reader, Section};
use super::settings::docker_host;
use super::source::Span;
use super::suggest::quoted;
use super::tables::{PlatformKeys, TenantKeys};
use super::words::PlatformKind;

/// How long a container without a health check must run before it counts as healthy, by default.
const SETTLE: Duration = Duration::from_secs(5);

/// A tenant from all files: its settings are in one file, its links in any.
pub(super) struct TenantParts<'i, 'r> {
    /// The first table with this name.
    first: NamedTable<'i, 'r>,
    /// The table with keys other than `links`, once found.
    settings: Option<NamedTable<'i, 'r>>,
    keys: TenantKeys<'i>,
    links: Definitions<'i, 'r>,
}

/// Adds the tenants of a file to those of the files before it.
pub(super) fn collect<'i, 'r>(
    into: &mut BTreeMap<&'i str, TenantParts<'i, 'r>>,
    section: Option<Located<Section<'i, TenantKeys<'i>>>>,
    reader: Reader<'r>,
) {
    for (key, raw) in section.into_iter().flat_map(|section| section.value.table) {
        let name = key.get_ref().as_ref();
        let it = NamedTable { reader, key: reader.span_of(key), raw };
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
            let new = NamedTable { reader, key: reader.span_of(key), raw };
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
    /// The names of the templates it uses.
    pub(super) fn used(&self) -> &[Located<&'i str>] {
        self.keys.used.as_ref().map_or(&[], |used| &used.value)
    }

    /// The `after` list, with the reader of its file.
    pub(super) fn named<'k>(&'k self) -> Named<'i, 'k, 'r> {
        let reader = self.settings.unwrap_or(self.first).reader;
        Named { reader, after: self.keys.after.as_ref().map_or(&[], |after| &after.value) }
    }
}

/// Checks a tenant with its links; appends the position of each link to `spans`.
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
        policy,
        used: _,
        links: _,
    } = &parts.keys;
    let checked_name = checked::<TenantName>(name, &it).filter(|name| !is_reserved(name, &it));
    let fleet = match fleet {
        Some(fleet) => fleet_name(*fleet, known, &reader),
        None => only_fleet(it.key, known, &reader),
    };
    let build_fleet = build_fleet.map(|fleet| fleet_name(fleet, known, &reader));
    let policy = policy.map(|policy| policy_name(policy, known, &reader));
    let platform = match platform {
        Some(platform) => platform_of(name, &platform.value, platform.span, &reader),
        None => Some(PlatformConfig::File { path: joined(reader.root, format!(".katkit/platform/{name}")) }),
    };
    let environment = match environment {
        Some(Located { value, span }) if value.trim().is_empty() => {
            reader.error(*span, "an empty environment", "phases see it as `ENV`");
            None
        }
        Some(Located { value, .. }) => Some((*value).to_owned()),
        None => Some(name.to_uppercase()),
    };
    let secret_names: BTreeMap<&str, Span> =
        secrets.iter().flat_map(|pairs| pairs.value.names()).map(|name| (name.value, name.span)).collect();
    let mut scope = Scope::new(name, secret_names, known);
    for variable in variables.iter().flat_map(|pairs| pairs.value.names()) {
        scope.refuse_secret(variable, &reader);
    }
    let before = spans.len();
    let mut links = BTreeMap::new();
    for (name, linked) in linked(parts, known) {
        let it = linked.it;
        if let (Some(name), Some(link)) = (checked::<LinkName>(name, &it), scope.link(linked)) {
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
        policy: policy.flatten(),
        variables: variables.as_ref().map(|pairs| pairs.value.to_map()).unwrap_or_default(),
        secrets: secrets.as_ref().map(|pairs| pairs.value.to_secrets(&reader)).unwrap_or_default(),
        links,
    };
    Some((checked_name?, tenant))
}

/// The links of a tenant, ordered by name: from its tables, from templates, or from both.
fn linked<'i, 'k, 'r>(
    parts: &TenantParts<'i, 'r>,
    known: &'k Known<'i, 'r>,
) -> BTreeMap<&'i str, Linked<'i, 'k, 'r>> {
    let mut linked: BTreeMap<&str, Linked<'i, 'k, 'r>> = BTreeMap::new();
    for (name, it) in &parts.links {
        linked.insert(name, Linked { it: *it, is_table: true, template: None });
    }
    let whole = parts.settings.unwrap_or(parts.first);
    let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
    for used in parts.used() {
        if let Some(first) = seen.insert(used.value, used.span) {
            let item = Diagnostic::error(used.span, format!("{} is used twice", quoted(used.value)));
            whole.reader.report.add(item.label("the second").related(first, "the first"));
            continue;
        }
        let template = known.templates.get(*used, &whole.reader);
        let by_template = Linked { it: NamedTable { key: used.span, ..whole }, is_table: false, template };
        linked.entry(used.value).or_insert(by_template).template = template;
    }
    // A missing template was reported, and makes no link.
    linked.retain(|_, linked| linked.is_table || linked.template.is_some());
    linked
}

/// Reports a name that katkit uses for its own blobs.
fn is_reserved(name: &TenantName, it: &NamedTable<'_, '_>) -> bool {
    if name.is_reserved() {
        let message = format!("no tenant can be called {}", quoted(name.as_str()));
        let help = "katkit keeps its own blobs under this name; choose another";
        it.reader.error_with_help(it.key, message, "reserved", help);
    }
    name.is_reserved()
}

fn fleet_name(name: Located<&str>, known: &Known<'_, '_>, reader: &Reader<'_>) -> Option<FleetName> {
    if !known.fleets.contains(&name.value) {
        unknown("fleet", name, known.fleets.iter().copied(), reader);
    }
    FleetName::new(name.value).ok()
}

fn policy_name(name: Located<&str>, known: &Known<'_, '_>, reader: &Reader<'_>) -> Option<PolicyName> {
    if !known.policies.contains(&name.value) {
        unknown("policy", name, known.policies.iter().copied(), reader);
    }
    PolicyName::new(name.value).ok()
}

/// The fleet of a tenant that names none; reports that unless there is only one fleet.
fn only_fleet(tenant: Span, known: &Known<'_, '_>, reader: &Reader<'_>) -> Option<FleetName> {
    if let [only] = known.fleets.as_slice() {
        return FleetName::new(*only).ok();
    }
    let fleets = super::suggest::listed(known.fleets.iter().copied());
    let item = Diagnostic::error(tenant, "missing key `fleet`").label("a tenant needs it");
    reader.report.absent(
        item.help(format!("it is optional only if exactly one fleet is defined; there are {fleets}")),
    );
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
    if let Some(Located { span, .. }) = empty {
        reader.error(span, "an empty string", "a value is required");
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
                    region: region.and_then(|name| checks::region(name, reader)),
                    endpoint: endpoint.and_then(|url| checks::endpoint(url, reader)),
                },
                service_name: service_name.and_then(|text| ecs::service_name(text, reader)),
            })
        }
    }
}
