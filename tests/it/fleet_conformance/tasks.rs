//! The fleet of ECS tasks, whose image has a few lines of shell as its agent.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use katkit::aws::Aws;
use katkit::domain::Handle;
use katkit::fleet::ecs::EcsFleet;
use katkit::fleet::{Fleet, Launch};

use crate::ecs::Account;
use crate::ecs::fleet::{launch, settings};
use crate::ecs::tasks;

use super::fixture::{Does, Yard};

/// The tasks of an account.
pub struct EcsTasks {
    account: Account,
    /// Another process's.
    other: Aws,
    asked: AtomicUsize,
}

impl EcsTasks {
    pub async fn new() -> Self {
        let account = Account::new().await;
        let other = account.another().await;
        Self { account, other, asked: AtomicUsize::new(0) }
    }
}

impl Yard for EcsTasks {
    fn fleet(&self) -> Arc<dyn Fleet> {
        let other = self.asked.fetch_add(1, Ordering::Relaxed) % 2 == 1;
        let aws = if other { &self.other } else { &self.account.aws };
        Arc::new(EcsFleet::new(tasks(aws), settings(), "this katkit"))
    }

    fn strangers(&self) -> Arc<dyn Fleet> {
        Arc::new(EcsFleet::new(tasks(&self.account.aws), settings(), "another katkit"))
    }

    fn order(&self, does: Does, number: u32) -> Launch {
        let what = match does {
            Does::Wait => "sleep",
            Does::End => "exit-0",
        };
        launch(number, what)
    }

    fn nobody(&self) -> Handle {
        Handle(format!("arn:aws:ecs:eu-central-1:{}:task/dev/{}", self.account.number, "0".repeat(32)))
    }
}
