//! `katkit status`

use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::carry_out;
use crate::app::Host;
use crate::cli::ExitStatus;
use crate::cli::arguments::{Format, Global, link};
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::cli::output::screen::Screen;
use crate::cli::output::title::Title;
use crate::cli::output::usual_durations::UsualDurations;
use crate::estate::Estate;
use crate::plan::Holder;
use crate::queries::{ActivePhase, Checked, RecordedLinks, StatusDepth, StatusQuestion};
use crate::views::{
    ArrivalsText, Document, LinkStateKind, LinkStatus, StatusJson, StatusText, Style, clip, visible,
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
    #[command(flatten)]
    checks: Checks,
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

/// Whether to compare the record with what is wanted
#[derive(Clone, Copy, Debug, Args)]
struct Checks {
    /// Also query repositories and platforms; exit with 0 if everything is live, 1 if a link failed or is held, 3 if
    /// one is not live yet
    #[arg(long)]
    check: bool,
    /// With `--check`: exit with 3 if a deployment waits for a policy
    #[arg(long, requires = "check")]
    strict: bool,
}

pub(in crate::cli) async fn run(
    arguments: &Arguments,
    global: &Global,
    host: &Host,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let opened = global.look(host, output).await?;
    let (estate, unattended) = (opened.estate, !opened.actor.is_person());
    if arguments.watch {
        return watch(estate, arguments, global, host, output).await;
    }
    let shown = look(&estate, arguments, unattended, output.style()).await?;
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
    running: Vec<ActivePhase>,
    /// Title for the terminal's window.
    title: String,
}

/// Redraws the recorded state until Ctrl-C.
async fn watch(
    estate: Arc<Estate>,
    arguments: &Arguments,
    global: &Global,
    host: &Host,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let mut title = Title::new(output.has_title());
    let ended = draw(estate, arguments, (global, host), &mut title, output).await;
    output.bytes(title.restored().as_bytes())?;
    ended
}

async fn draw(
    mut estate: Arc<Estate>,
    arguments: &Arguments,
    (global, host): (&Global, &Host),
    title: &mut Title,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let (mut screen, mut durations) = (Screen::whole(), UsualDurations::default());
    let mut pressed = std::pin::pin!(carry_out::signalled());
    loop {
        let Some(size) = output.measure() else {
            let hint = "in a job, use `katkit wait`".to_owned();
            return Err(CommandError::refused("`--watch` needs a terminal", hint));
        };
        let shown = tokio::select! {
            shown = look(&estate, arguments, false, output.style()) => shown?,
            _ = &mut pressed => return Ok(ExitStatus::Interrupted),
        };
        let mut text = shown.text;
        for (at, line) in durations.lines(&estate, &shown.running).await.iter().enumerate() {
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
            estate = global.look(host, output).await?.estate;
        }
    }
}

async fn look(
    estate: &Estate,
    arguments: &Arguments,
    unattended: bool,
    style: Style,
) -> Result<ShownStatus, CommandError> {
    let record = RecordedLinks::read(estate).await?;
    let targets = link::targets(&arguments.patterns, &record.ids(), "link")?;
    let depth = match (arguments.watch, arguments.checks.check) {
        // Do not query repositories every two seconds.
        (true, _) => StatusDepth::Record,
        (false, false) => StatusDepth::Branches,
        (false, true) => StatusDepth::Plan,
    };
    let named = arguments.patterns.iter().filter_map(|pattern| pattern.parse().ok()).collect();
    let question = StatusQuestion { targets, named, forgotten: arguments.forgotten, unattended, depth };
    let facts = record.status(estate, question).await?;
    let (links, forgotten) = (facts.links(), facts.forgotten);
    let mut text = match arguments.format {
        Format::Text => {
            let (now, most_urgent_first) = (estate.clock.now(), arguments.watch);
            StatusText { links: &links, forgotten, most_urgent_first, now, style }.to_string()
        }
        Format::Json => Document::new(&StatusJson::of(&links, forgotten)).to_string(),
    };
    if arguments.format == Format::Text {
        let findings = facts.checked.iter().flat_map(|checked| &checked.findings);
        let findings: Vec<_> = findings.map(|(link, arrival)| (link, arrival)).collect();
        text.push_str(&ArrivalsText { arrivals: &findings, style }.to_string());
    }
    let is_damaged = links.iter().any(|link| link.damage.is_some());
    let status = match &facts.checked {
        _ if is_damaged => ExitStatus::Failure,
        Some(Checked { is_held: true, .. }) => ExitStatus::Failure,
        Some(Checked { is_all_live: false, .. }) => ExitStatus::Unfinished,
        Some(Checked { is_waiting: true, .. }) if arguments.checks.strict => ExitStatus::Unfinished,
        Some(_) | None => ExitStatus::Success,
    };
    let is_held = |link: &&LinkStatus<'_>| matches!(link.holder, Holder::Other(_));
    let running = links.iter().filter(is_held).flat_map(|link| ActivePhase::of(link.id, link.head)).collect();
    let count = |kind: LinkStateKind| links.iter().filter(|link| link.link_state().kind == kind).count();
    let title =
        format!("katkit: {} running, {} failed", count(LinkStateKind::Running), count(LinkStateKind::Failed));
    Ok(ShownStatus { text, status, is_blank: facts.is_blank(), running, title })
}
