//! What lies in a Redis as text: a line for each key, with its life, its name and its values.

use data_encoding::{BASE64, HEXLOWER};
use std::fmt::Write as _;

use crate::RedisServer;

/// `string LIFE NAME VALUE` or `set LIFE NAME MEMBER…`: the life in milliseconds, -1 where it has no end; names and values in base64. What
/// says which gateways are alive is left out.
#[must_use]
pub fn written_down(redis: &RedisServer) -> String {
    let mut names = redis.keys("*");
    names.sort();
    let mut text = String::new();
    for name in names.iter().filter(|name| !name.contains("{bus}:members") && !name.contains(":lease:")) {
        let life = redis.command(&["pttl", name]);
        let kind = redis.command(&["type", name]);
        let values = match kind.as_str() {
            // Binary values come whole out of a script alone, as hexadecimal digits.
            "string" => vec![unhex(&redis.command(&["eval", HEX, "1", name]))],
            "set" => redis.command(&["smembers", name]).lines().map(|member| member.as_bytes().to_vec()).collect(),
            other => panic!("{name} is a {other}"),
        };
        let values: Vec<String> = values.iter().map(|value| BASE64.encode(value)).collect();
        // Writing to a string does not fail.
        let _ = writeln!(text, "{kind} {life} {} {}", BASE64.encode(name.as_bytes()), values.join(" "));
    }
    text
}

/// Puts it into another Redis.
pub fn restore(redis: &RedisServer, text: &str) {
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [kind, life, name, values @ ..] = words.as_slice() else { panic!("{line}") };
        let decoded = |word: &str| BASE64.decode(word.as_bytes()).expect("base64");
        let name = String::from_utf8(decoded(name)).expect("a name");
        for value in values {
            let digits: String = HEXLOWER.encode(&decoded(value));
            let done = redis.command(&["eval", PUT, "1", &name, kind, life, &digits]);
            assert_eq!(done, "1", "{name}");
        }
    }
}

fn unhex(digits: &str) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(digits.as_bytes()).expect("hexadecimal")
}

const HEX: &str =
    "local v = redis.call('GET', KEYS[1]) return (v:gsub('.', function(c) return string.format('%02x', c:byte()) end))";
const PUT: &str = "local v = ARGV[3]:gsub('%x%x', function(d) return string.char(tonumber(d, 16)) end) \
                   if ARGV[1] == 'set' then redis.call('SADD', KEYS[1], v) else redis.call('SET', KEYS[1], v) end \
                   if ARGV[2] ~= '-1' then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 1";
