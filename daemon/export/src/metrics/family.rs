//! Metric families on the way to the encoder: name, help and type once, then samples with their labels.

use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType, Summary};

/// A label and its value.
pub(super) type Label<'a> = (&'static str, &'a str);

/// All families of one scrape; those without samples are left out.
#[derive(Default)]
pub(super) struct Families(Vec<MetricFamily>);

impl Families {
    /// A family whose samples may fall.
    pub(super) fn gauge(&mut self, name: &str, help: &str) -> Family<'_> {
        self.family(name, help, MetricType::GAUGE)
    }

    /// A family whose samples only rise; its name ends in `_total`.
    pub(super) fn counter(&mut self, name: &str, help: &str) -> Family<'_> {
        self.family(name, help, MetricType::COUNTER)
    }

    /// A family of counts and sums (`NAME_count`, `NAME_sum`).
    pub(super) fn summary(&mut self, name: &str, help: &str) -> Family<'_> {
        self.family(name, help, MetricType::SUMMARY)
    }

    fn family(&mut self, name: &str, help: &str, kind: MetricType) -> Family<'_> {
        let mut family = MetricFamily::default();
        family.set_name(name.to_owned());
        family.set_help(help.to_owned());
        family.set_field_type(kind);
        Family { families: self, family, kind, samples: Vec::new() }
    }

    /// For the encoder.
    pub(super) fn into_inner(self) -> Vec<MetricFamily> {
        self.0
    }
}

/// One family; it joins the others when it is dropped.
pub(super) struct Family<'a> {
    families: &'a mut Families,
    family: MetricFamily,
    kind: MetricType,
    samples: Vec<Metric>,
}

impl Family<'_> {
    /// Adds a sample of a gauge or counter.
    pub(super) fn sample(&mut self, labels: &[Label<'_>], value: f64) -> &mut Self {
        let mut metric = labelled(labels);
        if self.kind == MetricType::COUNTER {
            let mut counter = Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
        } else {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
        }
        self.samples.push(metric);
        self
    }

    /// Adds a sample of a summary.
    pub(super) fn total(&mut self, labels: &[Label<'_>], count: u64, sum: f64) -> &mut Self {
        let mut summary = Summary::default();
        summary.set_sample_count(count);
        summary.set_sample_sum(sum);
        let mut metric = labelled(labels);
        metric.set_summary(summary);
        self.samples.push(metric);
        self
    }
}

impl Drop for Family<'_> {
    fn drop(&mut self) {
        if !self.samples.is_empty() {
            let mut family = std::mem::take(&mut self.family);
            family.set_metric(std::mem::take(&mut self.samples));
            self.families.0.push(family);
        }
    }
}

fn labelled(labels: &[Label<'_>]) -> Metric {
    let pairs = labels
        .iter()
        .map(|(name, value)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value((*value).to_owned());
            pair
        })
        .collect();
    Metric::from_label(pairs)
}

/// A number as Prometheus has it. Above 2^53 it loses the last digits, as every number there does.
#[allow(clippy::cast_precision_loss)]
pub(super) fn number(value: u64) -> f64 {
    value as f64
}

/// 1 for yes, 0 for no.
pub(super) fn flag(value: bool) -> f64 {
    f64::from(u8::from(value))
}
