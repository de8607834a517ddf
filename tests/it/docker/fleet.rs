//! The container fleet on its own: repeated and concurrent launches, and recovery from a death.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use katkit::domain::{AttemptNumber, Handle, LostCause, PhaseName, RunId, Token};
use katkit::fleet::docker::{DockerFleet, Settings};
use katkit::fleet::{Fleet, Launch, Secrets, ServiceState};

use super::{BUILDER, SERVICE, Yard};
use crate::engines::{Host, on_hosts};

/// A fleet whose agent is unique to it and has no `agent` command: it ends at once.
struct Lone {
    yard: Yard,
    agent: PathBuf,
}

impl Lone {
    fn new(host: Host) -> Self {
        let yard = Yard::on(host, "true", r#"{ name = "build", order = 0 }"#, "");
        let agent = yard.path("agent");
        fs::copy("/bin/busybox", &agent).unwrap();
        let mut file = fs::File::options().append(true).open(&agent).unwrap();
        file.write_all(yard.path("").to_str().unwrap().as_bytes()).unwrap();
        Self { yard, agent }
    }

    /// Another process's view of the same fleet.
    fn fleet(&self) -> DockerFleet {
        let settings = Settings {
            owner: "0123456789abcdef".to_owned(),
            store: self.yard.store().replace("label=katkit.store=", ""),
            name: self.yard.path("").file_name().unwrap().to_string_lossy().into_owned(),
            agent: Some(self.agent.clone()),
            ..Settings::default()
        };
        DockerFleet::new(Arc::new(self.yard.host.engine()), settings)
    }

    /// The volume that holds the agent.
    fn volume(&self, handle: &Handle) -> String {
        let format = "{{range .Mounts}}{{if eq .Destination \"/.katkit\"}}{{.Name}}{{end}}{{end}}";
        let volume = self.yard.inspect(handle.as_str(), format);
        assert!(volume.starts_with("katkit-agent-"), "{volume}");
        volume
    }

    fn order(&self, number: u32) -> Launch {
        let (sha, blobs) = ("a".repeat(40), self.yard.path(".katkit/blobs"));
        // The location's name is unique to this test.
        let place = self.yard.path("").file_name().unwrap().to_string_lossy().into_owned();
        let place: String = place.bytes().map(|byte| format!("{byte:02x}")).collect();
        Launch {
            token: Token(format!("{place}-{number}")),
            link: "dev/shop".parse().unwrap(),
            run: RunId("1".into()),
            phase: PhaseName::new("build").unwrap(),
            attempt: AttemptNumber(1),
            replica: number,
            log_path: format!("file://{}/dev/shop/{sha}/build/1.1", blobs.display()),
            image: Some(SERVICE.to_owned()),
            cpu: None,
            memory: None,
            secrets: Secrets::default(),
            secret_arns: std::collections::BTreeMap::new(),
        }
    }
}

on_hosts! {
    async {
        concurrent_launches_of_a_token_give_one_container
        a_container_that_is_not_ours_is_not_replaced
        a_half_uploaded_agent_is_uploaded_again_by_the_next_process
        log_lines_written_in_pieces_are_whole_in_the_evidence
    }
    docker(Docker) podman(Podman)
}

async fn concurrent_launches_of_a_token_give_one_container(host: Host) {
    let lone = Lone::new(host);
    let fleets: Vec<_> = (0..4).map(|_| lone.fleet()).collect();
    let launch = lone.order(0);
    let handles = futures::future::join_all(fleets.iter().map(|fleet| fleet.launch(&launch))).await;
    let handles: Vec<_> = handles.into_iter().map(Result::unwrap).collect();
    assert!(handles.iter().all(|handle| *handle == handles[0]), "{handles:?}");
    assert_eq!(lone.yard.containers("label=katkit.phase").len(), 1);
    assert_eq!(fleets[0].launch(&launch).await.unwrap(), handles[0]);

    let fleet = &fleets[1];
    let gone = fleet.gone(&handles[0]).await.unwrap();
    let ServiceState::Gone { cause, evidence } = &gone else { panic!("{gone:?}") };
    assert_eq!(*cause, Some(LostCause::Vanished));
    // A late launch may start it again after it ended: the agent then finds its status, and exits.
    assert!(evidence.contains("its agent ended with exit code 127: katkit: applet not found"), "{evidence}");
    let unknown = Handle("katkit-nobody".into());
    let states = fleet.observe(&[unknown.clone(), handles[0].clone()]).await.unwrap();
    assert!(matches!(&states[0], ServiceState::Gone { cause: None, .. }), "{states:?}");
    assert_eq!(states[1], gone);
    let listed = fleet.list().await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0].handle, &listed[0].token), (&handles[0], &launch.token));
    assert_eq!(listed[0].link, Some(launch.link.clone()));

    let volume = lone.volume(&handles[0]);
    for handle in [&handles[0], &handles[0], &unknown] {
        fleet.stop(handle).await.unwrap();
        fleet.remove(handle).await.unwrap();
    }
    assert!(fleet.list().await.unwrap().is_empty());
    lone.yard.docker(&["volume", "rm", &volume]);
}

async fn a_container_that_is_not_ours_is_not_replaced(host: Host) {
    let lone = Lone::new(host);
    let fleet = lone.fleet();
    let handle = fleet.launch(&lone.order(0)).await.unwrap();
    let volume = lone.volume(&handle);
    let name = lone.yard.inspect(handle.as_str(), "{{.Name}}").trim_start_matches('/').to_owned();
    fleet.remove(&handle).await.unwrap();
    let other = lone.yard.docker(&[
        "create",
        "--name",
        &name,
        "--label",
        &lone.yard.store().replace("label=", ""),
        SERVICE,
        "true",
    ]);
    let refused = fleet.launch(&lone.order(0)).await.unwrap_err().to_string();
    let said = format!("the name `{name}` is used by a container that is not katkit's; remove or rename it");
    assert!(refused.contains(&said), "{refused}");
    assert_eq!(lone.yard.inspect(&other, "{{.State.Status}}"), "created");
    lone.yard.docker(&["rm", &other]);
    lone.yard.docker(&["volume", "rm", &volume]);
}

async fn a_half_uploaded_agent_is_uploaded_again_by_the_next_process(host: Host) {
    let lone = Lone::new(host);
    let fleet = lone.fleet();
    let first = fleet.launch(&lone.order(0)).await.unwrap();
    let volume = lone.volume(&first);
    fleet.remove(&first).await.unwrap();
    lone.yard.docker(&["volume", "rm", &volume]);
    // Left by a process that dies during the upload: its container, and part of the upload.
    let label = format!("katkit.filler={}/{}", katkit::liveness::process_table().unwrap(), u32::MAX);
    let mount = format!("{volume}:/.katkit");
    lone.yard.docker(&["create", "--name", &volume, "--label", &label, "--volume", &mount, BUILDER, "-"]);
    let began = Instant::now();
    let second = fleet.launch(&lone.order(1)).await.unwrap();
    assert!(began.elapsed() < Duration::from_mins(1), "dead processes are not waited for");
    let ServiceState::Gone { evidence, .. } = fleet.gone(&second).await.unwrap() else { panic!() };
    assert!(evidence.contains("applet not found"), "{evidence}");
    fleet.remove(&second).await.unwrap();
    assert_eq!(lone.yard.docker(&["ps", "--all", "--quiet", "--filter", &format!("name={volume}")]), "");
    lone.yard.docker(&["volume", "rm", &volume]);
}

async fn log_lines_written_in_pieces_are_whole_in_the_evidence(host: Host) {
    let lone = Lone::new(host);
    let words = "for word in 1 2 3 4 5; do printf a; sleep 0.1; printf b; sleep 0.1; echo $word; done";
    let label = lone.yard.store().replace("label=", "");
    let container = lone.yard.docker(&["create", "--label", &label, SERVICE, "sh", "-c", words]);
    lone.yard.docker(&["start", &container]);
    lone.yard.docker(&["wait", &container]);
    let said = lone.yard.host.engine().last_lines(&container).await;
    lone.yard.docker(&["rm", &container]);
    assert_eq!(said, "ab3; ab4; ab5");
}
