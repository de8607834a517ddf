//! Where a repository may be, and where not.

use insta::assert_snapshot;

use super::Files;

/// What is said about the `url` of a repository.
fn url(url: &str) -> String {
    Files::new(format!("version = 1\n[repos.shop]\nurl = \"{url}\"\n")).complaints()
}

#[test]
fn a_url_cannot_make_git_run_something() {
    assert_snapshot!(url("--upload-pack=touch /tmp/x"), @r"
    katkit.toml:3: `--upload-pack=touch /tmp/x` would be taken for an option of git
        write a path that begins with a dash as `./-…`
    ");
    assert_snapshot!(url("ext::sh -c touch% /tmp/x"), @r"
    katkit.toml:3: `ext::sh -c touch% /tmp/x` is a transport that can run any program
        use `https://…`, `ssh://…`, `git@host:path` or a path
    ");
    assert_snapshot!(url("ssh://-oProxyCommand=x/y"), @"katkit.toml:3: `ssh://-oProxyCommand=x/y` names no host");
    assert_snapshot!(url("-oProxyCommand=x:y"), @r"
    katkit.toml:3: `-oProxyCommand=x:y` would be taken for an option of git
        write a path that begins with a dash as `./-…`
    ");
    assert_snapshot!(url("git@-oProxyCommand=x:y"), @r"
    katkit.toml:3: `git@-oProxyCommand=x:y` names no host
        write `git@host:path`
    ");
    assert_snapshot!(url("htps://github.com/acme/shop.git"), @"katkit.toml:3: unknown kind of URL `htps`, did you mean `https`?");
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
fn a_url_that_git_understands_is_left_as_it_is() {
    for good in [
        "https://github.com/acme/shop.git",
        "https://user@example.com:8443/shop.git",
        "ssh://git@example.com/shop.git",
        "git@github.com:acme/shop.git",
        "file:///srv/git/shop.git",
        "/srv/git/shop.git",
        "http://127.0.0.1:8080/shop.git",
    ] {
        let loaded = Files::new(format!("version = 1\nrepos.shop.url = '{good}'")).load();
        assert_eq!(loaded.manifest.repos["shop"].url, good);
        assert!(loaded.warnings.is_empty());
    }
    let files = Files::new("version = 1\nrepos.shop.url = 'http://example.com/shop.git'");
    assert_snapshot!(files.text(&files.load().warnings), @r"
      ⚠ `http://` is not encrypted
       ╭─[katkit.toml:2:18]
     1 │ version = 1
     2 │ repos.shop.url = 'http://example.com/shop.git'
       ·                  ──────────────┬──────────────
       ·                                ╰── anyone on the way can change what is deployed
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
     3 │ url = "https://bob:***@example.com/shop.git"
       ·       ───────────────────┬──────────────────
       ·                          ╰── holds a password
     4 │ [tenants.dev]
       ╰────
      help: leave it out, and let a credential helper (`git help credentials`) or
            an ssh key answer; change the password, since it was written down

      × this does not say where the secret is
       ╭─[katkit.toml:5:20]
     4 │ [tenants.dev]
     5 │ secrets = { PASS = *** }
       ·                    ─┬─
       ·                     ╰── no known scheme
       ╰────
      help: write where its value is: `env:NAME`, `file:PATH`,
            `arn:aws:secretsmanager:…` or `arn:aws:ssm:…`; the value itself never
            belongs into a manifest

    2 errors
    "#);
}
