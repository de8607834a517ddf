//! Manifests of pull requests that try to print the checkout's own files.

use insta::assert_snapshot;

use crate::git_servers::git;
use crate::world::{ONE_LINK, Output, World};

const PHASES: &str = "\n[workflows.standard]\nphases = [{ name = \"build\", order = 0 }]\n";

/// A checkout of a repository whose manifest begins with `first`, with credentials that were never committed.
fn checkout(first: &str, name: &str, text: &str) -> World {
    let manifest = format!("{}{PHASES}", ONE_LINK.replace("version = 1", &format!("version = 1\n{first}")));
    let world = World::new().repo("shop", |repo| repo.ci("true").commit("first")).manifest(&manifest);
    world.write(".gitignore", "/repos\n/out\n/home\n.env\nlocal.toml\n");
    world.write(name, text);
    let root = world.path(".");
    git(&root, &["init", "--quiet"]);
    git(&root, &["remote", "add", "origin", "https://hunter2@127.0.0.1:9/acme/shop"]);
    git(&root, &["add", "--all"]);
    git(&root, &["commit", "--quiet", "-m", "first"]);
    world.write(".env", "TOKEN = 'hunter2'\nhunter2\n");
    world.write("local.toml", "token = 'hunter2'\nhunter2\n");
    world
}

/// The output of every command that reads the manifest: always the same, and never the credentials.
fn output_of_all(world: &World) -> Output {
    for command in ["plan", "apply", "status"] {
        let said = world.run([command]);
        assert_eq!(said.code, 1, "{said}");
        assert!(!said.to_string().contains("hunter2"), "{said}");
    }
    let json = world.run(["validate", "--format", "json"]);
    assert!(!json.to_string().contains("hunter2"), "{json}");
    let said = world.run(["validate"]);
    assert!(!said.to_string().contains("hunter2"), "{said}");
    said
}

/// Whether the output contains a sentence, however it was wrapped.
fn says(said: &Output, sentence: &str) -> bool {
    let words = said.stderr.split_whitespace().filter(|word| *word != "│");
    words.collect::<Vec<_>>().join(" ").contains(sentence)
}

#[test]
fn an_include_does_not_print_git_configuration_or_ignored_files() {
    let world = checkout("include = [\".git/config\", \".env\", \"local.toml\"]", "README", "");
    assert_snapshot!(output_of_all(&world), @r#"
    ----- stderr -----
      × `.git/config` cannot be included: it is hidden
       ╭─[katkit.toml:2:12]
     1 │ version = 1
     2 │ include = [".git/config", ".env", "local.toml"]
       ·            ─────────────
       ╰────
      help: rename it: no part of its path may begin with a dot

      × `.env` cannot be included: it is hidden
       ╭─[katkit.toml:2:27]
     1 │ version = 1
     2 │ include = [".git/config", ".env", "local.toml"]
       ·                           ──────
       ╰────
      help: rename it: no part of its path may begin with a dot

      × `<world>/local.toml` cannot be included: git does not track it
       ╭─[katkit.toml:2:35]
     1 │ version = 1
     2 │ include = [".git/config", ".env", "local.toml"]
       ·                                   ────────────
       ╰────
      help: `git add local.toml` if it belongs to the manifest

    3 errors
    ----- exit 1
    "#);
}

#[test]
fn a_tracked_symlink_leads_only_to_tracked_files() {
    let world = checkout("include = [\"tenants/*.toml\"]", "tenants/a.toml", "[tenants.prod]\n");
    assert_eq!(world.run(["validate"]).code, 0);
    std::os::unix::fs::symlink("../local.toml", world.path("tenants/b.toml")).unwrap();
    git(&world.path("."), &["add", "tenants"]);
    assert_snapshot!(output_of_all(&world), @r#"
    ----- stderr -----
      × `<world>/tenants/b.toml` cannot be included: git tracks the
      │ symbolic link but not its target
       ╭─[katkit.toml:2:12]
     1 │ version = 1
     2 │ include = ["tenants/*.toml"]
       ·            ────────────────
       ╰────
      help: replace the link with the file, or add its target to git

    1 error
    ----- exit 1
    "#);
}

#[test]
fn a_root_file_that_is_a_symlink_is_not_followed_to_untracked_files() {
    for target in ["local.toml", ".env", "home/credentials.toml", ".git/config"] {
        let world = checkout("", "README", "");
        world.write("home/credentials.toml", "[registry]\ntoken = 'hunter2'\n");
        std::fs::remove_file(world.path("katkit.toml")).unwrap();
        std::os::unix::fs::symlink(target, world.path("katkit.toml")).unwrap();
        git(&world.path("."), &["add", "katkit.toml"]);
        let said = output_of_all(&world);
        assert!(says(&said, "symbolic link"), "{said}");
        // In a directory of the checkout as well, and through a link to a directory.
        let link = world.path("deploy");
        std::os::unix::fs::symlink(".", &link).unwrap();
        git(&world.path("."), &["add", "deploy"]);
        let said = world.run(["validate", "--manifest", "deploy/katkit.toml"]);
        assert_eq!(said.code, 1, "{said}");
        assert!(!said.to_string().contains("hunter2"), "{said}");
    }
    let world = checkout("", "katkit-prod.toml", "version = 1\n");
    std::fs::remove_file(world.path("katkit.toml")).unwrap();
    std::os::unix::fs::symlink("katkit-prod.toml", world.path("katkit.toml")).unwrap();
    git(&world.path("."), &["add", "katkit.toml"]);
    assert_eq!(world.run(["validate"]).code, 0);
}

#[test]
fn a_new_file_is_included_once_it_is_added() {
    let world = checkout("include = [\"tenants/*.toml\"]", "tenants/a.toml", "[tenants.prod]\n");
    world.write("tenants/b.toml", "[tenants.test]\n");
    assert_snapshot!(world.run(["validate"]), @r#"
    ----- stderr -----
      × `<world>/tenants/b.toml` cannot be included: git does not track it
       ╭─[katkit.toml:2:12]
     1 │ version = 1
     2 │ include = ["tenants/*.toml"]
       ·            ────────────────
       ╰────
      help: `git add tenants/b.toml` if it belongs to the manifest

    1 error
    ----- exit 1
    "#);
    git(&world.path("."), &["add", "tenants/b.toml"]);
    assert_eq!(world.run(["validate"]).code, 0);
    // The same in a linked work tree.
    git(&world.path("."), &["commit", "--quiet", "-m", "second"]);
    git(&world.path("."), &["worktree", "add", "--quiet", "out/linked"]);
    assert_eq!(world.run(["validate", "--manifest", "out/linked/katkit.toml"]).code, 0);
    world.write("out/linked/tenants/c.toml", "[tenants.more]\n");
    assert_eq!(world.run(["validate", "--manifest", "out/linked/katkit.toml"]).code, 1);
}

#[test]
fn an_uncommitted_manifest_may_include_anything() {
    let world = checkout("", "tenants/a.toml", "[tenants.prod]\n");
    git(&world.path("."), &["rm", "--quiet", "--cached", "katkit.toml"]);
    world.write("tenants/b.toml", "[tenants.test]\n");
    world.edit("version = 1\n", "version = 1\ninclude = [\"tenants/*.toml\"]\n");
    assert_eq!(world.run(["validate"]).code, 0);
    // A file that came with the checkout may not, no matter who includes it.
    world.write("tenants/a.toml", "include = [\"../local.toml\"]\n[tenants.prod]\n");
    let said = output_of_all(&world);
    assert!(says(&said, "git does not track it"), "{said}");
}

#[test]
fn an_unreadable_index_hides_nothing() {
    let world = checkout("include = [\"tenants/*.toml\"]", "tenants/a.toml", "[tenants.prod]\n");
    git(&world.path("."), &["update-index", "--split-index"]);
    assert_snapshot!(output_of_all(&world), @r#"
    ----- stderr -----
      × `tenants/*.toml` cannot be included: cannot tell which files git tracks:
      │ unsupported mandatory extension: 'link'
       ╭─[katkit.toml:2:12]
     1 │ version = 1
     2 │ include = ["tenants/*.toml"]
       ·            ────────────────
       ╰────
      help: rewrite the index in its usual form: `git sparse-checkout init
            --no-sparse-index`, `git update-index --no-split-index`

    1 error
    ----- exit 1
    "#);
}

#[test]
fn init_does_not_follow_a_katkitconfig_that_is_a_symlink() {
    let world =
        World::new().repo("shop", |repo| repo.symlink("katkitconfig.js", "../../secret").commit("first"));
    world.write("secret", "hunter2\n");
    assert_snapshot!(world.run(["init", "repos/shop"]), @r"
    ----- stderr -----
    error: repos/shop/katkitconfig.js is a symbolic link, which is not followed
     hint: replace it with the file itself
    ----- exit 1
    ");
}
