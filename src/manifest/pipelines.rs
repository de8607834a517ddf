//! `[pipelines]`: their stages, and that stages and links agree about each other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::checks::{misplaced, place};
use super::definitions::{Definitions, NamedTable, checked, unknown};
use super::diagnostic::{Diagnostic, Report};
use super::model::{Manifest, Pin, Wanted};
use super::pull_requests;
use super::reader::{Located, Reader};
use super::source::Span;
use super::suggest::quoted;
use super::tables::{PipelineKeys, StageKeys};
use crate::domain::{LinkId, PipelineName, StageName};
use crate::pipeline::{Pipeline, Stage, StageSource};
use crate::policy::{SoakTime, Zone};

/// All pipelines, and where their stages list each link.
#[derive(Default)]
pub(super) struct Pipelines {
    pub(super) built: BTreeMap<PipelineName, Arc<Pipeline>>,
    pub(super) places: Vec<(PipelineName, LinkId, Span)>,
}

impl Pipelines {
    /// Reads all definitions.
    pub(super) fn read(definitions: &Definitions<'_, '_>, repos: &Definitions<'_, '_>) -> Self {
        let mut all = Self::default();
        for (name, it) in definitions {
            let checked = checked::<PipelineName>(name, it);
            let mut places = Vec::new();
            let Some((name, pipeline)) = checked.zip(pipeline(*it, repos, &mut places)) else { continue };
            all.places.extend(places.into_iter().map(|(link, span)| (name.clone(), link, span)));
            all.built.insert(name, Arc::new(pipeline));
        }
        all
    }
}

impl Manifest {
    /// How long the policy of a link's tenant lets a commit soak in the stages before.
    pub fn soak_of(&self, link: &LinkId) -> Option<&SoakTime> {
        self.policy_of(link)?.1.soak.as_ref()
    }

    /// The zone in which people see times that concern a link: that of its policy.
    pub fn zone_of(&self, link: &LinkId) -> Zone {
        self.policy_of(link).map_or(Zone::UTC, |(_, policy)| policy.zone())
    }

    /// The same if the stages before must take nothing new meanwhile. A pinned link waits for nothing.
    pub fn train_of(&self, link: &LinkId) -> Option<&SoakTime> {
        let (_, _, pin) = self.pipeline_of(link)?;
        self.soak_of(link).filter(|soak| soak.train && pin.is_none())
    }

    /// The pipeline that chooses a link's commits, if there is one, and the link's pin.
    pub fn pipeline_of(&self, link: &LinkId) -> Option<(&PipelineName, &Pipeline, Option<&Pin>)> {
        let (_, link) = self.link(link)?;
        let Wanted::Pipeline { name, pin } = &link.want else { return None };
        Some((name, self.pipelines.get(name)?, pin.as_ref()))
    }
}

fn pipeline(
    it: NamedTable<'_, '_>,
    repos: &Definitions<'_, '_>,
    places: &mut Vec<(LinkId, Span)>,
) -> Option<Pipeline> {
    let PipelineKeys { repo, stages } = it.read()?;
    let reader = &it.reader;
    let (repo, stages) = (repo?, stages?);
    if !repos.contains_key(repo.value) {
        unknown("repository", repo, repos.keys().copied(), reader);
    }
    if stages.value.is_empty() {
        let help = "list its stages, like `stages = [{ name = \"beta\", links = [\"beta/shop\"] }]`";
        reader.error_with_help(stages.span, "the pipeline has no stages", "empty", help);
        return None;
    }
    let names: Vec<_> = stages.value.iter().filter_map(|stage| stage.value.name).collect();
    let mut built = Vec::with_capacity(stages.value.len());
    for (at, keys) in stages.value.into_iter().enumerate() {
        let before = at.checked_sub(1).and_then(|before| names.get(before)).map(|name| name.value);
        if let Some(stage) = stage(keys, before, &names, places, reader) {
            built.push((stage, names.get(at).map_or(it.key, |name| name.span)));
        }
    }
    for (at, (stage, span)) in built.iter().enumerate() {
        if let Some((_, first)) = built[..at].iter().find(|(other, _)| other.name == stage.name) {
            let item = Diagnostic::error(*span, format!("the stage `{}` is defined twice", stage.name));
            reader.report.add(item.label("the second").related(*first, "the first"));
            return None;
        }
    }
    if let Some((stage, span)) = built.iter().find(|(stage, _)| is_after_itself(stage, &built)) {
        let message = format!("the stage `{}` would wait for itself", stage.name);
        let help = "`after` names the stages that come first, so it cannot form a cycle";
        reader.error_with_help(*span, message, "leads back here", help);
        return None;
    }
    for (stage, span) in &built {
        let before = built.iter().filter(|(other, _)| stage.after.contains(&other.name));
        let fewest = before.map(|(other, _)| (other.links().count(), &other.name)).min();
        if let (Some(need), Some((count, other))) = (stage.need, fewest)
            && need > count
        {
            let links = if count == 1 { "link" } else { "links" };
            let message = format!("`need = {need}`, but the stage `{other}` has {count} {links}");
            let help = format!("leave `need` out to need all of them, or write at most {count}");
            reader.error_with_help(*span, message, "can never be met", help);
        }
    }
    Some(Pipeline {
        repo: repo.value.parse().ok()?,
        stages: built.into_iter().map(|(stage, _)| stage).collect(),
    })
}

fn stage<'i>(
    keys: Located<StageKeys<'i>>,
    before: Option<&str>,
    names: &[Located<&'i str>],
    places: &mut Vec<(LinkId, Span)>,
    reader: &Reader<'_>,
) -> Option<Stage> {
    let at = keys.span;
    let StageKeys { name, links, waves, after, need, take, source } = keys.value;
    let name = name?;
    let stage = match StageName::new(name.value) {
        Ok(stage) => Some(stage),
        Err(error) => {
            reader.error(name.span, error.to_string(), "not a name");
            None
        }
    };
    let (waves_at, after_at) = (place(waves.as_ref()), place(after.as_ref()));
    let waves = match (links, waves) {
        (Some(links), None) => vec![links],
        (None, Some(waves)) if waves.value.is_empty() => {
            let message = format!("the stage {} has no links", quoted(name.value));
            reader.error_with_help(waves.span, message, "empty", "list links, like `[[\"prod/shop\"]]`");
            return None;
        }
        (None, Some(waves)) => waves.value,
        (Some(_), Some(waves)) => {
            let help = "`waves` lists the links of the stage; leave `links` out";
            reader.error_with_help(
                waves.span,
                "the stage has both `links` and `waves`",
                "the links again",
                help,
            );
            return None;
        }
        (None, None) => {
            let item = Diagnostic::error(at, format!("the stage {} has no links", quoted(name.value)));
            let help = "write `links = [\"tenant/link\"]`, or `waves = [[\"tenant/link\"], …]`";
            reader.report.add(item.label("missing key `links`").help(help));
            return None;
        }
    };
    let wave = |wave: Located<Vec<Located<&str>>>| {
        if wave.value.is_empty() {
            let message = format!("the stage {} has no links here", quoted(name.value));
            reader.error_with_help(wave.span, message, "empty", "list links, like `\"prod/shop\"`");
        }
        wave.value.into_iter().filter_map(|link| listed(link, places, reader)).collect::<Vec<_>>()
    };
    let waves: Vec<_> = waves.into_iter().map(wave).collect();
    let after: Vec<StageName> = match after {
        Some(after) => {
            let mut stages: Vec<StageName> = Vec::new();
            for after in after.value {
                match named(after, names, reader) {
                    Some(stage) if stages.contains(&stage) => {
                        reader.error(after.span, format!("`{stage}` is listed twice"), "the second");
                    }
                    stage => stages.extend(stage),
                }
            }
            stages
        }
        None => before.and_then(|before| StageName::new(before).ok()).into_iter().collect(),
    };
    let source = source.map(|source| source.value).unwrap_or_default();
    if source == StageSource::PullRequests {
        let with_waves = waves_at.filter(|_| waves.len() > 1);
        let after_at = after_at.filter(|_| !after.is_empty());
        for (key, span) in [
            ("waves", with_waves),
            ("after", after_at),
            ("take", place(take.as_ref())),
            ("need", place(need.as_ref())),
        ] {
            misplaced(key, span, "the stage tests pull requests, one after the other", reader);
        }
        if after_at.is_none() && !after.is_empty() {
            let item = Diagnostic::error(
                at,
                format!("the stage {} tests pull requests, but comes after another", quoted(name.value)),
            );
            let help = "write it as the first stage, or with `after = []`";
            reader.report.add(item.label("comes after the stage before it").help(help));
        }
    }
    let (need, take) =
        (need.map(|need| need.value.0 as usize), take.map(|take| take.value).unwrap_or_default());
    Some(Stage { name: stage?, waves, after, need, take, source })
}

/// A link that a stage lists.
fn listed(link: Located<&str>, places: &mut Vec<(LinkId, Span)>, reader: &Reader<'_>) -> Option<LinkId> {
    match link.value.parse::<LinkId>() {
        Ok(id) => {
            places.push((id.clone(), link.span));
            Some(id)
        }
        Err(error) => {
            let help = "a link is written `tenant/link`, like `prod/shop`";
            reader.error_with_help(link.span, error.to_string(), "not a link", help);
            None
        }
    }
}

/// A stage that another comes after.
fn named(after: Located<&str>, names: &[Located<&str>], reader: &Reader<'_>) -> Option<StageName> {
    if !names.iter().any(|name| name.value == after.value) {
        unknown("stage", after, names.iter().map(|name| name.value), reader);
        return None;
    }
    StageName::new(after.value).ok()
}

fn is_after_itself(stage: &Stage, all: &[(Stage, Span)]) -> bool {
    let (mut seen, mut next) = (BTreeSet::new(), stage.after.clone());
    while let Some(name) = next.pop() {
        if name == stage.name {
            return true;
        }
        if seen.insert(name.clone()) {
            let of = all.iter().filter(|(other, _)| other.name == name);
            next.extend(of.flat_map(|(other, _)| other.after.iter().cloned()));
        }
    }
    false
}

/// Reports stages that list a link which follows another pipeline or none, and links that no stage of their pipeline
/// lists. `spans` are the positions of the links, in order.
pub(super) fn check(
    manifest: &Manifest,
    places: &[(PipelineName, LinkId, Span)],
    spans: &[Span],
    report: &Report,
) {
    let mut first: BTreeMap<&LinkId, Span> = BTreeMap::new();
    for (name, id, span) in places {
        if let Some(before) = first.insert(id, *span) {
            let item = Diagnostic::error(*span, format!("`{id}` is listed twice"));
            let help = "a link is in one wave of one stage of one pipeline";
            report.add(item.label("the second").related(before, "the first").help(help));
            continue;
        }
        let Some((_, link)) = manifest.link(id) else {
            let item = Diagnostic::error(*span, format!("there is no link `{id}`"));
            report.absent(item.label("not defined").help(format!(
                "define it: `[tenants.{}.links.{}]` with `pipeline = \"{name}\"`",
                id.tenant, id.link
            )));
            continue;
        };
        if !matches!(&link.want, Wanted::Pipeline { name: follows, .. } if follows == name) {
            let item = Diagnostic::error(*span, format!("`{id}` does not follow the pipeline `{name}`"));
            let help = format!("write `pipeline = \"{name}\"` in the link, instead of `sha` or `branch`");
            report.add(item.label("listed here").help(help));
        } else if let Some(repo) =
            manifest.pipelines.get(name).map(|it| &it.repo).filter(|it| **it != link.repo)
        {
            let message = format!("`{id}` is of the repository `{}`, not `{repo}`", link.repo);
            report.add(Diagnostic::error(*span, message).label("of another repository"));
        }
    }
    for ((id, _, link), span) in manifest.links().zip(spans) {
        let Wanted::Pipeline { name, .. } = &link.want else { continue };
        let Some(pipeline) = manifest.pipelines.get(name) else { continue };
        if pipeline.stage_of(&id).is_none() && !first.contains_key(&id) {
            let item = Diagnostic::error(*span, format!("no stage of the pipeline `{name}` lists `{id}`"));
            let help = format!("list `\"{id}\"` in the stage that it belongs to");
            report.add(item.label("in no stage").help(help));
        }
    }
    for (name, id, span) in places {
        if let Some(pipeline) = manifest.pipelines.get(name) {
            warn_of_folders(manifest, pipeline, id, *span, report);
            warn_of_tags(manifest, pipeline, id, *span, report);
            pull_requests::check(manifest, pipeline, id, *span, report);
        }
    }
}

/// Warns of a stage that another waits for and whose links watch different folders: no commit that changes only one of
/// them is ever verified in all.
fn warn_of_folders(manifest: &Manifest, pipeline: &Pipeline, id: &LinkId, span: Span, report: &Report) {
    let Some(stage) = pipeline.stage_of(id) else { return };
    let waits = pipeline.stages.iter().any(|other| other.after.contains(&stage.name) && other.need.is_none());
    let watched = |id: &LinkId| manifest.link(id).filter(|(_, link)| link.watch.is_some());
    let folder = |id: &LinkId| watched(id).map(|(_, link)| link.folder.as_str());
    let first = stage.links().next();
    if waits && first.is_some_and(|first| first != id && folder(first) != folder(id)) && folder(id).is_some()
    {
        let item = Diagnostic::warning(
            span,
            format!("the links of the stage `{}` watch different folders", stage.name),
        );
        let help = "a commit that changes only one of the folders is not verified in all of them; write one pipeline for \
                    each service";
        report.add(item.label("another folder").help(help));
    }
}

/// Warns of a link that deploys by digest after a link that deploys by tag: nobody knows what was verified there.
fn warn_of_tags(manifest: &Manifest, pipeline: &Pipeline, id: &LinkId, span: Span, report: &Report) {
    let pins = |link: &LinkId| manifest.policy_of(link).is_some_and(|(_, policy)| policy.pinned);
    let by_tag = pipeline.before(id).find(|link| !pins(link)).filter(|_| pins(id));
    if let Some(before) = by_tag {
        let item = Diagnostic::warning(
            span,
            format!("`{before}` does not deploy by digest, and `{id}` after it does"),
        );
        let help = format!("give the tenant `{}` a policy with `digest = \"pinned\"`, too", before.tenant);
        report.add(item.label("deploys what its tag points to, not what was verified").help(help));
    }
}
