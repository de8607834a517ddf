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

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::platform::docker) fn service(
        name: &str,
        runs: bool,
        token: Option<&str>,
        created: i64,
    ) -> Service {
        let (id, token) = (name.to_owned(), token.map(str::to_owned));
        let (link, role, image) = ("dev/shop".parse().unwrap(), "web".to_owned(), "web:1".to_owned());
        let image_id = String::new();
        let is_left_over = false;
        Service { id, name: name.to_owned(), link, role, image, image_id, runs, token, is_left_over, created }
    }

    #[test]
    fn the_predecessor_is_the_running_container_or_the_last_one_that_ran() {
        let token = Token("0123456789ab".into());
        let services = [
            service("old", false, None, 1),
            service("stopped", false, None, 2),
            service("new", true, Some("0123456789ab"), 3),
        ];
        let name = |services: &[Service]| {
            predecessor(services, "web", &token).map(|found| found.map(|service| service.name.clone()))
        };
        assert_eq!(name(&services), Ok(Some("stopped".to_owned())));
        let services = [service("old", true, None, 1), service("stopped", false, None, 2)];
        assert_eq!(name(&services), Ok(Some("old".to_owned())));
        assert_eq!(name(&[]), Ok(None));
        // A container that another deployment created but never started is no predecessor.
        let left_over = Service { is_left_over: true, ..service("left", false, Some("fedcba"), 9) };
        assert_eq!(name(&[service("old", false, None, 1), left_over]), Ok(Some("old".to_owned())));
        let services = [service("a", true, None, 1), service("b", true, None, 2)];
        assert!(
            name(&services).unwrap_err().starts_with("`web` has several running containers, `a` and `b`,")
        );
    }
}
