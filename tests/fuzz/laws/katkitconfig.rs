//! Laws for any bytes as a `katkitconfig.js`.

use std::path::Path;

use katkit::domain::{Phase, PhaseKind, Workflow};
use katkit::lenient_json::{Document, decode};
use katkit::manifest::load;
use katkit::workflow::{KatkitConfig, ManifestDraft, to_skeleton};

use super::memory_files::{MemoryFiles, ROOT};

/// Panics if a law is broken.
pub fn hold(bytes: &[u8]) {
    if let Ok(text) = decode(bytes)
        && serde_json::from_str::<serde_json::Value>(text).is_ok()
    {
        assert!(Document::read(text).is_ok(), "strict JSON is accepted");
    }
    let config = match KatkitConfig::parse(bytes) {
        Ok(config) => config,
        Err(error) => {
            let span = error.place().map_or(0..0, |place| place.span.clone());
            assert!(bytes.get(span).is_some(), "a mistake's position is inside the file");
            assert!(!error.to_string().chars().any(char::is_control), "a message is harmless to a terminal");
            return;
        }
    };
    for environment in config.environments() {
        match config.for_environment(&environment.name) {
            Ok(chosen) => assert!(!chosen.workflow.phases().is_empty()),
            Err(error) => assert!(error.place().is_some(), "{error}"),
        }
    }
    let (repo, link) = ("shop".parse().unwrap(), "web".parse().unwrap());
    let skeleton = ManifestDraft { repo: &repo, url: "../shop", branch: "main", link: &link, folder: "" };
    let manifest = to_skeleton(&config, &skeleton);
    let files = MemoryFiles([(ROOT.into(), manifest.clone().into_bytes())].into());
    let loaded = load(Path::new(ROOT), &files).unwrap_or_else(|mistakes| panic!("{mistakes}\n{manifest}"));
    let sound = config.environments().iter().filter_map(|it| Some((&it.name, it.workflow.as_ref().ok()?)));
    let mut count = 0;
    for (name, workflow) in sound {
        let tenant = loaded.manifest.tenants.values().find(|tenant| tenant.environment == *name);
        let written = tenant.expect("every environment has a tenant").links[link.as_str()].workflow.as_ref();
        let written = &loaded.manifest.workflows[written.expect("and its workflow")];
        assert_eq!(comparable(written), comparable(workflow), "{manifest}");
        count += 1;
    }
    assert_eq!(loaded.manifest.tenants.len(), count);
}

/// The workflow without what a manifest cannot express: variables with some names, and an image without a tag.
fn comparable(workflow: &Workflow) -> Vec<Phase> {
    let mut phases = workflow.phases().to_vec();
    for phase in &mut phases {
        if let PhaseKind::Execution(execution) = &mut phase.kind {
            let plain = |c: char| c.is_ascii_alphanumeric();
            execution
                .variables
                .retain(|name, _| name.starts_with('V') && name.len() < 99 && name.chars().all(plain));
            execution.image =
                execution.image.take().map(|image| image.trim_end_matches(":latest").to_owned());
        }
    }
    phases
}
