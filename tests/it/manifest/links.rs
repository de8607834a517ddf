//! Errors about links.

use insta::assert_snapshot;

use super::{Files, SHA, linked};

#[test]
fn all_mistakes_are_reported_at_once_with_position_and_suggestion() {
    let files = Files::new(
        r#"
version = 1

[repos.shop]
url = "https://github.com/acme/shop.git"
brnach = "main"

[workflows.standard]
phases = [
  { name = "build", order = 0, image = "zbuilder", timeout = "20 minutes" },
  { name = "deploy", order = 1, kind = "deploymnet" },
]

[tenants.dev]
flete = "process"

[tenants.dev.links.shop]
repo = "shpo"
forlder = "services/web"
workflow = "standard"
sha = "3f2a9c1"
skip = ["verify"]
"#,
    );
    assert_snapshot!(files.complaint(), @r#"
      × unknown key `brnach`, did you mean `branch`?
       ╭─[katkit.toml:6:1]
     5 │ url = "https://github.com/acme/shop.git"
     6 │ brnach = "main"
       · ───┬──
       ·    ╰── not a key of a repository
       ╰────

      × the image `zbuilder` has no tag
        ╭─[katkit.toml:10:40]
      9 │ phases = [
     10 │   { name = "build", order = 0, image = "zbuilder", timeout = "20 minutes" },
        ·                                        ─────┬────
        ·                                             ╰── no tag and no digest
     11 │   { name = "deploy", order = 1, kind = "deploymnet" },
        ╰────
      help: add a version, like `zbuilder:v7`: without one, the same phase may run
            something else tomorrow

      × `20 minutes` is not a duration
        ╭─[katkit.toml:10:62]
      9 │ phases = [
     10 │ … { name = "build", order = 0, image = "zbuilder", timeout = "20 minutes" },
        ·                                                              ──────┬─────
        ·                                                                    ╰── not a duration
     11 │   { name = "deploy", order = 1, kind = "deploymnet" },
        ╰────
      help: a duration looks like `90s`, `20m` or `1h30m`

      × unknown kind of phase `deploymnet`, did you mean `deployment`?
        ╭─[katkit.toml:11:40]
     10 │   { name = "build", order = 0, image = "zbuilder", timeout = "20 minutes" },
     11 │   { name = "deploy", order = 1, kind = "deploymnet" },
        ·                                        ──────┬─────
        ·                                              ╰── expected `execution` or `deployment`
     12 │ ]
        ╰────

      × unknown key `flete`, did you mean `fleet`?
        ╭─[katkit.toml:15:1]
     14 │ [tenants.dev]
     15 │ flete = "process"
        · ──┬──
        ·   ╰── not a key of a tenant
        ╰────

      × there is no repository `shpo`, did you mean `shop`?
        ╭─[katkit.toml:18:8]
     17 │ [tenants.dev.links.shop]
     18 │ repo = "shpo"
        ·        ───┬──
        ·           ╰── not defined
     19 │ forlder = "services/web"
        ╰────

      × unknown key `forlder`, did you mean `folder`?
        ╭─[katkit.toml:19:1]
     18 │ repo = "shpo"
     19 │ forlder = "services/web"
        · ───┬───
        ·    ╰── not a key of a link
     20 │ workflow = "standard"
        ╰────

      × `3f2a9c1` is an abbreviated sha (7 of 40 digits)
        ╭─[katkit.toml:21:7]
     20 │ workflow = "standard"
     21 │ sha = "3f2a9c1"
        ·       ────┬────
        ·           ╰── not a full commit sha
     22 │ skip = ["verify"]
        ╰────
      help: write all 40, so that it can never match another commit; `git
            rev-parse 3f2a9c1` prints them

      × there is no phase `verify`
        ╭─[katkit.toml:22:9]
     21 │ sha = "3f2a9c1"
     22 │ skip = ["verify"]
        ·         ────┬───
        ·             ╰── not defined
        ╰────
      help: there are `build` and `deploy`

    9 errors
    "#);
}

#[test]
fn a_sha_is_not_a_prefix_a_tag_or_a_branch() {
    let said = |sha: &str| linked(&format!("sha = \"{sha}\"")).complaints();
    assert_snapshot!(said("3f2a9c1"), @r"
    katkit.toml:8: `3f2a9c1` is an abbreviated sha (7 of 40 digits)
        write all 40, so that it can never match another commit; `git rev-parse 3f2a9c1` prints them
    ");
    assert_snapshot!(said("main"), @r#"
    katkit.toml:8: `main` is not a commit sha (40 lowercase hex digits)
        to follow a branch, write `branch = "main"` instead
    "#);
    assert_snapshot!(said("v1.2.3"), @r"
    katkit.toml:8: `v1.2.3` looks like a tag, and a tag can be moved
        write the commit it points to now; `git rev-parse TAG^{commit}` prints it
    ");
    assert_snapshot!(said(&"AB".repeat(20)), @r"
    katkit.toml:8: a sha is written in lowercase
        write `abababababababababababababababababababab`
    ");
    assert_snapshot!(said(&"ab".repeat(32)), @r"
    katkit.toml:8: SHA-256 commit ids are not supported yet
        use a repository with 40-digit ids
    ");
    assert_snapshot!(said("not a sha"), @r"
    katkit.toml:8: `not a sha` is not a commit sha (40 lowercase hex digits)
        `git rev-parse HEAD` prints one
    ");
}

#[test]
fn a_link_has_exactly_one_of_sha_and_branch() {
    assert_snapshot!(linked("").complaints(), @r#"
    katkit.toml:6: neither `sha` nor `branch` nor `pipeline`
        write `sha = "…"` for one commit, `branch = "…"` to follow a branch, or `pipeline = "…"` for what a pipeline chooses
    "#);
    assert_snapshot!(linked(&format!("sha = '{SHA}'\nbranch = 'main'")).complaints(), @"
    katkit.toml:9: both `sha` and `branch`
        the commit: katkit.toml:8
        keep only one of them
    ");
    assert_snapshot!(linked(&format!("branch = '{SHA}'")).complaints(), @r#"
    katkit.toml:8: expected a branch, found a commit sha
        write `sha = "3f2a9c1e5b7d8f60123456789abcdef012345678"` instead
    "#);
    assert_snapshot!(linked("branch = 'refs/heads/main'").complaints(), @r"
    katkit.toml:8: expected a branch name, found a full ref
        write `main`
    ");
    assert_snapshot!(linked("branch = '--upload-pack=x'").complaints(), @"katkit.toml:8: `--upload-pack=x` cannot be the name of a branch");
}

#[test]
fn a_folder_stays_inside_the_repository() {
    let said = |folder: &str| linked(&format!("branch = 'main'\nfolder = '{folder}'")).complaints();
    assert_snapshot!(said("/services/web"), @r#"
    katkit.toml:9: `/services/web` is not a folder in a repository
        folders are relative to the repository root: `"services/web"`
    "#);
    assert_snapshot!(said("services/../../etc"), @r"
    katkit.toml:9: `services/../../etc` is not a folder in a repository
        a folder is inside the repository; write it without `..`
    ");
    assert_snapshot!(said(r"services\web"), @r#"
    katkit.toml:9: `services\web` is not a folder in a repository
        write `"services/web"`
    "#);
}

#[test]
fn an_unknown_name_gets_a_suggestion() {
    let files =
        linked("branch = 'main'\nworkflow = 'standrad'\n[tenants.prod]\nfleet = 'proces'\nbuild-fleet = 'x'");
    assert_snapshot!(files.complaints(), @r"
    katkit.toml:9: there is no workflow `standrad`, did you mean `standard`?
    katkit.toml:11: there is no fleet `proces`, did you mean `process`?
    katkit.toml:12: there is no fleet `x`
        there is only `process`
    ");
    let files = linked("branch = 'main'\nworkflow = 'standard'\nskip = ['verfy', 'build', 'build', 'x']");
    assert_snapshot!(files.complaints(), @r"
    katkit.toml:10: there is no phase `verfy`, did you mean `verify`?
    katkit.toml:10: `build` is skipped twice
        the first: katkit.toml:10
    katkit.toml:10: there is no phase `x`
        there are `build` and `verify`
    ");
    let files = Files::new("version = 1\ntenants.'a b'.links.'-x' = { repo = 'shop', branch = 'main' }");
    assert_snapshot!(files.complaints(), @r"
    katkit.toml:2: `a b` contains ' '; use letters, digits, `-`, `_` and `.`, starting with a letter or digit
    katkit.toml:2: `-x` contains '-'; use letters, digits, `-`, `_` and `.`, starting with a letter or digit
    katkit.toml:2: there is no repository `shop`
        no repository is defined
    ");
}

/// Two tenants with a platform and a link each, as TOML.
fn two(dev: &str, prod: &str, link: &str) -> Files {
    Files::new(format!(
        r#"
version = 1
repos.shop.url = "https://github.com/acme/shop.git"
workflows.deploys.phases = [{{ name = "deploy", order = 1, kind = "deployment" }}]
workflows.builds.phases = [{{ name = "build", order = 1 }}]
[tenants.dev]
platform = {{ {dev} }}
links.shop = {{ repo = "shop", workflow = "deploys", branch = "main" }}
[tenants.prod]
platform = {{ {prod} }}
links.shop = {{ repo = "shop", {link}, branch = "rel" }}
"#
    ))
}

#[test]
fn two_links_that_deploy_one_service_are_refused() {
    let cluster = r#"kind = "ecs", cluster = "all""#;
    assert_snapshot!(two(cluster, cluster, "workflow = 'deploys'").complaint(), @r#"
      × `prod/shop` and `dev/shop` deploy to the same target: the service `{role}`
      │ in the cluster `all`
        ╭─[katkit.toml:11:7]
     10 │ platform = { kind = "ecs", cluster = "all" }
     11 │ links.shop = { repo = "shop", workflow = 'deploys', branch = "rel" }
        ·       ──┬─
        ·         ╰── the second
        ╰────
      help: the first is at katkit.toml:8:7
            give their services different names, like `service-name =
            "{tenant}-{role}"` in the platform, or clusters of their own

    1 error
    "#);
    let arn = r#"kind = "ecs", cluster = "arn:aws:ecs:eu-central-1:123456789012:cluster/all""#;
    let same = r#"kind = "ecs", cluster = "all", region = "eu-central-1", service-name = "{role}""#;
    assert!(two(arn, same, "workflow = 'deploys'").complaint().contains("deploy to the same target"));
    let file = r#"kind = "file", path = "deployed""#;
    let refused = two(file, file, "workflow = 'deploys'").complaint();
    assert!(refused.contains("deploy to the same target") && refused.contains("another `path`"), "{refused}");

    // Another location, another name, another folder, or no deployment at all.
    let other = r#"kind = "ecs", cluster = "other""#;
    let named = r#"kind = "ecs", cluster = "all", service-name = "{tenant}-{role}""#;
    let docker = r#"kind = "docker""#;
    for (dev, prod, link) in [
        (cluster, other, "workflow = 'deploys'"),
        (named, named, "workflow = 'deploys'"),
        (cluster, named, "workflow = 'deploys'"),
        (docker, docker, "workflow = 'deploys'"),
        (cluster, cluster, "workflow = 'deploys', folder = 'api'"),
        (cluster, cluster, "workflow = 'builds'"),
        (file, file, "workflow = 'builds'"),
    ] {
        assert_eq!(two(dev, prod, link).load().warnings.items.len(), 0, "{dev} {prod} {link}");
    }
    // Only the repository says whether it is deployed.
    let warned = two(cluster, cluster, "folder = ''").load().warnings;
    assert_eq!(warned.items.len(), 1);
}
