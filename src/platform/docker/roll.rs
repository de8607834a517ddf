//! Rolls the roles of a link to other images, in steps that can be done twice, and undone until the last.
//!
//! ```text
//! prepare   pull, make the successors          nothing that runs is touched
//! forward   start them, wait until healthy     the old ones go on, or are stopped where both want one port
//! commit    end and remove the old ones        or undo: remove the successors, start the old ones again
//! ```
//!
//! Each container that is started, stopped or removed is one under a mandate that was asked for right before: a roll takes
//! minutes, in which the link may become another's.

use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::try_join_all;

use super::containers::{self, Service};
use super::health::{self, Trouble};
use super::prepare::{Wanted, predecessor, runs_already};
use super::{Settings, successor};
use crate::docker::{Engine, EngineError};
use crate::domain::Strategy;
use crate::platform::{Mandate, PlatformError};

/// Why a roll stopped where it is.
#[derive(Debug, thiserror::Error)]
pub enum Halted {
    /// The engine is away, or refused.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The link is another's, or it is not known whose: what is half done is left to whoever comes next.
    #[error(transparent)]
    Mandate(PlatformError),
}

/// A deployment on its way.
#[derive(Debug)]
pub struct Roll<'a> {
    engine: &'a Engine,
    settings: &'a Settings,
    wanted: Wanted<'a>,
    mandate: &'a dyn Mandate,
    replaces: AtomicBool,
}

impl<'a> Roll<'a> {
    /// The deployment whose successors carry the token, under the mandate.
    pub fn new(
        engine: &'a Engine,
        settings: &'a Settings,
        wanted: Wanted<'a>,
        mandate: &'a dyn Mandate,
    ) -> Self {
        Self { engine, settings, wanted, mandate, replaces: false.into() }
    }

    /// Whether something ran that can run again.
    pub fn replaces_something(&self) -> bool {
        self.replaces.load(Ordering::Relaxed)
    }

    async fn services(&self) -> Result<Vec<Service>, EngineError> {
        let Wanted { link, formerly, .. } = self.wanted;
        let services = containers::of_link(self.engine, self.settings, link, formerly).await?;
        let ours = |service: &Service| self.wanted.images.iter().any(|(role, _)| *role == service.role);
        let services: Vec<_> = services.into_iter().filter(ours).collect();
        if services.iter().any(|service| !service.is_of(self.wanted.token)) {
            self.replaces.store(true, Ordering::Relaxed);
        }
        Ok(services)
    }

    /// Whether every role runs its image, or its successor was started.
    pub async fn all_run(&self) -> Result<bool, Halted> {
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
    pub async fn forward(&self, strategy: Strategy) -> Result<Result<(), Trouble>, Halted> {
        let services = self.services().await?;
        let roles = || self.wanted.images.iter().map(|(role, image)| self.role(role, image, &services));
        match strategy {
            Strategy::Ordered => {
                for role in roles() {
                    if let Err(trouble) = role.await? {
                        return Ok(Err(trouble));
                    }
                }
            }
            Strategy::Together => {
                let all = try_join_all(roles()).await?;
                if let Some(trouble) = all.into_iter().find_map(Result::err) {
                    return Ok(Err(trouble));
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
    ) -> Result<Result<(), Trouble>, Halted> {
        let gone = || Trouble::Superseded(format!("someone who removed the new container of `{role}`"));
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
                return Ok(Err(Trouble::Failed(why)));
            }
        }
        Ok(health::wait(self.engine, &new.id, role, self.settings.settle, self.wanted.deadline).await?)
    }

    /// Who deployed over it meanwhile, if anybody did.
    async fn still_ours(&self) -> Result<Option<Trouble>, Halted> {
        let services = self.services().await?;
        for (role, _) in self.wanted.images {
            let of_role = || services.iter().filter(|service| service.role == *role && service.runs);
            let Some(new) = of_role().find(|service| service.is_of(self.wanted.token)) else { continue };
            if let Some(other) = of_role().find(|other| other.created > new.created && other.id != new.id) {
                let by = format!("someone who started `{}` from `{}`", other.name, other.image);
                return Ok(Some(Trouble::Superseded(by)));
            }
        }
        Ok(None)
    }

    /// Ends and removes what the successors replace. Volumes stay: the successors use them.
    pub async fn commit(&self) -> Result<(), Halted> {
        let services = self.services().await?;
        let mut last: Vec<&Service> = Vec::new();
        for (role, _) in self.wanted.images {
            let of_role = || services.iter().filter(|service| service.role == *role);
            if !of_role().any(|service| service.is_of(self.wanted.token) && service.runs) {
                // It ran its image before, and had no successor.
                continue;
            }
            // What people made and does not run is theirs to remove, unless it was stopped for its port's sake.
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

    async fn retire(&self, service: &Service) -> Result<(), Halted> {
        if service.runs {
            self.stop(&service.id).await?;
        }
        self.remove(service).await
    }

    /// Removes the successors, and starts again what they were to replace. The inner error says what did not.
    pub async fn undo(&self) -> Result<Result<(), String>, Halted> {
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
                let why = format!("what ran before, `{}`, could not be started again: {message}", old.name);
                return Ok(Err(why));
            }
        }
        Ok(Ok(()))
    }

    /// Removes the successors.
    pub async fn remove_new(&self) -> Result<(), Halted> {
        let services = self.services().await?;
        for service in services.iter().filter(|service| service.is_of(self.wanted.token)) {
            self.remove(service).await?;
        }
        Ok(())
    }

    /// Starts a container. The inner error is the engine's sentence if it refused.
    async fn start(&self, container: &str) -> Result<Result<(), String>, Halted> {
        self.mandate.check().await.map_err(Halted::Mandate)?;
        match self.engine.start(container).await {
            Err(EngineError::Refused { message, .. }) => Ok(Err(message)),
            other => Ok(Ok(other?)),
        }
    }

    /// Lets a container end in its own way, within its own time.
    async fn stop(&self, container: &str) -> Result<(), Halted> {
        self.mandate.check().await.map_err(Halted::Mandate)?;
        Ok(self.engine.stop(container).await?)
    }

    /// Removes a container. Its volumes are those of the one before or after it.
    async fn remove(&self, service: &Service) -> Result<(), Halted> {
        self.mandate.check().await.map_err(Halted::Mandate)?;
        let labels = containers::labels(&service.link);
        Ok(self.engine.remove(&service.id, &labels, false).await?)
    }
}
