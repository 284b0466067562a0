use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use chat_core::{ports::Tool, testing::ScriptedModel};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinSet,
};

use super::Weather;
use crate::{
    ServiceUrl,
    testing::{Answer, failure, output},
};

const FORECAST: &str = r#"{"latitude":48.86,"longitude":2.3599997,"generationtime_ms":0.05,"utc_offset_seconds":3600,
    "timezone":"Europe/Paris","timezone_abbreviation":"GMT+1","elevation":43.0,
    "current_units":{"time":"iso8601","interval":"seconds","temperature_2m":"°C"},
    "current":{"time":"2026-11-20T10:00","interval":900,"temperature_2m":7.1},
    "hourly_units":{"time":"iso8601","temperature_2m":"°C"},
    "hourly":{"time":["2026-11-20T00:00","2026-11-20T01:00"],"temperature_2m":[6.5,null]},
    "daily_units":{"time":"iso8601","sunrise":"iso8601","sunset":"iso8601"},
    "daily":{"time":["2026-11-20"],"sunrise":["2026-11-20T08:10"],"sunset":["2026-11-20T17:02"]}}"#;

const PLACES: &str = r#"{"results":[
    {"name":"Paris","latitude":48.85341,"longitude":2.3488,"country":"France","country_code":"FR","admin1":"Île-de-France"},
    {"name":"Paris","latitude":33.66094,"longitude":-95.55551,"country":"United States","country_code":"US","admin1":"Texas"}],
    "generationtime_ms":0.5}"#;

/// A service on this machine that gives each request to `answer`, with what it was asked for.
struct Service {
    address: String,
    asked: Arc<AtomicUsize>,
    _serving: JoinSet<()>,
}

impl Service {
    async fn start(answer: fn(&str) -> String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let mut byte = [0; 1024];
                    match stream.read(&mut byte).await {
                        Ok(count) if count > 0 => request.extend_from_slice(&byte[..count]),
                        _ => break,
                    }
                }
                counter.fetch_add(1, Ordering::SeqCst);
                let request = String::from_utf8(request).unwrap();
                let target = request.split(' ').nth(1).unwrap_or_default();
                // The client may hang up before it has read all.
                let _gone = stream.write_all(answer(target).as_bytes()).await;
                let _gone = stream.shutdown().await;
            }
        });
        Self {
            address,
            asked,
            _serving: serving,
        }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn weather(&self) -> Weather {
        let url = |path: &str| ServiceUrl::parse(&format!("{}{path}", self.address)).unwrap();
        Weather::new(url("/forecast"), url("/search")).unwrap()
    }
}

fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn good(target: &str) -> String {
    if target.starts_with("/forecast") {
        ok(FORECAST)
    } else if target.contains("name=Nowhere") {
        ok(r#"{"generationtime_ms":0.5}"#)
    } else {
        ok(PLACES)
    }
}

#[tokio::test]
async fn a_forecast_is_what_the_card_reads_and_no_more() {
    let service = Service::start(good).await;
    let answer = Answer::new(ScriptedModel::default());
    let result = answer
        .call(
            &service.weather(),
            &json!({"latitude": 48.85, "longitude": 2.35}),
        )
        .await;
    let expected = json!({
        "latitude": 48.86,
        "longitude": 2.359_999_7,
        "timezone": "Europe/Paris",
        "elevation": 43.0,
        "utc_offset_seconds": 3600,
        "current_units": {"time": "iso8601", "interval": "seconds", "temperature_2m": "°C"},
        "current": {"time": "2026-11-20T10:00", "interval": 900, "temperature_2m": 7.1},
        "hourly_units": {"time": "iso8601", "temperature_2m": "°C"},
        "hourly": {"time": ["2026-11-20T00:00", "2026-11-20T01:00"], "temperature_2m": [6.5, null]},
        "daily_units": {"time": "iso8601", "sunrise": "iso8601", "sunset": "iso8601"},
        "daily": {"time": ["2026-11-20"], "sunrise": ["2026-11-20T08:10"], "sunset": ["2026-11-20T17:02"]},
    });
    assert_eq!(output(result), expected);
    assert!(answer.told.all().is_empty());
}

#[tokio::test]
async fn a_city_wins_over_coordinates_and_is_found_where_it_was_said_to_be() {
    let service = Service::start(|target| {
        if let Some(query) = target.strip_prefix("/forecast?") {
            let texas = query.starts_with("latitude=33.66&longitude=-95.56&");
            let paris = query.starts_with("latitude=48.85&longitude=2.35&");
            assert!(texas || paris, "{query}");
            assert!(query.ends_with(
                "current=temperature_2m&hourly=temperature_2m&daily=sunrise%2Csunset&timezone=auto"
            ));
            // Tells the two apart.
            return ok(&FORECAST.replace("Europe/Paris", if texas { "Texas" } else { "France" }));
        }
        assert!(target.starts_with("/search?name=Paris&"), "{target}");
        ok(PLACES)
    })
    .await;
    let weather = service.weather();
    let answer = Answer::new(ScriptedModel::default());
    for (city, expected) in [
        ("Paris", "France"),
        ("Paris, texas", "Texas"),
        ("Paris, US", "Texas"),
        ("Paris, Atlantis", "France"),
    ] {
        let arguments = json!({"city": city, "latitude": 1.0, "longitude": 1.0});
        let output = output(answer.call(&weather, &arguments).await);
        assert_eq!(
            (&output["timezone"], &output["cityName"]),
            (&json!(expected), &json!("Paris"))
        );
    }
}

#[tokio::test]
async fn the_same_place_is_asked_for_once() {
    let service = Service::start(good).await;
    let weather = service.weather();
    let answer = Answer::new(ScriptedModel::default());
    for city in ["Paris", "paris", " PARIS "] {
        output(answer.call(&weather, &json!({ "city": city })).await);
    }
    assert_eq!(service.asked(), 2);
}

#[tokio::test]
async fn what_a_model_can_mend_is_said() {
    let service = Service::start(good).await;
    let weather = service.weather();
    let answer = Answer::new(ScriptedModel::default());
    for (arguments, expected) in [
        (json!({}), "Give a city, or a latitude and a longitude."),
        (
            json!({"latitude": 1.0, "city": " "}),
            "Give a city, or a latitude and a longitude.",
        ),
        (
            json!({"latitude": 91.0, "longitude": 0.0}),
            "A latitude is from -90 to 90 and a longitude from -180 to 180.",
        ),
        (json!({"city": "Nowhere"}), "No city is known by that name."),
        (
            json!({"city": "x".repeat(101)}),
            "The city's name is too long.",
        ),
    ] {
        assert_eq!(failure(answer.call(&weather, &arguments).await), expected);
    }
    let said = failure(weather.run(&answer.context(), "{\"city\": 5}").await);
    assert!(
        said.starts_with("The arguments do not fit: invalid type"),
        "{said}"
    );
    assert_eq!(service.asked(), 1);
}

#[tokio::test]
async fn a_service_that_fails_is_an_error_without_its_words() {
    for (name, answer_with) in [
        (
            "an error",
            (|_| {
                "HTTP/1.1 500 Oops\r\ncontent-length: 6\r\nconnection: close\r\n\r\nsecret"
                    .to_owned()
            }) as fn(&str) -> String,
        ),
        ("its reason", |_| ok(r#"{"error":true,"reason":"secret"}"#)),
        ("no JSON", |_| ok("secret")),
        ("a redirect", |_| {
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                .to_owned()
        }),
        ("too much", |_| {
            // A forecast all the same.
            let pad = format!(r#"{{"pad":"{}","#, "x".repeat(300 * 1024));
            ok(&FORECAST.replacen('{', &pad, 1))
        }),
        ("half", |_| {
            "HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"secret\"".to_owned()
        }),
        ("nothing", |_| String::new()),
    ] {
        let service = Service::start(answer_with).await;
        let answer = Answer::new(ScriptedModel::default());
        let arguments = json!({"latitude": 1.0, "longitude": 1.0});
        let said = failure(answer.call(&service.weather(), &arguments).await);
        assert!(said.starts_with("The weather service"), "{name}: {said}");
        assert!(!said.contains("secret"), "{name}: {said}");
    }
}

#[tokio::test]
async fn a_service_that_is_not_there_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let url = ServiceUrl::parse(&url).unwrap();
    let weather = Weather::new(url.clone(), url).unwrap();
    let answer = Answer::new(ScriptedModel::default());
    let said = failure(answer.call(&weather, &json!({"city": "Paris"})).await);
    assert!(said.contains("cannot be reached"), "{said}");
}
