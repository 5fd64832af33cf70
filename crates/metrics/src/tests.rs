use std::time::Duration;

use crate::{Call, Consent, Door, Metrics, NAMES, Process, Readings, Refresh, Reload, StoreOperation, Upstream};

fn call(upstream: Option<Upstream>, status: u16) -> Call {
    let upstream_took = upstream.map(|_| Duration::from_millis(2));
    Call { upstream, door: Door::Ath, status, took: Duration::from_millis(3), upstream_took, bytes: 10, masked: 1 }
}

fn readings() -> Readings {
    let process = Process { memory: 1, files: 2, most_files: 3, started: 4.5, processor: 6.25 };
    Readings {
        version: "0.1.0",
        audit_waiting: 7,
        access_log_lost: 3,
        traces_dropped: 5,
        logs_dropped: 0,
        draining: true,
        process: Some(process),
    }
}

#[test]
fn what_every_core_counted_is_summed() {
    let metrics = Metrics::default();
    let _quiet = metrics.upstream("quiet");
    let helpdesk = metrics.upstream("helpdesk");
    metrics.reloaded(Reload::Done, 1_700_000_000);
    metrics.reloaded(Reload::Refused, 1_700_000_009);
    let cores: Vec<_> = (0..3)
        .map(|_| {
            let metrics = metrics.clone();
            std::thread::spawn(move || {
                let recorder = metrics.recorder();
                for _ in 0..1000 {
                    recorder.call(&call(Some(helpdesk), 200));
                }
                recorder.call(&call(None, 499));
                recorder.denied("token_invalid");
                recorder.accepted();
                recorder.accepted();
                recorder.closed();
            })
        })
        .collect();
    for core in cores {
        core.join().expect("no panic");
    }
    metrics.refreshed("helpdesk", Refresh::Ended);
    metrics.consent("helpdesk", Consent::Granted);
    metrics.tool_error("helpdesk", "connect_required");
    metrics.stored(StoreOperation::Write, Duration::from_secs(60), true);
    let page = metrics.page(readings()).expect("a page");
    for line in [
        "ath_gateway_http_requests_total{upstream=\"helpdesk\",door=\"ath\",code=\"200\"} 3000",
        "ath_gateway_http_requests_total{upstream=\"none\",door=\"ath\",code=\"4xx\"} 3",
        "ath_gateway_http_request_duration_seconds_bucket{le=\"0.0025\",upstream=\"helpdesk\"} 0",
        "ath_gateway_http_request_duration_seconds_bucket{le=\"0.005\",upstream=\"helpdesk\"} 3000",
        "ath_gateway_http_request_duration_seconds_count{upstream=\"helpdesk\"} 3000",
        "ath_gateway_http_request_duration_seconds_sum{upstream=\"helpdesk\"} 9.0",
        "ath_gateway_upstream_request_duration_seconds_sum{upstream=\"helpdesk\"} 6.0",
        "ath_gateway_response_bytes_total{upstream=\"helpdesk\"} 30000",
        "ath_gateway_guard_finds_total{upstream=\"helpdesk\"} 3000",
        "ath_gateway_denied_total{reason=\"token_invalid\"} 3",
        "ath_gateway_token_refresh_total{upstream=\"helpdesk\",result=\"ended\"} 1",
        "ath_gateway_consents_total{upstream=\"helpdesk\",result=\"granted\"} 1",
        "ath_gateway_mcp_tool_errors_total{upstream=\"helpdesk\",code=\"connect_required\"} 1",
        "ath_gateway_store_op_duration_seconds_bucket{le=\"+Inf\",op=\"write\"} 1",
        "ath_gateway_store_errors_total{op=\"write\"} 1",
        "ath_gateway_agent_connections 3",
        "ath_gateway_agent_connections_accepted_total 6",
        "ath_gateway_access_log_dropped_total 3",
        "ath_gateway_telemetry_dropped_total{signal=\"traces\"} 5",
        "ath_gateway_telemetry_dropped_total{signal=\"logs\"} 0",
        "ath_gateway_audit_waiting 7",
        "ath_gateway_draining 1",
        "ath_gateway_config_reload_success 0",
        "ath_gateway_config_held_since_seconds 1700000000",
        "ath_gateway_config_reloads_total{result=\"done\"} 1",
        "ath_gateway_config_reloads_total{result=\"refused\"} 1",
        "ath_gateway_build_info{version=\"0.1.0\"} 1",
        "process_start_time_seconds 4.5",
        "process_cpu_seconds_total 6.25",
        "# EOF",
    ] {
        assert!(page.lines().any(|known| known == line), "{line}\n{page}");
    }
    assert!(!page.contains("quiet"), "nobody called it");
    assert_eq!(metrics.upstream("helpdesk"), helpdesk, "whoever configures it again goes on counting");
}

#[test]
fn every_name_is_on_the_page() {
    let page = Metrics::default().page(readings()).expect("a page");
    let told: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    let known: Vec<String> = NAMES.iter().map(|name| format!("{} {}", name.name, name.kind)).collect();
    assert_eq!(told, known);
}
