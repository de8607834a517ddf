//! The definition of the table: `state/dynamodb.json`, a document for `aws dynamodb create-table --cli-input-json`.

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::create_table::builders::CreateTableFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
};
use serde::Deserialize;

/// The time-to-live attribute. No item of this layout version has it.
pub const EXPIRES: &str = "expires";

/// The definition of katkit's state table.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Definition {
    /// The default name; the manifest sets the actual one.
    pub table_name: String,
    billing_mode: String,
    deletion_protection_enabled: bool,
    key_schema: Vec<KeyPart>,
    attribute_definitions: Vec<Attribute>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct KeyPart {
    attribute_name: String,
    key_type: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Attribute {
    attribute_name: String,
    attribute_type: String,
}

impl Definition {
    /// The document, as JSON.
    pub const TEXT: &str = include_str!("../../../state/dynamodb.json");

    /// Parses the document. Fails only if the compiled-in text is broken, which a test rules out.
    pub fn read() -> Result<Self, serde_json::Error> {
        serde_json::from_str(Self::TEXT)
    }

    /// Fills in a call that creates the table under `name`.
    pub fn create(
        &self,
        call: CreateTableFluentBuilder,
        name: &str,
    ) -> Result<CreateTableFluentBuilder, BuildError> {
        let Self {
            table_name: _,
            billing_mode,
            deletion_protection_enabled,
            key_schema,
            attribute_definitions,
        } = self;
        let attributes = attribute_definitions.iter().map(|Attribute { attribute_name, attribute_type }| {
            let attribute_type = ScalarAttributeType::from(attribute_type.as_str());
            AttributeDefinition::builder()
                .attribute_name(attribute_name)
                .attribute_type(attribute_type)
                .build()
        });
        Ok(call
            .table_name(name)
            .billing_mode(BillingMode::from(billing_mode.as_str()))
            .deletion_protection_enabled(*deletion_protection_enabled)
            .set_key_schema(Some(keys(key_schema)?))
            .set_attribute_definitions(Some(attributes.collect::<Result<_, _>>()?)))
    }
}

fn keys(parts: &[KeyPart]) -> Result<Vec<KeySchemaElement>, BuildError> {
    let part = |KeyPart { attribute_name, key_type }: &KeyPart| {
        let key_type = KeyType::from(key_type.as_str());
        KeySchemaElement::builder().attribute_name(attribute_name).key_type(key_type).build()
    };
    parts.iter().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_document_is_parsed() {
        let keys = Definition::read().unwrap().key_schema;
        assert_eq!(keys.iter().map(|key| key.attribute_name.as_str()).collect::<Vec<_>>(), ["pk", "sk"]);
    }
}
