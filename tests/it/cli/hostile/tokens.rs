//! Credentials in repository URLs: refused, and never shown.

use insta::assert_snapshot;

use crate::git_servers::git;
use crate::world::World;

#[test]
fn a_token_in_a_url_reaches_no_process_no_file_and_no_output() {
    let world = World::shop();
    world.edit("\"repos/shop\"", "\"https://ghp_t0ken@127.0.0.1:9/acme/shop\"");
    // A `git` that would reveal its arguments.
    world.write("bin/git", "#!/bin/sh\necho \"$@\" >> @OUT@/git\nexit 1\n");
    for command in ["validate", "plan", "apply", "status", "doctor"] {
        let said = world.shell(&format!("chmod +x bin/git; PATH=$PWD/bin:$PATH katkit -vv {command}"));
        assert_eq!(said.code, 1, "{said}");
        assert!(!said.to_string().contains("ghp_t0ken"), "{said}");
    }
    assert!(!world.path("out/git").exists());
    assert!(!world.path(".katkit").exists());
    assert_snapshot!(world.run(["validate"]), @r#"
    ----- stderr -----
      × a user name in a URL
       ╭─[katkit.toml:4:7]
     3 │ [repos.shop]
     4 │ url = "https://***@127.0.0.1:9/acme/shop"
       ·       ─────────────────┬─────────────────
       ·                        ╰── contains a user name or a token
       ╰────
      help: leave it out, and use a credential helper (`git help credentials`),
            `GIT_ASKPASS` or an ssh key; if it is a token, revoke it, since it was
            written down; the URLs that Azure DevOps and Bitbucket show work
            without their user name

    1 error
    ----- exit 1
    "#);
}

#[test]
fn init_does_not_write_the_token_of_the_repository_it_runs_in() {
    const CONFIG: &str =
        r#"[{ "EnvName": "default", "WorkFlow": [{ "Name": "BUILD", "PhaseType": 4, "Order": 0 }] }]"#;
    for config in ["", CONFIG] {
        let world = World::new().repo("shop", |repo| {
            let repo = repo.file("README", "x").commit("first");
            if config.is_empty() { repo } else { repo.file("katkitconfig.js", config) }
        });
        let shop = world.path("repos/shop");
        git(&shop, &["remote", "add", "origin", "https://ghp_t0ken@github.com/acme/shop"]);
        let said = world.run(["init", "repos/shop"]);
        assert_eq!(said.code, 0, "{said}");
        assert!(!said.to_string().contains("ghp_t0ken"), "{said}");
        let written = world.read("repos/shop/katkit.toml");
        assert!(!written.contains("ghp_t0ken"), "{written}");
        assert_eq!(world.run(["validate", "--manifest", "repos/shop/katkit.toml"]).code, 0);
    }
}
