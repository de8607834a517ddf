//! A manifest of several files.

use insta::assert_snapshot;

use super::{Files, link};

#[test]
fn teams_own_files_of_their_own() {
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
fn what_is_defined_twice_is_reported_with_the_first_place() {
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
fn files_that_include_each_other_are_reported_with_the_chain() {
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
fn a_file_that_is_included_twice_is_read_once() {
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
fn an_include_that_leads_nowhere_is_reported() {
    let files = Files::new("version = 1\ninclude = ['nothing/*.toml', '[', 3]\n");
    assert_snapshot!(files.complaints(), @r#"
    katkit.toml:2: `nothing/*.toml` matches no file
    katkit.toml:2: `[` cannot be included: unclosed character class; missing ']'
    katkit.toml:2: expected a text, found an integer
        put it between quotes: `"3"`
    "#);
    assert_snapshot!(Files::new("version = 1\ninclude = 'a.toml'\n").complaints(), @r"
    katkit.toml:2: expected an array, found a text
        put it between brackets: `[…]`
    ");
}

#[test]
fn two_stars_reach_every_depth() {
    let files = Files::new("version = 1\ninclude = ['t/**/*.toml']\n")
        .with("t/a.toml", "")
        .with("t/u/v/b.toml", "")
        .with("t/u/v/b.txt", "");
    assert_eq!(files.load().files.len(), 3);
}
