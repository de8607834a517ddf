//! The JSON Schema with which editors complete and check manifests.

use serde_json::{Value as Json, json};

use super::reader::{Definitions, Value};
use super::tables::FileKeys;
use crate::domain::TenantName;

/// The schema of a manifest file, in draft 2020-12. It is generated from the reader's declarations, so it has the same
/// keys. Only the reader checks rules that span several keys or files.
pub fn schema() -> Json {
    let mut definitions = Definitions::new();
    let root = FileKeys::schema(&mut definitions);
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "katkit manifest",
    });
    schema["$ref"] = root["$ref"].clone();
    schema["$defs"] = definitions.into();
    schema["$defs"]["manifest"]["properties"]["tenants"]["propertyNames"]["not"] =
        json!({ "enum": TenantName::RESERVED });
    schema
}
