//! What a body asks for, found by two readers: see `policy::fuzzing::body_content`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| policy::fuzzing::body_content(data));
