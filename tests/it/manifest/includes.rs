//! A manifest in several files.

use insta::assert_snapshot;

use super::{Files, link};

#[test]
fn each_team_can_own_a_file() {
    let files =
        Files::new("version = 1\ninclude = ['tenants/*.toml']\nrepos.shop.url = '.'\n[tenants.dev]\n")
            .with("tenants/a.toml", "[tenants.dev.links.a]\nrepo = 'shop'\nbranch = 'main'\n")
            .with("tenants/b.toml", "include = ['deep/c.toml']\n")
            .with("tenants/deep/c.toml", "[tenants.dev.links.c]\nrepo = 'shop'\nbranch = 'main'\n")
            .with("tenants/.hidden.toml", "not toml")
            .with("tenants/notes.txt", "not toml");
    let loaded = files.load();
    assert_eq!(loaded.manifest.tenants["dev"].links.len(), 2);
    assert_eq!(loaded.files.len(), 4);
    assert_eq!(loaded.file_of(&link("dev/a")), Some(files.path("tenants/a.toml").as_path()));
    assert_eq!(loaded.file_of(&link("dev/c")), Some(files.path("tenants/deep/c.toml").as_path()));
    assert_eq!(loaded.file_of(&link("dev/x")), None);
}

#[test]
fn duplicate_definitions_are_reported_with_the_first_position() {
    let one =
        "[tenants.dev]\nenvironment = 'DEV'\n[tenants.dev.links.shop]\nrepo = 'shop'\nbranch = 'main'\n";
    let files = Files::new("version = 1\ninclude = ['*/*.toml']\n[repos.shop]\nurl = '.'\n")
        .with("a/x.toml", one)
        .with("b/x.toml", format!("{one}[repos.shop]\nurl = '.'\n[state]\npath = 'x'\n"));
    assert_snapshot!(files.complaints(), @r"
    b/x.toml:1: the tenant `dev` is defined twice
        the first: a/x.toml:1
    b/x.toml:3: the link `dev/shop` is defined twice
        the first: a/x.toml:3
    b/x.toml:6: the repository `shop` is defined twice
        the first: katkit.toml:3
    b/x.toml:8: `[state]` in an included file
    ");
}

#[test]
fn include_cycles_are_reported_with_the_chain() {
    let files = Files::new("version = 1\ninclude = ['a.toml']\n")
        .with("a.toml", "include = ['b/b.toml']\n")
        .with("b/b.toml", "include = ['../*.toml']\n");
    assert_snapshot!(files.complaint(), @r"
      × these files include each other
       ╭─[b/b.toml:1:12]
     1 │ include = ['../*.toml']
       ·            ─────┬─────
       ·                 ╰── leads back
       ╰────
      help: a.toml → b/b.toml → a.toml

      × these files include each other
       ╭─[b/b.toml:1:12]
     1 │ include = ['../*.toml']
       ·            ─────┬─────
       ·                 ╰── leads back
       ╰────
      help: katkit.toml → a.toml → b/b.toml → katkit.toml

    2 errors
    ");
    let itself = Files::new("version = 1\ninclude = ['*.toml']\n");
    assert_snapshot!(itself.complaints(), @r"
    katkit.toml:2: this file includes itself
        katkit.toml → katkit.toml
    ");
}

#[test]
fn a_file_included_twice_is_read_once() {
    let files = Files::new("version = 1\ninclude = ['a.toml', 'b.toml', './c/../c/c.toml']\n")
        .with("a.toml", "include = ['c/c.toml']\n")
        .with("b.toml", "include = ['c/*.toml']\n")
        .with("c/c.toml", "repos.shop.url = '.'\n");
    assert_eq!(files.load().files.len(), 4);
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(files.path("c/c.toml"), files.path("c/d.toml")).unwrap();
        assert_eq!(files.load().files.len(), 4);
    }
}

#[test]
fn an_include_without_a_match_is_reported() {
    let files = Files::new("version = 1\ninclude = ['nothing/*.toml', '[.toml', 3]\n");
    assert_snapshot!(files.complaints(), @r#"
    katkit.toml:2: `nothing/*.toml` matches no file
    katkit.toml:2: `[.toml` cannot be included: unclosed character class; missing ']'
    katkit.toml:2: expected a string, found an integer
        put it in quotes: `"3"`
    "#);
    assert_snapshot!(Files::new("version = 1\ninclude = 'a.toml'\n").complaints(), @r"
    katkit.toml:2: expected an array, found a string
        put it in brackets: `[…]`
    ");
}

#[test]
fn two_stars_match_every_depth() {
    let files = Files::new("version = 1\ninclude = ['t/**/*.toml']\n")
        .with("t/a.toml", "")
        .with("t/u/v/b.toml", "")
        .with("t/u/v/b.txt", "");
    assert_eq!(files.load().files.len(), 3);
}

#[test]
fn only_visible_toml_files_below_the_root_are_included() {
    let files = Files::new(
        "version = 1\ninclude = ['.env', '.github/x.toml', 'notes.txt', 'tenants/*', 'tenants/**', './x/../.env.toml', \
         'links/*.toml', '{.git,t}/config.toml', '../*/nowhere.toml']\n",
    )
    .with(".env", "TOKEN=hunter2\n")
    .with(".env.toml", "TOKEN=hunter2\n")
    .with(".git/config", "hunter2\n")
    .with(".git/config.toml", "hunter2\n")
    .with(".github/x.toml", "hunter2\n")
    .with("notes.txt", "hunter2\n")
    .with("tenants/a.txt", "hunter2\n")
    .with("links/.keep", "");
    let elsewhere = Files::new("hunter2\n");
    for (name, target) in [
        ("env", files.path(".env")),
        ("git", files.path(".git/config.toml")),
        ("notes", files.path("notes.txt")),
        ("out", elsewhere.path("katkit.toml")),
    ] {
        std::os::unix::fs::symlink(target, files.path(&format!("links/{name}.toml"))).unwrap();
    }
    let said = files.complaint();
    assert!(!said.contains("hunter2"), "{said}");
    assert_snapshot!(files.complaints(), @r"
    katkit.toml:2: `.env` cannot be included: it is hidden
        rename it: no part of its path may begin with a dot
    katkit.toml:2: `.github/x.toml` cannot be included: it is hidden
        rename it: no part of its path may begin with a dot
    katkit.toml:2: `notes.txt` cannot be included: its name does not end in `.toml`
        a manifest consists of `.toml` files only
    katkit.toml:2: `tenants/*` cannot be included: its name does not end in `.toml`
        write `tenants/*.toml`
    katkit.toml:2: `tenants/**` cannot be included: its name does not end in `.toml`
        write `tenants/**/*.toml`
    katkit.toml:2: `./x/../.env.toml` cannot be included: it is hidden
        rename it: no part of its path may begin with a dot
    katkit.toml:2: `DIR/links/env.toml` cannot be included: it is hidden
        rename it: no part of its path may begin with a dot
    katkit.toml:2: `DIR/links/git.toml` cannot be included: it is hidden
        rename it: no part of its path may begin with a dot
    katkit.toml:2: `DIR/links/notes.toml` cannot be included: its name does not end in `.toml`
        a manifest consists of `.toml` files only
    katkit.toml:2: `DIR/links/out.toml` cannot be included: it is outside the root file's directory
        move it below the root file's directory
    katkit.toml:2: `{.git,t}/config.toml` matches no file
    katkit.toml:2: `../*/nowhere.toml` matches no file
    ");
}

#[test]
fn a_root_file_that_links_to_something_else_is_not_quoted() {
    let elsewhere = Files::new("[registry]\ntoken = 'hunter2'\nbroken\n").with(".env", "TOKEN=hunter2\n");
    let linked = |target: &str| {
        let files = Files(tempfile::tempdir().unwrap());
        std::os::unix::fs::symlink(elsewhere.path(target), files.path("katkit.toml")).unwrap();
        let said = files.complaint();
        assert!(!said.contains("hunter2"), "{said}");
        said
    };
    assert_snapshot!(linked("katkit.toml"), @r"
      × key with no value, expected `=`
       ╭─[katkit.toml:3:7]
     2 │ ***
     3 │ ***
       ·    ▲
       ·    ╰── not TOML
       ╰────

    1 error
    ");
    let refused = linked(".env");
    let words = refused.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ");
    assert!(words.contains("symbolic link to a file whose name does not end in `.toml`"), "{refused}");
    // A link to a real manifest is still read, as when a deployment links into a directory.
    let files = Files(tempfile::tempdir().unwrap()).with("..data/katkit.toml", "version = 1\n");
    std::os::unix::fs::symlink("..data/katkit.toml", files.path("katkit.toml")).unwrap();
    files.load();
}

#[test]
fn a_dangling_link_is_not_reported_as_a_missing_file() {
    let files = Files::new(
        "version = 1\ninclude = ['tenants/*.toml', 'tenant*/*.toml', 'deep/**/*.toml', 'team-*/*.toml']\n",
    )
    .with("tenants/qa.toml", "tenants.qa.variables = { A = '1' }\n")
    .with("deep/x/there.toml", "")
    .with("team-a/there.toml", "");
    for (target, link) in [
        ("../shared/dev.toml", "tenants/dev.toml"),
        ("../../y.toml", "deep/x/gone.toml"),
        ("shared", "team-b"),
    ] {
        std::os::unix::fs::symlink(target, files.path(link)).unwrap();
    }
    assert_snapshot!(files.complaints(), @r"
    katkit.toml:2: `DIR/tenants/dev.toml` cannot be read: it is a symbolic link that leads nowhere
        restore its target, or remove the link; `git submodule update --init` fetches submodules
    katkit.toml:2: `DIR/tenants/dev.toml` cannot be read: it is a symbolic link that leads nowhere
        restore its target, or remove the link; `git submodule update --init` fetches submodules
    katkit.toml:2: `DIR/deep/x/gone.toml` cannot be read: it is a symbolic link that leads nowhere
        restore its target, or remove the link; `git submodule update --init` fetches submodules
    katkit.toml:2: `DIR/team-b` cannot be read: it is a symbolic link that leads nowhere
        restore its target, or remove the link; `git submodule update --init` fetches submodules
    ");
}
