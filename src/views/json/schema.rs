//! JSON Schemas of the formats, for programs that validate or read them.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;

/// The JSON Schema of a format, dialect 2020-12.
pub fn schema<T: JsonSchema>() -> serde_json::Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<T>().to_value()
}
