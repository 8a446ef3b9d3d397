//! Documents, dashboards and rules against the metrics that there are: nothing is missing, nothing is made up.

#![allow(clippy::unwrap_used, reason = "a test that can not go on should panic")]

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use keepwatch_export::{Kind, families};
use serde_json::Value;

const BEGIN: &str = "<!-- from here on made of the metrics themselves -->\n";

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(repository(path)).unwrap()
}

/// With `KEEPWATCH_WRITE_DOCS=1` it writes the page instead.
#[test]
fn the_page_of_metrics_is_up_to_date() {
    let mut table = String::new();
    let all = families().unwrap();
    for (title, prefix) in [
        ("Of the keepalived exporter", "keepalived_"),
        ("Of keepwatch", "keepwatch_"),
        ("Of the process", "process_"),
    ] {
        writeln!(table, "\n## {title}\n\n| metric | kind | labels | what |\n|---|---|---|---|").unwrap();
        for family in all.iter().filter(|family| family.name.starts_with(prefix)) {
            let labels: Vec<_> = family.labels.iter().map(|label| format!("`{label}`")).collect();
            let (name, kind, help) = (&family.name, family.kind.name(), family.help.replace('|', "\\|"));
            writeln!(table, "| `{name}` | {kind} | {} | {help} |", labels.join(" ")).unwrap();
        }
    }
    let page = read("docs/metrics.md");
    let (head, written) = page.split_once(BEGIN).unwrap();
    if std::env::var_os("KEEPWATCH_WRITE_DOCS").is_some() {
        fs::write(repository("docs/metrics.md"), format!("{head}{BEGIN}{table}")).unwrap();
    } else {
        assert_eq!(written, table, "KEEPWATCH_WRITE_DOCS=1 writes docs/metrics.md");
    }
}

#[test]
fn names_are_as_prometheus_wants_them_and_stand_for_one_thing() {
    let mut seen = BTreeSet::new();
    for family in families().unwrap() {
        let name = &family.name;
        assert!(seen.insert(name.clone()), "{name} twice");
        assert_eq!(name.ends_with("_total"), family.kind == Kind::Counter, "{name}");
        assert!(!family.help.is_empty() && !family.help.ends_with('.'), "{name}: {}", family.help);
        // A label `instance` or `job` is Prometheus's own and would be renamed.
        assert!(!family.labels.iter().any(|label| matches!(*label, "instance" | "job" | "le")), "{name}");
    }
}

/// Every name of a metric in a text, without what histograms and summaries append.
fn named(text: &str) -> BTreeSet<String> {
    let known: Vec<_> = families().unwrap().into_iter().map(|f| (f.name, f.kind)).collect();
    let is_composed =
        |name: &str| known.iter().any(|(n, k)| n == name && matches!(k, Kind::Summary | Kind::Histogram));
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'))
        .filter(|word| {
            ["keepalived_", "keepwatch_", "process_"].iter().any(|prefix| word.starts_with(prefix))
        })
        .map(|word| {
            let short = ["_bucket", "_count", "_sum"].iter().find_map(|suffix| word.strip_suffix(suffix));
            short.filter(|short| is_composed(short)).unwrap_or(word).to_owned()
        })
        .collect()
}

fn queries() -> String {
    let mut all = String::new();
    for file in fs::read_dir(repository("dashboards/grafana")).unwrap() {
        let board: Value = serde_json::from_str(&fs::read_to_string(file.unwrap().path()).unwrap()).unwrap();
        for panel in board["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().into_iter().flatten() {
                all += target["expr"].as_str().unwrap();
                all.push('\n');
            }
        }
    }
    all
}

#[test]
fn every_metric_stands_on_a_dashboard_or_is_raw_material_and_nothing_else_is_named() {
    let there: BTreeSet<String> = families().unwrap().into_iter().map(|family| family.name).collect();
    let shown = named(&queries());
    let raw = read("dashboards/raw-material.txt");
    let lines = raw.lines().filter(|line| !line.starts_with('#'));
    let raw: BTreeSet<String> =
        lines.filter_map(|line| Some(line.split_whitespace().next()?.to_owned())).collect();
    let made_up: Vec<_> = shown.union(&raw).filter(|name| !there.contains(*name)).collect();
    assert!(made_up.is_empty(), "there is no {made_up:?}");
    let both: Vec<_> = shown.intersection(&raw).collect();
    assert!(both.is_empty(), "shown after all: {both:?}");
    let nowhere: Vec<_> =
        there.iter().filter(|name| !shown.contains(*name) && !raw.contains(*name)).collect();
    assert!(nowhere.is_empty(), "neither on a dashboard nor in raw-material.txt: {nowhere:?}");
}

#[test]
fn rules_name_what_there_is_and_each_alert_has_its_cases_and_its_paragraph() {
    let there: BTreeSet<String> = families().unwrap().into_iter().map(|family| family.name).collect();
    let alerts = read("dashboards/rules/keepwatch-alerts.yml");
    for text in
        [&alerts, &read("dashboards/rules/keepwatch-recording.yml"), &read("dashboards/rules/tests.yml")]
    {
        let made_up: Vec<_> = named(text).into_iter().filter(|name| !there.contains(name)).collect();
        assert!(made_up.is_empty(), "there is no {made_up:?}");
    }
    let (cases, page) = (read("dashboards/rules/tests.yml"), read("docs/alerts.md"));
    let names: Vec<&str> = alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(names.len() >= 10, "{names:?}");
    for name in names {
        // Of a name that no rule has, promtool believes that it is quiet.
        for (case, expected) in [("fires", "exp_alerts:\n"), ("is quiet", "exp_alerts: []\n")] {
            let case = format!("  - name: {name} {case}\n");
            let text = cases.split_once(&case).unwrap_or_else(|| panic!("no {case}")).1;
            let text = text.split("  - name: ").next().unwrap();
            assert!(
                text.contains(&format!("alertname: {name}\n")) && text.contains(expected),
                "{case}: {text}"
            );
        }
        assert!(page.contains(&format!("\n## {name}\n")), "docs/alerts.md has no paragraph on {name}");
        assert!(alerts.contains(&format!("docs/alerts.md#{}\"", name.to_lowercase())), "{name}");
    }
}

#[test]
fn documents_name_units_that_there_are() {
    let units = ["keepwatchd", "keepwatch-realserver"].map(|unit| {
        assert!(repository(&format!("packaging/{unit}.service")).exists(), "{unit}");
        unit
    });
    for file in fs::read_dir(repository("docs")).unwrap() {
        let path = file.unwrap().path();
        let Some(text) =
            fs::read_to_string(&path).ok().filter(|_| path.extension().is_some_and(|end| end == "md"))
        else {
            continue;
        };
        for command in text.split("systemctl ").skip(1) {
            // The verb, and the unit behind it.
            let unit = command.split(|c: char| c.is_whitespace() || "`;)".contains(c)).nth(1).unwrap_or("");
            let unit = unit.trim_end_matches(".service");
            let is_ours = unit.starts_with("keep") && unit != "keepalived";
            assert!(!is_ours || units.contains(&unit), "{}: {unit}", path.display());
        }
    }
}

/// As Grafana's documentation of provisioning has them: what it does not know it leaves out without a word.
#[test]
fn grafana_is_provisioned_with_what_it_knows() {
    let parsed = |path: &str| -> serde_yaml_ng::Value { serde_yaml_ng::from_str(&read(path)).unwrap() };
    let (sources, boards) = (
        parsed("dashboards/provisioning/datasources/keepwatch.yml"),
        parsed("dashboards/provisioning/dashboards/keepwatch.yml"),
    );
    for (file, list, known) in [
        (&sources, "datasources", &["name", "type", "access", "url", "isDefault", "uid", "jsonData"][..]),
        (
            &boards,
            "providers",
            &["name", "folder", "type", "options", "allowUiUpdates", "updateIntervalSeconds"],
        ),
    ] {
        assert_eq!(file["apiVersion"], 1);
        for entry in file[list].as_sequence().unwrap() {
            let names: Vec<&str> =
                entry.as_mapping().unwrap().keys().map(|key| key.as_str().unwrap()).collect();
            let unknown: Vec<_> = names.iter().filter(|name| !known.contains(name)).collect();
            assert!(unknown.is_empty() && names.contains(&"name") && names.contains(&"type"), "{names:?}");
        }
    }
    assert_eq!(sources["datasources"][0]["type"], "prometheus");
    assert_eq!(boards["providers"][0]["type"], "file");
    // Grafana finds the dashboards by their uid, and does not take two of the same.
    let mut seen = BTreeSet::new();
    for file in fs::read_dir(repository("dashboards/grafana")).unwrap() {
        let board: Value = serde_json::from_str(&fs::read_to_string(file.unwrap().path()).unwrap()).unwrap();
        assert!(seen.insert(board["uid"].as_str().unwrap().to_owned()), "{}", board["uid"]);
        let ids: BTreeSet<u64> =
            board["panels"].as_array().unwrap().iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
        assert_eq!(ids.len(), board["panels"].as_array().unwrap().len(), "{}", board["title"]);
        for panel in board["panels"].as_array().unwrap() {
            assert!(
                panel["type"] == "row" || panel["datasource"]["uid"] == "${datasource}",
                "{}",
                panel["title"]
            );
        }
    }
}
