//! Reads the heads of many links. Parsing takes far longer than reading the rows, so helper threads parse beside the
//! reading one.
//!
//! Few rows wait for a thread: of ten thousand heads, the text of a few hundred is in memory at once.

use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, TrySendError, sync_channel};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread;

use rusqlite::{Connection, Row};

use crate::domain::{Generation, Head, LinkId};

use super::fault::WorkError;
use super::rows::{self, Parsed, Select};

const HEADS: Select = Select {
    all: "SELECT tenant, link, generation, head FROM link",
    one: "SELECT tenant, link, generation, head FROM link WHERE tenant = ?1 AND link = ?2",
};

/// How many heads a thread gets at once.
const BATCH: usize = 128;

/// The most helper threads: one per spare core, up to three.
static MOST: LazyLock<usize> =
    LazyLock::new(|| thread::available_parallelism().map_or(1, |cores| (cores.get() - 1).clamp(1, 3)));

/// A row that was read but not parsed.
struct Text {
    link: LinkId,
    columns: Result<(Generation, String), WorkError>,
}

/// The heads ordered by id, each with an error if it cannot be parsed.
///
/// Reads all heads in file order: in index order, each page would be looked up again.
pub fn each_head(
    connection: &Connection,
    links: Option<&[LinkId]>,
) -> Result<Vec<Parsed<Box<Head>>>, WorkError> {
    let most = *MOST;
    let (hand, waiting) = sync_channel(most);
    let waiting = Mutex::new(waiting);
    thread::scope(|scope| {
        let (mut helpers, mut found, mut batch) = (Vec::new(), Vec::new(), Vec::new());
        let read = rows::each_row(connection, HEADS, links, |row| {
            batch.push(Text { link: rows::link(row)?, columns: columns(row) });
            if batch.len() == BATCH {
                if helpers.len() < most {
                    helpers.push(scope.spawn(|| help(&waiting)));
                }
                let full = std::mem::replace(&mut batch, Vec::with_capacity(BATCH));
                // If all threads are busy, reading on would only fill memory.
                if let Err(TrySendError::Full(mine) | TrySendError::Disconnected(mine)) = hand.try_send(full)
                {
                    parse(mine, &mut found);
                }
            }
            Ok(())
        });
        // No more batches follow.
        drop(hand);
        for helper in helpers {
            found.append(&mut helper.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        read?;
        parse(batch, &mut found);
        found.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        Ok(found)
    })
}

/// Parses waiting batches until no more follow.
fn help(waiting: &Mutex<Receiver<Vec<Text>>>) -> Vec<Parsed<Box<Head>>> {
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).recv().ok();
    let mut found = Vec::new();
    while let Some(batch) = next() {
        parse(batch, &mut found);
    }
    found
}

fn columns(row: &Row<'_>) -> Result<(Generation, String), WorkError> {
    Ok((Generation(rows::count(row, 2)?), row.get(3)?))
}

fn parse(batch: Vec<Text>, found: &mut Vec<Parsed<Box<Head>>>) {
    let parse = |Text { link, columns }| {
        let head = columns.and_then(|(generation, text)| head(&link, generation, &text));
        (link, head)
    };
    found.extend(batch.into_iter().map(parse));
}

fn head(link: &LinkId, generation: Generation, text: &str) -> Result<Box<Head>, WorkError> {
    let head: Box<Head> = rows::from_json(text, link, "its head")?;
    if head.generation == generation {
        return Ok(head);
    }
    let what = format!("its head is of generation {}, its row of {generation}", head.generation);
    Err(WorkError::damaged(link, what))
}
