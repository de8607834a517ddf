//! Commits that no work tree can hold, or that exceed the limits of a pack.

use std::fs;

use insta::assert_snapshot;

use crate::world::World;

const FILE: i32 = 0o10_0644;
const FOLDER: i32 = 0o04_0000;

/// A tree of one entry.
fn tree(repository: &git2::Repository, name: &str, of: git2::Oid, mode: i32) -> git2::Oid {
    let mut tree = repository.treebuilder(None).unwrap();
    tree.insert(name, of, mode).unwrap();
    tree.write().unwrap()
}

/// Nested folders, `levels` deep, with a file in the innermost.
fn nested(world: &mut World, levels: usize, folder: &str, file: &str) {
    world.change("shop", |repo| {
        repo.commit_tree("second", |repository, root| {
            let blob = repository.blob(b"x").unwrap();
            let mut below = tree(repository, file, blob, FILE);
            for _ in 1..levels {
                below = tree(repository, folder, below, FOLDER);
            }
            root.insert(folder, below, FOLDER).unwrap();
        })
    });
}

/// A file that claims `size` bytes and has none: only its header can be read.
fn pretends(repository: &git2::Repository, size: u64) -> git2::Oid {
    let header = format!("blob {size}\0").into_bytes();
    let (a, b) = header.iter().fold((1_u32, 0_u32), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65521;
        (a, (a + b) % 65521)
    });
    let length = u16::try_from(header.len()).unwrap();
    // One stored block (RFC 1951) in a zlib stream (RFC 1950).
    let mut stream = vec![0x78, 0x01, 0x01];
    stream.extend(length.to_le_bytes());
    stream.extend((!length).to_le_bytes());
    stream.extend(header);
    stream.extend((b << 16 | a).to_be_bytes());
    let id = format!("{size:040x}");
    let folder = repository.path().join("objects").join(&id[..2]);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(&id[2..]), stream).unwrap();
    git2::Oid::from_str(&id).unwrap()
}

fn is_refused(world: &World) -> String {
    let planned = world.run(["plan"]);
    assert_eq!(planned.code, 1, "{planned}");
    assert_eq!(world.run(["apply"]).code, 1);
    assert_eq!(world.ran(), "");
    planned.stdout
}

#[test]
fn a_tree_that_lists_one_tree_ten_times_per_level_is_counted_and_refused() {
    let mut world = World::shop();
    world.change("shop", |repo| {
        repo.commit_tree("second", |repository, root| {
            let (mut below, mut mode) = (repository.blob(b"x").unwrap(), FILE);
            for _ in 0..10 {
                let mut tree = repository.treebuilder(None).unwrap();
                for name in 0..10 {
                    tree.insert(name.to_string(), below, mode).unwrap();
                }
                (below, mode) = (tree.write().unwrap(), FOLDER);
            }
            root.insert("bomb", below, mode).unwrap();
        })
    });
    assert_snapshot!(is_refused(&world), @r"
    dev/shop  → <second>
      ! error: commit <second> cannot be checked out: it has 11111111114 files and folders; the limit is 5000000

    Plan: nothing to change, 1 could not be planned, 0 up to date.
    ");
    let why = world.run(["why", "dev/shop"]);
    assert!(why.stdout.contains("it has 11111111114 files and folders"), "{why}");
}

#[test]
fn a_name_that_no_file_system_accepts_is_refused() {
    let mut world = World::shop();
    nested(&mut world, 1, "web", &"n".repeat(300));
    assert_snapshot!(is_refused(&world), @r"
    dev/shop  → <second>
      ! error: commit <second> cannot be checked out: `web/nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn…nnnnnnnnnnnnnnnnnnnn` ends in a name of 300 bytes; Linux allows 255

    Plan: nothing to change, 1 could not be planned, 0 up to date.
    ");
}

#[test]
fn a_path_that_linux_does_not_accept_is_refused() {
    let mut world = World::shop();
    nested(&mut world, 25, &"f".repeat(200), "file");
    assert_snapshot!(is_refused(&world), @r"
    dev/shop  → <second>
      ! error: commit <second> cannot be checked out: `ffffffffffffffffffffffffffffffffffffffff…fffffffffffffff/file` has 5029 bytes; Linux allows 4095

    Plan: nothing to change, 1 could not be planned, 0 up to date.
    ");
}

#[test]
fn thousands_of_nested_folders_are_refused() {
    let mut world = World::shop();
    nested(&mut world, 3000, "f", "file");
    assert_snapshot!(is_refused(&world), @r"
    dev/shop  → <second>
      ! error: commit <second> cannot be checked out: `f/f/f/f/f/f/f/f/f/f/f/f/f/f/f/f/f/f/f/f/…/f/f/f/f/f/f/f/f/f/f` is more than 2047 folders deep

    Plan: nothing to change, 1 could not be planned, 0 up to date.
    ");
}

/// Short enough on its own, too long below the checkout's directory. A retry would fail the same way.
#[test]
fn a_path_too_long_for_the_checkout_fails_the_phase_once() {
    let mut world = World::shop();
    nested(&mut world, 20, &"f".repeat(200), &"n".repeat(60));
    let applied = world.run(["apply"]);
    assert_eq!(applied.code, 1, "{applied}");
    let (_, ended) = applied.stdout.split_once("`build` failed for <second> (attempt 1): ").unwrap();
    assert!(ended.starts_with("commit <second> cannot be checked out: "), "{ended}");
    assert!(ended.contains("too long") && ended.len() < 1000, "{ended}");
    world.nothing_is_left();
}

#[test]
fn a_file_too_large_for_a_pack_is_named() {
    let mut world = World::shop();
    world.change("shop", |repo| {
        repo.commit_tree("second", |repository, root| {
            root.insert("disk.img", pretends(repository, (1 << 30) + 1), FILE).unwrap();
        })
    });
    assert_snapshot!(is_refused(&world), @r#"
    dev/shop  → <second>
      ! error: the commit has files of more than 1 GiB (disk.img), which a packed checkout cannot carry
          hint: set `checkout = "clone"` on the phases, which clones inside them

    Plan: nothing to change, 1 could not be planned, 0 up to date.
    "#);
    // A clone has git write it, without holding it in memory.
    world.edit("order = 0 }", "order = 0, checkout = \"clone\" }");
    assert_eq!(world.run(["plan"]).code, 0);
}

#[test]
fn attributes_too_large_for_git_are_not_read() {
    let mut world = World::shop();
    world.change("shop", |repo| {
        repo.commit_tree("second", |repository, root| {
            let folder = tree(repository, ".gitattributes", pretends(repository, 200_000_000), FILE);
            root.insert("folder", folder, FOLDER).unwrap();
        })
    });
    let planned = world.run(["plan"]);
    assert_eq!(planned.code, 0, "{planned}");
}

#[test]
fn duplicate_entries_in_a_tree_are_refused_when_planned() {
    let mut world = World::shop().applied();
    world.change("shop", |repo| {
        repo.commit_tree("second", |repository, root| {
            let blob = repository.blob(b"x").unwrap();
            let below = tree(repository, "file", blob, FILE);
            let sound = {
                root.insert("sub", below, FOLDER).unwrap();
                root.write().unwrap()
            };
            // libgit2 writes no such tree; an attacker does.
            let mut raw = repository.odb().unwrap().read(sound).unwrap().data().to_vec();
            let at = raw.windows(9).position(|part| part == b"40000 sub").unwrap();
            raw.splice(at..at, [b"100644 sub\0".as_slice(), blob.as_bytes()].concat());
            let twice = repository.odb().unwrap().write(git2::ObjectType::Tree, &raw).unwrap();
            root.clear().unwrap();
            root.insert("twice", twice, FOLDER).unwrap();
        })
    });
    let refused = world.run(["plan"]);
    assert!(refused.stdout.contains("two files or folders called `sub` in one folder"), "{refused}");
}

#[test]
fn a_commit_with_a_message_of_more_than_a_megabyte_is_refused_when_planned() {
    let mut world = World::shop();
    world.write("message", &"x".repeat(1_100_000));
    let message = world.path("message");
    world.change("shop", |repo| {
        repo.git(&["commit", "--quiet", "--allow-empty", "-F", message.to_str().unwrap()])
    });
    let said = is_refused(&world);
    assert!(said.contains(" bytes; the limit is 1048576"), "{said}");
    assert!(said.contains("hint: find out who wrote such a large message"), "{said}");
    // It does not block its descendants.
    world.change("shop", |repo| repo.commit("third"));
    let planned = world.run(["plan"]);
    assert_eq!(planned.code, 0, "{planned}");
}
