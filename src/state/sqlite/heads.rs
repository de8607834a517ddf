//! Heads of many links. To parse them takes far longer than to read their rows, so that threads beside the reading one help.
//!
//! No more rows wait than the threads have work: of ten thousand heads, the text of a few hundred is in memory at once.

use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, TrySendError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use rusqlite::{Connection, Row};

use crate::domain::{Generation, Head, LinkId};

use super::fault::Fault;
use super::rows::{self, Parsed, Select};

const HEADS: Select = Select {
    all: "SELECT tenant, link, generation, head FROM link ORDER BY tenant, link",
    one: "SELECT tenant, link, generation, head FROM link WHERE tenant = ?1 AND link = ?2",
};

/// How many heads go to a thread at once.
const BATCH: usize = 128;

/// How many threads help at most.
const HELPERS: usize = 3;

/// A row as it was read, to be parsed elsewhere.
struct Text {
    link: LinkId,
    columns: Result<(Generation, String), Fault>,
}

/// What one thread has parsed: batches with their places.
type Batches = Vec<(usize, Vec<Parsed<Head>>)>;

/// The heads, each with what is wrong with it if it cannot be understood.
pub fn each_head(connection: &Connection, links: Option<&[LinkId]>) -> Result<Vec<Parsed<Head>>, Fault> {
    let most = thread::available_parallelism().map_or(1, |cores| (cores.get() - 1).clamp(1, HELPERS));
    let (hand, waiting) = sync_channel(most);
    let waiting = Mutex::new(waiting);
    thread::scope(|scope| {
        let (mut helpers, mut parsed) = (Vec::new(), Batches::new());
        let (mut batch, mut place) = (Vec::new(), 0);
        let read = rows::each_row(connection, HEADS, links, |row| {
            batch.push(Text { link: rows::link(row)?, columns: columns(row) });
            if batch.len() == BATCH {
                if helpers.len() < most {
                    helpers.push(scope.spawn(|| help(&waiting)));
                }
                let full = std::mem::replace(&mut batch, Vec::with_capacity(BATCH));
                // Where all have enough to do, reading on would only fill the memory.
                if let Err(TrySendError::Full(mine) | TrySendError::Disconnected(mine)) =
                    hand.try_send((place, full))
                {
                    parsed.push((mine.0, parse(mine.1)));
                }
                place += 1;
            }
            Ok(())
        });
        // Nothing more comes.
        drop(hand);
        for helper in helpers {
            parsed.append(&mut helper.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        read?;
        parsed.push((place, parse(batch)));
        parsed.sort_unstable_by_key(|(place, _)| *place);
        let mut found = Vec::with_capacity(parsed.iter().map(|(_, part)| part.len()).sum());
        found.extend(parsed.into_iter().flat_map(|(_, part)| part));
        Ok(found)
    })
}

/// Parses what waits until nothing more comes.
fn help(waiting: &Mutex<Receiver<(usize, Vec<Text>)>>) -> Batches {
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).recv().ok();
    std::iter::from_fn(next).map(|(place, batch)| (place, parse(batch))).collect()
}

fn columns(row: &Row<'_>) -> Result<(Generation, String), Fault> {
    Ok((Generation(rows::count(row, 2)?), row.get(3)?))
}

fn parse(batch: Vec<Text>) -> Vec<Parsed<Head>> {
    let parse = |Text { link, columns }| {
        let head = columns.and_then(|(generation, text)| head(&link, generation, &text));
        (link, head)
    };
    batch.into_iter().map(parse).collect()
}

fn head(link: &LinkId, generation: Generation, text: &str) -> Result<Head, Fault> {
    let head: Head = rows::from_json(text, link, "its head")?;
    if head.generation == generation {
        return Ok(head);
    }
    let what = format!("its head is of generation {}, its row of {generation}", head.generation);
    Err(Fault::damaged(link, what))
}
