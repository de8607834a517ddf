//! The links of a manifest with their templates expanded.

use toml_edit::{Array, DocumentMut, Item, Table, value};

use super::model::{Link, Manifest, Pin, Wanted};

/// `[tenants.NAME.links.NAME]` for every link, in TOML.
pub fn expanded(manifest: &Manifest) -> String {
    let mut tenants = implicit();
    for (name, tenant) in &manifest.tenants {
        let mut links = implicit();
        for (name, link) in &tenant.links {
            links.insert(name.as_str(), Item::Table(table(link)));
        }
        let mut tenant = implicit();
        tenant.insert("links", Item::Table(links));
        tenants.insert(name.as_str(), Item::Table(tenant));
    }
    let mut document = DocumentMut::new();
    document.insert("tenants", Item::Table(tenants));
    document.to_string()
}

fn implicit() -> Table {
    let mut table = Table::new();
    table.set_implicit(true);
    table
}

fn table(link: &Link) -> Table {
    let Link { repo, folder, workflow, want, watch, skip, variables } = link;
    let mut table = Table::new();
    table.insert("repo", value(repo.as_str()));
    if !folder.is_empty() {
        table.insert("folder", value(folder.as_str()));
    }
    if let Some(workflow) = workflow {
        table.insert("workflow", value(workflow.as_str()));
    }
    match want {
        Wanted::Sha(sha) => table.insert("sha", value(sha.as_str())),
        Wanted::Branch(branch) => table.insert("branch", value(branch.as_str())),
        Wanted::Pipeline { name, pin } => {
            if let Some(Pin { sha, why }) = pin {
                let keys = [("sha", sha.as_str()), ("why", why.as_str())];
                table.insert("pin", value(keys.into_iter().collect::<toml_edit::InlineTable>()));
            }
            table.insert("pipeline", value(name.as_str()))
        }
    };
    if let Some(watch) = watch {
        table.insert("watch", value(watch.iter().map(String::as_str).collect::<Array>()));
    }
    if !skip.is_empty() {
        table.insert("skip", value(skip.iter().map(|phase| phase.as_str()).collect::<Array>()));
    }
    if !variables.is_empty() {
        let pairs = variables.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        table.insert("variables", value(pairs.collect::<toml_edit::InlineTable>()));
    }
    table
}
