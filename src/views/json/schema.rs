//! What a format looks like, for programs that check or read it.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;

/// The JSON Schema of a format, in the 2020-12 dialect.
pub fn schema<T: JsonSchema>() -> serde_json::Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<T>().to_value()
}
