//! A collector that this project did not write (Rotel, from PyPI): it takes what comes, and sends it on as it understood it.

use std::process::{Child, Command, Stdio};

use serde_json::json;
use tests::{eventually, free_port};

use super::{Collector, House, of_kind};
use crate::clients::script;

struct Rotel(Child);

impl Drop for Rotel {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn program() -> String {
    let mut command = Command::new(script(".venv/bin/python"));
    let place = "import importlib.util as u; print(u.find_spec('rotel').submodule_search_locations[0])";
    let told = command.args(["-c", place]).output().expect("it must be installed: ./tests/run does it");
    format!("{}/rotel-agent", String::from_utf8_lossy(&told.stdout).trim())
}

#[test]
fn a_collector_of_others_understands_what_it_is_sent() {
    let behind = Collector::start();
    let (http, grpc) = (free_port(), free_port());
    let folder = tempfile::TempDir::new().expect("a folder");
    let mut command = Command::new(program());
    command.args(["start", "--exporter", "otlp", "--otlp-exporter-protocol", "http"]);
    command.args(["--otlp-exporter-endpoint", &behind.server.url()]);
    command.args(["--otlp-http-endpoint", &format!("127.0.0.1:{http}")]);
    command.args(["--otlp-grpc-endpoint", &format!("127.0.0.1:{grpc}")]);
    command.args(["--pid-file", &folder.path().join("pid").display().to_string()]);
    command.args(["--log-file", &folder.path().join("log").display().to_string()]);
    let _rotel = Rotel(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs"));
    eventually("it listens", || std::net::TcpStream::connect(("127.0.0.1", http)).is_ok());

    let table = format!("\n[log]\nfilter = \"info\"\n\n[opentelemetry]\nendpoint = \"http://127.0.0.1:{http}\"\n");
    let house = House::start(&table);
    let answer = house.call("/tickets");
    let spans = behind.spans_of(&answer, 2);
    let (server, client) = (of_kind(&spans, "SPAN_KIND_SERVER"), of_kind(&spans, "SPAN_KIND_CLIENT"));
    assert_eq!((&client["trace"], &client["parent"]), (&server["trace"], &server["span"]));
    assert_eq!(server["attributes"]["http.response.status_code"], json!(200));
    eventually("the log has come, too", || behind.logs().iter().any(|record| record["body"] == "the gateway is ready"));
}
