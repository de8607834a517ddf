//! `katkit status`

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;

use super::apply;
use crate::app::App;
use crate::causes;
use crate::cli::ExitStatus;
use crate::cli::arguments::{Format, Global, link};
use crate::cli::error::CommandError;
use crate::cli::output::screen::Screen;
use crate::cli::output::title::Title;
use crate::cli::output::usual_durations::{Running, UsualDurations};
use crate::cli::output::{Output, holder};
use crate::config::Config;
use crate::domain::{CommitSha, Head, LinkId, Request};
use crate::inventory::{self, Scope, Targets};
use crate::manifest::Wanted;
use crate::plan::{self, Arrival, Hold, Holder, LinkPlan};
use crate::state::{StateError, Survey};
use crate::views::{
    ArrivalsText, Damage, Document, LinkStateKind, LinkStatus, StatusJson, StatusText, Style, clip, visible,
};

/// Interval between two frames of `--watch`.
const EVERY: Duration = Duration::from_secs(2);

/// Show the recorded state of every link
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  katkit status                Every link
  katkit status prod \"*/shop\"  One tenant, and one link in every tenant
  katkit status --watch        Redraw every two seconds, until Ctrl-C
  katkit status --check        Exit with 0 if everything is live, for a CI job

`katkit plan` and `--check` also see new commits on a branch, and what others
changed. Exits with 1 if the record of a listed link is damaged.")]
pub(in crate::cli) struct Arguments {
    /// Limit to `tenant/link`, `tenant`, or a pattern such as `*/shop`
    #[arg(value_name = "LINK")]
    patterns: Vec<String>,
    /// Also query repositories and platforms; exit with 0 if everything is live, 1 if a link failed or is held, 3 if
    /// one is not live yet
    #[arg(long)]
    check: bool,
    /// Redraw every two seconds, from the record alone
    #[arg(short, long, conflicts_with_all = ["check", "format"])]
    watch: bool,
    /// Include links that left the manifest and are recorded as forgotten
    #[arg(long)]
    forgotten: bool,
    /// Output format: text, or json (schema: `katkit schema status`)
    #[arg(long, default_value = "text", hide_possible_values = true)]
    format: Format,
}

pub(in crate::cli) async fn run(
    arguments: &Arguments,
    global: &Global,
    config: &Config,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let app = global.look(config, output).await?;
    if arguments.watch {
        return watch(app, arguments, global, config, output).await;
    }
    let shown = look(&app, arguments, output.style()).await?;
    output.show(shown.text)?;
    Ok(shown.status)
}

/// The output, and the exit status if it is shown once.
#[derive(Debug)]
struct ShownStatus {
    text: String,
    status: ExitStatus,
    /// There is no record yet.
    is_blank: bool,
    running: Vec<Running>,
    /// Title for the terminal's window.
    title: String,
}

/// Redraws the recorded state until Ctrl-C.
async fn watch(
    app: App,
    arguments: &Arguments,
    global: &Global,
    config: &Config,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let mut title = Title::new(output.has_title());
    let ended = draw(app, arguments, (global, config), &mut title, output).await;
    output.bytes(title.restored().as_bytes())?;
    ended
}

async fn draw(
    mut app: App,
    arguments: &Arguments,
    (global, config): (&Global, &Config),
    title: &mut Title,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let (mut screen, mut durations) = (Screen::whole(), UsualDurations::default());
    let mut pressed = std::pin::pin!(apply::signalled());
    loop {
        let Some(size) = output.measure() else {
            let hint = "in a job, use `katkit wait`".to_owned();
            return Err(CommandError::refused("`--watch` needs a terminal", hint));
        };
        let shown = tokio::select! {
            shown = look(&app, arguments, output.style()) => shown?,
            _ = &mut pressed => return Ok(ExitStatus::Interrupted),
        };
        let mut text = shown.text;
        for (at, line) in durations.lines(&app, &shown.running).await.iter().enumerate() {
            text.push_str(if at == 0 { "\n" } else { "" });
            text.push_str(&format!("{}\n", clip(&visible(line), size.columns.saturating_sub(1))));
        }
        let frame = screen.frame("", &text, size) + &title.change(&shown.title);
        output.bytes(frame.as_bytes())?;
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = &mut pressed => return Ok(ExitStatus::Interrupted),
        }
        if shown.is_blank {
            // A record that did not exist when opened stays empty.
            app = global.look(config, output).await?;
        }
    }
}

async fn look(app: &App, arguments: &Arguments, style: Style) -> Result<ShownStatus, CommandError> {
    let Survey { heads, leases, requests, damaged } = app.state.survey().await?;
    let is_blank = heads.is_empty();
    let holders = holder::of(leases);
    let told = |error: StateError| (causes::in_one_line(&error), error.is_newer());
    let damaged: BTreeMap<_, _> = damaged.into_iter().map(|(id, error)| (id, told(error))).collect();
    let mut heads: BTreeMap<LinkId, Box<Head>> = heads.into_iter().collect();
    for id in link::of_manifest(app).into_iter().chain(damaged.keys().cloned()) {
        heads.entry(id).or_default();
    }
    // A link that the next apply renames is shown under its new name.
    let has_record = |id: &LinkId, head: &Head| !head.is_blank() || damaged.contains_key(id);
    let renames = plan::renames(app.manifest(), heads.iter().map(|(id, head)| (id, has_record(id, head))));
    let mut recorded_as: BTreeMap<LinkId, LinkId> = BTreeMap::new();
    for (from, to) in renames {
        let is_free = heads.get(&to).is_none_or(|head| head.is_blank()) && !recorded_as.contains_key(&to);
        if let (true, Some(head)) = (is_free, heads.remove(&from)) {
            heads.insert(to.clone(), head);
            recorded_as.insert(to, from);
        }
    }
    // A link that was already renamed is shown only under its new name.
    heads.retain(|id, head| head.moved_to.is_none() || app.manifest().link(id).is_some());
    let known = heads.keys().cloned().collect();
    let targets = link::targets(&arguments.patterns, &known, "link")?;
    heads.retain(|id, _| targets.contain(id));
    let before = heads.len();
    let is_named = |id: &LinkId| arguments.patterns.iter().any(|pattern| *pattern == id.to_string());
    let is_forgotten = |id: &LinkId, head: &Head| head.forgotten && app.manifest().link(id).is_none();
    heads.retain(|id, head| {
        arguments.forgotten || !is_forgotten(id, head) || is_named(id) || damaged.contains_key(id)
    });
    let forgotten = before - heads.len();
    let mut pending: BTreeMap<&LinkId, Vec<Request>> = BTreeMap::new();
    for request in &requests {
        pending.entry(&request.link).or_default().push(request.clone());
    }
    let contained = match arguments.watch {
        // Do not query repositories every two seconds.
        true => BTreeMap::new(),
        false => {
            inventory::contained(app.manifest(), &*app.git, heads.iter().map(|(id, head)| (id, &**head)))
                .await
        }
    };
    let checked = if arguments.check { Some(check(app, targets).await?) } else { None };
    let links = heads.iter().map(|(id, head)| {
        let asks = app.manifest().link(id).map(|(_, link)| &link.want);
        let name = recorded_as.get(id).unwrap_or(id);
        LinkStatus {
            id,
            recorded_as: recorded_as.get(id),
            asks,
            want: checked.as_ref().and_then(|checked| checked.wants.get(id)).or(asks.and_then(Wanted::sha)),
            contained: contained.get(id),
            head,
            holder: holders.get(name).unwrap_or(&Holder::Nobody),
            requests: pending.get(name).map_or(&[], Vec::as_slice),
            damage: damaged.get(name).map(|(text, is_newer)| Damage { text, is_newer: *is_newer }),
        }
    });
    let links: Vec<_> = links.collect();
    let mut text = match arguments.format {
        Format::Text => {
            let (now, most_urgent_first) = (app.clock.now(), arguments.watch);
            StatusText { links: &links, forgotten, most_urgent_first, now, style }.to_string()
        }
        Format::Json => Document::new(&StatusJson::of(&links, forgotten)).to_string(),
    };
    if arguments.format == Format::Text {
        let told = checked.iter().flat_map(|checked| &checked.told);
        let told: Vec<_> = told.map(|(link, arrival)| (link, arrival)).collect();
        text.push_str(&ArrivalsText { arrivals: &told, style }.to_string());
    }
    let is_damaged = links.iter().any(|link| link.damage.is_some());
    let status = match checked {
        _ if is_damaged => ExitStatus::Failure,
        Some(Checked { is_held: true, .. }) => ExitStatus::Failure,
        Some(Checked { is_all_live: false, .. }) => ExitStatus::Unfinished,
        Some(_) | None => ExitStatus::Success,
    };
    let is_held = |link: &&LinkStatus<'_>| matches!(link.holder, Holder::Other(_));
    let running = links.iter().filter(is_held).flat_map(|link| Running::of(link.id, link.head)).collect();
    let count = |kind: LinkStateKind| links.iter().filter(|link| link.link_state().kind == kind).count();
    let title =
        format!("katkit: {} running, {} failed", count(LinkStateKind::Running), count(LinkStateKind::Failed));
    Ok(ShownStatus { text, status, is_blank, running, title })
}

/// What repositories and platforms add to the record.
#[derive(Debug)]
struct Checked {
    /// The commit that each link should run.
    wants: BTreeMap<LinkId, CommitSha>,
    /// Failures, holds, repairs and closed gates that the table does not show.
    told: Vec<(LinkId, Arrival)>,
    /// Something failed or needs attention.
    is_held: bool,
    /// There is nothing left to do now.
    is_all_live: bool,
}

async fn check(app: &App, targets: Targets) -> Result<Checked, CommandError> {
    let input = app.inventory(&Scope { targets, ..Scope::default() }).await?;
    let plan = plan::plan(&input);
    let wants = input.links.into_iter().filter_map(|link| Some((link.id, link.want?.ok()?))).collect();
    let is_done = |link: &LinkPlan| link.steps.is_empty() && link.holds.iter().all(Hold::is_at_gate);
    let is_all_live = plan.links.iter().all(is_done);
    let told = plan.links.into_iter().filter_map(|link| Some((plan::obstacle(&link)?, link.link)));
    let told: Vec<_> = told.map(|(arrival, link)| (link, arrival)).collect();
    let is_held = told.iter().any(|(_, arrival)| matches!(arrival, Arrival::Held(_)));
    Ok(Checked { wants, told, is_held, is_all_live })
}
