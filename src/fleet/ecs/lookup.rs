//! Finds this fleet's tasks by token.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_sdk_ecs::types::{ContainerOverride, DesiredStatus, Task};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::definition::TOKEN;
use crate::aws::AwsError;
use crate::aws::ecs::{Listed, Tasks};
use crate::domain::Token;

/// Finds tasks launched earlier, by any process.
#[derive(Debug, Default)]
pub struct Lookup {
    last: Mutex<ListedService>,
}

#[derive(Debug, Default)]
struct ListedService {
    /// When the listing began.
    began: Option<Instant>,
    /// ARNs by token.
    tasks: BTreeMap<Token, String>,
    /// Tokens of all listed tasks by ARN, so that each task is described only once.
    known: BTreeMap<String, Option<Token>>,
}

impl Lookup {
    /// The ARN of the task with that token, if it is running or stopped within the last hour.
    ///
    /// Concurrent callers share one listing, which starts after the last of them called.
    pub async fn find(
        &self,
        tasks: &Tasks,
        started_by: &str,
        token: &Token,
    ) -> Result<Option<String>, Arc<AwsError>> {
        let asked = Instant::now();
        let mut last = self.last.lock().await;
        if last.began.is_none_or(|began| began < asked) {
            let began = Instant::now();
            let running = tasks.cluster().list_tasks(Listed::StartedBy(started_by), DesiredStatus::Running);
            let stopped = tasks.cluster().list_tasks(Listed::StartedBy(started_by), DesiredStatus::Stopped);
            let (running, stopped) = futures::try_join!(running, stopped)?;
            let all: BTreeSet<String> = running.into_iter().chain(stopped).collect();
            let new: Vec<String> = all.iter().filter(|arn| !last.known.contains_key(*arn)).cloned().collect();
            let described = tasks.get_all(&new).await?;
            last.known.retain(|arn, _| all.contains(arn));
            last.known.extend(described.into_iter().map(|(arn, task)| (arn, token_of(&task))));
            last.tasks =
                last.known.iter().filter_map(|(arn, token)| Some((token.clone()?, arn.clone()))).collect();
            last.began = Some(began);
        }
        Ok(last.tasks.get(token).cloned())
    }
}

/// The token of a task launched by this fleet.
pub fn token_of(task: &Task) -> Option<Token> {
    let overrides = task.overrides()?.container_overrides();
    let mut variables = overrides.iter().flat_map(ContainerOverride::environment);
    let token = variables.find(|pair| pair.name() == Some(TOKEN))?.value()?;
    Some(Token(token.to_owned()))
}
