//! Any bytes as a `servicedescription.js`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| katkit_fuzz::service_description::hold(bytes));
