//! Batches lookups of many resources of one kind.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use futures::stream::{self, StreamExt};
use tokio::sync::oneshot;

use super::AwsError;

/// How long the first caller waits for others to join the batch.
const WINDOW: Duration = Duration::from_millis(2);
/// Maximum concurrent calls per batch.
const CONCURRENTLY: usize = 8;

/// Results by name; unknown names are absent.
pub type Answers<T> = Result<BTreeMap<String, T>, Arc<AwsError>>;

/// Looks up many names in one call.
type Ask<T> = Box<dyn Fn(Vec<String>) -> BoxFuture<'static, Answers<T>> + Send + Sync>;

/// Merges lookups that arrive within a short window into as few calls as the service allows. Clones share the window.
pub struct Batcher<T>(Arc<Inner<T>>);

struct Inner<T> {
    most: usize,
    ask: Ask<T>,
    waiting: Mutex<Vec<Waiting<T>>>,
}

struct Waiting<T> {
    name: String,
    answer: oneshot::Sender<Result<Option<T>, Arc<AwsError>>>,
}

impl<T> Clone for Batcher<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for Batcher<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batcher").field("most", &self.0.most).finish_non_exhaustive()
    }
}

impl<T: Clone + Send + Sync + 'static> Batcher<T> {
    /// `ask` gets at most `most` distinct names per call.
    pub fn new<F>(most: usize, ask: F) -> Self
    where
        F: Fn(Vec<String>) -> BoxFuture<'static, Answers<T>> + Send + Sync + 'static,
    {
        Self(Arc::new(Inner { most, ask: Box::new(ask), waiting: Mutex::default() }))
    }

    /// Looks up `name`; `None` if the service does not know it. Cancel-safe.
    pub async fn get(&self, name: &str) -> Result<Option<T>, Arc<AwsError>> {
        let (answer, answered) = oneshot::channel();
        let first = {
            let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.push(Waiting { name: name.to_owned(), answer });
            waiting.len() == 1
        };
        if first {
            // Spawned, so that the batch completes even if its first caller is cancelled.
            let inner = Arc::clone(&self.0);
            tokio::spawn(async move { inner.round().await });
        }
        answered.await.unwrap_or_else(|_| {
            let (action, resource) = ("a batched lookup", name.to_owned());
            Err(Arc::new(AwsError::Unreachable { action, resource, why: "it was cancelled".to_owned() }))
        })
    }

    /// Like `get` for many names, in the given order.
    pub async fn get_all(&self, names: &[String]) -> Vec<Result<Option<T>, Arc<AwsError>>> {
        join_all(names.iter().map(|name| self.get(name))).await
    }
}

impl<T: Clone + Send + Sync + 'static> Inner<T> {
    async fn round(&self) {
        tokio::time::sleep(WINDOW).await;
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        let names: BTreeSet<String> = waiting.iter().map(|waiting| waiting.name.clone()).collect();
        let names: Vec<String> = names.into_iter().collect();
        let mut waiting: BTreeMap<String, Vec<Waiting<T>>> =
            waiting.into_iter().fold(BTreeMap::new(), |mut all, one| {
                all.entry(one.name.clone()).or_default().push(one);
                all
            });
        let chunks: Vec<Vec<String>> = names.chunks(self.most).map(<[String]>::to_vec).collect();
        let asked = chunks.into_iter().map(|chunk| async move {
            let answers = (self.ask)(chunk.clone()).await;
            (chunk, answers)
        });
        let mut asked = stream::iter(asked).buffer_unordered(CONCURRENTLY);
        while let Some((chunk, answers)) = asked.next().await {
            for name in chunk {
                let answer = answers.as_ref().map(|found| found.get(&name).cloned()).map_err(Arc::clone);
                for one in waiting.remove(&name).into_iter().flatten() {
                    // Fails if the caller was cancelled.
                    let _ = one.answer.send(answer.clone());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of each call.
    type Calls = Arc<Mutex<Vec<Vec<String>>>>;

    fn counting(most: usize) -> (Batcher<usize>, Calls) {
        let calls = Calls::default();
        let seen = Arc::clone(&calls);
        let batcher = Batcher::new(most, move |names: Vec<String>| {
            seen.lock().unwrap().push(names.clone());
            let found = names.into_iter().filter(|name| name != "missing");
            let found: BTreeMap<_, _> = found.map(|name| (name.clone(), name.len())).collect();
            Box::pin(async move { Ok(found) })
        });
        (batcher, calls)
    }

    #[tokio::test]
    async fn concurrent_lookups_share_calls_and_no_name_is_sent_twice() {
        let (batcher, calls) = counting(10);
        let names: Vec<String> = (0..25).map(|n| format!("n{n:02}")).chain(["n01".to_owned()]).collect();
        let answers = batcher.get_all(&names).await;
        assert!(answers.into_iter().all(|answer| answer.unwrap() == Some(3)));
        let mut sizes: Vec<_> = calls.lock().unwrap().iter().map(Vec::len).collect();
        sizes.sort_unstable();
        assert_eq!(sizes, [5, 10, 10]);
    }

    #[tokio::test]
    async fn an_unknown_name_is_none_and_a_cancelled_caller_does_not_affect_others() {
        let (batcher, _) = counting(2);
        let gone = batcher.clone();
        drop(tokio::time::timeout(Duration::ZERO, gone.get("first")).await);
        assert_eq!(batcher.get("missing").await.unwrap(), None);
        assert_eq!(batcher.get("there").await.unwrap(), Some(5));
    }
}
