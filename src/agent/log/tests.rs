//! Which parts of a log are kept, in which chunks.

use super::*;
use crate::agent::recorder::Recorder;
use crate::blobs::{LogReader, MemoryBlobs};
use crate::fleet::Secrets;

async fn text(log: &Log) -> String {
    let mut text = Vec::new();
    for chunk in log.blobs.list(&log.replica.log(), None).await.unwrap() {
        text.extend(log.blobs.get(&chunk.key).await.unwrap().unwrap());
    }
    String::from_utf8(text).unwrap()
}

fn log() -> Log {
    let mask = Mask::new(&Secrets([("TOKEN".to_owned(), "hunter22".to_owned())].into()));
    Log::new(Arc::new(MemoryBlobs::default()), BlobKey::new("replica-0").unwrap(), mask, None)
}

#[tokio::test]
async fn large_output_is_chunked_at_once_and_small_output_when_due() {
    let mut log = log();
    log.write(&vec![b'x'; CHUNK]);
    log.progress().await;
    assert_eq!((log.chunks(), log.waits()), (1, false));
    log.write(b"y");
    assert!(log.waits());
    log.progress().await;
    log.progress().await;
    assert_eq!((log.chunks(), log.waits()), (2, false));
}

#[tokio::test]
async fn a_note_is_masked_and_starts_on_its_own_line() {
    let mut log = log();
    log.note("first");
    log.write(b"no line end");
    log.note("about hunter22");
    log.finish(&mut Outage::default()).await.unwrap();
    assert_eq!(text(&log).await, "katkit: first\nno line end\nkatkit: about ***\n");
}

/// Lines of 16 bytes, so that every chunk holds whole lines.
fn lines(numbers: std::ops::Range<usize>) -> Vec<u8> {
    numbers.flat_map(|number| format!("{number:015}\n").into_bytes()).collect()
}

const IN_A_CHUNK: usize = CHUNK / 16;

/// What a reader sees: line numbers, missing bytes as reported in the log, and the reader's position.
async fn read(blobs: &dyn Blobs, replica: &BlobKey) -> (Vec<usize>, u64, u32) {
    let (mut reader, mut text) = (LogReader::new(replica.clone()), Vec::new());
    loop {
        let more = reader.more(blobs).await.unwrap();
        if more.is_empty() {
            break;
        }
        text.extend(more);
    }
    let (mut numbers, mut left_out) = (Vec::new(), 0);
    for line in String::from_utf8(text).unwrap().lines().filter(|line| !line.is_empty()) {
        match line.strip_prefix("katkit: ") {
            Some(note) => left_out += note.split(' ').next().unwrap().parse::<u64>().unwrap_or(0),
            None => numbers.push(line.parse().unwrap()),
        }
    }
    (numbers, left_out, reader.position())
}

const CHUNK_SIZE: u64 = CHUNK as u64;
const SMALL: Limits =
    Limits { head: 4 * CHUNK_SIZE, waiting: 2 * CHUNK_SIZE, stored: 4 * CHUNK_SIZE, left: 3 * CHUNK_SIZE };

/// A finished log of `chunks` chunks; the store takes one per `pause` printed chunks.
async fn long(chunks: usize, pause: usize) -> (Arc<Recorder>, Log) {
    let blobs = Arc::new(Recorder::default());
    let replica = BlobKey::new("replica-0").unwrap();
    let mask = Mask::new(&Secrets::default());
    let mut log = Log::within(SMALL, Arc::clone(&blobs) as Arc<dyn Blobs>, replica, mask, None);
    for chunk in 0..chunks {
        log.write(&lines(chunk * IN_A_CHUNK..(chunk + 1) * IN_A_CHUNK));
        if chunk % pause == 0 {
            log.progress().await;
        }
    }
    log.finish(&mut Outage::default()).await.unwrap();
    (blobs, log)
}

#[tokio::test]
async fn a_long_log_keeps_its_beginning_and_end_and_counts_the_bytes_missing_between() {
    for pause in [1, 3] {
        let (blobs, log) = long(40, pause).await;
        let (numbers, left_out, position) = read(&*blobs, &log.replica).await;
        let (head, last) = (4 * IN_A_CHUNK, 40 * IN_A_CHUNK);
        assert_eq!(numbers[..head], (0..head).collect::<Vec<_>>());
        let tail = 2 * IN_A_CHUNK;
        assert_eq!(numbers[numbers.len() - tail..], (last - tail..last).collect::<Vec<_>>());
        assert!(left_out > 0 && numbers.len() <= head + 2 * (4 * IN_A_CHUNK), "{}", numbers.len());
        assert_eq!((numbers.len() * 16) as u64 + left_out, (last * 16) as u64);
        assert_eq!(position, log.chunks());
        let size: u64 =
            blobs.list(&log.replica.log(), None).await.unwrap().iter().map(|chunk| chunk.size).sum();
        assert!(size <= 13 * CHUNK_SIZE, "{size}");
    }
}

#[tokio::test]
async fn a_log_within_its_limits_is_kept_whole() {
    let (blobs, log) = long(8, 1).await;
    let (numbers, left_out, _) = read(&*blobs, &log.replica).await;
    assert_eq!((numbers, left_out), ((0..8 * IN_A_CHUNK).collect(), 0));
}

/// Cuts the writes at every position.
#[tokio::test]
async fn a_long_log_is_readable_to_its_end_wherever_the_agent_died() {
    let (blobs, log) = long(24, 1).await;
    let puts = std::mem::take(&mut *blobs.puts.lock().unwrap());
    let left = MemoryBlobs::default();
    let mut printed = 0;
    for (key, bytes) in puts {
        if let Some(last) = bytes.strip_suffix(b"\n").filter(|_| bytes.len() == CHUNK) {
            printed = String::from_utf8_lossy(&last[last.len() - 15..]).parse().unwrap();
        }
        left.put(&key, &bytes).await.unwrap();
        let (numbers, left_out, _) = read(&left, &log.replica).await;
        assert!(numbers.len() == printed + 1 || left_out > 0);
        assert!(numbers.is_sorted_by(|one, other| one < other));
        assert_eq!(numbers.last(), Some(&printed));
        let head = numbers.len().min(4 * IN_A_CHUNK);
        assert_eq!(numbers[..head], (0..head).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn the_end_is_stored_even_when_chunk_numbers_run_out() {
    let blobs = Arc::new(Recorder::default());
    let replica = BlobKey::new("replica-0").unwrap();
    let mask = Mask::new(&Secrets::default());
    let mut log = Log::within(SMALL, Arc::clone(&blobs) as Arc<dyn Blobs>, replica, mask, None);
    log.most = 6;
    for chunk in 0..40 {
        log.write(&lines(chunk * IN_A_CHUNK..(chunk + 1) * IN_A_CHUNK));
        if log.flight.is_some() {
            log.progress().await;
        }
    }
    assert_eq!(log.chunks(), 6);
    log.finish(&mut Outage::default()).await.unwrap();
    let (numbers, left_out, _) = read(&*blobs, &log.replica).await;
    assert_eq!(numbers.last(), Some(&(40 * IN_A_CHUNK - 1)));
    assert_eq!(numbers.len() * 16 + usize::try_from(left_out).unwrap(), 40 * CHUNK);
}
