//! Deployments of ECS services.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_sdk_ecs::types::{
    ContainerDefinition, DeploymentCircuitBreaker, DeploymentConfiguration, DeploymentController,
    DeploymentControllerType, DeploymentRolloutState, Service, Tag, TaskDefinition,
};
use katkit::aws::Aws;
use katkit::domain::{DeployOutcome, Images, LinkId, NameTemplate, Strategy, Token};
use katkit::platform::ecs::{EcsPlatform, Services};
use katkit::platform::{
    FencingCheck, InFlight, NoFencing, Observation, Platform, PlatformError, RollEnd, Running, Target,
    Upgrade,
};

use crate::engines::proxy::{Fault, Proxy};

use super::{Account, CLUSTER, POLL, cluster, created, eventually, tasks};

fn platform(aws: &Aws) -> EcsPlatform {
    let services = Services::new(cluster(aws), POLL);
    EcsPlatform::new(services, tasks(aws), NameTemplate::new("{tenant}-{role}").unwrap())
}

fn link() -> LinkId {
    "dev/shop".parse().unwrap()
}

fn web(tag: &str) -> String {
    format!("katkit-ecs-test/web:{tag}")
}

fn upgrade(roles: &[(&str, &str)]) -> Upgrade {
    Upgrade {
        token: Token("0a".into()),
        link: link(),
        formerly: Vec::new(),
        images: roles.iter().map(|(role, tag)| ((*role).to_owned(), web(tag))).collect(),
        description: String::new(),
        known: None,
        strategy: Strategy::Ordered,
        timeout: Duration::from_mins(1),
    }
}

/// Creates a role's service with a sidecar, and waits until it runs.
async fn create(account: &Account, role: &str, breaker: bool) {
    let container = |name: &str, image: String| {
        ContainerDefinition::builder().name(name).image(image).memory(32).command("serve").essential(true)
    };
    let register = account.client.register_task_definition().family(role);
    let registered = register
        .container_definitions(container("envoy", "katkit-ecs-test/sidecar:1".into()).build())
        .container_definitions(container("app", "katkit-ecs-test/web:1".into()).build())
        .tags(Tag::builder().key("team").value("shop").build())
        .send()
        .await;
    let arn = registered.unwrap().task_definition.unwrap().task_definition_arn.unwrap();
    let breaker = DeploymentCircuitBreaker::builder().enable(breaker).rollback(breaker).build();
    let service = account.client.create_service().cluster(CLUSTER).service_name(format!("dev-{role}"));
    let service = service.task_definition(arn).desired_count(1);
    let configuration = DeploymentConfiguration::builder().deployment_circuit_breaker(breaker).build();
    created(&service.deployment_configuration(configuration).send().await);
    eventually("the service to run", || async {
        let service = self::service(account, role).await;
        (service.running_count() == 1).then_some(())
    })
    .await;
}

async fn service(account: &Account, role: &str) -> Service {
    let describe = account.client.describe_services().cluster(CLUSTER).services(format!("dev-{role}"));
    describe.send().await.unwrap().services.unwrap().remove(0)
}

async fn definition(account: &Account, arn: &str) -> TaskDefinition {
    let described = account.client.describe_task_definition().task_definition(arn).send().await;
    described.unwrap().task_definition.unwrap()
}

async fn deploy(platform: &EcsPlatform, upgrade: &Upgrade) -> RollEnd {
    let deployment = platform.upgrade(upgrade, &NoFencing).await.unwrap();
    platform.watch(upgrade, &deployment, &NoFencing).await.unwrap()
}

async fn observe(platform: &EcsPlatform, known: Option<&str>) -> Observation {
    let images = Cow::Owned(Images::from_iter([("web".to_owned(), web("9"))]));
    let target = Target { link: &link(), formerly: &[], roles: vec!["web"], images, known };
    platform.observe(&[target]).await.remove(0).unwrap()
}

#[tokio::test]
async fn only_the_image_of_the_role_changes() {
    let account = Account::new().await;
    create(&account, "web", true).await;
    // Someone scales it.
    let scale = account.client.update_service().cluster(CLUSTER).service("dev-web").desired_count(2);
    scale.send().await.unwrap();
    let platform = platform(&account.aws);
    let Observation::Running(Running { images, revision, .. }) = observe(&platform, None).await else {
        panic!()
    };
    assert_eq!(images.get("web"), Some(&web("1")));
    assert_eq!(observe(&platform, Some(&revision)).await, Observation::AsKnown);

    let before = account.counted();
    let ended = deploy(&platform, &upgrade(&[("web", "2")])).await;
    assert_eq!(ended.outcome, DeployOutcome::Deployed);
    let calls = account.calls(&before);
    for once in ["DescribeTaskDefinition", "RegisterTaskDefinition", "UpdateService"] {
        assert_eq!(calls[&format!("ECS.{once}")], 1, "{calls:?}");
    }
    // The remaining calls read the service.
    let named = [
        "ECS.DescribeServices",
        "ECS.DescribeTaskDefinition",
        "ECS.RegisterTaskDefinition",
        "ECS.UpdateService",
    ];
    assert!(calls.keys().all(|name| named.contains(&name.as_str())), "{calls:?}");
    assert!(calls["ECS.DescribeServices"] >= 2);

    let service = service(&account, "web").await;
    assert_eq!(service.desired_count(), 2);
    let live = definition(&account, service.task_definition().unwrap()).await;
    let images: Vec<_> = live.container_definitions().iter().map(|it| it.image().unwrap()).collect();
    assert_eq!(images, ["katkit-ecs-test/sidecar:1", &web("2")]);
    assert_eq!(observe(&platform, Some(&ended.revision)).await, Observation::AsKnown);
    let tags = account.client.describe_task_definition().task_definition(live.task_definition_arn().unwrap());
    let tags = tags.send().await.unwrap().tags.unwrap();
    let tags: Vec<_> = tags.iter().map(|tag| (tag.key().unwrap(), tag.value().unwrap())).collect();
    assert_eq!(tags, [("team", "shop"), ("katkit:link", "dev/shop"), ("katkit:place", "dev/dev-web")]);

    // Deploying the same again registers and updates nothing.
    let before = account.counted();
    assert_eq!(deploy(&platform, &upgrade(&[("web", "2")])).await, ended);
    let calls = account.calls(&before);
    assert!(
        !calls.contains_key("ECS.RegisterTaskDefinition") && !calls.contains_key("ECS.UpdateService"),
        "{calls:?}"
    );

    // A rollback takes the previous revision if it is on record.
    let back = Upgrade { known: Some(revision.clone()), ..upgrade(&[("web", "1")]) };
    let before = account.counted();
    let ended = deploy(&platform, &back).await;
    assert_eq!(ended, RollEnd { outcome: DeployOutcome::Deployed, revision });
    assert!(!account.calls(&before).contains_key("ECS.RegisterTaskDefinition"));
}

#[tokio::test]
async fn an_image_that_crashes_is_rolled_back_and_reported() {
    let account = Account::new().await;
    create(&account, "web", true).await;
    let platform = platform(&account.aws);
    let Observation::Running(before) = observe(&platform, None).await else { panic!() };
    let ended = deploy(&platform, &upgrade(&[("web", "crash")])).await;
    let DeployOutcome::RolledBack { reason } = &ended.outcome else { panic!("{ended:?}") };
    assert!(reason.starts_with("service `dev-web`: ECS deployment circuit breaker"), "{reason}");
    assert!(reason.contains("exited with code 7"), "{reason}");
    // The previous image runs.
    assert_eq!(ended.revision, before.revision);
    // Only a completed deployment can be a rollback target.
    eventually("the rollback to end", || async {
        let service = service(&account, "web").await;
        let primary = service.deployments().iter().find(|it| it.status() == Some("PRIMARY"));
        (primary?.rollout_state() == Some(&DeploymentRolloutState::Completed)).then_some(())
    })
    .await;
    // Deploying the same image again uses the existing revision.
    let counted = account.counted();
    let ended = deploy(&platform, &upgrade(&[("web", "crash")])).await;
    assert!(matches!(ended.outcome, DeployOutcome::RolledBack { .. }), "{ended:?}");
    assert!(!account.calls(&counted).contains_key("ECS.RegisterTaskDefinition"));
}

#[tokio::test]
async fn a_deployment_by_someone_else_is_named() {
    let account = Account::new().await;
    create(&account, "web", true).await;
    let platform = platform(&account.aws);
    let first = service(&account, "web").await.task_definition.unwrap();
    let upgrade = upgrade(&[("web", "2")]);
    let deployment = platform.upgrade(&upgrade, &NoFencing).await.unwrap();
    let back = account.client.update_service().cluster(CLUSTER).service("dev-web").task_definition(&first);
    back.send().await.unwrap();
    let ended = platform.watch(&upgrade, &deployment, &NoFencing).await.unwrap();
    let DeployOutcome::Superseded { by } = &ended.outcome else { panic!("{ended:?}") };
    assert!(by.starts_with("the deployment `ecs-svc/") && by.ends_with("of `web:1`"), "{by}");
    assert_eq!(ended.revision, first);
}

#[tokio::test]
async fn a_deployment_that_never_runs_times_out_and_names_what_it_waited_for() {
    let account = Account::new().await;
    create(&account, "web", false).await;
    let platform = platform(&account.aws);
    let upgrade = Upgrade { timeout: Duration::from_secs(40), ..upgrade(&[("web", "crash")]) };
    let ended = deploy(&platform, &upgrade).await;
    let DeployOutcome::Stuck { waiting_for } = &ended.outcome else { panic!("{ended:?}") };
    assert!(waiting_for.starts_with("service `dev-web`: "), "{waiting_for}");
    assert!(waiting_for.contains("exited with code 7"), "{waiting_for}");
}

#[tokio::test]
async fn roles_are_deployed_in_order_and_each_only_after_a_success() {
    let account = Account::new().await;
    futures::join!(create(&account, "web", true), create(&account, "worker", true));
    let platform = platform(&account.aws);
    let order = upgrade(&[("web", "crash"), ("worker", "2")]);
    let ended = deploy(&platform, &order).await;
    assert!(matches!(ended.outcome, DeployOutcome::RolledBack { .. }), "{ended:?}");
    assert_eq!(service(&account, "worker").await.deployments().len(), 1);

    // Completed roles stay deployed, and are reported as long as the failure is.
    let order = upgrade(&[("web", "3"), ("worker", "crash")]);
    let DeployOutcome::RolledBack { reason } = deploy(&platform, &order).await.outcome else { panic!() };
    assert!(reason.starts_with("service `dev-worker`: "), "{reason}");
    assert!(reason.ends_with("; the new image of `web` is running"), "{reason}");

    let order = upgrade(&[("web", "2"), ("worker", "2")]);
    let ended = deploy(&platform, &order).await;
    assert_eq!(ended.outcome, DeployOutcome::Deployed);
    assert_eq!(ended.revision.split(' ').count(), 2);
    let together = Upgrade { strategy: Strategy::Together, ..upgrade(&[("web", "3"), ("worker", "3")]) };
    let name = platform.upgrade(&together, &NoFencing).await.unwrap();
    assert_eq!(name.as_str().matches("=ecs-svc/").count(), 2, "{name}");
    assert_eq!(platform.watch(&together, &name, &NoFencing).await.unwrap().outcome, DeployOutcome::Deployed);
}

/// The fencing check of an owner whose lease was taken over.
#[derive(Debug)]
struct Overtaken;

#[async_trait::async_trait]
impl FencingCheck for Overtaken {
    async fn check(&self) -> Result<(), PlatformError> {
        Err(PlatformError::Overtaken { link: link() })
    }
}

#[tokio::test]
async fn a_failed_registration_changes_no_service_and_its_revisions_are_reused() {
    let account = Account::new().await;
    create(&account, "web", true).await;
    create(&account, "api", true).await;
    let proxy = Proxy::start().await;
    let through = account.through(&proxy.endpoint).await;
    let platform = platform(&through.aws);
    let both = Upgrade { strategy: Strategy::Together, ..upgrade(&[("web", "2"), ("api", "2")]) };
    let registered = AtomicU64::new(0);
    proxy.fault(move |name, _| {
        let later = name == "RegisterTaskDefinition" && registered.fetch_add(1, Ordering::Relaxed) > 0;
        later.then_some(Fault::Error("ServerException", "it is ours, not yours"))
    });
    let failed = platform.upgrade(&both, &NoFencing).await.unwrap_err();
    let said = katkit::causes::in_one_line(&failed);
    assert!(said.contains("ecs:RegisterTaskDefinition"), "{said}");
    assert!(!proxy.calls().contains_key("UpdateService"), "{:?}", proxy.calls());
    proxy.fault(|_, _| None);
    proxy.reset();
    assert_eq!(deploy(&platform, &both).await.outcome, DeployOutcome::Deployed);
    assert_eq!((proxy.calls()["RegisterTaskDefinition"], proxy.calls()["UpdateService"]), (1, 2));
}

#[tokio::test]
async fn an_owner_without_its_lease_deploys_no_further_role() {
    let account = Account::new().await;
    futures::join!(create(&account, "web", true), create(&account, "worker", true));
    let platform = platform(&account.aws);
    let order = upgrade(&[("web", "2"), ("worker", "2")]);
    let name = platform.upgrade(&order, &NoFencing).await.unwrap();
    let ended = platform.watch(&order, &name, &Overtaken).await;
    assert!(matches!(ended, Err(PlatformError::Overtaken { .. })), "{ended:?}");
    assert_eq!(service(&account, "worker").await.deployments().len(), 1);
    let live = service(&account, "worker").await.task_definition.unwrap();
    assert!(live.ends_with("worker:1"), "{live}");
}

#[tokio::test]
async fn another_process_resumes_a_deployment() {
    let account = Account::new().await;
    create(&account, "web", true).await;
    let upgrade = upgrade(&[("web", "2")]);
    let images: Images = upgrade.images.iter().cloned().collect();
    let (link, other) = (link(), account.another().await);
    let left = |issued| InFlight {
        token: &upgrade.token,
        link: &link,
        formerly: &[],
        images: &images,
        started: jiff::Timestamp::now(),
        issued,
        timeout: Duration::from_mins(1),
    };
    // It never took effect.
    assert_eq!(platform(&other).resume(left(None), &NoFencing).await.unwrap(), None);
    let name = platform(&account.aws).upgrade(&upgrade, &NoFencing).await.unwrap();
    // The process died before and after it recorded ECS's name for it.
    for issued in [None, Some(&name)] {
        let ended = platform(&other).resume(left(issued), &NoFencing).await.unwrap().unwrap();
        assert_eq!(ended.outcome, DeployOutcome::Deployed);
        assert_eq!(observe(&platform(&other), Some(&ended.revision)).await, Observation::AsKnown);
    }
}

#[tokio::test]
async fn a_deployment_that_ecs_rolled_back_unobserved_is_not_repeated() {
    let account = Account::new().await;
    create(&account, "web", true).await;
    let upgrade = upgrade(&[("web", "crash")]);
    let images: Images = upgrade.images.iter().cloned().collect();
    let (link, started) = (link(), jiff::Timestamp::now());
    let first = platform(&account.aws);
    let name = first.upgrade(&upgrade, &NoFencing).await.unwrap();
    let ended = first.watch(&upgrade, &name, &NoFencing).await.unwrap();
    assert!(matches!(ended.outcome, DeployOutcome::RolledBack { .. }), "{ended:?}");
    // The process died before it recorded ECS's name for it.
    let left = InFlight {
        token: &upgrade.token,
        link: &link,
        formerly: &[],
        images: &images,
        started,
        issued: None,
        timeout: Duration::from_mins(1),
    };
    let settled = platform(&account.another().await).resume(left, &NoFencing).await.unwrap();
    let outcome = settled.expect("it took effect").outcome;
    assert!(
        matches!(outcome, DeployOutcome::RolledBack { .. } | DeployOutcome::Failed { .. }),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn services_that_katkit_cannot_deploy_are_reported() {
    let account = Account::new().await;
    let platform = platform(&account.aws);
    let link = link();
    let look = async |role: &str| {
        let target =
            Target { link: &link, formerly: &[], roles: vec![role], images: Cow::default(), known: None };
        let error = platform.observe(&[target]).await.remove(0).unwrap_err();
        assert!(error.hint().is_some(), "{error}");
        error.to_string()
    };
    assert_eq!(look("web").await, "`dev/shop`: there is no service `dev-web` in the cluster `dev`");
    assert!(look("web/x").await.starts_with("`dev/shop`: no service can be named `dev-web/x`"));
    let register = account.client.register_task_definition().family("web");
    let container = ContainerDefinition::builder().name("web").image(web("1")).memory(32).command("serve");
    register.container_definitions(container.build()).send().await.unwrap();
    let controller =
        DeploymentController::builder().r#type(DeploymentControllerType::CodeDeploy).build().unwrap();
    let create =
        account.client.create_service().cluster(CLUSTER).service_name("dev-web").task_definition("web:1");
    created(&create.desired_count(0).deployment_controller(controller).send().await);
    assert!(look("web").await.contains("is deployed by CODE_DEPLOY"));
    account.client.delete_service().cluster(CLUSTER).service("dev-web").send().await.unwrap();
    assert!(look("web").await.ends_with("is inactive"));
}

#[tokio::test]
async fn services_are_described_in_batches_of_ten_across_callers() {
    let account = Account::new().await;
    let platform = platform(&account.aws);
    let before = account.counted();
    let links: Vec<LinkId> = (0..25).map(|n| format!("dev/l{n}").parse().unwrap()).collect();
    let roles: Vec<String> = (0..25).map(|n| format!("r{n}")).collect();
    let each = links.iter().zip(&roles).map(|(link, role)| async {
        let target =
            Target { link, formerly: &[], roles: vec![role], images: Cow::default(), known: Some("x") };
        platform.observe(&[target]).await.remove(0).unwrap_err()
    });
    futures::future::join_all(each).await;
    assert_eq!(account.calls(&before)["ECS.DescribeServices"], 3);
}
