//! Services as containers: made, rolled, undone, repaired, and left alone.

use std::net::TcpListener;

use crate::engines::docker;
use crate::world::eventually;

use super::{SERVICE, Yard};

/// A service that answers, and that ends at once when it is told to.
const SERVES: &str =
    "FROM katkit-test/service:1\nSTOPSIGNAL SIGKILL\nCMD [\"/bin/httpd\", \"-f\", \"-p\", \"80\"]\n";
/// One that ends.
const CRASHES: &str = "FROM katkit-test/service:1\nCMD [\"/bin/sh\", \"-c\", \"echo no database; exit 4\"]\n";

/// One whose health check says this.
fn checked(verdict: &str) -> String {
    format!("{SERVES}HEALTHCHECK --interval=100ms --timeout=1s --retries=1 CMD {verdict}\n")
}

#[test]
fn a_commit_is_built_through_the_socket_and_runs_as_a_container_under_its_sha() {
    let mut yard = Yard::new(
        "true",
        r#"  { name = "build", order = 0 },
  { name = "deploy", order = 1, kind = "deployment" },"#,
        "docker-socket = true",
    );
    let name = yard.image_name("web");
    let ci = format!("set -e\ndocker build --quiet --tag {name}:$GIT_SHA .\n");
    yard.change("shop", |repo| {
        repo.ci(&ci).file("Dockerfile", SERVES).description(&format!("{name}:<hubtag>")).commit("second")
    });
    yard.applied();
    let first = yard.serves();
    assert_eq!(Yard::inspect(&first, "{{.Config.Image}}"), format!("{name}:{}", yard.sha("second")));
    assert_eq!(
        Yard::inspect(&first, "{{.State.Status}} {{.HostConfig.RestartPolicy.Name}}"),
        "running unless-stopped"
    );
    assert!(yard.run(["plan", "--detailed-exitcode"]).code == 0);

    yard.change("shop", |repo| repo.commit("third"));
    yard.applied();
    let second = yard.serves();
    assert_ne!(first, second);
    assert_eq!(Yard::inspect(&second, "{{.Config.Image}}"), format!("{name}:{}", yard.sha("third")));
    assert_eq!(yard.run(["plan", "--detailed-exitcode"]).code, 0);
    yard.phases_are_gone();
}

/// A container made by hand, with what people give containers; returns its id and the port it serves on.
fn by_hand(yard: &Yard, commit: &str) -> (String, u16) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let image = format!("{}:{}", yard.images[0], yard.sha(commit));
    let (store, published) = (yard.store().replace("label=", ""), format!("127.0.0.1:{port}:80"));
    let name = format!("by-hand-{port}");
    yard.write("katkit.toml", &yard.read("katkit.toml").replace("tenants.dev", &format!("tenants.t{port}")));
    // Under a tenant of its own: what nobody claims belongs to whoever has the tenant.
    let tenant = format!("katkit.tenant=t{port}");
    let id = docker(&[
        "run",
        "--detach",
        "--name",
        &name,
        "--label",
        &store,
        "--label",
        &tenant,
        "--label",
        "katkit.link=shop",
        "--label",
        "katkit.role=web",
        "--env",
        "DATABASE=db",
        "--publish",
        &published,
        "--volume",
        "/data",
        "--memory",
        "64m",
        &image,
    ]);
    (id, port)
}

fn answers(port: u16) -> bool {
    use std::io::{Read, Write};
    let Ok(mut stream) = std::net::TcpStream::connect(("127.0.0.1", port)) else { return false };
    let mut answer = String::new();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").is_ok()
        && stream.read_to_string(&mut answer).is_ok()
        && answer.starts_with("HTTP/1")
}

#[test]
fn what_was_made_by_hand_keeps_all_but_its_image() {
    let mut yard = Yard::serving(SERVES);
    let (old, port) = by_hand(&yard, "first");
    let volume = Yard::inspect(&old, "{{range .Mounts}}{{.Name}}{{end}}");
    docker(&["exec", &old, "touch", "/data/kept"]);
    yard.next(&format!("{SERVES}ENV NEW=1\n"), "second");
    yard.applied();
    let new = yard.serves();
    assert_ne!(old, new);
    let format = "{{.Config.Image}} {{.HostConfig.Memory}} {{range .Mounts}}{{.Name}}{{end}}";
    let image = format!("{}:{}", yard.images[0], yard.sha("second"));
    assert_eq!(Yard::inspect(&new, format), format!("{image} {} {volume}", 64 << 20));
    let environment = Yard::inspect(&new, "{{.Config.Env}}");
    assert!(environment.contains("DATABASE=db") && environment.contains("NEW=1"), "{environment}");
    assert_eq!(docker(&["exec", &new, "ls", "/data"]), "kept");
    eventually("it answers on its port", || answers(port).then_some(()));
}

#[test]
fn what_crashes_is_undone_and_what_ran_before_serves_again_on_its_port() {
    let mut yard = Yard::serving(SERVES);
    let (old, port) = by_hand(&yard, "first");
    yard.next(CRASHES, "second");
    let applied = yard.run(["apply"]);
    assert_eq!(applied.code, 1, "{applied}");
    let said = "rolled back by the platform: the new container of `web` ended with exit code 4: no database";
    assert!(applied.stdout.contains(said), "{applied}");
    assert_eq!(yard.serves(), old);
    eventually("the old one answers again", || answers(port).then_some(()));
}

#[test]
fn what_never_becomes_healthy_is_undone_and_the_old_one_never_stopped() {
    let mut yard = Yard::serving(&checked("/bin/true"));
    yard.applied();
    let old = yard.serves();
    let started = Yard::inspect(&old, "{{.State.StartedAt}}");
    yard.next(&checked("/bin/sh -c 'echo no answer; exit 1'"), "second");
    let applied = yard.run(["apply"]);
    assert_eq!(applied.code, 1, "{applied}");
    assert!(applied.stdout.contains("is unhealthy, says its health check (no answer)"), "{applied}");
    assert_eq!(yard.serves(), old);
    assert_eq!(Yard::inspect(&old, "{{.State.StartedAt}}"), started);
}

#[test]
fn what_does_not_decide_is_stuck_and_says_what_it_waits_for() {
    let mut yard = Yard::serving(&checked("/bin/true"));
    yard.applied();
    let old = yard.serves();
    yard.edit("timeout = \"20s\"", "timeout = \"2s\"");
    yard.next(&checked("/bin/sleep 60").replace("timeout=1s", "timeout=60s"), "second");
    let applied = yard.run(["apply"]);
    assert_eq!(applied.code, 1, "{applied}");
    assert!(applied.stdout.contains("stuck: still waiting for the health check of `web`"), "{applied}");
    assert_eq!(yard.serves(), old);
}

#[test]
fn another_image_that_somebody_ran_is_replaced_by_what_was_deployed() {
    let yard = Yard::serving(SERVES);
    yard.applied();
    let deployed = yard.serves();
    let labels = Yard::inspect(&deployed, "{{range $k, $v := .Config.Labels}}{{$k}}={{$v}}\n{{end}}");
    docker(&["rm", "--force", &deployed]);
    let mut run = vec!["run", "--detach", "--stop-signal", "KILL"];
    for label in labels.lines() {
        run.extend(["--label", label]);
    }
    run.extend([SERVICE, "/bin/httpd", "-f"]);
    docker(&run);
    let plan = yard.run(["plan"]);
    assert!(plan.stdout.contains("repair"), "{plan}");
    yard.applied();
    let image = format!("{}:{}", yard.images[0], yard.sha("first"));
    assert_eq!(Yard::inspect(&yard.serves(), "{{.Config.Image}}"), image);
    assert_eq!(yard.run(["plan", "--detailed-exitcode"]).code, 0);
}

#[test]
fn what_somebody_stopped_or_removed_is_put_back() {
    let yard = Yard::serving(SERVES);
    yard.applied();
    docker(&["stop", &yard.serves()]);
    yard.applied();
    assert_eq!(Yard::inspect(&yard.serves(), "{{.State.Status}}"), "running");
    docker(&["rm", "--force", &yard.serves()]);
    yard.applied();
    assert_eq!(Yard::inspect(&yard.serves(), "{{.State.Status}}"), "running");
}

#[test]
fn a_deployment_whose_process_is_killed_is_finished_or_undone_by_the_next() {
    let mut yard = Yard::serving(SERVES);
    yard.applied();
    for (commit, wanted) in [("second", "created"), ("third", "running")] {
        yard.next(SERVES, commit);
        let apply = yard.start(["apply"]);
        let sha = yard.sha(commit).to_owned();
        eventually("the new container is there", || {
            let listed =
                docker(&["ps", "--all", "--filter", &yard.store(), "--format", "{{.State}} {{.Image}}"]);
            let seen = listed.lines().find(|line| line.ends_with(&sha))?.split(' ').next()?.to_owned();
            (wanted == "created" || seen == wanted).then_some(())
        });
        apply.kill();
        yard.applied();
        let image = format!("{}:{sha}", yard.images[0]);
        assert_eq!(
            Yard::inspect(&yard.serves(), "{{.Config.Image}} {{.State.Status}}"),
            format!("{image} running")
        );
        assert_eq!(yard.run(["plan", "--detailed-exitcode"]).code, 0);
    }
}

#[test]
fn an_apply_that_slept_while_another_took_its_link_leaves_what_that_one_deployed() {
    let mut yard = Yard::serving(&checked("/bin/true"));
    yard.applied();
    // It takes long to decide.
    yard.next(&format!("{SERVES}HEALTHCHECK --start-period=60s CMD /bin/false\n"), "second");
    let slept = yard.start(["apply"]);
    let second = yard.sha("second").to_owned();
    eventually("the new container runs", || {
        let listed = docker(&["ps", "--filter", &yard.store(), "--format", "{{.Image}}"]);
        listed.lines().any(|line| line.ends_with(&second)).then_some(())
    });
    slept.signal(rustix::process::Signal::STOP);
    assert_eq!(yard.run(["unlock", "--force", "dev/shop"]).code, 0);
    yard.next(&checked("/bin/true"), "third");
    yard.applied();
    let third = yard.serves();
    slept.signal(rustix::process::Signal::CONT);
    let woken = slept.wait();
    assert!(woken.stdout.contains("the lease of `dev/shop` (epoch 2) was taken over"), "{woken}");
    assert_eq!(yard.serves(), third);
    assert_eq!(
        Yard::inspect(&third, "{{.Config.Image}} {{.State.Status}}"),
        format!("{}:{} running", yard.images[0], yard.sha("third"))
    );
    assert_eq!(yard.run(["plan", "--detailed-exitcode"]).code, 0);
}

#[test]
fn an_image_that_does_not_exist_stops_nothing() {
    let mut yard = Yard::serving(SERVES);
    yard.applied();
    let old = yard.serves();
    let wrong = "localhost:1/nobody/web";
    yard.change("shop", |repo| repo.description(&format!("{wrong}:<hubtag>")).commit("second"));
    let applied = yard.run(["apply"]);
    assert_eq!(applied.code, 1, "{applied}");
    assert!(
        applied.stdout.contains("the image `localhost:1/nobody/web:<second>` could not be pulled"),
        "{applied}"
    );
    assert_eq!(yard.serves(), old);
}

#[test]
fn of_two_roles_only_the_one_that_somebody_stopped_is_made_anew() {
    let mut yard = Yard::serving(SERVES);
    let name = yard.images[0].clone();
    let roles = ["web", "worker"]
        .map(|role| format!("{{ \"Name\": \"{role}\", \"DockerImage\": \"{name}:<hubtag>\" }}"));
    let description = format!("{{ \"Roles\": [ {} ] }}", roles.join(", "));
    yard.change("shop", |repo| {
        repo.file("servicedescription/servicedescription.js", &description).commit("second")
    });
    yard.build(&name, SERVES, "second");
    yard.edit("kind = \"deployment\",", "kind = \"deployment\", strategy = \"together\",");
    yard.applied();
    let web = yard.serves();
    docker(&["stop", &yard.containers("label=katkit.role=worker")[0]]);
    yard.applied();
    assert_eq!(yard.serves(), web);
    let worker = yard.containers("label=katkit.role=worker");
    assert_eq!(worker.len(), 1);
    assert_eq!(Yard::inspect(&worker[0], "{{.State.Status}}"), "running");
    assert_eq!(yard.run(["plan", "--detailed-exitcode"]).code, 0);
}
