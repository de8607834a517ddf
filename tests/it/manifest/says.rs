//! The meaning of a manifest.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use katkit::domain::{Checkout, CommitSha, OnFailure, PhaseKind, PhaseName, Placement};
use katkit::manifest::{
    BlobsConfig, CacheConfig, EcsCluster, FleetKind, Link, PlatformConfig, SecretRef, StateConfig, Tenant,
    Wanted,
};

use super::{Files, SHA, SKETCH, link, linked};

#[test]
fn a_manifest_says_what_should_run_where() {
    let files = Files::new(SKETCH);
    let loaded = files.load();
    assert!(loaded.warnings.is_empty());
    let manifest = &loaded.manifest;
    assert_eq!(manifest.directory, files.path(""));
    assert_eq!(manifest.state, StateConfig::Sqlite { path: files.path(".katkit/state.db"), patience: None });
    assert_eq!(manifest.blobs, BlobsConfig::Directory(files.path(".katkit/blobs")));
    assert_eq!(manifest.cache, CacheConfig::Users);
    assert_eq!(manifest.repos["shop"].url, "https://github.com/acme/shop.git");
    let fleet = &manifest.fleets["shared"];
    assert_eq!((fleet.kind, fleet.docker_socket, fleet.caches.len()), (FleetKind::Docker, true, 1));

    let (tenant, shop) = manifest.link(&link("dev/shop")).unwrap();
    let Tenant {
        environment,
        fleet,
        build_fleet,
        platform,
        after,
        protected,
        policy,
        variables,
        secrets,
        links: _,
    } = tenant;
    assert!(after.is_empty() && !protected && policy.is_none());
    assert_eq!((environment.as_str(), fleet.as_str(), build_fleet), ("DEV", "shared", &None));
    let cluster = EcsCluster { name: "dev".to_owned(), region: None, endpoint: None };
    assert_eq!(platform, &PlatformConfig::Ecs { cluster, service_name: None });
    assert_eq!(variables["REGION"], "eu-central-1");
    assert_eq!(secrets["DOCKER_PASS"], SecretRef::Environment("DOCKER_PASS".to_owned()));
    let Link { repo, folder, workflow, want, watch, skip, variables } = shop;
    assert_eq!(watch, &None);
    assert_eq!((repo.as_str(), folder.as_str()), ("shop", "services/web"));
    assert_eq!(workflow.as_ref().unwrap().as_str(), "standard");
    assert_eq!(want, &Wanted::Sha(SHA.parse().unwrap()));
    assert_eq!((skip[0].as_str(), variables.len()), ("verify", 0));

    let phases = manifest.workflows["standard"].phases();
    let names: Vec<_> = phases.iter().map(|phase| (phase.name.as_str(), phase.order)).collect();
    assert_eq!(names, [("build", 0), ("deploy", 1), ("verify", 2)]);
    let PhaseKind::Execution(build) = &phases[0].kind else { panic!("build runs code") };
    assert_eq!((build.image.as_deref(), build.timeout), (Some("zbuilder:v7"), Duration::from_mins(20)));
    let PhaseKind::Execution(verify) = &phases[2].kind else { panic!("verify runs code") };
    assert_eq!((verify.parallelism, verify.retries, verify.timeout), (4, 1, Duration::from_hours(1)));
}

#[test]
fn omitted_settings_have_sensible_defaults() {
    let files = linked("branch = 'main'");
    let loaded = files.load();
    let manifest = &loaded.manifest;
    assert_eq!(manifest.state, StateConfig::Sqlite { path: files.path(".katkit/state.db"), patience: None });
    assert_eq!(manifest.blobs, BlobsConfig::Directory(files.path(".katkit/blobs")));
    assert_eq!(manifest.fleets["process"].kind, FleetKind::Process);
    let (tenant, shop) = manifest.link(&link("dev/shop")).unwrap();
    assert_eq!((tenant.environment.as_str(), tenant.fleet.as_str()), ("DEV", "process"));
    assert_eq!(tenant.platform, PlatformConfig::File { path: files.path(".katkit/platform/dev") });
    assert_eq!((shop.folder.as_str(), &shop.workflow), ("", &None));
    assert_eq!(manifest.repos["shop"].branch, "main");
}

#[test]
fn every_setting_of_a_phase_is_read() {
    let files = Files::new(
        r#"
        version = 1
        [workflows.full]
        on-failure = "rollback"
        phases = [
          { name = "deploy", order = 1, kind = "deployment", strategy = "together", timeout = "1h30m" },
          { name = "test", order = 0, run = "make test", artifacts = ["target/*.xml"], checkout = "clone",
            depth = "full", fleet = "build" },
          { name = "shallow", order = 0, depth = 0x10 },
          { name = "report", order = 2, inputs = ["test", "shallow"] },
        ]
        "#,
    );
    let loaded = files.load();
    let workflow = &loaded.manifest.workflows["full"];
    let PhaseKind::Execution(test) = &workflow.phases()[0].kind else { panic!("test runs code") };
    assert_eq!((test.run.as_deref(), test.artifacts.len()), (Some("make test"), 1));
    assert_eq!((test.checkout, test.placement), (Checkout::Clone { depth: u32::MAX }, Placement::Build));
    let PhaseKind::Execution(shallow) = &workflow.phases()[1].kind else { panic!("shallow runs code") };
    assert_eq!(shallow.checkout, Checkout::Pack { depth: 16 });
    let PhaseKind::Execution(report) = &workflow.phases()[3].kind else { panic!("report runs code") };
    assert_eq!(report.inputs.iter().map(PhaseName::as_str).collect::<Vec<_>>(), ["test", "shallow"]);
    let (_, deploy) = workflow.deployment().unwrap();
    assert_eq!((deploy.timeout, deploy.on_failure), (Duration::from_mins(90), OnFailure::Rollback));
}

#[test]
fn paths_are_relative_to_the_root_file_and_repositories_to_their_own_file() {
    let files = Files::new("version = 1\ninclude = ['teams/*.toml']\n").with(
        "teams/a.toml",
        r#"
        repos.near = { url = "../code/shop.git" }
        repos.far = { url = "git@github.com:acme/shop.git" }
        [tenants.dev]
        platform = { kind = "file", path = "./deployed" }
        secrets = { PASS = "file:pass.txt" }
        "#,
    );
    let loaded = files.load();
    let manifest = &loaded.manifest;
    assert_eq!(Path::new(&manifest.repos["near"].url), files.path("teams/../code/shop.git"));
    assert_eq!(manifest.repos["far"].url, "git@github.com:acme/shop.git");
    let dev = &manifest.tenants["dev"];
    assert_eq!(dev.platform, PlatformConfig::File { path: files.path("deployed") });
    assert_eq!(dev.secrets["PASS"], SecretRef::File(files.path("pass.txt")));
}

#[test]
fn production_settings_are_read() {
    let files = Files::new(
        r#"
        version = 1
        state = { backend = "dynamodb", table = "katkit", region = "eu-central-1" }
        blobs.url = "s3://acme-katkit/prod/"
        tenants.prod.secrets = { A = "arn:aws:secretsmanager:eu:1:secret:x", B = "arn:aws-cn:ssm:cn:1:parameter/x" }
        "#,
    );
    let manifest = files.load().manifest;
    let (table, region) = ("katkit".to_owned(), Some("eu-central-1".to_owned()));
    assert_eq!(manifest.state, StateConfig::Dynamodb { table, region, endpoint: None });
    let (bucket, prefix) = ("acme-katkit".to_owned(), "prod".to_owned());
    assert_eq!(manifest.blobs, BlobsConfig::S3 { bucket, prefix, region: None, endpoint: None });
    let secrets = &manifest.tenants["prod"].secrets;
    assert!(matches!(secrets["A"], SecretRef::SecretsManager(_)));
    assert!(matches!(secrets["B"], SecretRef::ParameterStore(_)));
}

#[test]
fn ten_thousand_links_load() {
    let mut text = "version = 1\nrepos.shop.url = '.'\n".to_owned();
    for n in 0..10_000 {
        let (tenant, link) = (n / 100, n % 100);
        write!(text, "[tenants.t{tenant}.links.l{link}]\nrepo = 'shop'\nsha = '{n:040x}'\n").unwrap();
    }
    let loaded = Files::new(&text).load();
    assert_eq!(loaded.manifest.links().count(), 10_000);
    let (_, last) = loaded.manifest.link(&link("t99/l99")).unwrap();
    assert_eq!(last.want, Wanted::Sha(CommitSha::new(format!("{:040x}", 9999)).unwrap()));
}

#[test]
fn the_digest_changes_exactly_when_the_text_changes() {
    let digest = |files: Files| files.load().manifest.digest;
    let root = "version = 1\ninclude = ['a.toml']\n";
    let one = digest(Files::new(root).with("a.toml", ""));
    assert_eq!(one.len(), 64);
    assert_eq!(one, digest(Files::new(root).with("a.toml", "")));
    assert_ne!(one, digest(Files::new(root).with("a.toml", "# a comment\n")));
    assert_ne!(one, digest(Files::new(root.replace('a', "b")).with("b.toml", "")));
}
