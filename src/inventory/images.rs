//! `digest = "pinned"`: what the registries have of the images that are to be deployed next.

use std::collections::BTreeSet;

use super::Sources;
use super::problem::problem_of;
use crate::plan::{self, LinkInput, RegistryAnswers};
use crate::registry::{self, RegistryError};

/// Asks for the images of each link whose deployment is the next thing to happen, once for all links that have an image.
pub(super) async fn ask(sources: Sources<'_>, links: &mut [LinkInput]) {
    let wanted: Vec<Vec<String>> =
        links.iter().map(|input| plan::images_to_deploy(sources.manifest, input)).collect();
    let images: BTreeSet<String> = wanted.iter().flatten().cloned().collect();
    let answers = registry::digests(sources.registry, images).await;
    let answer = |(image, answer): (String, Result<_, RegistryError>)| {
        (image, answer.map_err(|error| problem_of(&error, error.hint.clone())))
    };
    let answers: RegistryAnswers = answers.into_iter().map(answer).collect();
    for (input, images) in links.iter_mut().zip(wanted).filter(|(_, images)| !images.is_empty()) {
        let answer = |image: String| Some((image.clone(), answers.get(&image)?.clone()));
        input.registry = Some(Box::new(images.into_iter().filter_map(answer).collect()));
    }
}
