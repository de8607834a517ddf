//! Links shared by several tenants.

use insta::assert_snapshot;
use katkit::domain::CommitSha;
use katkit::manifest::edit::set_want;
use katkit::manifest::{Wanted, expanded};

use super::{Files, link};

pub(super) const MANIFEST: &str = r#"version = 1
repos.shop.url = "https://github.com/acme/shop.git"
workflows.standard.phases = [{ name = "build", order = 0 }, { name = "test", order = 1 }]

[templates.web]
repo = "shop"
folder = "services/web"
workflow = "standard"
branch = "main"
watch = ["libs"]
variables = { LEVEL = "info", REGION = "eu" }

[templates.api]
repo = "shop"
folder = "services/api"
branch = "main"

[tenants.dev]
use = ["web", "api"]

[tenants.prod]
use = ["web", "api"]

[tenants.prod.links.web]
sha = "1111111111111111111111111111111111111111"
skip = ["test"]
variables = { LEVEL = "error" }

[tenants.prod.links.other]
repo = "shop"
branch = "stable"
"#;

#[test]
fn a_tenant_gets_a_templates_link_and_overrides_what_differs() {
    let loaded = Files::new(MANIFEST).load();
    assert!(loaded.warnings.is_empty());
    assert_snapshot!(expanded(&loaded.manifest), @r#"
    [tenants.dev.links.api]
    repo = "shop"
    folder = "services/api"
    branch = "main"

    [tenants.dev.links.web]
    repo = "shop"
    folder = "services/web"
    workflow = "standard"
    branch = "main"
    watch = ["libs"]
    variables = { LEVEL = "info", REGION = "eu" }

    [tenants.prod.links.api]
    repo = "shop"
    folder = "services/api"
    branch = "main"

    [tenants.prod.links.other]
    repo = "shop"
    branch = "stable"

    [tenants.prod.links.web]
    repo = "shop"
    folder = "services/web"
    workflow = "standard"
    sha = "1111111111111111111111111111111111111111"
    watch = ["libs"]
    skip = ["test"]
    variables = { LEVEL = "error", REGION = "eu" }
    "#);
}

#[test]
fn a_template_equals_its_expansion() {
    let loaded = Files::new(MANIFEST).load();
    let (head, _) = MANIFEST.split_once("[templates.web]").unwrap();
    let again = Files::new(format!("{head}\n{}", expanded(&loaded.manifest))).load();
    let links = |manifest: &katkit::manifest::Manifest| {
        let links = manifest.links().map(|(id, _, link)| (id, link.clone()));
        links.collect::<Vec<_>>()
    };
    assert_eq!(links(&again.manifest), links(&loaded.manifest));
}

#[test]
fn mistakes_are_reported_once_and_where_they_can_be_fixed() {
    let wrong = |from: &str, to: &str| Files::new(MANIFEST.replacen(from, to, 1)).complaints();
    assert_snapshot!(wrong("use = [\"web\", \"api\"]", "use = [\"wbe\", \"api\", \"api\"]"), @r"
    katkit.toml:19: there is no template `wbe`, did you mean `web`?
    katkit.toml:19: `api` is used twice
        the first: katkit.toml:19
    ");
    // In the template, which both tenants use.
    assert_snapshot!(wrong("repo = \"shop\"\nfolder", "repo = \"shpo\"\nfolder"), @"katkit.toml:6: there is no repository `shpo`, did you mean `shop`?");
    assert_snapshot!(wrong("folder = \"services/api\"\nbranch = \"main\"", "folder = \"services/api\""), @r#"
    katkit.toml:18: neither `sha` nor `branch` nor `pipeline`
        write `sha = "…"` for one commit, `branch = "…"` to follow a branch, or `pipeline = "…"` for what a pipeline chooses
    katkit.toml:21: neither `sha` nor `branch` nor `pipeline`
        write `sha = "…"` for one commit, `branch = "…"` to follow a branch, or `pipeline = "…"` for what a pipeline chooses
    "#);
    assert_snapshot!(wrong("repo = \"shop\"\nbranch = \"stable\"", "branch = \"stable\""), @"katkit.toml:29: missing key `repo`");
}

#[test]
fn an_unused_template_is_probably_a_mistake() {
    let loaded = Files::new(MANIFEST.replace("\"web\", \"api\"", "\"web\"")).load();
    let messages: Vec<_> = loaded.warnings.items.iter().map(|item| item.message.as_str()).collect();
    assert_eq!(messages, ["no tenant uses the template `api`"]);
}

#[test]
fn a_commit_is_set_at_the_link_and_not_in_the_template() {
    let want = Wanted::Sha(CommitSha::new("2".repeat(40)).unwrap());
    let set = |id: &str| {
        let edited = set_want(MANIFEST, &link(id), &want).unwrap().unwrap();
        let manifest = Files::new(&edited).load().manifest;
        let wants =
            manifest.links().filter(|(_, _, link)| link.want == want).map(|(id, _, _)| id.to_string());
        assert_eq!(wants.collect::<Vec<_>>(), [id]);
        edited
    };
    assert_eq!(set("prod/web"), MANIFEST.replace(&"1".repeat(40), &"2".repeat(40)));
    let diff =
        |edited: &str| edited.lines().filter(|line| !MANIFEST.contains(line)).collect::<Vec<_>>().join("\n");
    assert_snapshot!(diff(&set("prod/api")), @r#"
    [tenants.prod.links.api]
    sha = "2222222222222222222222222222222222222222"
    "#);
    assert_snapshot!(diff(&set("dev/web")), @r#"
    [tenants.dev.links.web]
    sha = "2222222222222222222222222222222222222222"
    "#);
    assert_eq!(set_want(MANIFEST, &link("dev/other"), &want).unwrap(), None);
}

#[test]
fn an_overriding_table_gets_the_missing_key() {
    let without = MANIFEST.replace(&format!("sha = \"{}\"\n", "1".repeat(40)), "");
    let want = Wanted::Branch("release".to_owned());
    let edited = set_want(&without, &link("prod/web"), &want).unwrap().unwrap();
    let manifest = Files::new(&edited).load().manifest;
    assert_eq!(manifest.link(&link("prod/web")).unwrap().1.want, want);
    assert_eq!(manifest.link(&link("dev/web")).unwrap().1.want, Wanted::Branch("main".to_owned()));
}

#[test]
fn line_breaks_and_a_byte_order_mark_are_kept() {
    let windows = format!("\u{feff}{}", MANIFEST.replace('\n', "\r\n"));
    let want = Wanted::Branch("release".to_owned());
    let edited = set_want(&windows, &link("prod/api"), &want).unwrap().unwrap();
    assert!(edited.starts_with('\u{feff}'));
    assert_eq!(edited.matches('\n').count(), edited.matches("\r\n").count());
    assert!(edited.contains("[tenants.prod.links.api]\r\nbranch = \"release\"\r\n"), "{edited}");
}
