//! Writing manifests, and changing them in place.

use katkit::domain::{CommitSha, LinkId, TenantName};
use katkit::manifest;
use katkit::manifest::Wanted;
use katkit::manifest::edit::{EditError, set_want};
use proptest::prelude::*;

use super::{Files, link};

fn sha(digit: &str) -> CommitSha {
    CommitSha::new(digit.repeat(40)).unwrap()
}

fn set_sha(text: &str, link: &LinkId, sha: &CommitSha) -> Result<Option<String>, EditError> {
    set_want(text, link, &Wanted::Sha(sha.clone()))
}

pub(super) fn surroundings(deploys: bool) -> manifest::init::InitContext {
    surroundings_of(deploys, &["dev"])
}

fn surroundings_of(deploys: bool, tenants: &[&str]) -> manifest::init::InitContext {
    let (url, branch) = ("../..".to_owned(), "a \"main\" branch".replace([' ', '"'], "-"));
    let tenants = tenants.iter().map(|name| TenantName::new(*name).unwrap()).collect();
    manifest::init::InitContext { url, branch, folder: "services/\u{fc}ber".to_owned(), deploys, tenants }
}

#[test]
fn several_tenants_share_a_link_by_a_template() {
    let text = manifest::init::template(&surroundings_of(true, &["dev", "staging", "prod"]));
    let loaded = Files::new(text.as_str()).load();
    assert!(loaded.warnings.is_empty());
    let links: Vec<_> =
        loaded.manifest.links().map(|(id, _, link)| (id.to_string(), link.folder.clone())).collect();
    let folder = "services/\u{fc}ber".to_owned();
    let expected = ["dev/app", "prod/app", "staging/app"].map(|id| (id.to_owned(), folder.clone()));
    assert_eq!(links, expected);
    // The commented-out parts are valid too.
    let overridden = text
        .replace("# [tenants.prod.links.app]", "[tenants.prod.links.app]")
        .replace("# sha = \"…\"   ", &format!("sha = \"{}\"", sha("2")))
        .replace("# skip = [", "skip = [");
    let loaded = Files::new(overridden.as_str()).load();
    let (_, link) = loaded.manifest.link(&link("prod/app")).unwrap();
    assert_eq!((&link.want, link.skip.len()), (&Wanted::Sha(sha("2")), 1));
}

#[test]
fn the_manifest_of_init_is_valid() {
    for (deploys, phases) in [(false, 1), (true, 3)] {
        let loaded = Files::new(manifest::init::template(&surroundings(deploys))).load();
        assert!(loaded.warnings.is_empty());
        let (_, _, link) = loaded.manifest.links().next().unwrap();
        assert_eq!(link.folder, "services/\u{fc}ber");
        let workflow = loaded.manifest.workflows.values().next().unwrap();
        assert_eq!(workflow.phases().len(), phases);
    }
}

#[test]
fn setting_a_sha_changes_only_the_value() {
    let before = "# team a\r\n[tenants.dev.links.shop]   # the shop\r\nrepo='shop'\r\n  sha  =  '1111111111111111111111111111111111111111' # old\r\n";
    let after = set_sha(before, &link("dev/shop"), &sha("2")).unwrap().unwrap();
    assert_eq!(after, before.replace(&format!("'{}'", sha("1")), &format!("\"{}\"", sha("2"))));
    assert_eq!(set_sha(before, &link("dev/other"), &sha("2")), Ok(None));
    assert_eq!(set_sha(before, &link("prod/shop"), &sha("2")), Ok(None));
}

#[test]
fn a_sha_replaces_the_branch_in_place() {
    let inline = "tenants.dev.links = { shop = { repo = 'shop', branch = 'main', folder = 'x' } } # all\n";
    let after = set_sha(inline, &link("dev/shop"), &sha("2")).unwrap().unwrap();
    assert_eq!(after, inline.replace("branch = 'main'", &format!("sha = \"{}\"", sha("2"))));
    let dotted = "tenants.dev.links.shop.branch=\"main\"\ntenants.dev.links.shop.repo='shop'";
    let after = set_sha(dotted, &link("dev/shop"), &sha("2")).unwrap().unwrap();
    assert_eq!(after, dotted.replace("branch=\"main\"", &format!("sha=\"{}\"", sha("2"))));
}

#[test]
fn a_branch_replaces_the_sha_in_place() {
    let follow = |text: &str, branch: &str| {
        set_want(text, &link("dev/shop"), &Wanted::Branch(branch.to_owned())).unwrap().unwrap()
    };
    let before = format!("[tenants.dev.links.shop]\nrepo = 'shop'\nsha = '{}' # fixed\n", sha("1"));
    let after = follow(&before, "release/1");
    assert_eq!(after, before.replace(&format!("sha = '{}'", sha("1")), "branch = \"release/1\""));
    let quoted = follow(&after, "it's\"x");
    assert_eq!(
        toml::from_str::<toml::Table>(&quoted).unwrap()["tenants"]["dev"]["links"]["shop"]["branch"].as_str(),
        Some("it's\"x")
    );
    // An equal value keeps its notation.
    let literal = after.replace('"', "'");
    assert_eq!(follow(&literal, "release/1"), literal);
}

#[test]
fn an_impossible_edit_is_an_error() {
    let set = |text: &str| set_sha(text, &link("dev/shop"), &sha("2"));
    assert_eq!(
        set("[tenants.dev.links.shop]\nsha = ''\nbranch = ''"),
        Err(EditError::Both(link("dev/shop")))
    );
    assert!(matches!(set("[tenants"), Err(EditError::Syntax(_))));
}

/// A link's key in some notation: the text before it, the key, the separator, the value, the rest.
fn written() -> impl Strategy<Value = (String, &'static str, String, &'static str, String)> {
    let blank = "[ \t]{0,3}";
    let comment = "(#[ -~é\t]{0,30})?(\n|\r\n)";
    let value = prop_oneof![
        Just("\"main\""),
        Just("'main'"),
        Just("\"\"\"\nmain\"\"\""),
        Just("'1111111111111111111111111111111111111111'"),
    ];
    let key = prop_oneof![Just("sha"), Just("branch")];
    (comment, blank, key, blank, blank, value, blank, comment, 0..3).prop_map(
        |(first, indent, key, left, right, value, end, last, notation)| {
            let open = match notation {
                0 => format!("{first}[tenants.dev.links.shop]{first}{indent}"),
                1 => format!("{first}{indent}tenants.dev.links.shop."),
                _ => format!("{first}tenants.dev.links.shop = {{{indent}"),
            };
            let close = if notation == 2 { format!("{end}}}{last}") } else { format!("{end}{last}{last}") };
            (open, key, format!("{left}={right}"), value, close)
        },
    )
}

proptest! {
    #[test]
    fn setting_a_sha_keeps_every_other_byte((open, key, equals, value, close) in written()) {
        let before = format!("{open}{key}{equals}{value}{close}");
        let after = set_sha(&before, &link("dev/shop"), &sha("2")).unwrap();
        prop_assert_eq!(after, Some(format!("{open}sha{equals}\"{}\"{close}", sha("2"))));
    }
}
