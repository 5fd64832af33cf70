use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::cells::{BOUNDS, Seen};
use crate::names::{self, Name};
use crate::recorder::{Cells, Door};
use crate::rows::Upstream;
use crate::{Metrics, code};

/// What is read when the page is asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Readings {
    /// The gateway's.
    pub version: &'static str,
    /// Decisions and refusals that wait for the audit log.
    pub audit_waiting: u64,
    /// Lines that are not in the access log.
    pub access_log_lost: u64,
    /// Spans that did not reach a collector.
    pub traces_dropped: u64,
    /// Log records that did not.
    pub logs_dropped: u64,
    /// Whether the gateway was told to stop.
    pub draining: bool,
    /// What the system says of the process, where it does.
    pub process: Option<Process>,
}

/// What the system says of the process.
#[derive(Debug, Clone, Copy, Default)]
pub struct Process {
    /// In bytes.
    pub memory: u64,
    /// That are open.
    pub files: u64,
    /// That may be open.
    pub most_files: u64,
    /// In seconds since the Unix epoch.
    pub started: f64,
    /// In seconds.
    pub processor: f64,
}

#[derive(Debug)]
struct Page {
    metrics: Metrics,
    readings: Readings,
}

impl Metrics {
    /// The page, and its content type.
    pub fn page(&self, readings: Readings) -> Result<String, fmt::Error> {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Page { metrics: self.clone(), readings }));
        let mut page = String::new();
        text::encode(&mut page, &registry)?;
        Ok(page)
    }

    /// What the page is served as.
    pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
}

impl Collector for Page {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let cores = self.metrics.cores();
        self.requests(&mut encoder, &cores)?;
        self.rare(&mut encoder, &cores)?;
        self.moment(&mut encoder, &cores)
    }
}

type Cores<'a> = &'a [std::sync::Arc<Cells>];

impl Page {
    /// What is counted by upstream, each with its name; upstreams that nobody has called are left out.
    fn each(&self, cores: Cores<'_>, mut tell: impl FnMut(&str, &[&crate::cells::Row]) -> fmt::Result) -> fmt::Result {
        let upstreams = self.metrics.upstreams();
        let known = (0..).map(Upstream).map(Some).zip(upstreams.iter().map(String::as_str));
        for (upstream, name) in known.chain(Some((None, "none"))) {
            let rows: Vec<_> = cores.iter().filter_map(|core| core.rows.read(upstream)).collect();
            if !rows.is_empty() {
                tell(name, &rows)?;
            }
        }
        Ok(())
    }

    fn requests(&self, encoder: &mut DescriptorEncoder<'_>, cores: Cores<'_>) -> fmt::Result {
        let mut metric = described(encoder, names::REQUESTS, MetricType::Counter)?;
        self.each(cores, |upstream, rows| {
            for door in Door::ALL {
                for number in 0..code::CODES {
                    let counts = rows.iter().filter_map(|row| row.requests.get(door as usize)?.get(number));
                    let sum: u64 = counts.map(crate::cells::Single::get).sum();
                    if sum > 0 {
                        let code = code::name(number);
                        count(&mut metric, &[("upstream", upstream), ("door", door.name()), ("code", &code)], sum)?;
                    }
                }
            }
            Ok(())
        })?;
        for (name, times) in [
            (names::DURATION, (|row| &row.took) as fn(&crate::cells::Row) -> &crate::cells::Times),
            (names::UPSTREAM, |row| &row.upstream),
        ] {
            let mut metric = described(encoder, name, MetricType::Histogram)?;
            self.each(cores, |upstream, rows| {
                let mut seen = Seen::default();
                for row in rows {
                    times(row).read(&mut seen);
                }
                histogram(&mut metric, &[("upstream", upstream)], &seen)
            })?;
        }
        let mut metric = described(encoder, names::SENT, MetricType::Counter)?;
        self.each(cores, |upstream, rows| {
            count(&mut metric, &[("upstream", upstream)], rows.iter().map(|row| row.sent.get()).sum())
        })?;
        let mut metric = described(encoder, names::MASKED, MetricType::Counter)?;
        self.each(cores, |upstream, rows| {
            count(&mut metric, &[("upstream", upstream)], rows.iter().map(|row| row.masked.get()).sum())
        })
    }

    fn rare(&self, encoder: &mut DescriptorEncoder<'_>, cores: Cores<'_>) -> fmt::Result {
        let mut metric = described(encoder, names::DENIED, MetricType::Counter)?;
        for (reason, number) in summed(cores, |core| &core.denied) {
            count(&mut metric, &[("reason", reason)], number)?;
        }
        for (name, family) in [(names::REFRESHES, self.metrics.refreshes()), (names::CONSENTS, self.metrics.consents())]
        {
            let mut metric = described(encoder, name, MetricType::Counter)?;
            for ((upstream, result), number) in family {
                count(&mut metric, &[("upstream", upstream.as_str()), ("result", result)], number)?;
            }
        }
        let mut metric = described(encoder, names::TOOL_ERRORS, MetricType::Counter)?;
        for ((upstream, code), number) in self.metrics.tool_errors() {
            count(&mut metric, &[("upstream", upstream.as_str()), ("code", code)], number)?;
        }
        let mut metric = described(encoder, names::STORE, MetricType::Histogram)?;
        for (operation, seen, _) in self.metrics.store() {
            histogram(&mut metric, &[("op", operation)], &seen)?;
        }
        let mut metric = described(encoder, names::STORE_ERRORS, MetricType::Counter)?;
        for (operation, _, errors) in self.metrics.store() {
            count(&mut metric, &[("op", operation)], errors)?;
        }
        Ok(())
    }

    /// What is so at this moment.
    fn moment(&self, encoder: &mut DescriptorEncoder<'_>, cores: Cores<'_>) -> fmt::Result {
        let accepted: u64 = cores.iter().map(|core| core.accepted.get()).sum();
        let closed: u64 = cores.iter().map(|core| core.closed.get()).sum();
        gauge(encoder, names::OPEN, accepted.saturating_sub(closed))?;
        let counter = |encoder: &mut DescriptorEncoder<'_>, name, value: u64| {
            described(encoder, name, MetricType::Counter)?.encode_counter::<NoLabelSet, _, u64>(&value, None)
        };
        counter(encoder, names::ACCEPTED, accepted)?;
        let mut metric = described(encoder, names::TURNED_AWAY, MetricType::Counter)?;
        for (reason, number) in summed(cores, |core| &core.turned_away) {
            count(&mut metric, &[("reason", reason)], number)?;
        }
        counter(encoder, names::LOST, self.readings.access_log_lost)?;
        let mut unsent = described(encoder, names::UNSENT, MetricType::Counter)?;
        for (signal, number) in [("traces", self.readings.traces_dropped), ("logs", self.readings.logs_dropped)] {
            count(&mut unsent, &[("signal", signal)], number)?;
        }
        gauge(encoder, names::AUDIT, self.readings.audit_waiting)?;
        gauge(encoder, names::READY, u64::from(self.readings.draining))?;
        let reloads = self.metrics.reloads();
        gauge(encoder, names::RELOAD, u64::from(!reloads.last_refused))?;
        gauge(encoder, names::HELD_SINCE, reloads.held_since)?;
        let mut metric = described(encoder, names::RELOADS, MetricType::Counter)?;
        for (result, number) in [("done", reloads.done), ("refused", reloads.refused)] {
            count(&mut metric, &[("result", result)], number)?;
        }
        let mut build = described(encoder, names::BUILD, MetricType::Gauge)?;
        build.encode_family(&[("version", self.readings.version)])?.encode_gauge(&1u64)?;
        let Some(process) = self.readings.process else { return Ok(()) };
        gauge(encoder, names::MEMORY, process.memory)?;
        gauge(encoder, names::FILES, process.files)?;
        gauge(encoder, names::MOST_FILES, process.most_files)?;
        described(encoder, names::STARTED, MetricType::Gauge)?.encode_gauge(&process.started)?;
        let mut metric = described(encoder, names::PROCESSOR, MetricType::Counter)?;
        metric.encode_counter::<NoLabelSet, _, u64>(&process.processor, None)
    }
}

/// What all cores have counted, by word.
fn summed(
    cores: Cores<'_>,
    counts: impl Fn(&Cells) -> &Mutex<BTreeMap<&'static str, u64>>,
) -> BTreeMap<&'static str, u64> {
    let mut sums = BTreeMap::new();
    for core in cores {
        for (word, number) in counts(core).lock().unwrap_or_else(PoisonError::into_inner).iter() {
            *sums.entry(*word).or_default() += number;
        }
    }
    sums
}

fn described<'a>(
    encoder: &'a mut DescriptorEncoder<'_>,
    name: Name,
    kind: MetricType,
) -> Result<MetricEncoder<'a>, fmt::Error> {
    encoder.encode_descriptor(name.name, name.says, None, kind)
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: Name, value: u64) -> fmt::Result {
    described(encoder, name, MetricType::Gauge)?.encode_gauge(&value)
}

fn count<L: EncodeLabelSet>(metric: &mut MetricEncoder<'_>, labels: &L, value: u64) -> fmt::Result {
    metric.encode_family(labels)?.encode_counter::<NoLabelSet, _, u64>(&value, None)
}

#[expect(clippy::cast_precision_loss, reason = "a duration in seconds needs no more digits")]
fn histogram(metric: &mut MetricEncoder<'_>, labels: &[(&str, &str); 1], seen: &Seen) -> fmt::Result {
    let bounds = BOUNDS.iter().map(|nanos| *nanos as f64 / NANOS).chain(Some(f64::INFINITY));
    let buckets: Vec<(f64, u64)> = bounds.zip(seen.buckets).collect();
    let sum = seen.nanos as f64 / NANOS;
    metric.encode_family(labels)?.encode_histogram::<NoLabelSet>(sum, seen.buckets.iter().sum(), &buckets, None)
}

const NANOS: f64 = 1e9;
