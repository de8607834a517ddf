//! The parts of a repository that a link watches.

use super::{link, linked};

fn watch(says: &str) -> Option<Vec<String>> {
    let files = linked(&format!("branch = 'main'\nfolder = 'services/web'\n{says}"));
    let loaded = files.load();
    assert!(loaded.warnings.is_empty(), "{says}");
    loaded.manifest.link(&link("dev/shop")).unwrap().1.watch.clone()
}

#[test]
fn watched_paths_are_normalized_and_can_be_switched_off() {
    assert_eq!(watch(""), None);
    assert_eq!(watch("watch = []"), Some(Vec::new()));
    let paths = ["libs/common", "proto/shop.proto"].map(str::to_owned);
    assert_eq!(watch("watch = ['./libs//common/', 'proto/shop.proto']"), Some(paths.to_vec()));
    assert_eq!(watch("watch = ['libs']\nchanges = 'watched'"), Some(vec!["libs".to_owned()]));
    assert_eq!(watch("watch = ['libs']\nchanges = 'any'"), None);
}

#[test]
fn an_invalid_watched_path_is_refused_with_valid_alternatives() {
    let said = |says: &str| linked(&format!("branch = 'main'\nfolder = 'services/web'\n{says}")).complaints();
    for (says, message) in [
        ("watch = ['libs/**']", "`libs/**` is not a folder or a file"),
        ("watch = ['../other']", "`../other` is not a folder in a repository"),
        ("watch = ['/libs']", "`/libs` is not a folder in a repository"),
        ("watch = 'libs'", "an array"),
        ("watch = ['libs']\nchanges = 'all'", "unknown choice `all`"),
    ] {
        assert!(said(says).contains(message), "{says}: {}", said(says));
    }
}

#[test]
fn watching_a_path_beside_the_whole_repository_is_probably_a_mistake() {
    let files = linked("branch = 'main'\nwatch = ['libs']");
    let warnings = files.load().warnings.items;
    let messages: Vec<_> = warnings.iter().map(|warning| warning.message.as_str()).collect();
    assert_eq!(messages, ["`watch` has no effect"]);
}
