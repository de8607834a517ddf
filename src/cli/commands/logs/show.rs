//! `katkit logs` without `--follow`: shows what is stored so far, and merges several logs by the storage time of their
//! chunks.

use futures::{StreamExt as _, stream};
use jiff::Timestamp;

use super::selection::{self, LogSelection};
use super::sink::{Layout, Sink, Source};
use crate::blobs::LogReader;
use crate::cli::ExitStatus;
use crate::cli::arguments::attempt::{self, ChosenRun};
use crate::cli::arguments::link;
use crate::cli::commands::history;
use crate::cli::error::CommandError;
use crate::cli::output::Output;
use crate::domain::{LinkId, PhaseName};
use crate::estate::Estate;
use crate::journal::PastAttempt;
use crate::views::stamp;

/// How many links are read concurrently.
const CONCURRENTLY: usize = 8;

/// The requested links, and an exit status that says whether some could not be read.
pub(in crate::cli) async fn links(
    estate: &Estate,
    texts: &[String],
    output: &mut Output,
) -> Result<(Vec<LinkId>, ExitStatus), CommandError> {
    let (names, patterns): (Vec<_>, Vec<_>) = texts.iter().cloned().partition(|text| link::is_name(text));
    let (mut ids, mut status) = (Vec::new(), ExitStatus::Success);
    for name in names {
        ids.push(link::recorded(estate, &name).await?.0);
    }
    if !patterns.is_empty() {
        let (matching, damaged) = history::matching(estate, &patterns, output).await?;
        ids.extend(matching);
        status = damaged;
    }
    ids.sort();
    ids.dedup();
    Ok((ids, status))
}

/// An attempt and its logs by replica.
struct ShownAttempt {
    chosen: ChosenRun,
    phase: PhaseName,
    attempt: PastAttempt,
    logs: Vec<(u32, LogReader)>,
}

/// Shows what is stored of the logs.
pub(in crate::cli) async fn show(
    estate: &Estate,
    asked: LogSelection<'_>,
    layout: Layout,
    output: &mut Output,
) -> Result<ExitStatus, CommandError> {
    let (ids, status) = links(estate, asked.links, output).await?;
    let sink = Sink::new(output, layout);
    let opened = ids.iter().map(|id| open(estate, id, asked, &sink));
    let opened: Vec<_> = stream::iter(opened).buffered(CONCURRENTLY).collect().await;
    let (mut shown, mut is_told) = (Vec::new(), false);
    for (id, opened) in ids.iter().zip(opened) {
        let is_named = ids.len() == 1 || asked.links.contains(&id.to_string());
        match opened {
            Ok(Ok(one)) => shown.push(one),
            Ok(Err(why)) if is_named => {
                is_told = true;
                sink.nothing(&why)?;
            }
            // The link only matched a pattern, and has no such log.
            Ok(Err(_)) => {}
            Err(CommandError::Refused { .. }) if !is_named => {}
            Err(error) => return Err(error),
        }
    }
    if shown.is_empty() && !is_told {
        sink.nothing(&format!("none of these {} links has a matching log", ids.len()))?;
    }
    merged(&mut shown, estate, &sink).await?;
    match shown.iter().filter(|shown| shown.attempt.ended.is_none()).count() {
        0 => {}
        1 if shown.len() == 1 => sink.note("It has not ended; `katkit logs -f` follows it."),
        open => sink.note(&format!("{open} of them have not ended; `katkit logs -f` follows them.")),
    }
    for ShownAttempt { chosen, phase, attempt, logs } in &shown {
        let found: Vec<_> = logs.iter().map(|(replica, log)| (*replica, log.position())).collect();
        let pruned =
            attempt::is_whole(estate, chosen, (phase, attempt), &found, |status| status.chunks).await?;
        pruned.map_or(Ok(()), |pruned| sink.nothing(&pruned))?;
    }
    Ok(status)
}

/// Opens the logs of a link; the inner error says why there is nothing to show.
async fn open(
    estate: &Estate,
    id: &LinkId,
    LogSelection { links: _, which, since }: LogSelection<'_>,
    sink: &Sink<'_>,
) -> Result<Result<ShownAttempt, String>, CommandError> {
    let chosen = match attempt::choose(estate, &id.to_string(), which).await? {
        Ok(chosen) => chosen,
        Err(nothing) => return Ok(Err(nothing)),
    };
    let (Some(phase), Some(attempt)) = (chosen.phase.clone(), chosen.attempt(which.attempt)?.cloned()) else {
        return Ok(Err(chosen.nothing()));
    };
    let key = chosen.key(&phase, &attempt);
    let mut logs = Vec::new();
    for replica in selection::replicas(which, &attempt, sink.layout().options)? {
        logs.push((replica, LogReader::since(&*estate.blobs, key.replica(replica), since).await?));
    }
    if let Some(since) = since
        && logs.iter().all(|(_, log)| log.ahead().next().is_none())
    {
        let since = stamp(Some(since));
        return Ok(Err(format!("no output of `{phase}` in {id} was stored since {since}")));
    }
    Ok(Ok(ShownAttempt { chosen, phase, attempt, logs }))
}

/// Writes the chunks of all logs, those of several links in the order they were stored.
async fn merged(shown: &mut [ShownAttempt], estate: &Estate, sink: &Sink<'_>) -> Result<(), CommandError> {
    let mut sources = Vec::new();
    let mut order: Vec<(Timestamp, usize, usize)> = Vec::new();
    for (at, ShownAttempt { chosen, phase, attempt, logs }) in shown.iter().enumerate() {
        let replicas: Vec<_> = logs.iter().map(|(replica, _)| *replica).collect();
        sources.push(sink.begin(
            &selection::heading(estate, chosen, phase, attempt),
            &replicas,
            attempt.replicas,
        )?);
        for (which, (_, log)) in logs.iter().enumerate() {
            let stored = |stored: Option<Timestamp>| stored.unwrap_or(attempt.started);
            order.extend(log.ahead().map(|chunk| (stored(chunk.stored), at, which)));
        }
    }
    // Show the replicas of a single attempt one after the other, unless timestamps are requested.
    let Layout { names, timestamps, .. } = sink.layout();
    if names || timestamps {
        order.sort_unstable();
    }
    for (_, at, which) in order {
        let (replica, log) = &mut shown[at].logs[which];
        pass_on(estate, (sources[at], *replica), log, sink).await?;
    }
    // Chunks stored since then, and the end of each log.
    for (ShownAttempt { attempt, logs, .. }, source) in shown.iter_mut().zip(sources) {
        for (replica, log) in logs {
            while pass_on(estate, (source, *replica), log, sink).await? {}
        }
        sink.end(source, attempt.ended.as_ref().map(|(_, outcome)| outcome))?;
    }
    Ok(())
}

/// Writes the next chunk of a log. Returns whether there was one.
pub(in crate::cli) async fn pass_on(
    estate: &Estate,
    (source, replica): (Source, u32),
    log: &mut LogReader,
    sink: &Sink<'_>,
) -> Result<bool, CommandError> {
    let piece = log.more(&*estate.blobs).await?;
    if piece.is_empty() {
        return Ok(false);
    }
    let stored = if sink.layout().timestamps { log.stored(&*estate.blobs).await? } else { None };
    sink.say(source, replica, &piece, stored)?;
    // Reading files never yields; give Ctrl-C a chance.
    tokio::task::yield_now().await;
    Ok(true)
}
