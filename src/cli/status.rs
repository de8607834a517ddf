//! `katkit status`

use std::collections::BTreeMap;

use clap::Args;

use super::arguments::{Format, Global};
use super::error::CommandError;
use super::output::Output;
use super::{ExitStatus, holder, link};
use crate::causes;
use crate::config::Config;
use crate::domain::{Head, LinkId, Request};
use crate::inventory;
use crate::manifest::Want;
use crate::plan::{self, Holder};
use crate::state::{StateError, Survey};
use crate::views::{Damage, LinkStatus, StatusJson, StatusText};

/// Show where every link stands, from the record
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit status                Every link
  katkit status prod \"*/shop\"  One tenant, and one link in every tenant

What is new on a branch, and what others changed, `katkit plan` finds out. Exits with 1 if
the record of a link that is shown is damaged.")]
pub(super) struct Arguments {
    /// Only these links: `tenant/link`, `tenant`, or a pattern such as `*/shop`
    #[arg(value_name = "PATTERN")]
    patterns: Vec<String>,
    /// What to write: text for people, or json, of which `katkit schema status` tells
    #[arg(long, default_value = "text", hide_possible_values = true)]
    format: Format,
}

pub(super) async fn run(
    arguments: &Arguments,
    global: &Global,
    config: &Config,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let app = global.look(config, output).await?;
    let Survey { heads, leases, requests, damaged } = app.state.survey().await?;
    let holders = holder::of(leases);
    let told = |error: StateError| (causes::in_one_line(&error), error.is_newer());
    let damaged: BTreeMap<_, _> = damaged.into_iter().map(|(id, error)| (id, told(error))).collect();
    let mut heads: BTreeMap<LinkId, Head> = heads.into_iter().collect();
    for id in link::of_manifest(&app).into_iter().chain(damaged.keys().cloned()) {
        heads.entry(id).or_default();
    }
    // A link that the next apply moves is shown under its new name.
    let has_record = |id: &LinkId, head: &Head| !head.is_blank() || damaged.contains_key(id);
    let renames = plan::renames(app.manifest(), heads.iter().map(|(id, head)| (id, has_record(id, head))));
    let mut recorded_as: BTreeMap<LinkId, LinkId> = BTreeMap::new();
    for (from, to) in renames {
        let is_free = heads.get(&to).is_none_or(Head::is_blank) && !recorded_as.contains_key(&to);
        if let (true, Some(head)) = (is_free, heads.remove(&from)) {
            heads.insert(to.clone(), head);
            recorded_as.insert(to, from);
        }
    }
    // And what was moved before, under its new name alone.
    heads.retain(|id, head| head.moved_to.is_none() || app.manifest().link(id).is_some());
    let known = heads.keys().cloned().collect();
    let targets = link::targets(&arguments.patterns, &known, "link")?;
    heads.retain(|id, _| targets.contain(id));
    let mut wishes: BTreeMap<&LinkId, Vec<Request>> = BTreeMap::new();
    for request in &requests {
        wishes.entry(&request.link).or_default().push(request.clone());
    }
    let contained = inventory::contained(app.manifest(), &*app.git, heads.iter()).await;
    let links = heads.iter().map(|(id, head)| {
        let asks = app.manifest().link(id).map(|(_, link)| &link.want);
        let name = recorded_as.get(id).unwrap_or(id);
        LinkStatus {
            id,
            recorded_as: recorded_as.get(id),
            asks,
            want: asks.and_then(Want::sha),
            contained: contained.get(id),
            head,
            holder: holders.get(name).unwrap_or(&Holder::Nobody),
            requests: wishes.get(name).map_or(&[], Vec::as_slice),
            damage: damaged.get(name).map(|(text, is_newer)| Damage { text, is_newer: *is_newer }),
        }
    });
    let links: Vec<_> = links.collect();
    match arguments.format {
        Format::Text => {
            output.show(StatusText { links: &links, now: app.clock.now(), style: output.style() })?
        }
        Format::Json => output.json(&StatusJson::of(&links))?,
    }
    let damaged = links.iter().any(|link| link.damage.is_some());
    Ok(if damaged { ExitStatus::Failure } else { ExitStatus::Success })
}
