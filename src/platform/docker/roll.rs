//! Rolls the roles of a link to other images, in idempotent steps that can be undone until the last.
//!
//! ```text
//! prepare   pull, create the successors        nothing that runs is touched
//! forward   start them, wait until healthy     the old ones keep running, or are stopped if both need one port
//! commit    stop and remove the old ones       or undo: remove the successors, restart the old ones
//! ```
//!
//! Every start, stop and removal of a container is preceded by a fencing check: a roll takes minutes, and another
//! process may take over the link in the meantime.

use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::try_join_all;

use super::containers::{self, Service};
use super::health::{self, RollProblem};
use super::planned::{PlannedRoll, predecessor, runs_already};
use super::{Settings, successor};
use crate::docker::{Engine, EngineError};
use crate::domain::Strategy;
use crate::platform::{FencingCheck, PlatformError};

/// Why a roll was interrupted.
#[derive(Debug, thiserror::Error)]
pub enum RollStopped {
    /// The engine is unreachable, or refused the request.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Another process took over the link, or the lease could not be checked: the next holder completes the work.
    #[error(transparent)]
    FencingCheck(PlatformError),
}

/// A deployment in progress.
#[derive(Debug)]
pub struct Roll<'a> {
    engine: &'a Engine,
    settings: &'a Settings,
    wanted: PlannedRoll<'a>,
    fencing: &'a dyn FencingCheck,
    replaces: AtomicBool,
}

impl<'a> Roll<'a> {
    /// A roll of `wanted`, whose successors carry its token. Every change requires `fencing`.
    pub fn new(
        engine: &'a Engine,
        settings: &'a Settings,
        wanted: PlannedRoll<'a>,
        fencing: &'a dyn FencingCheck,
    ) -> Self {
        Self { engine, settings, wanted, fencing, replaces: false.into() }
    }

    /// Whether there is an old container that can run again.
    pub fn replaces_something(&self) -> bool {
        self.replaces.load(Ordering::Relaxed)
    }

    async fn services(&self) -> Result<Vec<Service>, EngineError> {
        let PlannedRoll { link, formerly, .. } = self.wanted;
        let services = containers::of_link(self.engine, self.settings, link, formerly).await?;
        let ours = |service: &Service| self.wanted.images.iter().any(|(role, _)| *role == service.role);
        let services: Vec<_> = services.into_iter().filter(ours).collect();
        if services.iter().any(|service| !service.is_of(self.wanted.token)) {
            self.replaces.store(true, Ordering::Relaxed);
        }
        Ok(services)
    }

    /// Whether every role runs its image, or its successor has been started.
    pub async fn all_run(&self) -> Result<bool, RollStopped> {
        let services = self.services().await?;
        for (role, image) in self.wanted.images {
            let of_role = |service: &&Service| service.role == *role && service.is_of(self.wanted.token);
            let done = match services.iter().find(of_role) {
                Some(new) => new.runs,
                None => runs_already(self.engine, &services, role, image).await?,
            };
            if !done {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Starts every successor and waits until it is healthy.
    pub async fn forward(&self, strategy: Strategy) -> Result<Result<(), RollProblem>, RollStopped> {
        let services = self.services().await?;
        let roles = || self.wanted.images.iter().map(|(role, image)| self.role(role, image, &services));
        match strategy {
            Strategy::Ordered => {
                for role in roles() {
                    if let Err(problem) = role.await? {
                        return Ok(Err(problem));
                    }
                }
            }
            Strategy::Together => {
                let all = try_join_all(roles()).await?;
                if let Some(problem) = all.into_iter().find_map(Result::err) {
                    return Ok(Err(problem));
                }
            }
        }
        Ok(self.still_ours().await?.map_or(Ok(()), Err))
    }

    async fn role(
        &self,
        role: &str,
        image: &str,
        services: &[Service],
    ) -> Result<Result<(), RollProblem>, RollStopped> {
        let gone = || RollProblem::Superseded(format!("someone who removed the new container of `{role}`"));
        let mut of_role = services.iter().filter(|service| service.role == *role);
        let Some(new) = of_role.clone().find(|service| service.is_of(self.wanted.token)) else {
            let there = runs_already(self.engine, services, role, image).await?;
            return Ok(if there { Ok(()) } else { Err(gone()) });
        };
        if !new.runs {
            let Some(inspected) = self.engine.inspect(&new.id).await? else { return Ok(Err(gone())) };
            let body = successor::of(inspected, None).body;
            if successor::excludes(&body)
                && let Some(old) = of_role.find(|service| service.id != new.id && service.runs)
            {
                self.stop(&old.id).await?;
            }
            if let Err(message) = self.start(&new.id).await? {
                let why = format!("the new container of `{role}` could not be started: {message}");
                return Ok(Err(RollProblem::Failed(why)));
            }
        }
        Ok(health::wait(self.engine, &new.id, role, self.settings.settle, self.wanted.deadline).await?)
    }

    /// Someone else's newer deployment, if any.
    async fn still_ours(&self) -> Result<Option<RollProblem>, RollStopped> {
        let services = self.services().await?;
        for (role, _) in self.wanted.images {
            let of_role = || services.iter().filter(|service| service.role == *role && service.runs);
            let Some(new) = of_role().find(|service| service.is_of(self.wanted.token)) else { continue };
            if let Some(other) = of_role().find(|other| other.created > new.created && other.id != new.id) {
                let by = format!("someone who started `{}` from `{}`", other.name, other.image);
                return Ok(Some(RollProblem::Superseded(by)));
            }
        }
        Ok(None)
    }

    /// Stops and removes the replaced containers. Volumes stay: the successors use them.
    pub async fn commit(&self) -> Result<(), RollStopped> {
        let services = self.services().await?;
        let mut last: Vec<&Service> = Vec::new();
        for (role, _) in self.wanted.images {
            let of_role = || services.iter().filter(|service| service.role == *role);
            if !of_role().any(|service| service.is_of(self.wanted.token) && service.runs) {
                // It already ran its image, so it has no successor.
                continue;
            }
            // A stopped container that katkit did not create is left alone, unless it was stopped to free its port.
            let before = predecessor(&services, role, self.wanted.token).ok().flatten();
            let of_ours = |service: &&Service| service.runs || service.token.is_some();
            let replaced = |service: &&Service| {
                !service.is_of(self.wanted.token)
                    && (of_ours(service) || before.is_some_and(|b| b.id == service.id))
            };
            last.extend(of_role().filter(replaced));
        }
        try_join_all(last.into_iter().map(|service| self.retire(service))).await.map(drop)
    }

    async fn retire(&self, service: &Service) -> Result<(), RollStopped> {
        if service.runs {
            self.stop(&service.id).await?;
        }
        self.remove(service).await
    }

    /// Removes the successors and restarts what they replaced. The inner error says what could not be restarted.
    pub async fn undo(&self) -> Result<Result<(), String>, RollStopped> {
        let services = self.services().await?;
        self.remove_new().await?;
        for (role, _) in self.wanted.images {
            let of_role: Vec<_> = services
                .iter()
                .filter(|other| other.role == *role && !other.is_of(self.wanted.token) && !other.is_left_over)
                .collect();
            if of_role.iter().any(|service| service.runs) {
                continue;
            }
            let Some(old) = of_role.into_iter().max_by_key(|service| service.created) else { continue };
            if let Err(message) = self.start(&old.id).await? {
                let why = format!("the previous container `{}` could not be restarted: {message}", old.name);
                return Ok(Err(why));
            }
        }
        Ok(Ok(()))
    }

    /// Removes the successors.
    pub async fn remove_new(&self) -> Result<(), RollStopped> {
        let services = self.services().await?;
        for service in services.iter().filter(|service| service.is_of(self.wanted.token)) {
            self.remove(service).await?;
        }
        Ok(())
    }

    /// Starts a container. The inner error is the engine's reason if it refused.
    async fn start(&self, container: &str) -> Result<Result<(), String>, RollStopped> {
        self.fencing.check().await.map_err(RollStopped::FencingCheck)?;
        match self.engine.start(container).await {
            Err(EngineError::Refused { message, .. }) => Ok(Err(message)),
            other => Ok(Ok(other?)),
        }
    }

    /// Stops a container gracefully, with its own stop signal and timeout.
    async fn stop(&self, container: &str) -> Result<(), RollStopped> {
        self.fencing.check().await.map_err(RollStopped::FencingCheck)?;
        Ok(self.engine.stop(container).await?)
    }

    /// Removes a container but not its volumes: they are shared with its predecessor or successor.
    async fn remove(&self, service: &Service) -> Result<(), RollStopped> {
        self.fencing.check().await.map_err(RollStopped::FencingCheck)?;
        let labels = containers::labels(&service.link);
        Ok(self.engine.remove(&service.id, &labels, false).await?)
    }
}
