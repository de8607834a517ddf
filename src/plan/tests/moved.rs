//! Links whose name in the manifest differs from the one on record.

use insta::assert_snapshot;

use super::world::{World, owner, tell};
use crate::domain::{Generation, Head, LinkId, OnFailure, RequestId, RequestKind};
use crate::manifest::Manifest;
use crate::plan::*;

/// `dev/web`, formerly `old/web`, wants the commit.
fn renamed(digit: char) -> World {
    World::with(digit, "[[moved]]\nfrom = \"old/web\"\nto = \"dev/web\"\n", OnFailure::Hold)
}

/// Nothing under the new name, and the whole record of the world under the old one.
fn links(world: &World) -> Vec<LinkInput> {
    let mut new = world.input(false).links.remove(0);
    new.head = Box::default();
    new.holder = Holder::Nobody;
    new.lease = None;
    new.requests = Vec::new();
    vec![new, old(world, "old/web")]
}

/// The record under a name that the manifest does not have.
fn old(world: &World, name: &str) -> LinkInput {
    let mut old = world.input(false).links.remove(0);
    old.id = name.parse().unwrap();
    old.want = None;
    old.facts = None;
    old.requests.iter_mut().for_each(|request| request.link = name.parse().unwrap());
    old
}

fn planned(world: &World, links: Vec<LinkInput>) -> Plan {
    let input = world.input(false);
    let links = relocate(input.manifest, links, world.now);
    plan(&PlanInput { links, ..input })
}

fn plan_after(world: &World, change: impl FnOnce(&mut Vec<LinkInput>)) -> String {
    let mut links = links(world);
    change(&mut links);
    let plan = planned(world, links);
    assert!(plan.links.len() <= 1, "the old name is not planned: {plan:?}");
    tell(&plan)
}

#[test]
fn a_rename_moves_the_record_and_does_not_redeploy() {
    let world = renamed('1').live('1');
    assert_snapshot!(plan_after(&world, |_| ()), @"move old/web");
    let plan = planned(&world, links(&world));
    let (link, moved) = (&plan.links[0], world.head());
    assert_eq!((link.base, link.deployed.as_ref()), (Generation(0), Some(&super::world::sha('1'))));
    let from: LinkId = "old/web".parse().unwrap();
    assert_eq!(link.steps, [Step::Move { from, base: moved.generation, takes_over: None }]);
}

#[test]
fn a_damaged_record_holds_the_new_name_and_is_not_replaced_by_an_empty_one() {
    let world = renamed('1').live('1');
    let mut links = links(&world);
    *links[1].head = Head::default();
    links[1].damage = Some(Problem { what: "event 3 is damaged".to_owned(), hint: None });
    let plan = planned(&world, links);
    assert!(plan.links.iter().all(|link| link.steps.is_empty()), "{plan:?}");
    let held: Vec<_> =
        plan.links.iter().flat_map(|link| &link.holds).map(|hold| hold.reason.describe()).collect();
    assert!(
        held.contains(
            &"the record of `old/web`, which is moved here, cannot be read: event 3 is damaged".to_owned()
        ),
        "{held:?}"
    );
}

#[test]
fn a_new_commit_runs_through_its_workflow_right_after_the_move() {
    let world = renamed('2').live('1');
    assert_snapshot!(plan_after(&world, |_| ()), @r"
    move old/web
    start 2
    run build: NotRunYet
    Upgrade to 2
    run verify: NotRunYet
    ");
}

#[test]
fn a_request_made_under_the_old_name_is_granted_under_the_new_one() {
    let ask = RequestKind::Rollback { from: super::world::sha('2'), to: super::world::sha('1') };
    let world = renamed('2').live('1').live('2').requested(ask);
    assert_snapshot!(plan_after(&world, |_| ()), @r"
    move old/web
    accept rollback
    quarantine 2
    Rollback to 1
    ");
}

#[test]
fn a_record_in_use_by_a_process_is_not_moved() {
    let mut world = renamed('1').live('1');
    world.holder = Holder::Other(Box::new(owner()));
    assert_snapshot!(plan_after(&world, |_| ()), @"! the record of `old/web`, which is moved here, is in use: ana (process 7 on h) is working on it");
}

#[test]
fn the_lease_of_a_dead_process_is_taken_over() {
    let world = renamed('1').live('1').left_by_the_dead();
    let plan = planned(&world, links(&world));
    let [Step::Move { takes_over, .. }] = plan.links[0].steps.as_slice() else { panic!("{plan:?}") };
    assert_eq!(takes_over, &Some(World::lease()));
}

#[test]
fn a_move_waits_for_a_deployment_in_flight() {
    let mut world =
        renamed('2').live('1').started('2').attempted("build", 1, crate::domain::Outcome::Succeeded);
    world = world.deploying('2', crate::domain::DeployOutcome::Deployed);
    // Its end was never written.
    world.journal.pop();
    assert_snapshot!(plan_after(&world, |_| ()), @"! the record of `old/web`, which is moved here, is in use: its deployment of 2222222222 is in flight");
}

#[test]
fn an_open_run_continues_under_the_new_name() {
    let world = renamed('2').live('1').started('2').attempted("build", 1, crate::domain::Outcome::Succeeded);
    assert_snapshot!(plan_after(&world, |_| ()), @r"
    move old/web
    Upgrade to 2
    run verify: NotRunYet
    ");
}

#[test]
fn a_name_with_a_record_does_not_take_over_another() {
    let world = renamed('1').live('1');
    assert_snapshot!(plan_after(&world, |links| *links[0].head = world.head()), @"! the record of `old/web` cannot be moved here, since `dev/web` has one of its own");
}

#[test]
fn one_name_does_not_take_over_two_records() {
    let chain =
        "[[moved]]\nfrom = \"older/web\"\nto = \"old/web\"\n[[moved]]\nfrom = \"old\"\nto = \"dev\"\n";
    let world = World::with('1', chain, OnFailure::Hold).live('1');
    assert_snapshot!(plan_after(&world, |links| links.push(old(&world, "older/web"))), @"! `old/web` and `older/web` are moved to `dev/web`, which can take over only one record");
    // A single record follows the whole chain.
    let only = plan_after(&world, |links| links[1] = old(&world, "older/web"));
    assert_snapshot!(only, @"move older/web");
}

#[test]
fn a_name_without_a_record_moves_nothing() {
    let world = renamed('1').live('1');
    let moved = plan_after(&world, |links| {
        links[0] = old(&world, "dev/web");
        links[0].want = Some(Ok(super::world::sha('1')));
        *links[1].head = Head { generation: Generation(12), forgotten: true, ..Head::default() };
        links.pop();
    });
    assert_snapshot!(moved, @"nothing to do");
}

#[test]
fn a_service_launched_under_the_old_name_is_not_swept() {
    let world = renamed('2').live('1').started('2').flying("build", 1);
    let input = world.input(false);
    let links = relocate(input.manifest, links(&world), world.now);
    let token = links[0].head.unremoved().next().unwrap().1.token.replica(0);
    let orphan = OrphanedService {
        fleet: "process".parse().unwrap(),
        handle: crate::domain::Handle("h".to_owned()),
        token,
        link: Some("old/web".parse().unwrap()),
    };
    let another = OrphanedService { token: crate::domain::Token("other-0".to_owned()), ..orphan.clone() };
    let plan = plan(&PlanInput { links, orphans: vec![orphan, another.clone()], ..input });
    assert_eq!(plan.sweeps, [another]);
}

#[test]
fn a_new_link_cannot_take_a_name_that_identifies_containers_of_another() {
    let manifest = |platform: &str| -> Manifest {
        let text = format!(
            "version = 1\n[repos.app]\nurl = \"/app\"\n[workflows.w]\nphases = [{{ name = \"build\", order = 0 }}]\n\
             [tenants.dev]\nplatform = {{ kind = \"{platform}\" }}\n\
             links.shop = {{ repo = \"app\", workflow = \"w\", branch = \"main\" }}\n\
             links.web = {{ repo = \"app\", workflow = \"w\", branch = \"main\" }}\n"
        );
        crate::manifest::one_file::loaded(&text).manifest
    };
    let world = renamed('1').live('1');
    let holds = |platform: &str| {
        let mut moved = relocate(world.input(false).manifest, links(&world), world.now).remove(0);
        (moved.id, moved.renamed) = ("dev/shop".parse().unwrap(), None);
        moved.head.formerly[0].link = "dev/web".parse().unwrap();
        let new = links(&world).remove(0);
        let links = relocate(&manifest(platform), vec![moved, new], world.now);
        links[1].renamed.as_deref().cloned()
    };
    assert_eq!(holds("file"), None);
    assert!(matches!(holds("docker"), Some(Renamed::Held(_))));
}

#[test]
fn requests_keep_their_order() {
    let world = renamed('2').live('1').requested(RequestKind::Cancel { sha: super::world::sha('2') });
    let mut links = links(&world);
    let mut request = links[1].requests[0].clone();
    (request.id, request.link) = (RequestId("00".to_owned()), "dev/web".parse().unwrap());
    links[0].requests.push(request);
    links[1].requests[0].id = RequestId("1".to_owned());
    let links = relocate(world.input(false).manifest, links, world.now);
    let ids: Vec<_> = links[0].requests.iter().map(|request| request.id.as_str()).collect();
    assert_eq!((links.len(), ids), (1, vec!["00", "1"]));
}
