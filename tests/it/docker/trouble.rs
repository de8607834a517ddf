//! Errors of an engine that refuses, fails or is unreachable.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};

use crate::engines::{Host, on_hosts};
use crate::world::eventually;

use super::{BUILDER, Yard};

const PHASE: &str = r#"{ name = "build", order = 0 }"#;

on_hosts! {
    docker(Docker) {
        an_image_that_cannot_be_pulled_is_named_with_the_engines_own_message
        an_unreachable_engine_is_named_and_holds_the_links_that_need_it
        an_engine_with_endless_answers_is_given_up_and_named
        a_request_the_engine_refuses_is_not_retried
        a_fleet_without_an_image_says_where_to_set_one
        an_agent_for_another_host_must_run_there
    }
    // Not on Podman: these engines are fake, or never called.
    podman(Podman) {
        an_image_that_cannot_be_pulled_is_named_with_the_engines_own_message
        a_request_the_engine_refuses_is_not_retried
    }
}

fn an_image_that_cannot_be_pulled_is_named_with_the_engines_own_message(host: Host) {
    // A killed test leaves its image behind.
    let repository = format!("localhost:1/nobody/zbuilder-{}", std::process::id());
    let image = format!("{repository}:v7");
    let mut yard = Yard::on(host, "true", PHASE, "");
    yard.edit(BUILDER, &image);
    // The registry's credentials come from the helper named in the user's configuration.
    let programs = yard.path("programs");
    fs::create_dir(&programs).unwrap();
    let helper = programs.join("docker-credential-shop");
    let script = format!(
        "#!/bin/sh\ncat > {}/asked\necho '{{\"Username\":\"ana\",\"Secret\":\"x\"}}'\n",
        yard.path("out").display()
    );
    fs::write(&helper, script).unwrap();
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    yard.write("home/.docker/config.json", r#"{ "credHelpers": { "localhost:1": "shop" } }"#);
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    yard.with_variable("PATH", &path);
    let apply = yard.start(["apply"]);
    eventually("the image is missed", || yard.path("out/asked").exists().then_some(()));
    // The image exists when the phase is retried.
    yard.docker(&["tag", BUILDER, &image]);
    yard.images.push(repository);
    let applied = apply.wait();
    assert_eq!(applied.code, 0, "{applied}");
    let said = format!("lost (image not pulled): the image `{image}` could not be pulled: ");
    assert!(applied.stderr.contains(&said), "{applied}");
    assert!(applied.stderr.contains("connection refused"), "{applied}");
    assert_eq!(yard.read("out/asked"), "localhost:1");
    yard.phases_are_gone();
}

fn an_unreachable_engine_is_named_and_holds_the_links_that_need_it(host: Host) {
    let yard = Yard::on(host, "true", PHASE, r#"host = "unix:///nonexistent/docker.sock""#);
    let applied = yard.run(["apply"]);
    assert_eq!(applied.code, 1, "{applied}");
    assert!(
        applied.to_string().contains("the Docker Engine at unix:///nonexistent/docker.sock"),
        "{applied}"
    );
    let yard = Yard::on(host, "true", PHASE, "");
    yard.edit(r#"kind = "docker", settle"#, r#"kind = "docker", host = "unix:///nonexistent.sock", settle"#);
    let plan = yard.run(["plan"]);
    assert!(
        plan.to_string().contains("the Docker Engine at unix:///nonexistent.sock could not be queried"),
        "{plan}"
    );
}

fn an_engine_with_endless_answers_is_given_up_and_named(host: Host) {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("engine.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            // katkit closes the connection when it has read enough.
            std::thread::spawn(move || endless(client.unwrap()));
        }
    });
    let yard = Yard::on(host, "true", PHASE, &format!(r#"host = "unix://{}""#, socket.display()));
    let applied = yard.run(["apply"]);
    assert_eq!(applied.code, 1, "{applied}");
    let call = "to `list containers` is larger than 64 MiB";
    let said = format!("the response of the Docker Engine at unix://{} {call}", socket.display());
    assert!(applied.stdout.contains(&said), "{applied}");
    assert!(
        applied.stdout.contains("hint: `docker version` shows whether an engine answers there"),
        "{applied}"
    );
}

/// Answers with its version, and everything else with blanks.
fn endless(mut client: UnixStream) -> io::Result<()> {
    let (mut request, mut part) = (Vec::new(), [0; 1024]);
    while !request.windows(4).any(|four| four == b"\r\n\r\n") {
        match client.read(&mut part)? {
            0 => return Ok(()),
            read => request.extend_from_slice(&part[..read]),
        }
    }
    if String::from_utf8_lossy(&request).contains("/version ") {
        let version = r#"{"ApiVersion":"1.44","Arch":"amd64"}"#;
        let length = version.len();
        return write!(client, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{version}");
    }
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
    loop {
        client.write_all(&[b' '; 8192])?;
    }
}

fn a_request_the_engine_refuses_is_not_retried(host: Host) {
    let yard = Yard::on(host, "true", PHASE, r#"network = "katkit-no-such-network""#);
    let applied = yard.run(["apply"]);
    assert_eq!(applied.code, 1, "{applied}");
    let said = match host {
        Host::Docker => "network katkit-no-such-network not found",
        Host::Podman => "unable to find network with name or ID katkit-no-such-network: network not found",
    };
    assert!(applied.stdout.contains(said), "{applied}");
    let journal = yard.journal().join("\n");
    assert_eq!(journal.matches("attempt-intended").count(), 1, "{journal}\n{applied}");
    yard.phases_are_gone();
}

fn a_fleet_without_an_image_says_where_to_set_one(host: Host) {
    let yard = Yard::on(host, "true", PHASE, "");
    yard.edit(&format!("image = \"{BUILDER}\""), "");
    let applied = yard.run(["apply"]);
    assert!(applied.stdout.contains("neither the phase nor its fleet names an image"), "{applied}");
}

fn an_agent_for_another_host_must_run_there(host: Host) {
    let yard = Yard::on(host, "true", PHASE, r#"agent = "agent.bin""#);
    fs::copy("/bin/cat", yard.path("agent.bin")).unwrap();
    let applied = yard.run(["apply"]).unbroken();
    assert!(applied.stdout.contains("build it as a static program"), "{applied}");
    let mut other = fs::read(yard.path("agent.bin")).unwrap();
    // For another processor, and without a loader.
    other[18] = if other[18] == 62 { 183 } else { 62 };
    other[56] = 0;
    other[57] = 0;
    fs::write(yard.path("agent.bin"), other).unwrap();
    let applied = yard.run(["retry", "dev/shop", "--apply"]).unbroken();
    assert!(applied.stdout.contains("to a static build for"), "{applied}");
}

/// No answer of Podman's contains the value.
#[test]
fn a_container_with_options_that_podman_does_not_show_is_not_replaced() {
    let mut yard =
        Yard::serving(Host::Podman, "FROM katkit-test/service:1\nCMD [\"/bin/sleep\", \"1000000\"]\n");
    let image = format!("{}:{}", yard.images[0], yard.sha("first"));
    let tenant = format!("t{}", std::process::id());
    yard.edit("tenants.dev", &format!("tenants.{tenant}"));
    let labels = [yard.store().replace("label=", ""), format!("katkit.tenant={tenant}")];
    let address = Host::Podman.address().unwrap();
    let mut run = std::process::Command::new("podman");
    run.args([
        "--url",
        &address,
        "run",
        "--detach",
        "--stop-signal",
        "KILL",
        "--sysctl",
        "net.core.somaxconn=512",
    ]);
    for label in labels.iter().map(String::as_str).chain(["katkit.link=shop", "katkit.role=web"]) {
        run.args(["--label", label]);
    }
    let ran = run.arg(&image).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let old = yard.serves();
    yard.next("FROM katkit-test/service:1\nCMD [\"/bin/sleep\", \"1000001\"]\n", "second");
    let applied = yard.run(["apply"]).unbroken();
    assert_eq!(applied.code, 1, "{applied}");
    let said = "was created with `--sysctl`, which Podman does not report, so its successor would lack them";
    assert!(applied.stdout.contains(said), "{applied}");
    assert!(applied.stdout.contains("recreate it by hand from the wanted image"), "{applied}");
    let verified = yard.run(["verify"]);
    assert_eq!(verified.code, 1, "{verified}");
    assert!(verified.stdout.contains("container of `web`"), "{verified}");
    assert_eq!(yard.serves(), old);
    assert_eq!(yard.inspect(&old, "{{.State.Status}}"), "running");
}
