//! The planned roll, and the containers it concerns.

use std::time::Instant;

use super::containers::{ROLE, Service};
use crate::docker::{Engine, EngineError};
use crate::domain::{FormerName, LinkId, Token};

/// What a deployment should achieve.
#[derive(Clone, Copy, Debug)]
pub struct PlannedRoll<'a> {
    pub link: &'a LinkId,
    /// Former names of the link.
    pub formerly: &'a [FormerName],
    pub token: &'a Token,
    /// Image of every role, in order.
    pub images: &'a [(String, String)],
    pub deadline: Instant,
}

/// Whether the role already runs this image, so there is nothing to roll. A name that has moved to another image does
/// not count.
pub async fn runs_already(
    engine: &Engine,
    services: &[Service],
    role: &str,
    image: &str,
) -> Result<bool, EngineError> {
    let mut running = services.iter().filter(|service| service.role == role && service.runs);
    let (Some(one), None) = (running.next(), running.next()) else { return Ok(false) };
    if !engine.shows(&one.image, image) {
        return Ok(false);
    }
    Ok(engine.image(image).await?.is_none_or(|found| found.id.as_ref() == Some(&one.image_id)))
}

/// The container to replace; `None` for the first one of a role.
pub fn predecessor<'s>(
    services: &'s [Service],
    role: &str,
    token: &Token,
) -> Result<Option<&'s Service>, String> {
    let others = || services.iter().filter(|service| service.role == role && !service.is_of(token));
    let running: Vec<_> = others().filter(|service| service.runs).collect();
    match running.as_slice() {
        [] => Ok(others().filter(|service| !service.is_left_over).max_by_key(|service| service.created)),
        [one] => Ok(Some(one)),
        several => {
            let names: Vec<_> = several.iter().map(|service| format!("`{}`", service.name)).collect();
            Err(format!(
                "`{role}` has several running containers, {}, but katkit rolls only one; stop the others, or recreate \
                 them without the label `{ROLE}`",
                names.join(" and ")
            ))
        }
    }
}
