//! `[pipelines]`: stages, links, and that both agree.

use insta::assert_snapshot;

use super::Files;

/// Two tenants with a link `shop` each, and these keys of the pipeline `shop`.
fn pipeline(keys: &str) -> Files {
    with_links(keys, "pipeline = 'shop'", "pipeline = 'shop'")
}

fn with_links(keys: &str, beta: &str, prod: &str) -> Files {
    Files::new(format!(
        "version = 1
[repos]
shop.url = 'shop'
other.url = 'other'
[workflows]
standard.phases = [{{ name = 'build', order = 0 }}]
[tenants.beta.links]
shop = {{ repo = 'shop', workflow = 'standard', {beta} }}
[tenants.prod.links]
shop = {{ repo = 'shop', workflow = 'standard', {prod} }}
[pipelines.shop]
{keys}
"
    ))
}

#[test]
fn a_stage_comes_after_the_one_before_it_unless_it_says_otherwise() {
    let files = pipeline(
        "repo = 'shop'
stages = [
  { name = 'beta', links = ['beta/shop'] },
  { name = 'prod', waves = [['prod/shop']], need = 1, take = 'each' },
]",
    );
    let loaded = files.load();
    let (_, pipeline) = loaded.manifest.pipelines.first_key_value().unwrap();
    let stages = pipeline.stages.iter().map(|stage| format!("{stage:?}")).collect::<Vec<_>>().join("\n");
    assert_snapshot!(stages, @r#"
    Stage { name: "beta", waves: [[beta/shop]], after: [], need: None, take: Newest, source: Branch }
    Stage { name: "prod", waves: [[prod/shop]], after: ["beta"], need: Some(1), take: Each, source: Branch }
    "#);
    let links: Vec<_> = loaded.manifest.links().map(|(id, ..)| id).collect();
    let names = links.iter().map(|id| loaded.manifest.pipeline_of(id).unwrap().0.as_str());
    assert_eq!(names.collect::<Vec<_>>(), ["shop", "shop"]);
}

#[test]
fn mistakes_in_stages_are_reported_together() {
    let files = pipeline(
        "repo = 'shopp'
stages = [
  { name = 'beta', links = ['beta/shop', 'shop'] },
  { name = 'empty', links = [] },
  { name = 'nothing' },
  { name = 'both', links = ['a/b'], waves = [['c/d']] },
  { name = 'prod', links = ['prod/shop'], after = ['bta'], need = 0, take = 'all' },
  { links = ['prod/web'] },
  { name = 'a b', links = ['prod/web'] },
  { name = 'waves', waves = [] },
  { name = 'twice', links = ['prod/web'], after = ['beta', 'beta'] },
  { name = 'alone', links = ['prod/web'], after = [], need = 1 },
]",
    );
    assert_snapshot!(files.complaints(), @r#"
    katkit.toml:12: there is no repository `shopp`, did you mean `shop`?
    katkit.toml:14: `shop` is not of the form `tenant/link`
        a link is written `tenant/link`, like `prod/shop`
    katkit.toml:15: the stage `empty` has no links here
        list links, like `"prod/shop"`
    katkit.toml:16: the stage `nothing` has no links
        write `links = ["tenant/link"]`, or `waves = [["tenant/link"], …]`
    katkit.toml:17: the stage has both `links` and `waves`
        `waves` lists the links of the stage; leave `links` out
    katkit.toml:18: there is no stage `bta`, did you mean `beta`?
    katkit.toml:18: 0 is not between 1 and 1000
    katkit.toml:18: unknown choice `all`
    katkit.toml:19: missing key `name`
    katkit.toml:20: `a b` contains ' '; use letters, digits, `-`, `_` and `.`, starting with a letter or digit
    katkit.toml:21: the stage `waves` has no links
        list links, like `[["prod/shop"]]`
    katkit.toml:22: `beta` is listed twice
    "#);
    assert_snapshot!(pipeline("repo = 'shop'\nstages = []").complaints(), @r#"
    katkit.toml:13: the pipeline has no stages
        list its stages, like `stages = [{ name = "beta", links = ["beta/shop"] }]`
    "#);
    assert_snapshot!(pipeline("").complaints(), @"
    katkit.toml:11: missing key `repo`
    katkit.toml:11: missing key `stages`
    ");
}

#[test]
fn stages_cannot_wait_for_each_other_nor_need_more_than_there_is() {
    let cycle = pipeline(
        "repo = 'shop'
stages = [
  { name = 'beta', links = ['beta/shop'], after = ['prod'] },
  { name = 'prod', links = ['prod/shop'] },
]",
    );
    assert_snapshot!(cycle.complaints(), @"
    katkit.toml:14: the stage `beta` would wait for itself
        `after` names the stages that come first, so it cannot form a cycle
    ");
    let twice = pipeline(
        "repo = 'shop'
stages = [{ name = 'beta', links = ['beta/shop'] }, { name = 'beta', links = ['prod/shop'] }]",
    );
    assert_snapshot!(twice.complaints(), @"
    katkit.toml:13: the stage `beta` is defined twice
        the first: katkit.toml:13
    ");
    let need = pipeline(
        "repo = 'shop'
stages = [{ name = 'beta', links = ['beta/shop'] }, { name = 'prod', links = ['prod/shop'], need = 2 }]",
    );
    assert_snapshot!(need.complaints(), @"
    katkit.toml:13: `need = 2`, but the stage `beta` has 1 link
        leave `need` out to need all of them, or write at most 1
    ");
}

#[test]
fn stages_and_links_must_agree() {
    let stages =
        "stages = [{ name = 'beta', links = ['beta/shop'] }, { name = 'prod', links = ['prod/shop'] }]";
    let shop = format!("repo = 'shop'\n{stages}");
    assert_snapshot!(with_links(&shop, "branch = 'main'", "pipeline = 'shop'").complaints(), @r#"
    katkit.toml:13: `beta/shop` does not follow the pipeline `shop`
        write `pipeline = "shop"` in the link, instead of `sha` or `branch`
    "#);
    assert_snapshot!(with_links(&shop, "branch = 'main'", "pipeline = 'shp'").complaints(), @"katkit.toml:10: there is no pipeline `shp`, did you mean `shop`?");
    let only_beta =
        "repo = 'shop'\nstages = [{ name = 'beta', links = ['beta/shop', 'beta/shop', 'beta/web'] }]";
    assert_snapshot!(pipeline(only_beta).complaints(), @r#"
    katkit.toml:10: no stage of the pipeline `shop` lists `prod/shop`
        list `"prod/shop"` in the stage that it belongs to
    katkit.toml:13: `beta/shop` is listed twice
        the first: katkit.toml:13
        a link is in one wave of one stage of one pipeline
    katkit.toml:13: there is no link `beta/web`
        define it: `[tenants.beta.links.web]` with `pipeline = "shop"`
    "#);
    assert_snapshot!(pipeline(&format!("repo = 'other'\n{stages}")).complaints(), @"
    katkit.toml:13: `beta/shop` is of the repository `shop`, not `other`
    katkit.toml:13: `prod/shop` is of the repository `shop`, not `other`
    ");
}

#[test]
fn a_link_follows_one_thing_and_a_pin_has_a_reason() {
    let stages = "repo = 'shop'
stages = [{ name = 'beta', links = ['beta/shop'] }, { name = 'prod', links = ['prod/shop'] }]";
    let pin = "pin = { sha = '3f2a9c1e5b7d8f60123456789abcdef012345678' }";
    let both = with_links(stages, "pipeline = 'shop', branch = 'main'", &format!("pipeline = 'shop', {pin}"));
    assert_snapshot!(both.complaints(), @"
    katkit.toml:8: both `branch` and `pipeline`
        the branch: katkit.toml:8
        keep only one of them
    katkit.toml:10: missing key `why`
    ");
    let without =
        with_links(stages, "branch = 'main', pin = { sha = 'main', why = ' ' }", "pipeline = 'shop'");
    assert_snapshot!(without.complaints(), @r#"
    katkit.toml:8: `pin` without `pipeline`
        write `sha = "…"` for a link that stays at one commit
    katkit.toml:8: `main` is not a commit sha (40 lowercase hex digits)
        to follow a branch, write `branch = "main"` instead
    "#);
}

#[test]
fn links_of_a_stage_that_watch_different_folders_are_warned_of() {
    let files = Files::new(
        "version = 1
[repos]
mono.url = 'mono'
[workflows]
standard.phases = [{ name = 'build', order = 0 }]
[templates]
api = { repo = 'mono', folder = 'api', watch = ['lib'], workflow = 'standard', pipeline = 'mono' }
web = { repo = 'mono', folder = 'web', watch = ['lib'], workflow = 'standard', pipeline = 'mono' }
[tenants]
beta.use = ['api', 'web']
prod.use = ['api', 'web']
[pipelines.mono]
repo = 'mono'
stages = [
  { name = 'beta', links = ['beta/api', 'beta/web'] },
  { name = 'prod', links = ['prod/api', 'prod/web'] },
]
",
    );
    assert_snapshot!(files.text(&files.load().warnings), @"
      ⚠ the links of the stage `beta` watch different folders
        ╭─[katkit.toml:15:41]
     14 │ stages = [
     15 │   { name = 'beta', links = ['beta/api', 'beta/web'] },
        ·                                         ─────┬────
        ·                                              ╰── another folder
     16 │   { name = 'prod', links = ['prod/api', 'prod/web'] },
        ╰────
      help: a commit that changes only one of the folders is not verified in all
            of them; write one pipeline for each service

    1 warning
    ");
}

#[test]
fn a_stage_that_deploys_by_digest_after_tags_is_warned_of() {
    let pinned = |beta: &str| {
        Files::new(format!(
            "version = 1
[repos]
shop.url = 'shop'
[workflows]
standard.phases = [{{ name = 'build', order = 0 }}]
[policies]
pinned = {{ digest = 'pinned' }}
[templates]
shop = {{ repo = 'shop', workflow = 'standard', pipeline = 'shop' }}
[tenants]
beta = {{ use = ['shop']{beta} }}
prod = {{ use = ['shop'], policy = 'pinned' }}
[pipelines.shop]
repo = 'shop'
stages = [{{ name = 'beta', links = ['beta/shop'] }}, {{ name = 'prod', links = ['prod/shop'] }}]
"
        ))
    };
    let by_tag = pinned("");
    assert_snapshot!(by_tag.text(&by_tag.load().warnings), @r#"
      ⚠ `beta/shop` does not deploy by digest, and `prod/shop` after it does
        ╭─[katkit.toml:15:79]
     14 │ repo = 'shop'
     15 │ … 'beta', links = ['beta/shop'] }, { name = 'prod', links = ['prod/shop'] }]
        ·                                                              ─────┬─────
        ·                                                                   ╰── deploys what its tag points to, not what was verified
        ╰────
      help: give the tenant `beta` a policy with `digest = "pinned"`, too

    1 warning
    "#);
    let by_digest = pinned(", policy = 'pinned'").load();
    assert!(by_digest.warnings.is_empty());
    assert!(by_digest.manifest.policies.values().all(|policy| policy.pinned));
}
