//! What the gate, the ways and the rules let through, over any bytes of a request: see `proxy::fuzzing::request_gate`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| proxy::fuzzing::request_gate(data));
