//! Creates the successors: pulls images and creates containers, without touching anything that runs.

use bollard::models::NetworkConnectRequest;

use super::containers::{self, IMAGE, LINK, ROLE, Service, TENANT, TOKEN};
use super::planned::{PlannedRoll, predecessor, runs_already};
use super::roll::Roll;
use super::successor::{self, Successor};
use super::{PlatformError, Settings};
use crate::docker::{Engine, EngineError, OWNER, STORE};
use crate::platform::FencingCheck;

/// Characters of a token that are part of a container's name.
const SHORT: usize = 8;

/// Pulls the images and creates missing successors. If one cannot be created, removes them all.
pub async fn prepare(
    engine: &Engine,
    settings: &Settings,
    wanted: PlannedRoll<'_>,
    fencing: &dyn FencingCheck,
) -> Result<(), PlatformError> {
    for (_, image) in wanted.images {
        let pulled = engine.ensure_image(image).await;
        pulled.map_err(|error| not_done(format!("the image `{image}`"), "pulled", error))?;
    }
    let made = make_all(engine, settings, wanted, fencing).await;
    // After a takeover they are the new holder's to remove.
    if made.as_ref().is_err_and(|error| !matches!(error, PlatformError::Overtaken { .. }))
        && let Err(error) = Roll::new(engine, settings, wanted, fencing).remove_new().await
    {
        tracing::warn!(error = %error, "could not remove the new containers of a failed deployment");
    }
    made
}

async fn make_all(
    engine: &Engine,
    settings: &Settings,
    wanted: PlannedRoll<'_>,
    fencing: &dyn FencingCheck,
) -> Result<(), PlatformError> {
    let place = || format!("the Docker Engine at {}", engine.host());
    let failed = |error| not_done(place(), "queried", error);
    let services =
        containers::of_link(engine, settings, wanted.link, wanted.formerly).await.map_err(failed)?;
    for (role, image) in wanted.images {
        let made = services.iter().any(|service| service.role == *role && service.is_of(wanted.token));
        if made || runs_already(engine, &services, role, image).await.map_err(failed)? {
            continue;
        }
        let old = predecessor(&services, role, wanted.token).map_err(|what| {
            let place = place();
            PlatformError::Unreadable { link: wanted.link.clone(), place, what, hint: None }
        })?;
        if let Some(old) = old
            && let Some((what, fix)) = unlike(engine, old).await.map_err(failed)?
        {
            let (link, what) = (wanted.link.clone(), format!("{what}; {fix}"));
            return Err(PlatformError::Unfit { link, what, hint: None });
        }
        // Pulling may have taken long.
        fencing.check().await?;
        let made = make(engine, settings, wanted, old, role, image).await;
        made.map_err(|error| not_done(format!("the container of `{role}`"), "created", error))?;
    }
    Ok(())
}

/// Why a successor would differ from the container, and how to fix it: the engine may hide some options.
pub async fn unlike(engine: &Engine, old: &Service) -> Result<Option<(String, String)>, EngineError> {
    let options = engine.unshown(&old.id).await?;
    if options.is_empty() {
        return Ok(None);
    }
    let options = options.iter().map(|option| format!("`{option}`")).collect::<Vec<_>>().join(", ");
    let what = format!(
        "`{}`, the container of `{}`, was created with {options}, which Podman does not report, so its successor would \
         lack them",
        old.name, old.role
    );
    let fix = format!(
        "recreate it by hand from the wanted image with the same labels, and katkit leaves it alone; or recreate it \
         without {options}, and katkit rolls it"
    );
    Ok(Some((what, fix)))
}

/// Classifies an engine error: if the engine was reached, the action is known not to have happened.
fn not_done(place: String, action: &'static str, error: EngineError) -> PlatformError {
    match error {
        error @ (EngineError::Unreachable { .. } | EngineError::Implausible { .. }) => {
            PlatformError::Unavailable { place, action, source: error.into() }
        }
        error @ EngineError::Refused { .. } => PlatformError::Refused { place, action, source: error.into() },
    }
}

async fn make(
    engine: &Engine,
    settings: &Settings,
    wanted: PlannedRoll<'_>,
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
            tracing::info!(%link, role, "no container yet; creating one from the image alone");
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

/// The predecessor's name with a new suffix.
fn name(wanted: PlannedRoll<'_>, old: Option<&Service>, role: &str) -> String {
    let token = &wanted.token.as_str()[..wanted.token.as_str().len().min(SHORT)];
    let stem = match old {
        None => {
            let plain = |c: char| if c.is_ascii_alphanumeric() || "_.-".contains(c) { c } else { '-' };
            let role: String = role.chars().map(plain).collect();
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
    use std::time::Instant;

    use crate::domain::Token;

    use super::*;
    use crate::platform::docker::planned::tests::service;

    #[test]
    fn a_successor_has_its_predecessors_name_with_a_new_suffix() {
        let (link, token) = ("dev/shop".parse().unwrap(), Token("0123456789ab".into()));
        let wanted =
            PlannedRoll { link: &link, formerly: &[], token: &token, images: &[], deadline: Instant::now() };
        assert_eq!(name(wanted, None, "web ä"), "dev-shop-web---01234567");
        assert_eq!(name(wanted, Some(&service("front", true, None, 0)), "web"), "front-01234567");
        let ours = service("front-fedcba98", true, Some("fedcba9876"), 0);
        assert_eq!(name(wanted, Some(&ours), "web"), "front-01234567");
    }
}
