//! Builds the documentation as a book, and fails unless every link in it leads somewhere.
//!
//! `cargo run --manifest-path tests/book/Cargo.toml` writes it to `target/book`. Links to other sites are not followed: the
//! check needs no network.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use mdbook_driver::MDBook;
use pulldown_cmark::{Event, Options, Parser, Tag};
use regex::Regex;

/// What every fallible step fails with: the program is for people who read its message.
type Anything = Box<dyn std::error::Error>;

fn main() -> Result<ExitCode, Anything> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let output = env::args_os().nth(1).map_or_else(|| root.join("target/book"), PathBuf::from);
    build(&root, &output)?;
    let mut wrong = dead_links(&root, &output)?;
    wrong.extend(unlisted_pages(&root)?);
    for line in &wrong {
        eprintln!("{line}");
    }
    Ok(if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn build(root: &Path, output: &Path) -> Result<(), Anything> {
    let mut book = MDBook::load(root.join("docs"))?;
    output.clone_into(&mut book.config.build.build_dir);
    Ok(book.build()?)
}

/// The links that lead nowhere: in the book to a page or a headline of it, in the files at the top also to other files.
fn dead_links(root: &Path, output: &Path) -> Result<Vec<String>, Anything> {
    let mut wrong = Vec::new();
    let mut headlines = BTreeMap::new();
    let mut pages = pages(root)?;
    pages.extend(["README.md", "CHANGELOG.md", "benches/README.md"].map(PathBuf::from));
    for page in &pages {
        let directory = page.parent().unwrap_or(Path::new(""));
        for link in links(&fs::read_to_string(root.join(page))?) {
            let (path, headline) = link.split_once('#').unwrap_or((&link, ""));
            let target = if path.is_empty() { page.clone() } else { normal(&directory.join(path)) };
            let is_page = target.starts_with("docs") && target.extension().is_some_and(|end| end == "md");
            if !root.join(&target).is_file() || (page.starts_with("docs") && !target.starts_with("docs")) {
                wrong.push(format!("{}: `{link}` is no page of the book", page.display()));
            } else if is_page && !headline.is_empty() {
                let html = output.join(target.strip_prefix("docs")?).with_extension("html");
                if !headlines.contains_key(&html) {
                    headlines.insert(html.clone(), ids(&html)?);
                }
                if !headlines[&html].contains(headline) {
                    wrong.push(format!("{}: `{link}` names no headline of that page", page.display()));
                }
            }
        }
    }
    Ok(wrong)
}

/// The pages that the table of contents leaves out.
fn unlisted_pages(root: &Path) -> Result<Vec<String>, Anything> {
    let summary = Path::new("docs/SUMMARY.md");
    let listed: BTreeSet<_> = links(&fs::read_to_string(root.join(summary))?)
        .iter()
        .map(|link| Path::new("docs").join(link))
        .collect();
    let unlisted = pages(root)?.into_iter().filter(|page| page != summary && !listed.contains(page));
    Ok(unlisted.map(|page| format!("{}: not in docs/SUMMARY.md", page.display())).collect())
}

/// The Markdown files of the book.
fn pages(root: &Path) -> Result<Vec<PathBuf>, Anything> {
    let mut pages = Vec::new();
    for entry in fs::read_dir(root.join("docs"))? {
        let name = PathBuf::from(entry?.file_name());
        if name.extension().is_some_and(|end| end == "md") {
            pages.push(Path::new("docs").join(name));
        }
    }
    pages.sort();
    Ok(pages)
}

/// The targets of the links and images of a page, other sites left out.
fn links(markdown: &str) -> Vec<String> {
    let mut links = Vec::new();
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        if let Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) = event
            && !dest_url.contains("://")
        {
            links.push(dest_url.into_string());
        }
    }
    links
}

/// The anchors of a rendered page.
fn ids(html: &Path) -> Result<BTreeSet<String>, Anything> {
    let text = fs::read_to_string(html).map_err(|error| format!("{}: {error}", html.display()))?;
    Ok(Regex::new("\\bid=\"([^\"]+)\"")?.captures_iter(&text).map(|found| found[1].to_owned()).collect())
}

/// `a/../b` as `b`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => drop(normal.pop()),
            part => normal.push(part),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dead_links_and_unlisted_pages_are_found() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        fs::create_dir_all(root.join("docs")).unwrap();
        fs::create_dir_all(root.join("benches")).unwrap();
        for (name, text) in [
            ("docs/book.toml", "[book]\nsrc = \".\"\n"),
            ("docs/SUMMARY.md", "# T\n\n- [A](a.md)\n"),
            (
                "docs/a.md",
                "# A\n\n[1](#a) [2](#no) [3](b.md) [4](no.md) [5](../README.md) [6](https://example.com)\n",
            ),
            ("docs/b.md", "# B\n"),
            ("README.md", "[1](docs/a.md#a) [2](docs/a.md#b) [3](no)\n"),
            ("CHANGELOG.md", ""),
            ("benches/README.md", "[1](../README.md)\n"),
        ] {
            fs::write(root.join(name), text).unwrap();
        }
        let output = root.join("out");
        build(root, &output).unwrap();
        assert_eq!(
            dead_links(root, &output).unwrap(),
            [
                "docs/a.md: `#no` names no headline of that page",
                "docs/a.md: `no.md` is no page of the book",
                "docs/a.md: `../README.md` is no page of the book",
                "README.md: `docs/a.md#b` names no headline of that page",
                "README.md: `no` is no page of the book",
            ]
        );
        assert_eq!(unlisted_pages(root).unwrap(), ["docs/b.md: not in docs/SUMMARY.md"]);
    }
}
