//! A JSON-RPC answer, as a body of its own or as one event of a stream (MCP, transports).

use serde_json::Value;

/// The answer to the request with this id. Whatever else a stream brings is passed over.
pub(super) fn find(body: &[u8], id: &Value) -> Option<Value> {
    if let Ok(message) = serde_json::from_slice::<Value>(body) {
        return Some(message).filter(|message| is_answer(message, id));
    }
    let text = str::from_utf8(body).ok()?;
    events(text)
        .into_iter()
        .filter_map(|data| serde_json::from_str::<Value>(&data).ok())
        .find(|message| is_answer(message, id))
}

fn is_answer(message: &Value, id: &Value) -> bool {
    message.get("id") == Some(id) && (message.get("result").is_some() || message.get("error").is_some())
}

/// The data of each event (WHATWG HTML, server-sent events). One that did not end is none.
fn events(text: &str) -> Vec<String> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let ended = text.rsplit_once("\n\n").map_or("", |(ended, _)| ended);
    let data = |event: &str| {
        let lines = event.lines().filter_map(|line| line.strip_prefix("data:"));
        lines.map(|value| value.strip_prefix(' ').unwrap_or(value)).collect::<Vec<_>>().join("\n")
    };
    ended.split("\n\n").map(data).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_is_found_in_a_body_and_in_a_stream() {
        let answer = json!({"jsonrpc": "2.0", "id": 1, "result": {"a": 1}});
        assert_eq!(find(answer.to_string().as_bytes(), &json!(1)), Some(answer.clone()));
        assert_eq!(find(answer.to_string().as_bytes(), &json!(2)), None);
        for ends in ["\n", "\r\n", "\r"] {
            let stream = format!(
                ": hello{ends}{ends}id: 1{ends}data:{ends}{ends}event: message{ends}data: {{\"method\":\"x\"}}{ends}{ends}data: {{\"jsonrpc\":\"2.0\",{ends}data: \"id\":1,\"result\":{{\"a\":1}}}}{ends}{ends}"
            );
            assert_eq!(find(stream.as_bytes(), &json!(1)), Some(answer.clone()), "{stream:?}");
        }
        assert_eq!(find(b"data: {\"id\":1,\"result\":{}}\n", &json!(1)), None, "it did not end");
        assert_eq!(find(b"<html>", &json!(1)), None);
    }
}
