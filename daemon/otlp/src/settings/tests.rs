use super::*;

fn settings(file: Option<&str>, variables: &[(&str, &str)]) -> Result<Option<Settings>, Error> {
    let mut config = Config::default();
    let otlp = &mut config.observability.otlp;
    otlp.endpoint = file.map(Into::into);
    otlp.headers = vec![Header { name: "authorization".into(), value: Secret::new("file".into()) }];
    config.global.router_id = "r1".into();
    let sender = Sender { host: "director".into(), version: "1.2.3".into(), pid: 7 };
    let lookup =
        |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    Settings::of(&config, &sender, lookup)
}

fn both(file: Option<&str>, variables: &[(&str, &str)]) -> (Option<Target>, Option<Target>) {
    settings(file, variables).unwrap().map_or((None, None), |settings| (settings.traces, settings.logs))
}

fn url(target: &Option<Target>) -> Option<&str> {
    target.as_ref().map(|target| &*target.http.url)
}

#[test]
fn nothing_is_sent_unless_somebody_says_where_to() {
    assert_eq!(settings(None, &[]).unwrap(), None);
    assert_eq!(settings(None, &[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]).unwrap(), None);
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:1");
    assert_eq!(settings(None, &[endpoint, ("OTEL_SDK_DISABLED", "TRUE")]).unwrap(), None);
    let (traces, logs) = both(None, &[endpoint, ("OTEL_TRACES_EXPORTER", "none")]);
    assert_eq!((url(&traces), url(&logs)), (None, Some("http://c:1/v1/logs")));
}

#[test]
fn endpoints_get_their_paths_as_the_specification_says() {
    let all = "OTEL_EXPORTER_OTLP_ENDPOINT";
    let (traces, logs) = both(Some("http://file:1"), &[]);
    assert_eq!((url(&traces), url(&logs)), (Some("http://file:1/v1/traces"), Some("http://file:1/v1/logs")));
    let (traces, _) = both(Some("http://file:1"), &[(all, "http://env:2/base/")]);
    assert_eq!(url(&traces), Some("http://env:2/base/v1/traces"), "the environment wins");
    let own = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://own:3/");
    let (traces, logs) = both(None, &[own]);
    assert_eq!((url(&traces), url(&logs)), (Some("http://own:3/"), None), "as it is");
    let (traces, logs) = both(None, &[(all, "http://g:4"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]);
    assert_eq!((url(&traces), url(&logs)), (Some("http://g:4"), Some("http://g:4")));
    assert_eq!(traces.unwrap().protocol, OtlpProtocol::Grpc);
}

#[test]
fn headers_are_decoded_and_those_of_the_file_stay_with_its_endpoint() {
    let headers = |target: Option<Target>| -> Vec<(String, String)> {
        let headers = target.unwrap().http.headers;
        headers.iter().map(|(name, value)| (name.to_string(), value.reveal().to_string())).collect()
    };
    let pair = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    assert_eq!(headers(both(Some("http://f:1"), &[]).0), pair("authorization", "file"));
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:1");
    assert_eq!(headers(both(Some("http://f:1"), &[endpoint]).0), []);
    let own = ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=a%20b%3D, ");
    assert_eq!(headers(both(None, &[endpoint, own]).0), pair("x-key", "a b="));
}

#[test]
fn resource_attributes_are_decoded_and_the_service_name_wins() {
    let all = settings(
        Some("http://c:1"),
        &[
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=x,deployment.environment.name=my%20lab"),
            ("OTEL_SERVICE_NAME", "edge"),
        ],
    );
    let resource = all.unwrap().unwrap().resource;
    let value = |name: &str| resource.iter().find(|(known, _)| known == name).map(|(_, value)| &**value);
    assert_eq!(value("service.name"), Some("edge"));
    assert_eq!(value("deployment.environment.name"), Some("my lab"));
    assert_eq!(value("service.version"), Some("1.2.3"));
    assert_eq!(value("host.name"), Some("director"));
    assert_eq!(value("keepwatch.router_id"), Some("r1"));
}

#[test]
fn samplers_times_and_sizes_are_those_of_the_variables() {
    let of = |variables: &[(&str, &str)]| settings(Some("http://c:1"), variables).unwrap().unwrap();
    assert_eq!(of(&[]).sampler, Sampler::AlwaysOn);
    assert_eq!(of(&[("OTEL_TRACES_SAMPLER", "parentbased_always_off")]).sampler, Sampler::AlwaysOff);
    let ratio = [("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "0.5")];
    assert_eq!(of(&ratio).sampler, Sampler::Ratio(0.5));
    let traces = of(&[
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ("OTEL_BSP_SCHEDULE_DELAY", "200"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "100"),
    ])
    .traces
    .unwrap();
    assert_eq!((traces.http.timeout, traces.gzip), (Duration::from_millis(2500), true));
    let batch = Batch { size: 100, linger: Duration::from_millis(200) };
    assert_eq!((traces.batch, traces.queue), (batch, 100));
}

#[test]
fn what_a_variable_can_t_have_is_said_without_a_password() {
    let cases = [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
        ("OTEL_TRACES_EXPORTER", "zipkin"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/ca.pem"),
    ];
    for (name, value) in cases {
        let error = settings(Some("http://c:1"), &[(name, value)]).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains(value), "{error}");
    }
    let error = settings(Some("http://c:1"), &[("OTEL_EXPORTER_OTLP_HEADERS", "secret")]).unwrap_err();
    assert!(!error.to_string().contains("secret"), "{error}");
}
