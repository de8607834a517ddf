//! Valid and invalid repository locations.

use insta::assert_snapshot;

use super::Files;

/// The error for a repository's `url`.
fn url(url: &str) -> String {
    Files::new(format!("version = 1\n[repos.shop]\nurl = \"{url}\"\n")).complaints()
}

#[test]
fn a_url_cannot_make_git_run_a_program() {
    assert_snapshot!(url("--upload-pack=touch /tmp/x"), @r"
    katkit.toml:3: `--upload-pack=touch /tmp/x` would be taken as a git option
        write a path that begins with a dash as `./-…`
    ");
    assert_snapshot!(url("ext::sh -c touch% /tmp/x"), @r"
    katkit.toml:3: `ext::sh -c touch% /tmp/x` is a transport that can run any program
        use `https://…`, `ssh://…`, `git@host:path` or a path
    ");
    assert_snapshot!(url("ssh://-oProxyCommand=x/y"), @"katkit.toml:3: `ssh://-oProxyCommand=x/y` has no host");
    assert_snapshot!(url("-oProxyCommand=x:y"), @r"
    katkit.toml:3: `-oProxyCommand=x:y` would be taken as a git option
        write a path that begins with a dash as `./-…`
    ");
    assert_snapshot!(url("git@-oProxyCommand=x:y"), @r"
    katkit.toml:3: `git@-oProxyCommand=x:y` has no host
        write `git@host:path`
    ");
    assert_snapshot!(url("htps://github.com/acme/shop.git"), @"katkit.toml:3: unknown URL scheme `htps`, did you mean `https`?");
    assert_snapshot!(url("file://shop.git"), @r"
    katkit.toml:3: `file://shop.git` is not an absolute path
        a file URL is absolute: `file:///srv/git/shop.git`; a relative path is written without a scheme
    ");
    assert_snapshot!(url("~/shop"), @r"
    katkit.toml:3: `~/shop` begins with a tilde, which only a shell expands
        write the whole path
    ");
    assert_snapshot!(url(""), @r"
    katkit.toml:3: an empty URL
        `.` is the directory of this file
    ");
}

#[test]
fn a_url_that_git_understands_is_kept_unchanged() {
    for good in [
        "https://github.com/acme/shop.git",
        "https://example.com:8443/shop.git",
        "https://dev.azure.com/acme/web/_git/shop",
        "https://[::1]:8443/shop.git",
        "https://example.com/a@b/shop.git",
        "ssh://git@example.com/shop.git",
        "git+ssh://git@example.com:22/shop.git",
        "git@github.com:acme/shop.git",
        "file:///srv/git/shop.git",
        "/srv/git/shop.git",
        "http://127.0.0.1:8080/shop.git",
    ] {
        let loaded = Files::new(format!("version = 1\nrepos.shop.url = '{good}'")).load();
        assert_eq!(loaded.manifest.repos["shop"].url, good);
        assert!(loaded.warnings.is_empty());
    }
    for remote in ["http://127.evil.example/shop.git", "http://localhost.evil.example/shop.git"] {
        let loaded = Files::new(format!("version = 1\nrepos.shop.url = '{remote}'")).load();
        assert_eq!(loaded.warnings.items.len(), 1, "{remote}");
    }
    let files = Files::new("version = 1\nrepos.shop.url = 'http://example.com/shop.git'");
    assert_snapshot!(files.text(&files.load().warnings), @r"
      ⚠ `http://` is not encrypted
       ╭─[katkit.toml:2:18]
     1 │ version = 1
     2 │ repos.shop.url = 'http://example.com/shop.git'
       ·                  ──────────────┬──────────────
       ·                                ╰── anyone on the network path can change what is deployed
       ╰────
      help: use `https://` or `ssh://`

    1 warning
    ");
}

#[test]
fn a_password_or_a_secret_in_a_manifest_is_refused_and_not_shown() {
    let files = Files::new(
        "version = 1\n[repos.shop]\nurl = \"https://bob:sekrit@example.com/shop.git\"\n[tenants.dev]\n\
         secrets = { PASS = \"hunter2\" }\n",
    );
    let said = files.complaint();
    assert!(!said.contains("sekrit") && !said.contains("hunter2"), "{said}");
    assert_snapshot!(said, @r#"
      × a password in a URL
       ╭─[katkit.toml:3:7]
     2 │ [repos.shop]
     3 │ url = "https://***@example.com/shop.git"
       ·       ─────────────────┬────────────────
       ·                        ╰── contains a password
     4 │ [tenants.dev]
       ╰────
      help: leave it out, and use a credential helper (`git help credentials`),
            `GIT_ASKPASS` or an ssh key; change the password, since it was written
            down

      × this does not say where the secret is
       ╭─[katkit.toml:5:20]
     4 │ [tenants.dev]
     5 │ secrets = { PASS = *** }
       ·                    ─┬─
       ·                     ╰── no known scheme
       ╰────
      help: write where its value is: `env:NAME`, `file:PATH`,
            `arn:aws:secretsmanager:…` or `arn:aws:ssm:…`; the value itself never
            belongs in a manifest

    2 errors
    "#);
}

/// The error for a URL with this secret; checks that the secret is not in it.
fn without(secret: &str, url: &str) -> String {
    let files = Files::new(format!("version = 1\n[repos.shop]\nurl = \"{url}\"\n"));
    let said = files.complaint();
    assert!(!said.contains(secret), "{said}");
    files.complaints()
}

#[test]
fn a_user_name_is_refused_where_the_host_would_take_it_for_a_token() {
    assert_snapshot!(Files::new("version = 1\nrepos.shop.url = 'https://ghp_t0ken@github.com/acme/shop'").complaint(), @r"
      × a user name in a URL
       ╭─[katkit.toml:2:18]
     1 │ version = 1
     2 │ repos.shop.url = 'https://***@github.com/acme/shop'
       ·                  ─────────────────┬────────────────
       ·                                   ╰── contains a user name or a token
       ╰────
      help: leave it out, and use a credential helper (`git help credentials`),
            `GIT_ASKPASS` or an ssh key; if it is a token, revoke it, since it was
            written down; the URLs that Azure DevOps and Bitbucket show work
            without their user name

    1 error
    ");
    for url in [
        "https://ghp_t0ken@github.com/acme/shop",
        "HTTPS://ghp_t0ken@github.com/acme/shop",
        "http://ghp_t0ken@127.0.0.1/shop",
        "git://ghp_t0ken@github.com/acme/shop",
        "htps://ghp_t0ken@github.com/acme/shop",
        "ext::https://ghp_t0ken@github.com/acme/shop",
        "https://acme@dev.azure.com/acme/web/_git/shop",
    ] {
        let secret = if url.contains("azure") { "acme@" } else { "ghp_t0ken" };
        assert!(without(secret, url).starts_with("katkit.toml:3: a user name in a URL"), "{url}");
    }
    for url in [
        "https://oauth2:ghp_t0ken@gitlab.com/acme/shop",
        "https://ghp_t0ken:x-oauth-basic@github.com/acme/shop",
        "https://:ghp_t0ken@github.com/acme/shop",
        "https://bob:half/ghp_t0ken@github.com/acme/shop",
        "ssh://git:ghp_t0ken@github.com/acme/shop",
        "git+ssh://git:ghp_t0ken@github.com/acme/shop",
        "bob:ghp_t0ken@github.com:acme/shop",
        "bob:ghp_t0ken@github.com/acme/shop",
    ] {
        assert!(without("ghp_t0ken", url).starts_with("katkit.toml:3: a password in a URL"), "{url}");
    }
    let queried = without("ghp_t0ken", "https://gitlab.com/acme/shop.git?private_token=ghp_t0ken");
    assert!(queried.starts_with("katkit.toml:3: a query in a URL"), "{queried}");
}

#[test]
fn credentials_in_other_urls_of_a_manifest_are_refused_too() {
    let files = Files::new(
        "version = 1\nstate = { backend = 'dynamodb', table = 't', endpoint = 'http://me:hunter2@localhost:8000' }\n\
         blobs = { url = 's3://me:hunter2@bucket/x', endpoint = 'http://hunter2@localhost:9000' }\n\
         [fleets.docker]\nkind = 'docker'\nhost = 'tcp://me:hunter2@10.0.0.1:2375'\n\
         [tenants.dev]\nplatform = { kind = 'docker', host = 'tcp://hunter2@10.0.0.1:2375' }\n\
         [tenants.prod]\nplatform = { kind = 'ecs', cluster = 'c', endpoint = 'https://localhost/?key=hunter2' }\n",
    );
    let said = files.complaint();
    assert!(!said.contains("hunter2"), "{said}");
    assert_snapshot!(files.complaints(), @r"
    katkit.toml:2: a password in a URL
        leave it out, and use AWS credentials from the environment or a profile; change the password, since it was written down
    katkit.toml:3: a password in a URL
        leave it out, and use AWS credentials from the environment or a profile; change the password, since it was written down
    katkit.toml:6: a password in a URL
        leave it out, and reach the engine through a socket, or a tunnel that authenticates; change the password, since it was written down
    katkit.toml:8: a user name in a URL
        leave it out, and reach the engine through a socket, or a tunnel that authenticates; if it is a token, revoke it, since it was written down
    katkit.toml:10: a query in a URL
        leave it out, and use AWS credentials from the environment or a profile; if it holds a token, revoke it
    ");
}

#[test]
fn credentials_are_never_shown_in_quoted_lines() {
    let files = Files::new(
        "version = 1\n# https://hunter2@github.com/acme/shop\nurls = 'ssh://git:hunter2@github.com/a'\n",
    );
    assert_snapshot!(files.complaint(), @"
      × unknown key `urls`
       ╭─[katkit.toml:3:1]
     2 │ # https://***@github.com/acme/shop
     3 │ urls = 'ssh://git:***@github.com/a'
       · ──┬─
       ·   ╰── not a key of a manifest
       ╰────
      help: the keys of a manifest are `version`, `include`, `state`, `blobs`,
            `cache`, `repos`, `workflows`, `fleets`, `policies`, `calendars`,
            `people`, `access`, `audit`, `pipelines`, `templates`, `tenants` and
            `moved`

    1 error
    ");
    let broken = Files::new("version = 1\nrepos.shop.url = https://bob:hunter2@github.com/acme/shop\n");
    assert_snapshot!(broken.complaint(), @r"
      × string values must be quoted, expected literal string
       ╭─[katkit.toml:2:18]
     1 │ version = 1
     2 │ repos.shop.url = ***
       ·                  ─┬─
       ·                   ╰── not TOML
       ╰────

    1 error
    ");
    // However many there are.
    let many = Files::new(format!("version = 1\n{}", "a = 'x://u@h x://u@h'\n".repeat(100_000)));
    let began = std::time::Instant::now();
    assert!(!many.complaint().contains("u@"));
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
}
