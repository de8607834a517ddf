//! Makes the successors: images are pulled and containers created, and nothing that runs is touched.

use std::time::Instant;

use bollard::models::NetworkConnectRequest;

use super::containers::{self, IMAGE, LINK, ROLE, Service, TENANT, TOKEN};
use super::roll::Roll;
use super::successor::{self, Successor};
use super::{PlatformError, Settings};
use crate::docker::{Engine, EngineError, OWNER, STORE};
use crate::domain::{FormerName, LinkId, Token};
use crate::platform::Mandate;

/// How much of a token is part of a container's name.
const SHORT: usize = 8;

/// What a deployment wants.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    pub link: &'a LinkId,
    /// The names that the link had before.
    pub formerly: &'a [FormerName],
    pub token: &'a Token,
    /// The image of every role, in order.
    pub images: &'a [(String, String)],
    pub deadline: Instant,
}

/// Pulls the images and makes the successors, as far as that was not done. Where one cannot be made, none is left.
pub async fn prepare(
    engine: &Engine,
    settings: &Settings,
    wanted: Wanted<'_>,
    mandate: &dyn Mandate,
) -> Result<(), PlatformError> {
    for (_, image) in wanted.images {
        let pulled = engine.ensure_image(image).await;
        pulled.map_err(|error| not_done(format!("the image `{image}`"), "pulled", error))?;
    }
    let made = make_all(engine, settings, wanted, mandate).await;
    // What is another's by now, is another's to remove.
    if made.as_ref().is_err_and(|error| !matches!(error, PlatformError::Overtaken { .. }))
        && let Err(error) = Roll::new(engine, settings, wanted, mandate).remove_new().await
    {
        tracing::warn!(error = %error, "new containers of a deployment that was given up are left");
    }
    made
}

async fn make_all(
    engine: &Engine,
    settings: &Settings,
    wanted: Wanted<'_>,
    mandate: &dyn Mandate,
) -> Result<(), PlatformError> {
    let place = || format!("the docker engine at {}", engine.host());
    let asked = |error| not_done(place(), "asked", error);
    let services =
        containers::of_link(engine, settings, wanted.link, wanted.formerly).await.map_err(asked)?;
    for (role, image) in wanted.images {
        let made = services.iter().any(|service| service.role == *role && service.is_of(wanted.token));
        if made || runs_already(engine, &services, role, image).await.map_err(asked)? {
            continue;
        }
        let old = predecessor(&services, role, wanted.token).map_err(|what| {
            let place = place();
            PlatformError::Unreadable { link: wanted.link.clone(), place, what, hint: None }
        })?;
        if let Some(old) = old
            && let Some((what, fix)) = unlike(engine, old).await.map_err(asked)?
        {
            let (link, what) = (wanted.link.clone(), format!("{what}; {fix}"));
            return Err(PlatformError::Unfit { link, what, hint: None });
        }
        // To pull an image may have taken long.
        mandate.check().await?;
        let made = make(engine, settings, wanted, old, role, image).await;
        made.map_err(|error| not_done(format!("the container of `{role}`"), "made", error))?;
    }
    Ok(())
}

/// Why a successor would differ from the container, and what to do about it: the engine may hide some of its options.
pub async fn unlike(engine: &Engine, old: &Service) -> Result<Option<(String, String)>, EngineError> {
    let options = engine.unshown(&old.id).await?;
    if options.is_empty() {
        return Ok(None);
    }
    let options = options.iter().map(|option| format!("`{option}`")).collect::<Vec<_>>().join(", ");
    let what = format!(
        "`{}`, the container of `{}`, was made with {options}, which Podman does not show, and a successor would be without",
        old.name, old.role
    );
    let fix = format!(
        "make it anew by hand, from the wanted image and with the same labels, and it is left alone; or without {options}, \
         and it is rolled"
    );
    Ok(Some((what, fix)))
}

/// What an engine that was reached did not do is known not to have been done.
fn not_done(place: String, action: &'static str, error: EngineError) -> PlatformError {
    match error {
        error @ (EngineError::Unreachable { .. } | EngineError::Implausible { .. }) => {
            PlatformError::Unavailable { place, action, source: error.into() }
        }
        error @ EngineError::Refused { .. } => PlatformError::Refused { place, action, source: error.into() },
    }
}

/// Whether the role runs this very image, so that there is nothing to roll: also not one that has the name since.
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

/// The container whose successor is to be made; `None` for the first of its role.
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
                "`{role}` has several containers that run, {}, and katkit rolls one; stop the others, or make them \
                 without the label `{ROLE}`",
                names.join(" and ")
            ))
        }
    }
}

async fn make(
    engine: &Engine,
    settings: &Settings,
    wanted: Wanted<'_>,
    old: Option<&Service>,
    role: &str,
    image: &str,
) -> Result<(), EngineError> {
    let inspected = match old {
        Some(old) => engine.inspect(&old.id).await?,
        None => None,
    };
    let Successor { mut body, networks } = match inspected {
        Some(old) => {
            let image = match &old.image {
                Some(id) => engine.image(id).await?,
                None => None,
            };
            successor::of(old, image.and_then(|image| image.config))
        }
        None => {
            let link = wanted.link;
            tracing::info!(%link, role, "no container yet: it is made from its image alone");
            successor::first(settings.network.as_ref())
        }
    };
    body.image = Some(image.to_owned());
    let labels = body.labels.get_or_insert_default();
    for (name, value) in [
        (OWNER, settings.owner.as_str()),
        (STORE, settings.store.as_str()),
        (TENANT, settings.tenant.as_str()),
        (LINK, wanted.link.link.as_str()),
        (ROLE, role),
        (TOKEN, wanted.token.as_str()),
        (IMAGE, image),
    ] {
        labels.insert(name.to_owned(), value.to_owned());
    }
    let name = name(wanted, old, role);
    let created = engine.create(&name, body).await?;
    for (network, endpoint) in networks {
        let request = NetworkConnectRequest { container: created.clone(), endpoint_config: Some(endpoint) };
        engine.join(&network, request).await?;
    }
    Ok(())
}

/// The predecessor's name with another end.
fn name(wanted: Wanted<'_>, old: Option<&Service>, role: &str) -> String {
    let token = &wanted.token.as_str()[..wanted.token.as_str().len().min(SHORT)];
    let stem = match old {
        None => {
            let sound = |c: char| if c.is_ascii_alphanumeric() || "_.-".contains(c) { c } else { '-' };
            let role: String = role.chars().map(sound).collect();
            format!("{}-{}-{role}", wanted.link.tenant, wanted.link.link)
        }
        Some(old) => {
            let end = old.token.as_deref().map(|token| format!("-{}", &token[..token.len().min(SHORT)]));
            end.and_then(|end| old.name.strip_suffix(&end)).unwrap_or(&old.name).to_owned()
        }
    };
    format!("{stem}-{token}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str, runs: bool, token: Option<&str>, created: i64) -> Service {
        let (id, token) = (name.to_owned(), token.map(str::to_owned));
        let (link, role, image) = ("dev/shop".parse().unwrap(), "web".to_owned(), "web:1".to_owned());
        let image_id = String::new();
        let is_left_over = false;
        Service { id, name: name.to_owned(), link, role, image, image_id, runs, token, is_left_over, created }
    }

    #[test]
    fn the_predecessor_is_the_one_that_runs_and_else_the_last_that_did() {
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
        // What another deployment made and never started is nothing to go back to.
        let left_over = Service { is_left_over: true, ..service("left", false, Some("fedcba"), 9) };
        assert_eq!(name(&[service("old", false, None, 1), left_over]), Ok(Some("old".to_owned())));
        let services = [service("a", true, None, 1), service("b", true, None, 2)];
        assert!(
            name(&services).unwrap_err().starts_with("`web` has several containers that run, `a` and `b`,")
        );
    }

    #[test]
    fn a_successor_has_the_name_of_its_predecessor_with_another_end() {
        let (link, token) = ("dev/shop".parse().unwrap(), Token("0123456789ab".into()));
        let wanted =
            Wanted { link: &link, formerly: &[], token: &token, images: &[], deadline: Instant::now() };
        assert_eq!(name(wanted, None, "web ä"), "dev-shop-web---01234567");
        assert_eq!(name(wanted, Some(&service("front", true, None, 0)), "web"), "front-01234567");
        let ours = service("front-fedcba98", true, Some("fedcba9876"), 0);
        assert_eq!(name(wanted, Some(&ours), "web"), "front-01234567");
    }
}
