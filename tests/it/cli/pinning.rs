//! `digest = "pinned"`: services run the images that were verified, whatever became of the tags.

use insta::assert_snapshot;

use crate::image_registry::{ImageRegistry, PUSH};
use crate::world::World;

const MANIFEST: &str = r#"version = 1

[repos.shop]
url = "repos/shop"

[policies.pinned]
digest = "pinned"

[workflows.standard]
phases = [
  { name = "build", order = 0 },
  { name = "deploy", order = 1, kind = "deployment" },
]
"#;

pub(super) const ALONE: &str = r#"
[tenants.dev]
policy = "pinned"

[tenants.dev.links.shop]
repo = "shop"
workflow = "standard"
branch = "main"
"#;

pub(super) const PIPELINE: &str = r#"
[pipelines.shop]
repo = "shop"
stages = [{ name = "beta", links = ["beta/shop"] }, { name = "prod", links = ["prod/shop"] }]

[tenants]
beta = { policy = "pinned", links.shop = { repo = "shop", workflow = "standard", pipeline = "shop" } }
prod = { policy = "pinned", links.shop = { repo = "shop", workflow = "standard", pipeline = "shop" } }
"#;

/// A world with one commit, whose build runs `build`: there `push` pushes an image of this commit, with different
/// contents in each tenant.
pub(super) fn world(registry: &ImageRegistry, links: &str, build: &str) -> World {
    let host = registry.host();
    let pushes = format!("{PUSH}image={host}/acme/web:$GIT_SHA\n");
    let pushes = format!("{pushes}build() {{ push {host} acme/web $GIT_SHA built-in-$KATKIT_TENANT; }}\n");
    World::new()
        .repo("shop", |repo| {
            repo.ci(&format!("set -e\n{pushes}{build}\n"))
                .description(&format!("{host}/acme/web:<hubtag>"))
                .commit("first")
        })
        .manifest(&format!("{MANIFEST}{links}"))
}

/// The first commit of `prod` waits to be promoted.
pub(super) fn beta_is_live(world: &World) {
    let applied = world.run(["apply", "--yes"]);
    assert!(applied.stdout.contains("1 link done"), "{applied}");
}

/// The text with the same name for the registry, and the same digests, in every run.
pub(super) fn stable(text: &impl ToString, registry: &ImageRegistry, digests: &[(&str, &str)]) -> String {
    let text = text.to_string().replace(&registry.host(), "<registry>");
    digests.iter().fold(text, |text, (digest, name)| {
        text.replace(*digest, &format!("<{name}>")).replace(&digest[..17], &format!("<{name}>"))
    })
}

pub(super) const LISTED: &str = r#"echo "$image@$(build)" > $KATKIT_ARTIFACTS/katkit-images.txt"#;

#[test]
fn a_stage_deploys_what_the_stage_before_verified_and_does_not_build_again() {
    let registry = ImageRegistry::start();
    let world = world(&registry, PIPELINE, LISTED);
    beta_is_live(&world);
    assert_eq!(world.run(["promote", "prod/shop"]).code, 0);
    let digest = world.read(".katkit/platform/beta/shop.json");
    let digest = digest.split_once('@').unwrap().1[..71].to_owned();
    let names = [(digest.as_str(), "built in beta")];
    assert_snapshot!(stable(&world.run(["plan"]), &registry, &names), @r#"
    prod/shop  → <first>
      ~ grant        ana asked to promote <first>
      · reuse build  the images of beta/shop
      ~ deploy       `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "<registry>/acme/web:[-<hubtag>-]{+<first>@<built in beta>+}",
                "Replicas": 2 },

    Plan: 1 link to change (1 deployment), 1 up to date.
    ----- exit 0
    "#);
    // Nothing is left to do before the deployment, so a tag that moved is refused at once.
    let first = world.sha("first").to_owned();
    registry.push("acme/web", &first, "other");
    assert!(world.run(["plan"]).stdout.contains("held: `"), "{}", world.run(["plan"]));
    registry.push("acme/web", &first, "built-in-beta");
    assert_eq!(world.run(["apply", "--yes"]).code, 0);
    assert!(world.read(".katkit/platform/prod/shop.json").contains(&digest));
    let history = stable(&world.run(["history", "prod/shop"]), &registry, &names);
    for line in [
        "run for <first>: `build` (reused from `beta/shop`), `deploy`",
        "the registry has `<registry>/acme/web:<first>` as <built in beta>",
    ] {
        assert!(history.contains(line), "{history}");
    }
    assert_snapshot!(world.run(["plan"]), @"
    Nothing to do: 2 links are up to date.
    ----- exit 0
    ");
}

#[test]
fn a_tag_that_moved_is_refused_until_it_is_back() {
    let registry = ImageRegistry::start();
    let world = world(&registry, ALONE, "build");
    assert_eq!(world.run(["freeze", "dev", "--until", "2h", "--why", "sale"]).code, 0);
    assert_eq!(world.run(["apply", "--yes"]).code, 0);
    let first = world.sha("first").to_owned();
    let other = registry.push("acme/web", &first, "other");
    let built = registry.push("acme/web", "copy", "built-in-dev");
    let names = [(other.as_str(), "other"), (built.as_str(), "built")];
    assert_eq!(world.run(["thaw", "1"]).code, 0);
    assert_snapshot!(stable(&world.run(["plan"]), &registry, &names), @"
    dev/shop  → <first>
      ! held: `<registry>/acme/web:<first>` points to <other> now, but <built> was recorded, and the policy `pinned` pins digests
          hint: deploy a new commit, or let the tag point to <built>

    Plan: nothing to change, 1 held, 0 up to date.
    ----- exit 0
    ");
    assert_eq!(world.run(["apply", "--yes"]).code, 1);
    assert_snapshot!(stable(&world.run(["why", "dev/shop"]), &registry, &names), @"
    dev/shop
    <first> is not live: `<registry>/acme/web:<first>` points to <other> now, but <built> was recorded, and the policy `pinned` pins digests.
    hint: deploy a new commit, or let the tag point to <built>

      wanted      <first>, the tip of `main`
      deployed    nothing
      run         for <first>, started just now, has not ended

      build   succeeded after <time>
      deploy  not started
    ----- exit 0
    ");
    registry.push("acme/web", &first, "built-in-dev");
    world.apply();
    assert!(world.read(".katkit/platform/dev/shop.json").contains(&format!("{first}@{built}")));
    // What is live is restored by its digest, whatever its tag stands for.
    registry.push("acme/web", &first, "other");
    world.write(
        ".katkit/platform/dev/shop.json",
        "{ \"Roles\": [{ \"Name\": \"web\", \"DockerImage\": \"x:1\" }] }",
    );
    world.apply();
    assert!(world.read(".katkit/platform/dev/shop.json").contains(&built));
}

#[test]
fn an_image_that_moves_while_later_phases_run_is_refused_when_the_deployment_begins() {
    let registry = ImageRegistry::start();
    let again = format!("[ $KATKIT_PHASE = build ] || push {} acme/web $GIT_SHA other", registry.host());
    let world = world(&registry, ALONE, &format!("[ $KATKIT_PHASE != build ] || {LISTED}\n{again}"));
    world.edit("\"deploy\", order = 1", "\"scan\", order = 1 },\n  { name = \"deploy\", order = 2");
    let built = registry.push("acme/web", "copy", "built-in-dev");
    let other = registry.push("acme/web", "copy", "other");
    let names = [(other.as_str(), "other"), (built.as_str(), "built")];
    assert_snapshot!(stable(&world.run(["apply", "--yes"]), &registry, &names), @r#"
    dev/shop  → <first>
      + run build  not run yet
      + run scan   not run yet
      ~ deploy     `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "<registry>/acme/web:[-<hubtag>-]{+<first>+}", "Replicas": 2 },
      · note: the digest of `<registry>/acme/web:<first>` is recorded before it is deployed

    Plan: 1 link to change (2 phases, 1 deployment), 0 up to date.

    dev/shop  `<registry>/acme/web:<first>` points to <other> now, but <built> was recorded, and the policy `pinned` pins digests
      hint: deploy a new commit, or let the tag point to <built>

    Applied: 0 links done, 1 failed in <time>.
    ----- stderr -----
    dev/shop  starting run for <first>
    dev/shop  build  started
    dev/shop  build  succeeded  <time>
    dev/shop  scan  started
    dev/shop  scan  succeeded  <time>
    ----- exit 1
    "#);
}

#[test]
fn an_image_that_nothing_pushed_is_named_after_the_build() {
    let registry = ImageRegistry::start();
    let world = world(&registry, ALONE, "true");
    assert_snapshot!(stable(&world.run(["apply", "--yes"]), &registry, &[]), @r#"
    dev/shop  → <first>
      + run build  not run yet
      ~ deploy     `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "<registry>/acme/web:[-<hubtag>-]{+<first>+}", "Replicas": 2 },
      · note: the digest of `<registry>/acme/web:<first>` is recorded before it is deployed

    Plan: 1 link to change (1 phase, 1 deployment), 0 up to date.

    dev/shop  `<registry>/acme/web:<first>` is not in its registry, and the policy `pinned` pins digests
      hint: push it and run `katkit apply dev/shop`, or let a phase before the deployment push it

    Applied: 0 links done, 1 failed in <time>.
    ----- stderr -----
    dev/shop  starting run for <first>
    dev/shop  build  started
    dev/shop  build  succeeded  <time>
    ----- exit 1
    "#);
    assert_snapshot!(stable(&world.run(["status"]), &registry, &[]), @"
    LINK      DEPLOYED    STATE              SINCE
    dev/shop  -           waiting at deploy  just now

    1 link: 1 waiting.
    ----- exit 0
    ");
    registry.push("acme/web", world.sha("first"), "by-hand");
    world.apply();
}

#[test]
fn a_stage_that_builds_again_is_refused() {
    let registry = ImageRegistry::start();
    let world = world(&registry, PIPELINE, "build");
    beta_is_live(&world);
    assert_eq!(world.run(["promote", "prod/shop"]).code, 0);
    let beta = registry.push("acme/web", "copy", "built-in-beta");
    let prod = registry.push("acme/web", "copy", "built-in-prod");
    let names = [(beta.as_str(), "beta"), (prod.as_str(), "prod")];
    assert_snapshot!(stable(&world.run(["apply", "--yes"]), &registry, &names), @r#"
    prod/shop  → <first>
      ~ grant      ana asked to promote <first>
      + run build  not run yet
      ~ deploy     `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "<registry>/acme/web:[-<hubtag>-]{+<first>@<beta>+}",
                "Replicas": 2 },

    Plan: 1 link to change (1 phase, 1 deployment), 1 up to date.

    prod/shop  `<registry>/acme/web:<first>` points to <prod> now, but <beta> was recorded, and the policy `pinned` pins digests
      hint: deploy a new commit, or let the tag point to <beta>

    Applied: 0 links done, 1 failed in <time>.
    ----- stderr -----
    prod/shop  starting run for <first>
    prod/shop  build  started
    prod/shop  build  succeeded  <time>
    ----- exit 1
    "#);
}

#[test]
fn a_registry_that_does_not_answer_holds_deployments_and_no_rollback() {
    let mut registry = ImageRegistry::start();
    let mut world = world(&registry, ALONE, "build");
    world.apply();
    world.change("shop", |repo| repo.file("code", "2").commit("second"));
    world.apply();
    registry.stop();
    world.change("shop", |repo| repo.file("code", "3").ci("true").commit("third"));
    let applied = stable(&world.run(["apply", "--yes"]), &registry, &[]);
    assert!(applied.contains("its registry did not say what"), "{applied}");
    let first = world.sha("first").to_owned();
    assert_eq!(world.run(["rollback", "dev/shop", "--to", &first, "--why", "slow"]).code, 0);
    world.run(["apply", "--yes"]);
    assert!(world.deployed("dev/shop").contains("<first>"), "{}", world.run(["why", "dev/shop"]));
}

#[test]
fn credentials_are_those_of_docker_login() {
    let registry = ImageRegistry::with_password();
    let mut world = world(&registry, ALONE, "true");
    assert_snapshot!(stable(&world.run(["apply", "--yes"]), &registry, &[]), @r#"
    dev/shop  → <first>
      + run build  not run yet
      ~ deploy     `web`
          @@ -4 +4 @@
          ~ { "Name": "web", "DockerImage": "<registry>/acme/web:[-<hubtag>-]{+<first>+}", "Replicas": 2 },
      · note: the digest of `<registry>/acme/web:<first>` is recorded before it is deployed

    Plan: 1 link to change (1 phase, 1 deployment), 0 up to date.

    dev/shop  its registry did not say what `<registry>/acme/web:<first>` points to: Not authorized: url
              http://<registry>/v2/acme/web/manifests/<first>
      hint: check the name of the image; if it is private, `docker login <registry>` stores credentials for katkit

    Applied: 0 links done, 1 failed in <time>.
    ----- stderr -----
    dev/shop  starting run for <first>
    dev/shop  build  started
    dev/shop  build  succeeded  <time>
    ----- exit 1
    "#);
    world.with_variable("DOCKER_CONFIG", registry.login().to_str().unwrap());
    let applied = stable(&world.run(["apply", "--yes"]), &registry, &[]);
    assert!(applied.contains("is not in its registry"), "{applied}");
}

#[test]
fn a_list_of_images_that_cannot_be_read_fails_its_phase() {
    let registry = ImageRegistry::start();
    let world = world(&registry, ALONE, "echo $image > $KATKIT_ARTIFACTS/katkit-images.txt");
    let applied = world.run(["apply", "--yes"]);
    assert_eq!(applied.code, 1);
    assert!(applied.to_string().contains("line 1 of `katkit-images.txt` is not of the form"), "{applied}");
}

#[test]
fn a_repeated_build_replaces_what_was_recorded_and_what_the_tag_points_to() {
    let registry = ImageRegistry::start();
    let build =
        format!("[ $KATKIT_PHASE != build ] || push {} acme/web $GIT_SHA $(date +%s%N)", registry.host());
    let world = world(&registry, ALONE, &build);
    // Another phase of the same order, which builds nothing.
    world.edit("order = 0 },", "order = 0 },\n  { name = \"lint\", order = 0 },");
    assert_eq!(world.run(["freeze", "dev", "--until", "2h", "--why", "sale"]).code, 0);
    world.apply();
    let first = world.sha("first").to_owned();
    let other = registry.push("acme/web", &first, "other");
    assert_eq!(world.run(["thaw", "1"]).code, 0);
    assert_eq!(world.run(["apply", "--yes"]).code, 1);
    assert_eq!(world.run(["retry", "dev/shop", "--phase", "build"]).code, 0);
    let plan = world.run(["plan"]).stdout;
    assert!(!plan.contains("sha256") && plan.contains("is recorded before it is deployed"), "{plan}");
    world.apply();
    let deployed = world.read(".katkit/platform/dev/shop.json");
    assert!(deployed.contains("@sha256:") && !deployed.contains(&other), "{deployed}");
    // What was recorded then is what a tag that moves is compared with.
    assert_eq!(world.run(["plan", "--detailed-exitcode"]).code, 0);
}

#[test]
fn an_image_that_was_there_before_its_build_is_not_taken_for_it() {
    let registry = ImageRegistry::start();
    let build = format!("[ $KATKIT_PHASE != build ] || push {} acme/web $GIT_SHA new", registry.host());
    let world = world(&registry, ALONE, &build);
    world.edit(
        "{ name = \"build\", order = 0 }",
        "{ name = \"lint\", order = -1 },\n  { name = \"build\", order = 0 }",
    );
    registry.push("acme/web", world.sha("first"), "old");
    world.apply();
    let new = registry.push("acme/web", "copy", "new");
    assert!(world.read(".katkit/platform/dev/shop.json").contains(&new));
}
