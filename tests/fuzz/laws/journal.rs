//! Laws for any bytes as a link's journal.

use katkit::domain::{Head, RecordedEvent};
use katkit::journal::{fold, step};

/// Panics if a law is broken.
pub fn hold(bytes: &[u8]) {
    let Ok(journal) = serde_json::from_slice::<Vec<RecordedEvent>>(bytes) else { return };
    let folded = fold(&journal);
    let mut head = Head::default();
    for recorded in &journal {
        match step(&head, recorded) {
            Ok(next) => head = next,
            Err(illegal) => {
                assert_eq!(folded, Err(illegal), "the fold stops where a step fails");
                return;
            }
        }
        let written = serde_json::to_vec(&head).expect("a head can be written");
        assert_eq!(serde_json::from_slice::<Head>(&written).expect("and read"), head);
    }
    let last = journal.last().map(|recorded| recorded.generation).unwrap_or_default();
    assert_eq!(head.generation, last, "every event counts");
    assert_eq!(folded, Ok(head), "folding is stepping");
    let written = serde_json::to_vec(&journal).expect("a journal can be written");
    assert_eq!(serde_json::from_slice::<Vec<RecordedEvent>>(&written).expect("and read"), journal);
}
