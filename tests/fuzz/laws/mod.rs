//! What holds for any bytes, format by format: checked by the fuzzers, and by the ordinary tests on the corpus.

pub mod journal;
pub mod katkitconfig;
pub mod manifest;
mod memory_files;
pub mod service_description;
