//! Metric families on the way to a client, in Prometheus's text format or in OpenMetrics: name, help and type once, then
//! samples with their labels, written straight into the answer.
//!
//! Both formats come from the same calls, so a series has the same name and labels in both (the bounds of buckets too,
//! which is why no ready-made encoder is used: the one that we know of for each format writes them otherwise than the
//! other). What differs: in OpenMetrics a counter's family has no `_total`, exemplars stand behind samples, and there is
//! an end mark.

use std::fmt::Write;
use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};

use keepwatch_bus::histogram::{Exemplar, Observed};

/// A part of an exposition ends after so many series of a long family, and has at least so many bytes: short families are
/// one part together.
const PART: usize = 256;
const LEAST: usize = 16 << 10;
/// How long the last answer was, in bytes.
static LAST: AtomicUsize = AtomicUsize::new(0);

/// How metrics are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus's text format, 0.0.4.
    Text,
    /// OpenMetrics 1.0.0, with exemplars.
    OpenMetrics,
}

impl Format {
    /// For `Content-Type`.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// What a family is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Its samples may fall.
    Gauge,
    /// Its samples only rise; its name ends in `_total`.
    Counter,
    /// Counts and sums.
    Summary,
    /// Counts by bucket, and sums.
    Histogram,
}

impl Kind {
    /// Its name in both formats.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Summary => "summary",
            Self::Histogram => "histogram",
        }
    }
}

/// What there is to know of a family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// Its name, as samples of Prometheus's text format have it.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// What it says.
    pub help: String,
    /// Its labels, without those of buckets.
    pub labels: Vec<&'static str>,
}

/// Labels with their values, as they are written: made once for a subject and used for all its families.
#[derive(Clone, Debug, Default)]
pub struct Labels {
    names: Vec<&'static str>,
    text: String,
}

impl Labels {
    /// These names with these values.
    pub fn new(labels: &[(&'static str, &str)]) -> Self {
        Self::default().with(labels)
    }

    /// These, and some more.
    pub fn with(&self, labels: &[(&'static str, &str)]) -> Self {
        let mut more = self.clone();
        for (name, value) in labels {
            more.names.push(name);
            label(&mut more.text, name, value);
        }
        more
    }
}

/// All families of one scrape; those without samples are left out.
pub struct Families {
    format: Format,
    out: String,
    /// Where its parts begin.
    starts: Vec<usize>,
    described: Vec<Described>,
}

/// All that one scrape says, as text.
#[derive(Clone, Debug, Default)]
pub struct Exposition {
    text: String,
    starts: Vec<usize>,
}

impl Deref for Exposition {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl Exposition {
    /// The text in parts: some short families, or some series of a long one. The end mark goes with the last.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &str> {
        let ends = self.starts.iter().skip(1).copied().chain([self.text.len()]);
        // What there is if there are no families.
        let whole = if self.starts.is_empty() { Some(&*self.text) } else { None };
        let parts = self.starts.iter().zip(ends).filter_map(|(start, end)| self.text.get(*start..end));
        parts.chain(whole)
    }

    /// The text alone.
    pub(crate) fn into_text(self) -> String {
        self.text
    }
}

impl Families {
    /// None yet.
    pub fn new(format: Format) -> Self {
        Self::with_room(format, LAST.load(Ordering::Relaxed))
    }

    /// None yet, and room for as much as there was the last time, and some more: growing step by step means copying all of
    /// it again and again.
    pub(super) fn with_room(format: Format, room: usize) -> Self {
        let out = String::with_capacity(room + room / 16 + (64 << 10));
        Self { format, out, starts: Vec::new(), described: Vec::new() }
    }

    /// A family whose samples may fall.
    pub fn gauge(&mut self, name: &str, help: &str, labels: &[&'static str]) -> Family<'_> {
        self.family(name, help, Kind::Gauge, labels)
    }

    /// A family whose samples only rise; its name ends in `_total`.
    pub fn counter(&mut self, name: &str, help: &str, labels: &[&'static str]) -> Family<'_> {
        self.family(name, help, Kind::Counter, labels)
    }

    /// A family of counts and sums (`NAME_count`, `NAME_sum`).
    pub(super) fn summary(&mut self, name: &str, help: &str, labels: &[&'static str]) -> Family<'_> {
        self.family(name, help, Kind::Summary, labels)
    }

    /// A family of counts by bucket and sums (`NAME_bucket`, `NAME_count`, `NAME_sum`).
    pub(super) fn histogram(&mut self, name: &str, help: &str, labels: &[&'static str]) -> Family<'_> {
        self.family(name, help, Kind::Histogram, labels)
    }

    fn family(&mut self, name: &str, help: &str, kind: Kind, labels: &[&'static str]) -> Family<'_> {
        let (name, help, labels) = (name.to_owned(), help.to_owned(), labels.to_vec());
        self.described.push(Described { name, kind, help, labels });
        let at = self.described.len() - 1;
        Family { families: self, at, series: 0, bounds: Vec::new() }
    }

    /// Bytes so far.
    pub(super) fn len(&self) -> usize {
        self.out.len()
    }

    /// Others come after these.
    pub(super) fn append(&mut self, others: Self) {
        let begin = self.out.len();
        self.out.push_str(&others.out);
        self.starts.extend(others.starts.into_iter().map(|start| begin + start));
        self.described.extend(others.described);
    }

    /// The answer.
    pub fn finish(mut self) -> Exposition {
        if self.format == Format::OpenMetrics {
            self.out.push_str("# EOF\n");
        }
        LAST.store(self.out.len(), Ordering::Relaxed);
        Exposition { text: self.out, starts: self.starts }
    }

    /// Every family that was asked for, with samples or without.
    pub(super) fn described(self) -> Vec<Described> {
        self.described
    }
}

/// One family: its samples are written as they come.
pub struct Family<'a> {
    families: &'a mut Families,
    at: usize,
    /// Series so far.
    series: usize,
    /// The bounds of buckets as they are written: the same for every histogram of the family.
    bounds: Vec<String>,
}

impl Family<'_> {
    /// Adds a sample of a gauge or counter, with the values of its labels.
    pub fn sample(&mut self, values: &[&str], value: f64) -> &mut Self {
        self.sample_like(values, value, None)
    }

    /// The same with an event that stands for it.
    pub(super) fn sample_like(&mut self, values: &[&str], value: f64, like: Option<Exemplar>) -> &mut Self {
        self.write(&Labels::default(), values, "", None, value, like);
        self
    }

    /// Adds a sample for a subject whose labels are the first ones of the family, with the values of the others.
    pub fn sample_of(&mut self, of: &Labels, values: &[&str], value: f64) -> &mut Self {
        self.write(of, values, "", None, value, None);
        self
    }

    /// The same with an event that stands for it.
    pub(super) fn sample_of_like(
        &mut self,
        of: &Labels,
        values: &[&str],
        value: f64,
        like: Option<Exemplar>,
    ) {
        self.write(of, values, "", None, value, like);
    }

    /// Adds a sample of a summary.
    pub(super) fn total(&mut self, of: &Labels, values: &[&str], count: u64, sum: f64) -> &mut Self {
        self.write(of, values, "_sum", None, sum, None);
        self.write(of, values, "_count", None, number(count), None);
        self
    }

    /// Adds a histogram.
    pub(super) fn observed(&mut self, of: &Labels, values: &[&str], seen: &Observed) -> &mut Self {
        let mut bounds = std::mem::take(&mut self.bounds);
        if bounds.is_empty() {
            let text = |bound: u64| format!("{:?}", number(bound) / 1e6);
            bounds = seen.buckets.iter().map(|(bound, ..)| bound.map_or("+Inf".to_owned(), text)).collect();
        }
        for ((_, count, like), bound) in seen.buckets.iter().zip(&bounds) {
            self.write(of, values, "_bucket", Some(bound), number(*count), *like);
        }
        self.bounds = bounds;
        self.write(of, values, "_sum", None, seen.sum, None);
        self.write(of, values, "_count", None, number(seen.count), None);
        self
    }

    fn begin(&mut self) {
        let Families { format, out, starts, described } = &mut *self.families;
        let long = starts.last().is_none_or(|start| out.len() >= start + LEAST);
        if long && self.series.is_multiple_of(PART) {
            starts.push(out.len());
        }
        self.series += 1;
        let Some(family) = described.get(self.at).filter(|_| self.series == 1) else { return };
        let name = match format {
            Format::OpenMetrics => family.name.strip_suffix("_total").unwrap_or(&family.name),
            Format::Text => &family.name,
        };
        let _ = write!(out, "# HELP {name} ");
        for character in family.help.chars() {
            match character {
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '"' if *format == Format::OpenMetrics => out.push_str("\\\""),
                other => out.push(other),
            }
        }
        let _ = writeln!(out, "\n# TYPE {name} {}", family.kind.name());
    }

    fn write(
        &mut self,
        of: &Labels,
        values: &[&str],
        suffix: &str,
        bucket: Option<&str>,
        value: f64,
        like: Option<Exemplar>,
    ) {
        self.begin();
        let Families { format, out, described, .. } = &mut *self.families;
        let Some(family) = described.get(self.at) else { return };
        debug_assert_eq!(family.labels.len(), of.names.len() + values.len(), "{}", family.name);
        debug_assert!(family.labels.starts_with(&of.names), "{}: {:?}", family.name, of.names);
        out.push_str(&family.name);
        out.push_str(suffix);
        let labelled = !of.text.is_empty() || !values.is_empty() || bucket.is_some();
        if labelled {
            out.push('{');
            let start = out.len();
            out.push_str(&of.text);
            for (name, value) in family.labels.iter().skip(of.names.len()).zip(values) {
                next_label(out, start, name, value);
            }
            if let Some(bound) = bucket {
                next_label(out, start, "le", bound);
            }
            out.push('}');
        }
        out.push(' ');
        write_number(out, value);
        if let Some(like) = like.filter(|_| *format == Format::OpenMetrics) {
            let _ = write!(out, " # {{event_id=\"{}\"}} ", like.event.0);
            write_number(out, like.value);
            let _ = write!(out, " {:.3}", like.at.as_duration().as_secs_f64());
        }
        out.push('\n');
    }
}

fn next_label(out: &mut String, start: usize, name: &str, value: &str) {
    if out.len() > start {
        out.push(',');
    }
    escaped(out, name, value);
}

fn label(out: &mut String, name: &str, value: &str) {
    next_label(out, 0, name, value);
}

fn escaped(out: &mut String, name: &str, value: &str) {
    out.push_str(name);
    out.push_str("=\"");
    if value.contains(['\\', '\n', '"']) {
        for character in value.chars() {
            match character {
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '"' => out.push_str("\\\""),
                other => out.push(other),
            }
        }
    } else {
        out.push_str(value);
    }
    out.push('"');
}

/// Whole numbers, which most are, without the detour by the shortest decimal form.
fn write_number(out: &mut String, value: f64) {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() < EXACT {
        #[allow(clippy::cast_possible_truncation, reason = "it has no fraction and is in range")]
        let whole = value as i64;
        out.push_str(itoa::Buffer::new().format(whole));
    } else if value.is_nan() {
        out.push_str("NaN");
    } else if value.is_infinite() {
        out.push_str(if value > 0.0 { "+Inf" } else { "-Inf" });
    } else {
        // Writing to a String can't fail.
        let _ = write!(out, "{value}");
    }
}

/// A number as Prometheus has it. Above 2^53 it loses the last digits, as every number there does.
#[allow(clippy::cast_precision_loss)]
pub fn number(value: u64) -> f64 {
    value as f64
}

/// 1 for yes, 0 for no.
pub fn flag(value: bool) -> f64 {
    f64::from(u8::from(value))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;
    use keepwatch_bus::EventId;
    use keepwatch_bus::histogram::{Failovers, Histogram};

    use super::*;

    fn written(format: Format) -> String {
        let mut families = Families::new(format);
        let like =
            Exemplar { event: EventId(7), at: Timestamp::from_second(1_700_000_000).unwrap(), value: 1.0 };
        families.counter("a_total", "A \"quoted\"\nline", &["x"]).sample_like(&["\"\\\n"], 3.0, Some(like));
        families.gauge("none", "Without samples", &[]);
        families.gauge("b", "B", &[]).sample(&[], 0.1);
        let histogram = Histogram::<Failovers>::default();
        histogram.observe(Duration::from_millis(3600));
        let of = Labels::new(&[("i", "one")]);
        families.histogram("c_seconds", "C", &["i", "j"]).observed(&of, &["two"], &histogram.read());
        families.finish().into_text()
    }

    #[test]
    fn the_text_format_has_no_exemplars_and_no_end() {
        let text = written(Format::Text);
        assert!(text.starts_with(
            "# HELP a_total A \"quoted\"\\nline\n# TYPE a_total counter\na_total{x=\"\\\"\\\\\\n\"} 3\n# HELP b B\n"
        ));
        assert!(text.contains("\nb 0.1\n") && !text.contains("none") && !text.contains(" # "));
        assert!(
            text.ends_with(
                "c_seconds_sum{i=\"one\",j=\"two\"} 3.6\nc_seconds_count{i=\"one\",j=\"two\"} 1\n"
            )
        );
        assert!(text.contains("c_seconds_bucket{i=\"one\",j=\"two\",le=\"3.0\"} 0\n"), "{text}");
        assert!(text.contains("c_seconds_bucket{i=\"one\",j=\"two\",le=\"4.0\"} 1\n"), "{text}");
        assert!(text.contains("c_seconds_bucket{i=\"one\",j=\"two\",le=\"+Inf\"} 1\n"), "{text}");
    }

    #[test]
    fn openmetrics_has_both_and_the_same_series() {
        let text = written(Format::OpenMetrics);
        assert!(text.starts_with(
            "# HELP a A \\\"quoted\\\"\\nline\n# TYPE a counter\n\
             a_total{x=\"\\\"\\\\\\n\"} 3 # {event_id=\"7\"} 1 1700000000.000\n"
        ));
        assert!(text.ends_with("\n# EOF\n"));
        let series = |text: &str| {
            let lines = text.lines().filter(|line| !line.starts_with('#'));
            lines.map(|line| line.split(" # ").next().unwrap_or(line).to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(series(&text), series(&written(Format::Text)));
    }
}
