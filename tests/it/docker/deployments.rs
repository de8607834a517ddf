//! Services as containers: created, deployed, undone, repaired, and left alone.

use std::net::TcpListener;

use crate::engines::{Host, on_hosts};
use crate::image_registry::ImageRegistry;
use crate::world::eventually;

use super::{SERVICE, Yard};

/// A service that answers, and ends at once when told to.
const SERVES: &str =
    "FROM katkit-test/service:1\nSTOPSIGNAL SIGKILL\nCMD [\"/bin/httpd\", \"-f\", \"-p\", \"80\"]\n";
/// A service that exits.
const CRASHES: &str = "FROM katkit-test/service:1\nCMD [\"/bin/sh\", \"-c\", \"echo no database; exit 4\"]\n";

/// A service whose health check returns this.
fn checked(verdict: &str) -> String {
    format!("{SERVES}HEALTHCHECK --interval=100ms --timeout=1s --retries=1 CMD {verdict}\n")
}

on_hosts! {
    docker(Docker) {
        a_commit_is_built_through_the_socket_and_runs_as_a_container_under_its_sha
        a_container_created_by_hand_keeps_everything_but_its_image
        options_set_by_hand_survive_deployments_and_a_rollback
        a_crashing_image_is_undone_and_the_previous_one_serves_again_on_its_port
        an_image_that_never_becomes_healthy_is_undone_without_stopping_the_old_one
        an_undecided_health_check_is_reported_as_stuck
        an_image_changed_by_hand_is_replaced_by_the_deployed_one
        a_stopped_or_removed_container_is_restored
        a_deployment_whose_process_is_killed_is_finished_or_undone_by_the_next
        an_apply_that_slept_through_a_takeover_leaves_the_new_deployment_alone
        a_missing_image_stops_no_container
        only_the_stopped_one_of_two_roles_is_recreated
        an_image_is_pulled_by_its_digest_whatever_its_tag_stands_for
    }
    // Not on Podman: which link owns a container does not depend on the engine.
    podman(Podman) {
        a_commit_is_built_through_the_socket_and_runs_as_a_container_under_its_sha
        a_container_created_by_hand_keeps_everything_but_its_image
        options_set_by_hand_survive_deployments_and_a_rollback
        a_crashing_image_is_undone_and_the_previous_one_serves_again_on_its_port
        an_image_that_never_becomes_healthy_is_undone_without_stopping_the_old_one
        an_undecided_health_check_is_reported_as_stuck
        an_image_changed_by_hand_is_replaced_by_the_deployed_one
        a_stopped_or_removed_container_is_restored
        a_deployment_whose_process_is_killed_is_finished_or_undone_by_the_next
        a_missing_image_stops_no_container
        only_the_stopped_one_of_two_roles_is_recreated
        an_image_is_pulled_by_its_digest_whatever_its_tag_stands_for
    }
}

fn a_commit_is_built_through_the_socket_and_runs_as_a_container_under_its_sha(host: Host) {
    let mut yard = Yard::on(
        host,
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
    assert_eq!(yard.inspect(&first, "{{.Config.Image}}"), format!("{name}:{}", yard.sha("second")));
    // What Podman restarts after a reboot.
    let policy = if host == Host::Podman { "always" } else { "unless-stopped" };
    assert_eq!(
        yard.inspect(&first, "{{.State.Status}} {{.HostConfig.RestartPolicy.Name}}"),
        format!("running {policy}")
    );
    assert!(yard.run(["plan", "--detailed-exitcode"]).code == 0);

    yard.change("shop", |repo| repo.commit("third"));
    yard.applied();
    let second = yard.serves();
    assert_ne!(first, second);
    assert_eq!(yard.inspect(&second, "{{.Config.Image}}"), format!("{name}:{}", yard.sha("third")));
    assert_eq!(yard.run(["plan", "--detailed-exitcode"]).code, 0);
    yard.phases_are_gone();
}

fn an_image_is_pulled_by_its_digest_whatever_its_tag_stands_for(host: Host) {
    let registry = ImageRegistry::start();
    let name = format!("{}/acme/web", registry.host());
    let ci = format!(
        "set -e\nimage={name}:$GIT_SHA\n\
         docker build --quiet --tag $image . && docker push --quiet $image && docker rmi --no-prune $image\n\
         docker pull --quiet $image >/dev/null\n\
         pushed=$(docker image inspect --format '{{{{index .RepoDigests 0}}}}' $image)\n\
         echo $image@${{pushed#*@}} > $KATKIT_ARTIFACTS/katkit-images.txt\n"
    );
    let phases =
        "  { name = \"build\", order = 0 },\n  { name = \"deploy\", order = 1, kind = \"deployment\" },";
    let mut yard = Yard::on(host, "true", phases, "docker-socket = true");
    yard.images.push(name.clone());
    let policy = "[policies.pinned]\ndigest = \"pinned\"\n\n[tenants.dev]\npolicy = \"pinned\"";
    yard.edit("[tenants.dev]", policy);
    yard.change("shop", |repo| {
        repo.ci(&ci).file("Dockerfile", SERVES).description(&format!("{name}:<hubtag>")).commit("second")
    });
    yard.applied();
    let second = yard.serves();
    let runs = |id: &str| yard.inspect(id, r#"{{index .Config.Labels "katkit.image"}} {{.Image}}"#);
    let shown = runs(&second);
    let image = shown.split(' ').next().unwrap();
    let tagged = format!("{name}:{}", yard.sha("second"));
    assert!(image.starts_with(&format!("{tagged}@sha256:")), "{image}");
    assert_eq!(yard.run(["plan", "--detailed-exitcode"]).code, 0);

    // The tag moves, and the engine forgets the image.
    let sha = yard.sha("second").to_owned();
    registry.push("acme/web", &sha, "other");
    yard.docker(&["rm", "--force", &second]);
    yard.docker(&["rmi", "--force", image]);
    yard.applied();
    assert_eq!(runs(&yard.serves()), shown);
    assert_eq!(yard.run(["plan", "--detailed-exitcode"]).code, 0);
    yard.phases_are_gone();
}

/// A container created by hand, with common options; returns its id and the port it serves on.
fn by_hand(yard: &Yard, commit: &str) -> (String, u16) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let image = format!("{}:{}", yard.images[0], yard.sha(commit));
    let (store, published) = (yard.store().replace("label=", ""), format!("127.0.0.1:{port}:80"));
    let name = format!("by-hand-{port}");
    yard.write("katkit.toml", &yard.read("katkit.toml").replace("tenants.dev", &format!("tenants.t{port}")));
    // Under its own tenant: an unclaimed container belongs to any link of its tenant.
    let tenant = format!("katkit.tenant=t{port}");
    let id = yard.docker(&[
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

fn a_container_created_by_hand_keeps_everything_but_its_image(host: Host) {
    let mut yard = Yard::serving(host, SERVES);
    let (old, port) = by_hand(&yard, "first");
    let volume = yard.inspect(&old, "{{range .Mounts}}{{.Name}}{{end}}");
    yard.docker(&["exec", &old, "touch", "/data/kept"]);
    yard.next(&format!("{SERVES}ENV NEW=1\n"), "second");
    yard.applied();
    let new = yard.serves();
    assert_ne!(old, new);
    let format = "{{.Config.Image}} {{.HostConfig.Memory}} {{range .Mounts}}{{.Name}}{{end}}";
    let image = format!("{}:{}", yard.images[0], yard.sha("second"));
    assert_eq!(yard.inspect(&new, format), format!("{image} {} {volume}", 64 << 20));
    let environment = yard.inspect(&new, "{{.Config.Env}}");
    assert!(environment.contains("DATABASE=db") && environment.contains("NEW=1"), "{environment}");
    assert_eq!(yard.docker(&["exec", &new, "ls", "/data"]), "kept");
    eventually("it answers on its port", || answers(port).then_some(()));
}

fn options_set_by_hand_survive_deployments_and_a_rollback(host: Host) {
    let image = |number| format!("{SERVES}LABEL number={number}\nENV NUMBER={number}\nVOLUME /own\n");
    let mut yard = Yard::serving(host, &image(1));
    let network = yard.images[0].replace('/', "-");
    yard.docker(&["network", "create", "--label", &yard.store().replace("label=", ""), &network]);
    let tenant = network.trim_start_matches("katkit-test-").to_owned();
    yard.edit("tenants.dev", &format!("tenants.{tenant}"));
    let labels = ["tenant", "link", "role"].map(|name| {
        let value = match name {
            "tenant" => tenant.as_str(),
            "link" => "shop",
            _ => "web",
        };
        format!("katkit.{name}={value}")
    });
    let store = yard.store().replace("label=", "");
    let mut run = vec!["run", "--detach", "--label", &store];
    for label in &labels {
        run.extend(["--label", label]);
    }
    run.extend(["--env", "DATABASE=db", "--env", "HOME=/data", "--volume", "/data", "--tmpfs", "/scratch"]);
    run.extend(["--network", &network, "--network-alias", "shop", "--add-host", "db:192.0.2.4"]);
    run.extend([
        "--ulimit",
        "nofile=500:600",
        "--ulimit",
        "nproc=2000:2000",
        "--cpus",
        "0.5",
        "--memory",
        "64m",
    ]);
    run.extend(["--pids-limit", "100", "--cap-drop", "MKNOD", "--security-opt", "no-new-privileges"]);
    run.extend(["--user", "0:0", "--restart", "on-failure:3", "--stop-timeout", "3"]);
    let first = format!("{}:{}", yard.images[0], yard.sha("first"));
    run.push(&first);
    yard.docker(&run);
    let chosen = |yard: &Yard| {
        let format = "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}} \
            {{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}} \
            {{.HostConfig.ExtraHosts}} {{.HostConfig.SecurityOpt}} {{.HostConfig.CapDrop}} {{.Config.StopTimeout}} \
            {{.Config.User}} {{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}";
        let serving = yard.serves();
        let of_image = yard.docker(&["exec", &serving, "/bin/sh", "-c", "echo $NUMBER"]);
        let seen = "echo $DATABASE $HOME $(grep -o 'open files.*' /proc/1/limits) $(ls -d /scratch /data /own /data/kept)";
        let within = yard.docker(&["exec", &serving, "/bin/sh", "-c", seen]);
        (of_image, yard.inspect(&serving, format) + &within)
    };
    yard.docker(&["exec", &yard.serves(), "touch", "/data/kept"]);
    let (number, before) = chosen(&yard);
    assert_eq!(number, "1");
    assert!(before.ends_with("db /data open files 500 600 files /data /data/kept /own /scratch"), "{before}");
    for number in ["2", "3"] {
        yard.next(&image(number.parse().unwrap()), number);
        yard.applied();
        assert_eq!(chosen(&yard), (number.to_owned(), before.clone()));
        assert_eq!(yard.run(["plan", "--detailed-exitcode"]).code, 0);
    }
    let rolled = yard.run(["rollback", &format!("{tenant}/shop"), "--apply"]);
    assert_eq!(rolled.code, 0, "{rolled}");
    assert_eq!(chosen(&yard), ("2".to_owned(), before));
    let aliases = yard.inspect(&yard.serves(), "{{range .NetworkSettings.Networks}}{{.Aliases}}{{end}}");
    assert!(aliases.contains("shop"), "{aliases}");
    yard.docker(&["rm", "--force", "--volumes", &yard.serves()]);
    yard.docker(&["network", "rm", &network]);
}

fn a_crashing_image_is_undone_and_the_previous_one_serves_again_on_its_port(host: Host) {
    let mut yard = Yard::serving(host, SERVES);
    let (old, port) = by_hand(&yard, "first");
    yard.next(CRASHES, "second");
    let applied = yard.run(["apply"]);
    assert_eq!(applied.code, 1, "{applied}");
    let said = "rolled back by the platform: the new container of `web` ended with exit code 4: no database";
    assert!(applied.stdout.contains(said), "{applied}");
    assert_eq!(yard.serves(), old);
    eventually("the old one answers again", || answers(port).then_some(()));
}

fn an_image_that_never_becomes_healthy_is_undone_without_stopping_the_old_one(host: Host) {
    let mut yard = Yard::serving(host, &checked("/bin/true"));
    yard.applied();
    let old = yard.serves();
    let started = yard.inspect(&old, "{{.State.StartedAt}}");
    yard.next(&checked("/bin/sh -c 'echo no answer; exit 1'"), "second");
    let applied = yard.run(["apply"]);
    assert_eq!(applied.code, 1, "{applied}");
    assert!(applied.stdout.contains("is unhealthy according to its health check (no answer)"), "{applied}");
    assert_eq!(yard.serves(), old);
    assert_eq!(yard.inspect(&old, "{{.State.StartedAt}}"), started);
}

fn an_undecided_health_check_is_reported_as_stuck(host: Host) {
    let mut yard = Yard::serving(host, &checked("/bin/true"));
    yard.applied();
    let old = yard.serves();
    yard.edit("timeout = \"20s\"", "timeout = \"2s\"");
    yard.next(&checked("/bin/sleep 60").replace("timeout=1s", "timeout=60s"), "second");
    let applied = yard.run(["apply"]);
    assert_eq!(applied.code, 1, "{applied}");
    assert!(applied.stdout.contains("stuck: still waiting for the health check of `web`"), "{applied}");
    assert_eq!(yard.serves(), old);
}

fn an_image_changed_by_hand_is_replaced_by_the_deployed_one(host: Host) {
    let yard = Yard::serving(host, SERVES);
    yard.applied();
    let deployed = yard.serves();
    let labels = yard.inspect(&deployed, "{{range $k, $v := .Config.Labels}}{{$k}}={{$v}}\n{{end}}");
    yard.docker(&["rm", "--force", &deployed]);
    let mut run = vec!["run", "--detach", "--stop-signal", "KILL"];
    for label in labels.lines() {
        run.extend(["--label", label]);
    }
    run.extend([SERVICE, "/bin/httpd", "-f"]);
    yard.docker(&run);
    let plan = yard.run(["plan"]);
    assert!(plan.stdout.contains("repair"), "{plan}");
    yard.applied();
    let image = format!("{}:{}", yard.images[0], yard.sha("first"));
    assert_eq!(yard.inspect(&yard.serves(), "{{.Config.Image}}"), image);
    assert_eq!(yard.run(["plan", "--detailed-exitcode"]).code, 0);
}

fn a_stopped_or_removed_container_is_restored(host: Host) {
    let yard = Yard::serving(host, SERVES);
    yard.applied();
    yard.docker(&["stop", &yard.serves()]);
    yard.applied();
    assert_eq!(yard.inspect(&yard.serves(), "{{.State.Status}}"), "running");
    yard.docker(&["rm", "--force", &yard.serves()]);
    yard.applied();
    assert_eq!(yard.inspect(&yard.serves(), "{{.State.Status}}"), "running");
}

fn a_deployment_whose_process_is_killed_is_finished_or_undone_by_the_next(host: Host) {
    let mut yard = Yard::serving(host, SERVES);
    yard.applied();
    for (commit, wanted) in [("second", "created"), ("third", "running")] {
        yard.next(SERVES, commit);
        let apply = yard.start(["apply"]);
        let sha = yard.sha(commit).to_owned();
        eventually("the new container is there", || {
            let listed =
                yard.docker(&["ps", "--all", "--filter", &yard.store(), "--format", "{{.State}} {{.Image}}"]);
            let seen = listed.lines().find(|line| line.ends_with(&sha))?.split(' ').next()?.to_owned();
            (wanted == "created" || seen == wanted).then_some(())
        });
        apply.kill();
        yard.applied();
        let image = format!("{}:{sha}", yard.images[0]);
        assert_eq!(
            yard.inspect(&yard.serves(), "{{.Config.Image}} {{.State.Status}}"),
            format!("{image} running")
        );
        assert_eq!(yard.run(["plan", "--detailed-exitcode"]).code, 0);
    }
}

fn an_apply_that_slept_through_a_takeover_leaves_the_new_deployment_alone(host: Host) {
    let mut yard = Yard::serving(host, &checked("/bin/true"));
    yard.applied();
    // Its health check takes long.
    yard.next(&format!("{SERVES}HEALTHCHECK --start-period=60s CMD /bin/false\n"), "second");
    let slept = yard.start(["apply"]);
    let second = yard.sha("second").to_owned();
    eventually("the new container runs", || {
        let listed = yard.docker(&["ps", "--filter", &yard.store(), "--format", "{{.Image}}"]);
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
        yard.inspect(&third, "{{.Config.Image}} {{.State.Status}}"),
        format!("{}:{} running", yard.images[0], yard.sha("third"))
    );
    assert_eq!(yard.run(["plan", "--detailed-exitcode"]).code, 0);
}

fn a_missing_image_stops_no_container(host: Host) {
    let mut yard = Yard::serving(host, SERVES);
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

fn only_the_stopped_one_of_two_roles_is_recreated(host: Host) {
    let mut yard = Yard::serving(host, SERVES);
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
    yard.docker(&["stop", &yard.containers("label=katkit.role=worker")[0]]);
    yard.applied();
    assert_eq!(yard.serves(), web);
    let worker = yard.containers("label=katkit.role=worker");
    assert_eq!(worker.len(), 1);
    assert_eq!(yard.inspect(&worker[0], "{{.State.Status}}"), "running");
    assert_eq!(yard.run(["plan", "--detailed-exitcode"]).code, 0);
}
