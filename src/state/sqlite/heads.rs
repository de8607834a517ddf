//! Heads of many links. To parse them takes far longer than to read their rows, so that threads beside the reading one help.
//!
//! No more rows wait than the threads have work: of ten thousand heads, the text of a few hundred is in memory at once.

use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, TrySendError, sync_channel};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread;

use rusqlite::{Connection, Row};

use crate::domain::{Generation, Head, LinkId};

use super::fault::Fault;
use super::rows::{self, Parsed, Select};

const HEADS: Select = Select {
    all: "SELECT tenant, link, generation, head FROM link",
    one: "SELECT tenant, link, generation, head FROM link WHERE tenant = ?1 AND link = ?2",
};

/// How many heads go to a thread at once.
const BATCH: usize = 128;

/// How many threads help at most: where there is a core for them, up to three.
static MOST: LazyLock<usize> =
    LazyLock::new(|| thread::available_parallelism().map_or(1, |cores| (cores.get() - 1).clamp(1, 3)));

/// A row as it was read, to be parsed elsewhere.
struct Text {
    link: LinkId,
    columns: Result<(Generation, String), Fault>,
}

/// The heads in the order of the ids, each with what is wrong with it if it cannot be understood.
///
/// All of them are read in the order in which they lie in the file: by their index, every page is looked for anew.
pub fn each_head(connection: &Connection, links: Option<&[LinkId]>) -> Result<Vec<Parsed<Box<Head>>>, Fault> {
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
                // Where all have enough to do, reading on would only fill the memory.
                if let Err(TrySendError::Full(mine) | TrySendError::Disconnected(mine)) = hand.try_send(full)
                {
                    parse(mine, &mut found);
                }
            }
            Ok(())
        });
        // Nothing more comes.
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

/// Parses what waits until nothing more comes.
fn help(waiting: &Mutex<Receiver<Vec<Text>>>) -> Vec<Parsed<Box<Head>>> {
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).recv().ok();
    let mut found = Vec::new();
    while let Some(batch) = next() {
        parse(batch, &mut found);
    }
    found
}

fn columns(row: &Row<'_>) -> Result<(Generation, String), Fault> {
    Ok((Generation(rows::count(row, 2)?), row.get(3)?))
}

fn parse(batch: Vec<Text>, found: &mut Vec<Parsed<Box<Head>>>) {
    let parse = |Text { link, columns }| {
        let head = columns.and_then(|(generation, text)| head(&link, generation, &text));
        (link, head)
    };
    found.extend(batch.into_iter().map(parse));
}

fn head(link: &LinkId, generation: Generation, text: &str) -> Result<Box<Head>, Fault> {
    let head: Box<Head> = rows::from_json(text, link, "its head")?;
    if head.generation == generation {
        return Ok(head);
    }
    let what = format!("its head is of generation {}, its row of {generation}", head.generation);
    Err(Fault::damaged(link, what))
}
